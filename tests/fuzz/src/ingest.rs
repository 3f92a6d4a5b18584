//! Target: a signal that an integrator sends by gRPC.

use prost::Message as _;
use wire::v1::{self, device_signal::Content};

use crate::{Target, signals};

pub(crate) const TARGET: Target = Target { name: "ingest", run, seeds, max_len: 4096, memory: 4 << 20 };

fn run(data: &[u8]) {
    let Ok(signal) = v1::DeviceSignal::decode(data) else { return };
    let answer = wire::signals_of(signal.clone());
    signals::check(&answer);
    // What is kept of an unreadable one is the message anew, so that must be what came in.
    let again = v1::DeviceSignal::decode(signal.encode_to_vec().as_slice()).expect("what we wrote");
    assert_eq!(wire::signals_of(again), answer);
}

fn seeds() -> Vec<Vec<u8>> {
    let occurred_at = Some(prost_types::Timestamp { seconds: 1_800_000_000, nanos: 500_000_000 });
    let place = Some(v1::Place { latitude: 32.7, longitude: 119.0, system: 2 });
    let alert = v1::DeviceAlert {
        kind: v1::Kind::Sos.into(),
        id: "a-1".to_owned(),
        occurred_at,
        place,
        detail: "厨房\n".to_owned(),
        battery_percent: Some(80),
        ..v1::DeviceAlert::default()
    };
    let reading = v1::DeviceReading { name: "heart_rate".to_owned(), value: 72.0, unit: 1 };
    let telemetry =
        v1::DeviceTelemetry { id: "t-1".to_owned(), occurred_at, place, readings: vec![reading; 3] };
    let contents = [
        Content::Alert(v1::DeviceAlert { cancel: true, ..alert.clone() }),
        Content::Alert(v1::DeviceAlert { restore: true, ..alert.clone() }),
        Content::Alert(alert),
        Content::Telemetry(telemetry),
        Content::Status(v1::DeviceStatus { state: 1, battery_percent: Some(5) }),
    ];
    let signal = |content| v1::DeviceSignal { device_id: "zb-1".to_owned(), content: Some(content) };
    contents.into_iter().map(|content| signal(content).encode_to_vec()).collect()
}

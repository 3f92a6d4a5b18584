//! How long does it take to read one device message?

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use devices::{MAX_PAYLOAD_BYTES, Message, PROFILES, Routes};

const ALERT: &str = r#"{"kind":"sos","id":"a-42","occurred_at":"2026-01-31T08:00:00.250+08:00","place":{"latitude":32.781,"longitude":118.975},"detail":"红色按钮","battery":80}"#;
const BUTTON: &str =
    r#"{"action":"emergency","battery":80,"linkquality":144,"last_seen":"2026-01-31T08:00:00+08:00"}"#;
const UPLINK: &str = r#"{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2026-01-31T00:00:00.775023242+00:00","deviceInfo":{"tenantId":"52f14cd4-c6f1-4fbd-8f87-4025e1d49242","tenantName":"anhu","applicationId":"17c82e96-be03-4f38-aef3-f83d48582d97","applicationName":"anhu","deviceProfileId":"14855bf7-d10d-4aee-b618-ebfcb64dc7ad","deviceProfileName":"call button","deviceName":"necklace","devEui":"0101010101010101","tags":{}},"devAddr":"00189440","adr":true,"dr":1,"fCnt":10,"fPort":1,"confirmed":true,"data":"qg==","object":{"sos":true,"battery":76},"rxInfo":[{"gatewayId":"0016c001f153a14c","uplinkId":4217106255,"rssi":-36,"snr":10.5,"location":{"latitude":52.3740364,"longitude":4.9144401},"crcStatus":"CRC_OK"}],"txInfo":{"frequency":868100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":11,"codeRate":"CR_4_5"}}}}"#;

fn decode(criterion: &mut Criterion) {
    let routes = Routes::by_default(PROFILES).expect("the defaults do not collide");
    let mut group = criterion.benchmark_group("decode");
    let mut bench = |name: &str, topic: &str, payload: &str| {
        group.throughput(Throughput::Bytes(payload.len() as u64));
        group.bench_function(name, |bencher| {
            let message = Message { topic, payload: payload.as_bytes() };
            bencher.iter(|| black_box(routes.decode(black_box(&message))));
        });
    };
    bench("canonical_alert", "anhu/v1/zb-kitchen-sos/alert", ALERT);
    bench("zigbee2mqtt_button", "zigbee2mqtt/卧室 SOS", BUTTON);
    bench("chirpstack_up", "application/1/device/0101010101010101/event/up", UPLINK);
    // Nearly the permitted size, full of names as long as those of the table and none of them known.
    let hostile: Vec<_> = (0..18_000).map(|n| format!("\"b{n:06}\":0")).collect();
    let hostile = format!("{{{}}}", hostile.join(","));
    assert!(hostile.len() <= MAX_PAYLOAD_BYTES, "{}", hostile.len());
    bench("zigbee2mqtt_hostile", "zigbee2mqtt/x", &hostile);
    group.finish();
}

criterion_group!(benches, decode);
criterion_main!(benches);

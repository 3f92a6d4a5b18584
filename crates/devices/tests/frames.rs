//! Does every recorded frame still say what it said? Adding a frame is adding a file to `frames/<profile>/`.
//!
//! The first frames follow the makers' documentation and their public trackers, damaged by hand; a frame caught from
//! a device in the field is worth more, so add those as they come, with names and places of people replaced.
//!
//! A frame is JSON: `about` in one sentence, `topic`, the payload as `payload` (JSON), `payload_text` or `payload_hex`,
//! and `expected`, a line for each signal or a single line for the refusal. No line at all is silence.

use std::{
    fs,
    path::{Path, PathBuf},
};

use devices::{Message, PROFILES, Profile, Refusal, Routes};
use model::{Content, CoordinateSystem, Signal};
use serde_json::{Map, Value};

#[test]
fn every_recorded_frame_says_what_it_said() {
    let routes = Routes::by_default(PROFILES).expect("the defaults do not collide");
    let mut mismatches = String::new();
    for profile in PROFILES {
        let paths = frames_of(profile);
        assert!(paths.len() >= 5, "profile {} has only {} frames", profile.name, paths.len());
        for path in paths {
            let frame = read(&path);
            let topic = frame["topic"].as_str().expect("a topic");
            let payload = payload_of(&frame, &path);
            if let Some(routed) = routes.profile(topic) {
                assert_eq!(routed.name, profile.name, "{}", path.display());
            }
            let actual = lines(&(profile.decode)(&Message { topic, payload: &payload }));
            let expected = expected_of(&frame, &path);
            if actual != expected {
                let list = |lines: &[String]| serde_json::to_string_pretty(lines).expect("text");
                mismatches += &format!(
                    "\n{}\nexpected: {}\nactual: {}\n",
                    path.display(),
                    list(&expected),
                    list(&actual)
                );
            }
        }
    }
    assert!(mismatches.is_empty(), "{mismatches}");
}

fn frames_of(profile: &Profile) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("frames").join(profile.name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Map<String, Value> {
    let text = fs::read(path).expect("a readable frame");
    let frame: Map<String, Value> =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    for name in frame.keys() {
        let known = ["about", "topic", "payload", "payload_text", "payload_hex", "expected"];
        assert!(known.contains(&name.as_str()), "{}: what is {name:?}?", path.display());
    }
    assert!(frame.contains_key("about"), "{}: say in `about` what the frame is", path.display());
    frame
}

fn payload_of(frame: &Map<String, Value>, path: &Path) -> Vec<u8> {
    match (frame.get("payload"), frame.get("payload_text"), frame.get("payload_hex")) {
        (Some(json), None, None) => json.to_string().into_bytes(),
        (None, Some(Value::String(text)), None) => text.clone().into_bytes(),
        (None, None, Some(Value::String(hex))) => bytes_of(hex),
        _ => panic!("{}: exactly one of payload, payload_text and payload_hex is needed", path.display()),
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits: Vec<_> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

fn expected_of(frame: &Map<String, Value>, path: &Path) -> Vec<String> {
    let lines = frame.get("expected").and_then(Value::as_array);
    let lines = lines.unwrap_or_else(|| panic!("{}: `expected` is a list of lines", path.display()));
    lines.iter().map(|line| line.as_str().expect("a line").to_owned()).collect()
}

fn lines(decoded: &Result<Vec<Signal>, Refusal>) -> Vec<String> {
    match decoded {
        Ok(signals) => signals.iter().map(line).collect(),
        Err(refusal) => vec![format!("refused: {refusal}")],
    }
}

fn line(signal: &Signal) -> String {
    let mut line = format!("{}: ", signal.device);
    line += &match &signal.content {
        Content::Alert { kind, detail } => format!("alert {kind} {detail:?}"),
        Content::Restore { kind } => format!("restore {kind}"),
        Content::Cancel => "cancel".to_owned(),
        Content::Heartbeat { online: true } => "online".to_owned(),
        Content::Heartbeat { online: false } => "offline".to_owned(),
        Content::Telemetry { readings } => {
            let list = readings.iter().map(|r| format!(" {}={} {:?}", r.name, r.value, r.unit));
            format!("telemetry{}", list.collect::<Vec<_>>().join(","))
        }
    };
    if let Some(id) = &signal.source_id {
        line += &format!(", id {id}");
    }
    if let Some(at) = signal.occurred_at {
        line += &format!(", at {}", jiff::Timestamp::from_millisecond(at.0).expect("a printable time"));
    }
    if let Some(place) = signal.place {
        let system = match place.source() {
            CoordinateSystem::Wgs84 => "",
            CoordinateSystem::Gcj02 => " from GCJ-02",
            CoordinateSystem::Bd09 => " from BD-09",
        };
        line += &format!(", place {:.5} {:.5}{system}", place.latitude(), place.longitude());
    }
    if let Some(percent) = signal.battery_percent {
        line += &format!(", battery {percent} %");
    }
    if signal.test { line + ", test" } else { line }
}

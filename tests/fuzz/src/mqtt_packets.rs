//! Target: the bytes of one MQTT connection, read in any pieces.

use frontdoor::{Limits, testing};

use crate::{Target, bytes::Bytes};

pub(crate) const TARGET: Target = Target { name: "mqtt_packets", run, seeds, max_len: 4096, memory: 4 << 20 };

/// The first byte says how long the pieces are; the rest is what a device sends.
fn run(data: &[u8]) {
    let mut data = Bytes(data);
    let step = usize::from(data.byte()).max(1);
    let limits = Limits { max_packet_bytes_before_login: 256, max_packet_bytes: 1024, ..Limits::default() };
    let whole = testing::read([data.0], &limits);
    assert_eq!(testing::read(data.0.chunks(step), &limits), whole, "the pieces do not matter");
    assert_eq!(testing::read(data.0.chunks(1), &limits), whole, "nor do single bytes");
    let said: usize = whole.0.iter().map(String::len).sum();
    // In words, a byte may take four characters and a field a word more.
    assert!(said <= 64 + 200 * whole.0.len() + 8 * data.0.len(), "more is read than was sent");
}

/// A CONNECT of each version, with everything that may stand in it, and after it every packet a device may send.
pub(crate) fn conversations() -> Vec<Vec<u8>> {
    let logins_v4: [&[u8]; 3] = [
        b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01a",
        b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00",
        b"\x10\x1c\x00\x04MQTT\x04\xee\x00\x0a\x00\x01a\x00\x01w\x00\x02hi\x00\x02us\x00\x02pw",
    ];
    let packets_v4: [&[u8]; 8] = [
        b"\x32\x09\x00\x03a/b\x00\x07hi",
        b"\x34\x09\x00\x03a/b\x00\x08hi\x62\x02\x00\x08",
        b"\x31\x07\x00\x03a/bhi",
        b"\x3a\x09\x00\x03a/b\x00\x07hi\x32\x09\x00\x03a/b\x00\x09hi",
        b"\x82\x08\x00\x01\x00\x03a/+\x01\xc0\x00",
        b"\xa2\x07\x00\x01\x00\x03a/+",
        b"\x40\x02\x00\x01\xc0\x00",
        b"\xe0\x00",
    ];
    let logins_v5: [&[u8]; 3] = [
        b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x01a",
        b"\x10\x25\x00\x04MQTT\x05\xc6\x00\x0a\x05\x11\x00\x00\x00\x09\x00\x01a\x02\x01\x01\x00\x01w\x00\x02hi\x00\x02us\x00\x02pw",
        b"\x10\x16\x00\x04MQTT\x05\x02\x00\x0a\x08\x21\x00\x02\x27\x00\x00\x00\x40\x00\x01a",
    ];
    let packets_v5: [&[u8]; 9] = [
        b"\x32\x0a\x00\x03a/b\x00\x07\x00hi",
        b"\x32\x1e\x00\x03a/b\x00\x07\x13\x01\x01\x02\x00\x00\x00\x05\x26\x00\x01k\x00\x01v\x03\x00\x02ctsix",
        b"\x34\x0a\x00\x03a/b\x00\x08\x00hi\x62\x03\x00\x08\x00",
        b"\x82\x09\x00\x01\x00\x00\x03a/+\x01",
        b"\x82\x15\x00\x01\x00\x00\x0f$share/g/a/b/c/\x01",
        b"\xa2\x08\x00\x01\x00\x00\x03a/+",
        b"\x62\x04\x00\x01\x92\x00\x40\x03\x00\x01\x10\xc0\x00",
        b"\xf0\x02\x18\x00",
        b"\xe0\x01\x04",
    ];
    let talk = |login: &&[u8], packets: &[&[u8]]| {
        let alone = packets.iter().map(|packet| [*login, packet].concat());
        alone.chain([[*login, &packets.concat()].concat()]).collect::<Vec<_>>()
    };
    let v4 = logins_v4.iter().flat_map(|login| talk(login, &packets_v4));
    v4.chain(logins_v5.iter().flat_map(|login| talk(login, &packets_v5))).collect()
}

fn seeds() -> Vec<Vec<u8>> {
    conversations().into_iter().map(|talk| [&[7], talk.as_slice()].concat()).collect()
}

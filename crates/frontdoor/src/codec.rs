//! Where does a packet end, and what does it say?
//!
//! Framing is done here and is strict: the length is checked against the limit before anything is kept, and a packet
//! must use all of its bytes. The bytes in between are read by `mqtt-proto`, always as one whole slice, so that "not
//! enough bytes" can only mean "malformed".

mod v4;
mod v5;

use bytes::{Buf, BytesMut};
use mqtt_proto::{Protocol, QoS};

use crate::{
    Qos,
    packet::{Fault, Incoming, Outgoing, Version},
};

const CONNECT: u8 = 0x10;

/// Bytes to packets and back, for one connection.
#[derive(Debug)]
pub(crate) struct Codec {
    /// `None` before CONNECT.
    version: Option<Version>,
    max_packet_bytes: usize,
}

/// What the bytes at hand hold.
pub(crate) enum Decoded {
    /// The next packet.
    Packet(Incoming),
    /// Not all of it is here; so many bytes are missing at least.
    Missing(usize),
}

/// The end of the next packet.
enum Frame {
    /// Header and whole length in bytes.
    Whole { header: usize, total: usize },
    /// Not all is here; so many bytes are missing at least.
    Missing(usize),
}

impl Codec {
    /// Expects a CONNECT of at most `max_packet_bytes`.
    pub(crate) fn new(max_packet_bytes: usize) -> Self {
        Self { version: None, max_packet_bytes }
    }

    /// From now on packets may be that long.
    pub(crate) fn allow(&mut self, max_packet_bytes: usize) {
        self.max_packet_bytes = max_packet_bytes;
    }

    /// The device's version; 3.1.1 as long as it is not known.
    pub(crate) fn version(&self) -> Version {
        self.version.unwrap_or(Version::V4)
    }

    /// Takes the next packet off `bytes`, or says how many bytes are missing at least.
    ///
    /// # Errors
    ///
    /// A [`Fault`] ends the connection: `bytes` cannot be read any further.
    pub(crate) fn decode(&mut self, bytes: &mut BytesMut) -> Result<Decoded, Fault> {
        if self.version.is_none() && bytes.first().is_some_and(|first| *first != CONNECT) {
            return Err(Fault::Protocol);
        }
        let (header, total) = match frame(bytes, self.max_packet_bytes)? {
            Frame::Whole { header, total } => (header, total),
            Frame::Missing(count) => return Ok(Decoded::Missing(count)),
        };
        let packet = self.read(bytes[0], &bytes[header..total]);
        bytes.advance(total);
        packet.map(Decoded::Packet)
    }

    /// Appends `packet` to `out`.
    pub(crate) fn encode(&self, packet: &Outgoing, out: &mut BytesMut) {
        match self.version() {
            Version::V4 => v4::encode(packet, out),
            Version::V5 => v5::encode(packet, out),
        }
    }

    fn read(&mut self, first: u8, body: &[u8]) -> Result<Incoming, Fault> {
        match self.version {
            Some(Version::V4) => v4::decode(first, body),
            Some(Version::V5) => v5::decode(first, body),
            None => self.read_connect(first, body),
        }
    }

    fn read_connect(&mut self, first: u8, body: &[u8]) -> Result<Incoming, Fault> {
        let mut at = 0;
        let protocol = match Protocol::decode(body, &mut at) {
            Ok(protocol) => protocol,
            Err(mqtt_proto::Error::InvalidProtocol(..)) => return Err(Fault::Version),
            Err(_) => return Err(Fault::Malformed),
        };
        let connect = match protocol {
            Protocol::V310 => return Err(Fault::Version),
            Protocol::V311 => {
                self.version = Some(Version::V4);
                v4::connect(body, &mut at)?
            }
            Protocol::V500 => {
                self.version = Some(Version::V5);
                v5::connect(first, body, &mut at)?
            }
        };
        let has_nul = connect.client_id.contains('\0')
            || connect.username.as_ref().is_some_and(|username| username.contains('\0'));
        if at != body.len() || has_nul {
            Err(Fault::Malformed)
        } else {
            Ok(Incoming::Connect(Box::new(connect)))
        }
    }
}

fn frame(bytes: &[u8], max_packet_bytes: usize) -> Result<Frame, Fault> {
    const LENGTH_BYTES: usize = 4;
    let mut length = 0;
    for (at, byte) in bytes.iter().skip(1).take(LENGTH_BYTES).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * at);
        if byte & 0x80 == 0 {
            let header = at + 2;
            let total = header + length;
            return if total > max_packet_bytes {
                Err(Fault::TooLarge)
            } else if total > bytes.len() {
                Ok(Frame::Missing(total - bytes.len()))
            } else {
                Ok(Frame::Whole { header, total })
            };
        }
    }
    if bytes.len() > LENGTH_BYTES { Err(Fault::Malformed) } else { Ok(Frame::Missing(1)) }
}

fn qos(wire: QoS) -> Qos {
    match wire {
        QoS::Level0 => Qos::AtMostOnce,
        QoS::Level1 => Qos::AtLeastOnce,
        QoS::Level2 => Qos::ExactlyOnce,
    }
}

fn fault(error: &mqtt_proto::Error) -> Fault {
    use mqtt_proto::Error;
    match error {
        Error::InvalidTopicName(_) => Fault::TopicName,
        Error::InvalidTopicFilter(_) => Fault::TopicFilter,
        Error::EmptySubscription => Fault::Protocol,
        Error::InvalidProtocol(..) | Error::UnexpectedProtocol(_) => Fault::Version,
        Error::InvalidRemainingLength
        | Error::ZeroPid
        | Error::InvalidQos(_)
        | Error::InvalidConnectFlags(_)
        | Error::InvalidConnackFlags(_)
        | Error::InvalidConnectReturnCode(_)
        | Error::InvalidHeader
        | Error::InvalidVarByteInt
        | Error::InvalidString
        | Error::IoError(_) => Fault::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAX: usize = 4096;

    fn drain(version: Option<Version>, input: &[u8]) -> usize {
        let mut codec = Codec { version, max_packet_bytes: MAX };
        let mut bytes = BytesMut::from(input);
        let mut packets = 0;
        while let Ok(Decoded::Packet(_)) = codec.decode(&mut bytes) {
            packets += 1;
        }
        packets
    }

    /// Well-formed packets, so that mutation reaches deep into the decoders.
    const SEEDS: [(Option<Version>, &[u8]); 15] = [
        (None, b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x0a\x00\x01a"),
        (None, b"\x10\x1c\x00\x04MQTT\x04\xee\x00\x0a\x00\x01a\x00\x01w\x00\x02hi\x00\x02us\x00\x02pw"),
        (None, b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x0a\x00\x00\x01a"),
        (None, b"\x10\x25\x00\x04MQTT\x05\xc6\x00\x0a\x05\x11\x00\x00\x00\x09\x00\x01a\x02\x01\x01\x00\x01w\x00\x02hi\x00\x02us\x00\x02pw"),
        (Some(Version::V4), b"\x32\x09\x00\x03a/b\x00\x07hi"),
        (Some(Version::V4), b"\x82\x08\x00\x01\x00\x03a/+\x01"),
        (Some(Version::V4), b"\xa2\x07\x00\x01\x00\x03a/+"),
        (Some(Version::V4), b"\x62\x02\x00\x01\x40\x02\x00\x01\xc0\x00\xe0\x00"),
        (Some(Version::V5), b"\x32\x0a\x00\x03a/b\x00\x07\x00hi"),
        (Some(Version::V5), b"\x32\x1e\x00\x03a/b\x00\x07\x13\x01\x01\x02\x00\x00\x00\x05\x26\x00\x01k\x00\x01v\x03\x00\x02ctsix"),
        (Some(Version::V5), b"\x82\x09\x00\x01\x00\x00\x03a/+\x01"),
        (Some(Version::V5), b"\x82\x15\x00\x01\x00\x00\x0f$share/g/a/b/c/\x01"),
        (Some(Version::V5), b"\xa2\x08\x00\x01\x00\x00\x03a/+"),
        (Some(Version::V5), b"\x62\x04\x00\x01\x92\x00\x40\x03\x00\x01\x10\xc0\x00\xe0\x01\x04"),
        (Some(Version::V5), b"\xf0\x02\x18\x00\xe0\x00"),
    ];

    #[test]
    fn the_seeds_are_packets() {
        for (version, bytes) in SEEDS {
            let is_auth = bytes[0] == 0xf0;
            assert_eq!(drain(version, bytes) > 0, !is_auth, "{bytes:x?}");
        }
    }

    #[test]
    fn a_length_over_the_limit_is_refused_before_its_bytes_come() {
        let mut codec = Codec::new(64);
        let mut bytes = BytesMut::from(&b"\x10\xff\xff\xff\x7f"[..]);
        assert!(matches!(codec.decode(&mut bytes), Err(Fault::TooLarge)));
        let mut bytes = BytesMut::from(&b"\x10\x80\x80\x80\x80"[..]);
        assert!(matches!(codec.decode(&mut bytes), Err(Fault::Malformed)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4096, ..ProptestConfig::default() })]

        #[test]
        fn random_bytes_never_panic(version in 0..3, input in prop::collection::vec(any::<u8>(), 0..300)) {
            let version = [None, Some(Version::V4), Some(Version::V5)][version as usize];
            drain(version, &input);
        }

        #[test]
        fn random_bodies_never_panic(v5 in any::<bool>(), first in any::<u8>(), body in prop::collection::vec(any::<u8>(), 0..120)) {
            let version = if v5 { Version::V5 } else { Version::V4 };
            let mut packet = vec![first, u8::try_from(body.len()).expect("short")];
            packet.extend(body);
            drain(Some(version), &packet);
            packet[0] = CONNECT;
            drain(None, &packet);
        }

        #[test]
        fn mutated_packets_never_panic(
            seed in 0..SEEDS.len(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in any::<prop::sample::Index>(),
            fix_length in any::<bool>(),
        ) {
            let (version, bytes) = SEEDS[seed];
            let mut bytes = bytes.to_vec();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            bytes.truncate(cut.index(bytes.len()) + 1);
            if fix_length && bytes.len() > 1 {
                bytes[1] = u8::try_from(bytes.len() - 2).expect("short");
            }
            drain(version, &bytes);
        }

        #[test]
        fn cutting_a_packet_anywhere_only_asks_for_more(seed in 0..SEEDS.len(), cut in any::<prop::sample::Index>()) {
            let (version, packet) = SEEDS[seed];
            let first_ends = usize::from(packet[1]) + 2;
            let mut codec = Codec { version, max_packet_bytes: MAX };
            let mut bytes = BytesMut::from(&packet[..cut.index(first_ends)]);
            let before = bytes.clone();
            prop_assert!(matches!(codec.decode(&mut bytes), Ok(Decoded::Missing(_))));
            prop_assert_eq!(before, bytes);
        }
    }
}

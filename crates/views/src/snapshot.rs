//! Snapshot: how is a board written down, and read back, without a second copy of it?
//!
//! As a `ListIncidentsResponse` of all incidents, oldest first, with the latest revision as its token. It is written and read
//! one incident at a time.

use std::{
    io::{self, Write},
    sync::Arc,
};

use prost::Message as _;
use wire::v1;

/// The key of an incident in the message, and that of the token: field 1 and field 2, each with its length before it.
const INCIDENT: u8 = 0x0a;
const HEAD: u8 = 0x12;

/// What a board showed at one moment.
#[derive(Debug)]
pub struct Snapshot {
    /// Oldest first.
    pub(crate) incidents: Vec<Arc<v1::Incident>>,
    /// The revision of the latest change.
    pub(crate) head: u64,
}

impl Snapshot {
    /// How many bytes [`Snapshot::write`] writes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let lengths = self.incidents.iter().map(|incident| incident.encoded_len());
        let sized = |length| 1 + prost::length_delimiter_len(length) + length;
        lengths.map(sized).sum::<usize>() + sized(self.head.to_string().len())
    }

    /// Writes it down and lets go of each incident as soon as it is written.
    ///
    /// # Errors
    /// When `sink` takes no more.
    pub fn write(self, sink: &mut impl Write) -> io::Result<()> {
        let mut piece = Vec::new();
        for incident in self.incidents {
            piece.clear();
            piece.push(INCIDENT);
            incident.encode_length_delimited(&mut piece)?;
            sink.write_all(&piece)?;
        }
        let head = self.head.to_string();
        sink.write_all(&[HEAD, head.len() as u8])?;
        sink.write_all(head.as_bytes())
    }
}

/// The incidents in a snapshot's bytes, one after the other; `None` for what is not one, and then nothing more.
pub(crate) struct Pieces<'a> {
    rest: &'a [u8],
    /// The latest revision, once all are read; 0 when it is not said, as in snapshots of the first form.
    pub(crate) head: u64,
}

impl<'a> Pieces<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, head: 0 }
    }

    fn take(&mut self) -> Option<(u8, &'a [u8])> {
        let (key, mut rest) = self.rest.split_first()?;
        let length = prost::decode_length_delimiter(&mut rest).ok()?;
        let (piece, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((*key, piece))
    }
}

impl Iterator for Pieces<'_> {
    type Item = Option<v1::Incident>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.take() {
                Some((INCIDENT, piece)) => return Some(v1::Incident::decode(piece).ok()),
                Some((HEAD, piece)) => {
                    self.head =
                        std::str::from_utf8(piece).ok().and_then(|head| head.parse().ok()).unwrap_or(0);
                }
                Some(_) | None => {
                    self.rest = &[];
                    return Some(None);
                }
            }
        }
        None
    }
}

//! How do packets cross a byte stream without holding more than we must?
//!
//! Generic over the stream, so that TLS is another stream and nothing else.

use std::{future::pending, io, time::Duration};

use bytes::BytesMut;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf, split},
    time::timeout,
};

use crate::{
    codec::{Codec, Decoded},
    packet::{Fault, Incoming, Outgoing, Version},
};

/// Read buffer of a quiet connection in bytes: holds most alerts whole, and is all an idle device costs here.
const RESTING_BYTES: usize = 1024;
/// Read buffer of a busy connection in bytes, and the most that a buffer grows ahead of the bytes that fill it, whatever
/// length a packet claims to have.
const GROWTH_BYTES: usize = 16 * 1024;
/// Outgoing bytes from which on nothing more is read or queued until the device reads.
const HIGH_WATER_BYTES: usize = 16 * 1024;
/// How long a device may take to read why it was closed.
const GOODBYE_TIMEOUT: Duration = Duration::from_millis(500);
/// How long, and how much, we go on reading after our last packet: a socket closed with unread bytes is reset, and the
/// reset can overtake the packet.
const LINGER_TIMEOUT: Duration = Duration::from_millis(250);
const LINGER_BYTES: usize = 1024 * 1024;

/// A stream with its buffers and its codec.
pub(crate) struct Wire<S> {
    reader: ReadHalf<S>,
    writer: WriteHalf<S>,
    incoming: BytesMut,
    /// Bytes to have room for before each read.
    room: usize,
    last_read: usize,
    /// A long packet made the buffer larger than `room`.
    grown: bool,
    outgoing: BytesMut,
    unflushed: bool,
    pub(crate) codec: Codec,
}

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    Read,
    Wrote,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S, codec: Codec) -> Self {
        let (reader, writer) = split(stream);
        Self {
            reader,
            writer,
            incoming: BytesMut::with_capacity(RESTING_BYTES),
            room: RESTING_BYTES,
            last_read: 0,
            grown: false,
            outgoing: BytesMut::new(),
            unflushed: false,
            codec,
        }
    }

    /// Takes the next packet out of what was read.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Fault> {
        match self.codec.decode(&mut self.incoming)? {
            Decoded::Packet(packet) => Ok(Some(packet)),
            Decoded::Missing(count) => {
                self.make_room(count);
                Ok(None)
            }
        }
    }

    /// Puts a packet behind those that wait.
    pub(crate) fn send(&mut self, packet: &Outgoing) {
        self.codec.encode(packet, &mut self.outgoing);
    }

    /// Something waits to be written.
    pub(crate) fn is_writing(&self) -> bool {
        !self.outgoing.is_empty() || self.unflushed
    }

    /// So much waits that the device must read first.
    pub(crate) fn is_choked(&self) -> bool {
        self.outgoing.len() >= HIGH_WATER_BYTES
    }

    /// Waits until some bytes were written or, if `reading`, read. Nothing is lost when the future is dropped.
    pub(crate) async fn exchange(&mut self, reading: bool) -> io::Result<Moved> {
        let writing = self.is_writing();
        let Self { reader, writer, incoming, last_read, outgoing, unflushed, .. } = self;
        tokio::select! {
            biased;
            result = write_some(writer, outgoing, unflushed), if writing => result.map(|()| Moved::Wrote),
            result = reader.read_buf(incoming), if reading => match result? {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                count => {
                    *last_read = count;
                    Ok(Moved::Read)
                }
            },
            else => pending().await,
        }
    }

    /// Sends `last` and what waits, and closes; all within a bounded time.
    pub(crate) async fn close(mut self, last: Option<Outgoing>) {
        let speaks = last.is_some_and(|packet| match (self.codec.version(), packet) {
            (Version::V4, Outgoing::Disconnect(_)) => false,
            (Version::V4 | Version::V5, packet) => {
                self.send(&packet);
                true
            }
        });
        let rest = async {
            self.writer.write_all_buf(&mut self.outgoing).await?;
            self.writer.shutdown().await
        };
        let sent = timeout(GOODBYE_TIMEOUT, rest).await;
        if speaks && matches!(sent, Ok(Ok(()))) {
            // Nothing depends on how this ends.
            let _ = timeout(LINGER_TIMEOUT, self.linger()).await;
        }
    }

    async fn linger(&mut self) {
        let mut read = 0;
        while read < LINGER_BYTES {
            self.incoming.clear();
            self.incoming.reserve(RESTING_BYTES);
            match self.reader.read_buf(&mut self.incoming).await {
                Ok(0) | Err(_) => return,
                Ok(count) => read += count,
            }
        }
    }

    /// Makes room for the missing bytes of a packet, and lets go of room that a quiet device does not need.
    fn make_room(&mut self, missing: usize) {
        if !self.incoming.is_empty() {
            let free = self.incoming.capacity() - self.incoming.len();
            if free < missing.min(RESTING_BYTES) {
                self.incoming.reserve(missing.clamp(RESTING_BYTES, GROWTH_BYTES));
                self.grown = true;
            }
            return;
        }
        let room = match self.last_read {
            full if full >= self.room => (self.room * 2).min(GROWTH_BYTES),
            small if small < RESTING_BYTES => RESTING_BYTES,
            _ => self.room,
        };
        if room != self.room || self.grown {
            self.incoming = BytesMut::with_capacity(room);
            self.room = room;
            self.grown = false;
        } else {
            self.incoming.reserve(room);
        }
    }
}

async fn write_some<S: AsyncRead + AsyncWrite + Unpin>(
    writer: &mut WriteHalf<S>,
    outgoing: &mut BytesMut,
    unflushed: &mut bool,
) -> io::Result<()> {
    if !outgoing.is_empty() {
        if writer.write_buf(outgoing).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        *unflushed = true;
        if !outgoing.is_empty() {
            return Ok(());
        }
        if outgoing.capacity() > RESTING_BYTES {
            *outgoing = BytesMut::new();
        }
    }
    writer.flush().await?;
    *unflushed = false;
    Ok(())
}

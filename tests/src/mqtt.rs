//! Just as much MQTT 3.1.1 as a device speaks, in code of our own, so that no mistake of a library can hide one of the server.

use std::{collections::VecDeque, io, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Messages a device has under way at once.
const IN_FLIGHT: usize = 32;
/// How long a device waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// A connection that is let in.
#[derive(Debug)]
pub struct Line(TcpStream);

impl Line {
    /// Connects with a clean session.
    ///
    /// # Errors
    /// What the system said.
    ///
    /// # Panics
    /// When the front door does not let it in.
    pub async fn open(port: u16, client_id: &str) -> io::Result<Self> {
        let line = Self::open_with(port, client_id, None).await?;
        Ok(line.expect("the front door lets a device in"))
    }

    /// Connects with a clean session and this password; `None` when the front door does not let it in.
    ///
    /// # Errors
    /// What the system said.
    pub async fn open_with(port: u16, client_id: &str, password: Option<&str>) -> io::Result<Option<Self>> {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&connect(client_id, password)).await?;
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await?;
        Ok(((answer[0], answer[3]) == (0x20, 0)).then_some(Self(stream)))
    }

    /// Subscribes to one filter, and says whether that was granted.
    ///
    /// # Errors
    /// What the system said.
    pub async fn subscribe(&mut self, filter: &str) -> io::Result<bool> {
        let mut rest = vec![0, 1];
        text(&mut rest, filter);
        rest.push(1);
        self.0.write_all(&packet(0x82, &rest)).await?;
        let mut answer = [0; 5];
        self.0.read_exact(&mut answer).await?;
        Ok(answer[0] == 0x90 && answer[4] <= 2)
    }

    /// Publishes so that it must be acknowledged; `again` says that it was sent before.
    ///
    /// # Errors
    /// What the system said.
    pub async fn publish(
        &mut self,
        packet_id: u16,
        topic: &str,
        payload: &str,
        again: bool,
    ) -> io::Result<()> {
        let mut rest = Vec::new();
        text(&mut rest, topic);
        rest.extend(packet_id.to_be_bytes());
        rest.extend(payload.bytes());
        self.0.write_all(&packet(if again { 0x3A } else { 0x32 }, &rest)).await
    }

    /// Waits for the next acknowledgement and returns whose it is.
    ///
    /// # Errors
    /// What the system said.
    ///
    /// # Panics
    /// When something else comes.
    pub async fn acknowledged(&mut self) -> io::Result<u16> {
        let mut answer = [0; 4];
        self.0.read_exact(&mut answer).await?;
        assert_eq!(answer[0], 0x40, "nothing but acknowledgements was asked for");
        Ok(u16::from_be_bytes([answer[2], answer[3]]))
    }
}

/// Publishes all of these, each a topic and a payload, until each is acknowledged. The line is cut by the device itself
/// after every `cut_after` acknowledgements; whatever waits then is sent again on the next one.
pub async fn deliver(port: u16, client_id: &str, messages: &[(String, String)], cut_after: usize) {
    let mut waiting: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    while next < messages.len() || !waiting.is_empty() {
        // An error means that the connection has broken: what waits is sent again on the next one.
        if session(port, client_id, messages, cut_after, (&mut next, &mut waiting)).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn session(
    port: u16,
    client_id: &str,
    messages: &[(String, String)],
    cut_after: usize,
    (next, waiting): (&mut usize, &mut VecDeque<usize>),
) -> io::Result<()> {
    let mut line = Line::open(port, client_id).await?;
    let packet_id = |number: usize| (number % 60_000 + 1) as u16;
    for number in waiting.iter().copied() {
        let (topic, payload) = &messages[number];
        line.publish(packet_id(number), topic, payload, true).await?;
    }
    for _ in 0..cut_after {
        while waiting.len() < IN_FLIGHT && *next < messages.len() {
            let (topic, payload) = &messages[*next];
            waiting.push_back(*next);
            *next += 1;
            line.publish(packet_id(*next - 1), topic, payload, false).await?;
        }
        let Some(oldest) = waiting.front().copied() else { return Ok(()) };
        assert_eq!(line.acknowledged().await?, packet_id(oldest), "in the order of the messages");
        waiting.pop_front();
    }
    Ok(())
}

fn connect(client_id: &str, password: Option<&str>) -> Vec<u8> {
    // Protocol name and level, a clean session and whether a password comes, sixty seconds of keep-alive, and who it is.
    let flags = if password.is_some() { 0xC2 } else { 0x02 };
    let mut rest = vec![0, 4, b'M', b'Q', b'T', b'T', 4, flags, 0, 60];
    text(&mut rest, client_id);
    if let Some(password) = password {
        text(&mut rest, client_id);
        text(&mut rest, password);
    }
    packet(0x10, &rest)
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u16).to_be_bytes());
    bytes.extend(text.as_bytes());
}

fn packet(kind: u8, rest: &[u8]) -> Vec<u8> {
    assert!(rest.len() < 128 * 128, "two bytes tell the length");
    let mut bytes = vec![kind];
    if rest.len() < 128 {
        bytes.push(rest.len() as u8);
    } else {
        bytes.extend([(rest.len() % 128) as u8 | 0x80, (rest.len() / 128) as u8]);
    }
    bytes.extend(rest);
    bytes
}

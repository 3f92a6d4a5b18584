//! What happens between a device's CONNECT and its end?
//!
//! One task, one loop: answer what is durable, send receipts, take messages while there is room, wait for the next
//! event. Nothing waits for anything but that one event, also while the server has no room for a message.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};

use crate::{
    Ack, Inbound, Intake, Qos,
    acks::{Acks, Answer},
    clients::{Closing, Seat},
    counters::count,
    door::Door,
    end::End,
    packet::{Fault, Grant, Incoming, Outgoing, Publish, Wish},
    receipts::{Receipt, Unacked},
    subscriptions::{Subscribed, is_shallow},
    timer::Timer,
    wire::{Moved, Wire},
};

/// Most QoS 2 messages of one device that are taken and not released. Bounds what a device that never releases costs.
const MAX_UNRELEASED: usize = 1024;
/// Bytes of a PUBLISH beyond topic and payload, at most.
const PUBLISH_OVERHEAD_BYTES: usize = 16;

/// How the device wants to be treated.
#[derive(Debug)]
pub(crate) struct Manner {
    /// It is gone when nothing comes for so long; one and a half of the keep-alive it named.
    pub(crate) keep_alive: Option<Duration>,
    /// Most receipts to have unacknowledged.
    pub(crate) receive_maximum: u16,
    /// Longest packet in bytes it can take.
    pub(crate) max_packet_bytes: u32,
}

/// A device that is let in.
pub(crate) struct Connection<'d, I: Intake, S> {
    door: &'d Door,
    intake: &'d I,
    guest: &'d I::Guest,
    seat: &'d Arc<Seat>,
    wire: Wire<S>,
    manner: Manner,
    acks: Acks,
    /// QoS 2 messages taken and not released by the device.
    unreleased: BTreeSet<u16>,
    unacked: Unacked,
    subscribed: Subscribed<'d>,
    timer: Timer,
    last_packet: Instant,
    /// Since when bytes wait that the device does not read.
    stalled: Option<Instant>,
    /// Since when we only wait for acknowledgements.
    leaving: Option<Instant>,
}

impl<'d, I: Intake, S: AsyncRead + AsyncWrite + Unpin + Send> Connection<'d, I, S> {
    pub(crate) fn new(
        door: &'d Door,
        (intake, guest): (&'d I, &'d I::Guest),
        seat: &'d Arc<Seat>,
        wire: Wire<S>,
        manner: Manner,
    ) -> Self {
        Self {
            door,
            intake,
            guest,
            seat,
            wire,
            acks: Acks::new(Arc::clone(&seat.line), Arc::clone(&door.everybody)),
            unreleased: BTreeSet::new(),
            unacked: Unacked::new(manner.receive_maximum),
            manner,
            subscribed: Subscribed::new(&door.subscriptions, seat),
            timer: Timer::new(),
            last_packet: Instant::now(),
            stalled: None,
            leaving: None,
        }
    }

    /// Serves the device until one side ends it.
    pub(crate) async fn run(mut self) -> (End, Wire<S>) {
        loop {
            if let Err(end) = self.turn().await {
                return (end, self.wire);
            }
        }
    }

    async fn turn(&mut self) -> Result<(), End> {
        self.settle()?;
        while self.has_room() {
            let Some(packet) = self.wire.next()? else { break };
            self.handle(packet).await?;
        }
        self.attend(self.has_room()).await
    }

    /// Whether one more packet may be read.
    fn has_room(&self) -> bool {
        !self.acks.is_full() && !self.wire.is_choked() && self.leaving.is_none()
    }

    /// Does what others asked for: closes, answers what is durable, sends receipts.
    fn settle(&mut self) -> Result<(), End> {
        match self.seat.closing() {
            Closing::No => {}
            Closing::ShuttingDown => {
                self.leaving.get_or_insert_with(Instant::now);
            }
            Closing::TakenOver => return Err(End::TakenOver),
        }
        while let Some(owed) = self.acks.next_due()? {
            self.wire.send(&match owed.answer {
                Answer::PubAck => Outgoing::PubAck(owed.packet_id),
                Answer::PubRec => Outgoing::PubRec(owed.packet_id),
                Answer::Nothing => continue,
            });
            count(&self.door.counters.acks);
        }
        if self.leaving.is_some() && self.acks.is_empty() {
            return Err(End::ShuttingDown);
        }
        while !self.wire.is_choked() && !self.unacked.is_full() {
            let Some(receipt) = self.seat.outbox.pop() else { break };
            self.send_receipt(receipt);
        }
        Ok(())
    }

    fn send_receipt(&mut self, receipt: Receipt) {
        let bytes = receipt.topic.len() + receipt.payload.len() + PUBLISH_OVERHEAD_BYTES;
        if u32::try_from(bytes).is_ok_and(|bytes| bytes <= self.manner.max_packet_bytes) {
            let packet_id = match receipt.qos {
                Qos::AtMostOnce => {
                    // It wants no acknowledgement, so nothing more will be known.
                    if let Some(tracked) = receipt.tracked {
                        tracked.heard();
                    }
                    None
                }
                Qos::AtLeastOnce | Qos::ExactlyOnce => Some(self.unacked.next_id(receipt.tracked)),
            };
            self.wire.send(&Outgoing::Publish { topic: receipt.topic, payload: receipt.payload, packet_id });
        } else {
            count(&self.door.counters.receipts_dropped);
        }
    }

    /// Waits for one event, and ends the connection if a deadline passed.
    async fn attend(&mut self, reading: bool) -> Result<(), End> {
        if !self.wire.is_writing() {
            self.stalled = None;
        } else if self.stalled.is_none() {
            self.stalled = Some(Instant::now());
        }
        self.timer.at_latest(self.deadlines(reading).map(|(at, _)| at).min());
        tokio::select! {
            biased;
            () = self.seat.line.wake.notified() => {}
            moved = self.wire.exchange(reading) => match moved? {
                Moved::Wrote => self.stalled = None,
                Moved::Read => {}
            },
            () = self.timer.ring() => {
                let now = Instant::now();
                if let Some((_, end)) = self.deadlines(reading).find(|(at, _)| *at <= now) {
                    return Err(end);
                }
            }
        }
        if !reading {
            // What the device sends meanwhile lies unread: its silence is ours.
            self.last_packet = Instant::now();
        }
        Ok(())
    }

    fn deadlines(&self, reading: bool) -> impl Iterator<Item = (Instant, End)> + use<I, S> {
        let limits = &self.door.limits;
        let late = self.acks.oldest().map(|since| (since + limits.ack_deadline, End::AckLate));
        let slow = self.stalled.map(|since| (since + limits.write_timeout, End::SlowReader));
        let silent = self.manner.keep_alive.filter(|_| reading);
        let silent = silent.map(|patience| (self.last_packet + patience, End::KeepAlive));
        let leaving = self.leaving.map(|since| (since + limits.ack_deadline, End::ShuttingDown));
        [late, slow, silent, leaving].into_iter().flatten()
    }

    async fn handle(&mut self, packet: Incoming) -> Result<(), End> {
        self.last_packet = Instant::now();
        match packet {
            Incoming::Connect(_) => return Err(End::Fault(Fault::Protocol)),
            Incoming::Publish(publish) => self.publish(publish).await?,
            Incoming::PubAck(packet_id) => {
                if self.unacked.acked(packet_id) {
                    count(&self.door.counters.receipts_acked);
                    // A place is free: the next turn sends what waits.
                    self.seat.line.wake.notify_one();
                }
            }
            Incoming::PubRel(packet_id) => self.release(packet_id)?,
            Incoming::Subscribe { packet_id, wishes } => {
                let grants = wishes.into_iter().map(|wish| self.subscribe(wish)).collect();
                self.wire.send(&Outgoing::SubAck { packet_id, grants });
            }
            Incoming::Unsubscribe { packet_id, filters } => {
                let existed = filters.iter().map(|filter| self.subscribed.remove(filter)).collect();
                self.wire.send(&Outgoing::UnsubAck { packet_id, existed });
            }
            Incoming::Ping => self.wire.send(&Outgoing::Pong),
            Incoming::Disconnect { with_will } => return Err(End::Goodbye { with_will }),
        }
        Ok(())
    }

    async fn publish(&mut self, publish: Publish) -> Result<(), End> {
        if publish.topic.is_empty() || publish.topic.len() > self.door.limits.max_topic_bytes {
            return Err(End::Fault(Fault::TopicName));
        }
        if !self.intake.may_publish(self.guest, &publish.topic) {
            return Err(End::NotAuthorized);
        }
        let ack = match publish.qos {
            Qos::AtMostOnce => self.acks.owe(Answer::Nothing, 0, self.last_packet),
            Qos::AtLeastOnce => self.acks.owe(Answer::PubAck, publish.packet_id, self.last_packet),
            Qos::ExactlyOnce => match self.remember(publish.packet_id)? {
                Some(ack) => ack,
                None => return Ok(()),
            },
        };
        count(&self.door.counters.publishes);
        let message = Inbound {
            client_id: Arc::clone(&self.seat.client_id),
            topic: publish.topic,
            payload: publish.payload,
            qos: publish.qos,
            retain: publish.retain,
            dup: publish.dup,
            will: false,
        };
        self.hand_over(message, ack).await
    }

    /// Remembers a QoS 2 message; `None` when it was taken before and needs only its answer.
    fn remember(&mut self, packet_id: u16) -> Result<Option<Ack>, End> {
        if self.unreleased.contains(&packet_id) {
            count(&self.door.counters.duplicates);
            if !self.acks.owes(Answer::PubRec, packet_id) {
                self.acks.owe_again(Answer::PubRec, packet_id, self.last_packet);
                self.seat.line.wake.notify_one();
            }
            return Ok(None);
        }
        if self.unreleased.len() >= MAX_UNRELEASED {
            return Err(End::TooManyUnreleased);
        }
        self.unreleased.insert(packet_id);
        Ok(Some(self.acks.owe(Answer::PubRec, packet_id, self.last_packet)))
    }

    fn release(&mut self, packet_id: u16) -> Result<(), End> {
        if self.acks.owes(Answer::PubRec, packet_id) {
            // Answering would tell the device that a message is safe which is not yet.
            return Err(End::Fault(Fault::Protocol));
        }
        let known = self.unreleased.remove(&packet_id);
        self.wire.send(&Outgoing::PubComp(packet_id, known));
        Ok(())
    }

    /// Gives a message to the server. While the server has no room the socket is not read; answers still leave and
    /// deadlines still count.
    async fn hand_over(&mut self, message: Inbound, ack: Ack) -> Result<(), End> {
        let taking = self.intake.take(self.guest, message, ack);
        tokio::pin!(taking);
        loop {
            tokio::select! {
                biased;
                () = &mut taking => break,
                attended = self.attend(false) => attended?,
            }
            self.settle()?;
        }
        self.last_packet = Instant::now();
        Ok(())
    }

    fn subscribe(&mut self, wish: Wish) -> Grant {
        let limits = &self.door.limits;
        let grant = if wish.shared {
            Grant::Shared
        } else if wish.filter.len() > limits.max_topic_bytes || !is_shallow(&wish.filter) {
            Grant::Filter
        } else if !self.intake.may_subscribe(self.guest, &wish.filter) {
            Grant::NotAuthorized
        } else if !self.subscribed.has_room(&wish.filter, limits.max_subscriptions) {
            Grant::Quota
        } else {
            Grant::Granted(wish.qos.min(Qos::AtLeastOnce))
        };
        match grant {
            Grant::Granted(qos) => {
                let filter = wish.filter;
                self.subscribed.add(Arc::clone(&filter), qos);
                self.intake.subscribed(&self.seat.client_id, &filter);
            }
            Grant::NotAuthorized | Grant::Filter | Grant::Quota | Grant::Shared => {
                count(&self.door.counters.subscriptions_refused);
            }
        }
        grant
    }
}

//! Which acknowledgements may leave now, and in which order?
//!
//! Each connection owes its device answers in the order of the publishes; those at QoS 0 want none and only take their
//! place. A publish gets a mark in a small ring of atomics; any thread sets the mark with [`Ack::durable`]; only the
//! connection's own task looks at the marks, from the oldest on, and stops at the first that is not set.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicUsize, Ordering},
    },
};

use tokio::{sync::Notify, time::Instant};

use crate::Limits;

/// Says that one message is durable.
///
/// Callable from any thread: one atomic store and a wake-up, no lock held, no waiting. Dropped without
/// [`durable`](Self::durable) the message is never acknowledged and its connection is closed, so that the device sends
/// it again.
#[derive(Debug)]
#[must_use = "a dropped ack closes the device's connection"]
pub struct Ack(Option<Mark>);

impl Ack {
    /// An ack nobody waits for: that of a last will.
    pub fn unneeded() -> Self {
        Self(None)
    }

    /// The message is on stable storage: the device may be told.
    pub fn durable(mut self) {
        if let Some(mark) = self.0.take() {
            mark.set(DURABLE);
        }
    }
}

impl Drop for Ack {
    fn drop(&mut self) {
        if let Some(mark) = self.0.take() {
            mark.set(DROPPED);
        }
    }
}

const WAITING: u8 = 0;
const DURABLE: u8 = 1;
const DROPPED: u8 = 2;

#[derive(Debug)]
struct Mark {
    line: Arc<AckLine>,
    at: u16,
}

impl Mark {
    fn set(&self, state: u8) {
        self.line.marks[usize::from(self.at)].store(state, Ordering::Release);
        self.line.wake.notify_one();
    }
}

/// The marks of one connection, and what wakes its task.
#[derive(Debug)]
pub(crate) struct AckLine {
    marks: Box<[AtomicU8]>,
    /// Wakes the connection's task; wake-ups that come together count as one.
    pub(crate) wake: Notify,
}

impl AckLine {
    pub(crate) fn new(in_flight: u16) -> Self {
        Self { marks: (0..in_flight).map(|_| AtomicU8::new(WAITING)).collect(), wake: Notify::new() }
    }
}

/// Which packet answers a publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    PubAck,
    PubRec,
    /// The device waits for none, but the message counts as one that is under way.
    Nothing,
}

/// An answer the device waits for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Owed {
    pub(crate) answer: Answer,
    pub(crate) packet_id: u16,
    /// `None`: nothing to wait for but the answers before it.
    mark: Option<u16>,
    since: Instant,
}

/// An [`Ack`] was dropped: the message was not kept.
#[derive(Debug)]
pub(crate) struct AckDropped;

/// The answers owed on one connection, oldest first.
#[derive(Debug)]
pub(crate) struct Acks {
    line: Arc<AckLine>,
    owed: VecDeque<Owed>,
    next_mark: u16,
    everybody: Arc<Everybody>,
}

/// What all connections have under way together, and how much that may be before each gets only its share.
#[derive(Debug)]
pub(crate) struct Everybody {
    under_way: AtomicUsize,
    busy_from: usize,
    share: usize,
}

impl Everybody {
    pub(crate) fn new(limits: &Limits) -> Self {
        let share = usize::from(limits.in_flight_when_busy).max(1);
        Self { under_way: AtomicUsize::new(0), busy_from: limits.busy_from, share }
    }

    fn is_busy(&self) -> bool {
        // Relaxed: a little more or less does not matter.
        self.under_way.load(Ordering::Relaxed) >= self.busy_from
    }
}

impl Acks {
    pub(crate) fn new(line: Arc<AckLine>, everybody: Arc<Everybody>) -> Self {
        Self { line, owed: VecDeque::new(), next_mark: 0, everybody }
    }

    /// As many publishes are unanswered as there are marks, or as its share when the server is busy: take no more. The next
    /// answer makes room.
    pub(crate) fn is_full(&self) -> bool {
        let under_way = self.owed.len();
        under_way >= self.line.marks.len() || under_way >= self.everybody.share && self.everybody.is_busy()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.owed.is_empty()
    }

    /// When the oldest unanswered publish came, of those that want an answer.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.owed.iter().find(|owed| owed.answer != Answer::Nothing).map(|owed| owed.since)
    }

    pub(crate) fn owes(&self, answer: Answer, packet_id: u16) -> bool {
        self.owed.iter().any(|owed| owed.answer == answer && owed.packet_id == packet_id)
    }

    /// Owes `answer` once the returned [`Ack`] is durable. Not to be called when [full](Self::is_full): then a mark
    /// is still in use.
    pub(crate) fn owe(&mut self, answer: Answer, packet_id: u16, since: Instant) -> Ack {
        debug_assert!(self.owed.len() < self.line.marks.len());
        let at = self.next_mark;
        self.next_mark = if usize::from(at) + 1 == self.line.marks.len() { 0 } else { at + 1 };
        self.line.marks[usize::from(at)].store(WAITING, Ordering::Relaxed);
        self.push(Owed { answer, packet_id, mark: Some(at), since });
        Ack(Some(Mark { line: Arc::clone(&self.line), at }))
    }

    /// Owes `answer` as soon as all before it are given: the message is durable already.
    pub(crate) fn owe_again(&mut self, answer: Answer, packet_id: u16, since: Instant) {
        self.push(Owed { answer, packet_id, mark: None, since });
    }

    /// Takes the next answer that may leave.
    pub(crate) fn next_due(&mut self) -> Result<Option<Owed>, AckDropped> {
        let Some(oldest) = self.owed.front() else { return Ok(None) };
        let state = match oldest.mark {
            Some(at) => self.line.marks[usize::from(at)].load(Ordering::Acquire),
            None => DURABLE,
        };
        match state {
            DURABLE => Ok(self.pop()),
            WAITING => Ok(None),
            // Nobody was promised anything.
            _ if oldest.answer == Answer::Nothing => Ok(self.pop()),
            _ => Err(AckDropped),
        }
    }

    fn push(&mut self, owed: Owed) {
        self.owed.push_back(owed);
        self.everybody.under_way.fetch_add(1, Ordering::Relaxed);
    }

    fn pop(&mut self) -> Option<Owed> {
        let owed = self.owed.pop_front();
        self.everybody.under_way.fetch_sub(usize::from(owed.is_some()), Ordering::Relaxed);
        owed
    }
}

impl Drop for Acks {
    fn drop(&mut self) {
        self.everybody.under_way.fetch_sub(self.owed.len(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acks(in_flight: u16) -> Acks {
        Acks::new(Arc::new(AckLine::new(in_flight)), Arc::new(Everybody::new(&Limits::default())))
    }

    fn due(acks: &mut Acks) -> Vec<u16> {
        std::iter::from_fn(|| acks.next_due().expect("none dropped")).map(|owed| owed.packet_id).collect()
    }

    #[test]
    fn answers_leave_in_the_order_of_the_publishes() {
        let mut acks = acks(4);
        let now = Instant::now();
        let first = acks.owe(Answer::PubAck, 10, now);
        let second = acks.owe(Answer::PubRec, 11, now);
        acks.owe_again(Answer::PubRec, 9, now);
        second.durable();
        assert_eq!(due(&mut acks), Vec::<u16>::new());
        first.durable();
        assert_eq!(due(&mut acks), vec![10, 11, 9]);
        assert!(acks.is_empty());
    }

    #[test]
    fn marks_are_used_again_only_when_answered() {
        let mut acks = acks(2);
        let now = Instant::now();
        for round in 0..10u16 {
            let first = acks.owe(Answer::PubAck, round * 2 + 1, now);
            let second = acks.owe(Answer::PubAck, round * 2 + 2, now);
            assert!(acks.is_full());
            second.durable();
            assert!(due(&mut acks).is_empty());
            first.durable();
            assert_eq!(due(&mut acks), vec![round * 2 + 1, round * 2 + 2]);
        }
    }

    #[test]
    fn when_the_server_is_busy_each_has_its_share_and_afterwards_its_window() {
        let limits = Limits { busy_from: 5, in_flight_when_busy: 2, ..Limits::default() };
        let everybody = Arc::new(Everybody::new(&limits));
        let open = || Acks::new(Arc::new(AckLine::new(8)), Arc::clone(&everybody));
        let (mut loud, mut quiet) = (open(), open());
        let under_way: Vec<Ack> = (1..=5).map(|id| loud.owe(Answer::PubAck, id, Instant::now())).collect();
        assert!(loud.is_full() && !quiet.is_full(), "whoever has little under way goes on");
        let pressed = quiet.owe(Answer::PubAck, 1, Instant::now());
        assert!(!quiet.is_full());
        under_way.into_iter().for_each(Ack::durable);
        assert_eq!(due(&mut loud), vec![1, 2, 3, 4, 5]);
        assert!(!loud.is_full());
        pressed.durable();
        drop((loud, quiet));
        assert_eq!(everybody.under_way.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn what_wants_no_answer_takes_its_place_and_is_let_go_whatever_becomes_of_it() {
        let mut acks = acks(2);
        let (early, late) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(1));
        let silent = acks.owe(Answer::Nothing, 0, early);
        let answered = acks.owe(Answer::PubAck, 7, late);
        assert!(acks.is_full());
        assert_eq!(acks.oldest(), Some(late), "nobody waits for the other one");
        drop(silent);
        answered.durable();
        assert!(matches!(acks.next_due(), Ok(Some(Owed { answer: Answer::Nothing, .. }))));
        assert!(matches!(acks.next_due(), Ok(Some(Owed { packet_id: 7, .. }))));
    }

    #[test]
    fn a_dropped_ack_is_never_an_answer() {
        let mut acks = acks(2);
        let first = acks.owe(Answer::PubAck, 1, Instant::now());
        let second = acks.owe(Answer::PubAck, 2, Instant::now());
        first.durable();
        drop(second);
        assert!(matches!(acks.next_due(), Ok(Some(Owed { packet_id: 1, .. }))));
        assert!(matches!(acks.next_due(), Err(AckDropped)));
    }
}

//! Who is connected under which client id?

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

use crate::{acks::AckLine, receipts::Outbox};

/// One connection as others see it: what they may leave for its task, and how they wake it.
pub(crate) struct Seat {
    /// Unique among all connections since the start.
    pub(crate) id: u64,
    pub(crate) client_id: Arc<str>,
    pub(crate) line: Arc<AckLine>,
    pub(crate) outbox: Outbox,
    closing: AtomicU8,
    /// Cancelled when the connection's last deed, its last will included, is done.
    pub(crate) ended: CancellationToken,
}

/// What somebody else asks of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closing {
    /// Nothing: go on.
    No,
    /// Take nothing more, answer what is durable, leave.
    ShuttingDown,
    /// Leave at once.
    TakenOver,
}

impl Seat {
    pub(crate) fn new(id: u64, client_id: Arc<str>, in_flight: u16, outbox: Outbox) -> Self {
        Self {
            id,
            client_id,
            line: Arc::new(AckLine::new(in_flight)),
            outbox,
            closing: AtomicU8::new(0),
            ended: CancellationToken::new(),
        }
    }

    /// Asks the connection to leave.
    pub(crate) fn close(&self, closing: Closing) {
        let rank = match closing {
            Closing::No => 0,
            Closing::ShuttingDown => 1,
            Closing::TakenOver => 2,
        };
        self.closing.fetch_max(rank, Ordering::AcqRel);
        self.line.wake.notify_one();
    }

    pub(crate) fn closing(&self) -> Closing {
        match self.closing.load(Ordering::Acquire) {
            0 => Closing::No,
            1 => Closing::ShuttingDown,
            _ => Closing::TakenOver,
        }
    }
}

/// The connections by client id.
#[derive(Default)]
pub(crate) struct Clients(Mutex<HashMap<Arc<str>, Arc<Seat>>>);

impl Clients {
    /// Seats a connection and returns the one that had its client id.
    pub(crate) fn seat(&self, seat: &Arc<Seat>) -> Option<Arc<Seat>> {
        self.lock().insert(Arc::clone(&seat.client_id), Arc::clone(seat))
    }

    /// Forgets a connection, unless another has its client id by now.
    pub(crate) fn leave(&self, seat: &Seat) {
        let mut seats = self.lock();
        if seats.get(&seat.client_id).is_some_and(|current| current.id == seat.id) {
            seats.remove(&seat.client_id);
        }
    }

    /// Asks every connection to leave.
    pub(crate) fn close_all(&self) {
        for seat in self.lock().values() {
            seat.close(Closing::ShuttingDown);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, Arc<Seat>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

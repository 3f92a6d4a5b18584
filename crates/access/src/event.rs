//! Events: what has happened?

use model::{DeviceId, UserId};
use serde::{Deserialize, Serialize};

use crate::{ApiKey, KeyId, Password, SecretHash, Session, User};

/// A fact, complete, so that nothing has to be decided again when the journal is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// Somebody was let in who was not known.
    UserCreated(User),
    /// Somebody is known otherwise now.
    UserChanged(User),
    /// Somebody has another password.
    PasswordSet {
        /// Who.
        user: UserId,
        /// Which.
        password: Password,
    },
    /// A program was given a key.
    KeyIssued(ApiKey),
    /// A key was taken back.
    KeyRevoked {
        /// Whose.
        user: UserId,
        /// Which.
        key: KeyId,
    },
    /// A device was given a key; the one before holds no more.
    DeviceKeyIssued {
        /// Whose.
        device: DeviceId,
        /// Its hash.
        hash: SecretHash,
    },
    /// The key of a device was taken back.
    DeviceKeyRevoked(DeviceId),
    /// Somebody has signed in.
    SessionOpened(Session),
    /// Somebody is signed in no more.
    SessionsEnded {
        /// Who.
        user: UserId,
        /// Which of their sessions.
        which: Ended,
    },
}

/// Which sessions of a user ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// All.
    All,
    /// This one.
    One(SecretHash),
}

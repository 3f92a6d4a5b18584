//! Rejection: why is a wish refused, and what should be done about it?

use model::{DeviceId, UserId};

use crate::KeyId;

/// A refused command. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A field breaks a rule.
    #[error("{field} {reason}")]
    Invalid {
        /// Which.
        field: &'static str,
        /// What is wrong and what to do.
        reason: String,
    },
    /// Somebody else has it.
    #[error("{field} belongs to users/{user} already: choose another, or change that one")]
    Taken {
        /// What.
        field: &'static str,
        /// Whose it is.
        user: UserId,
    },
    /// There is no such user.
    #[error("users/{0} does not exist")]
    NoUser(UserId),
    /// There is no such key.
    #[error("users/{user} has no key {key}")]
    NoKey {
        /// Whose.
        user: UserId,
        /// Which.
        key: KeyId,
    },
    /// The device has no key of its own.
    #[error("devices/{0} has no key")]
    NoDeviceKey(DeviceId),
    /// There is no such session, or it has ended.
    #[error("this session has ended")]
    NoSession,
    /// What was shown is not their password any more.
    #[error("the password has changed meanwhile: sign in again")]
    OtherPassword,
    /// Somebody else was quicker.
    #[error("users/{user} was changed meanwhile: read them again, and change what they are now")]
    Changed {
        /// Who.
        user: UserId,
    },
    /// Somebody who is turned away.
    #[error("users/{0} is disabled")]
    Disabled(UserId),
    /// Nobody could administer the server any more.
    #[error(
        "nobody would be left who administers everything: give somebody else the role administrator for everything first"
    )]
    LastAdministrator,
    /// There is no room for more.
    #[error("users/{user} has {most} keys: revoke one first")]
    TooManyKeys {
        /// Whose.
        user: UserId,
        /// How many there may be.
        most: usize,
    },
}

//! Commands: what can be wished for?

use model::{DeviceId, Private, Timestamp, UserId};

use crate::{Grant, Identity, KeyId, NewKey, NewUser, Password, SecretHash};

/// A wish. [`decide`](crate::decide) grants or refuses it.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Let somebody in who was not known.
    CreateUser(NewUser),
    /// Change what is known of somebody.
    UpdateUser(UserChange),
    /// Give somebody another password; whoever had signed in as them is out.
    SetPassword {
        /// Whose.
        user: UserId,
        /// Which.
        password: Password,
        /// Only if this is still the hash of the one before: whoever wishes it has shown that one.
        instead_of: Option<String>,
    },
    /// Give a program a key.
    IssueKey(NewKey),
    /// Take a key back.
    RevokeKey {
        /// Whose.
        user: UserId,
        /// Which.
        key: KeyId,
    },
    /// Give a device a key of its own; the one before holds no more.
    IssueDeviceKey {
        /// Whose.
        device: DeviceId,
        /// Its hash.
        hash: SecretHash,
    },
    /// Take the key of a device back.
    RevokeDeviceKey(DeviceId),
    /// Let somebody in who has shown who they are.
    OpenSession {
        /// Who.
        user: UserId,
        /// The hash of what they will show.
        hash: SecretHash,
        /// Until when.
        expires_at: Timestamp,
        /// The hash of the password that they have shown, which must be theirs still.
        by: String,
    },
    /// End one session.
    EndSession(SecretHash),
    /// End all sessions of somebody.
    EndSessions(UserId),
}

/// What changes of a user; what is `None` stays.
#[derive(Debug, Clone, PartialEq)]
pub struct UserChange {
    /// Who.
    pub user: UserId,
    /// The revision that whoever wishes this has seen.
    pub revision: u32,
    /// What they are called.
    pub display_name: Option<Private<String>>,
    /// What they do, and for which records.
    pub grants: Option<Vec<Grant>>,
    /// Whether they are turned away.
    pub disabled: Option<bool>,
    /// Whom somebody else vouches for, or nobody any more.
    pub identity: Option<Option<Identity>>,
}

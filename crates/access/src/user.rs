//! Users: who may sign in, by what, and until when?

use model::{Private, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::Grant;

/// Longest login, in bytes of UTF-8.
pub const MAX_LOGIN_BYTES: usize = 64;
/// Keys that one user has at most.
pub const MAX_KEYS: usize = 20;
/// Sessions that one user has at most; with another one the oldest ends.
pub const MAX_SESSIONS: usize = 20;
/// Longest display name or label, in characters.
const MAX_NAME_CHARS: usize = 64;
/// Longest issuer or subject, in bytes.
const MAX_IDENTITY_BYTES: usize = 256;
/// Grants of one user at most.
const MAX_GRANTS: usize = 100;

/// The hash of a key or of what a session is known by. What it is the hash of has 256 bits that nobody can guess, so it
/// needs no salt and no work.
pub type SecretHash = [u8; 32];

/// The number of a key, counted for each user from 0.
pub type KeyId = u32;

/// A person, or a program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Their number.
    pub id: UserId,
    /// By what they sign in: lower case, without blanks.
    pub login: String,
    /// What they are called.
    pub display_name: Private<String>,
    /// What they do, and for which records.
    pub grants: Vec<Grant>,
    /// Turned away.
    pub disabled: bool,
    /// Whom somebody else vouches for.
    pub identity: Option<Identity>,
    /// How often this user was changed: whoever changes them says which state they have seen.
    pub revision: u32,
}

/// Somebody at a provider of identities (OpenID Connect).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identity {
    /// Who vouches: `iss`.
    pub issuer: String,
    /// Their number there: `sub`.
    pub subject: Private<String>,
}

/// A user to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// By what they sign in.
    pub login: String,
    /// What they are called.
    pub display_name: Private<String>,
    /// What they do, and for which records.
    pub grants: Vec<Grant>,
    /// Whom somebody else vouches for.
    pub identity: Option<Identity>,
}

/// A password, as far as it is known here.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Password {
    /// Its argon2id hash, as a PHC string.
    pub hash: String,
    /// It is good for nothing but choosing another.
    pub one_time: bool,
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Password").field("one_time", &self.one_time).finish_non_exhaustive()
    }
}

/// A key by which a program comes in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Its number.
    pub id: KeyId,
    /// Whose it is.
    pub user: UserId,
    /// What it is for.
    pub label: String,
    /// Its hash.
    pub hash: SecretHash,
    /// Since when.
    pub issued_at: Timestamp,
    /// Until when; for good if `None`.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("user", &self.user).finish_non_exhaustive()
    }
}

/// A key to issue.
#[derive(Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Whose it will be.
    pub user: UserId,
    /// What it is for.
    pub label: String,
    /// Its hash.
    pub hash: SecretHash,
    /// Until when; for good if `None`.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for NewKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewKey").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Somebody who has signed in.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Who.
    pub user: UserId,
    /// The hash of what they show.
    pub hash: SecretHash,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when.
    pub expires_at: Timestamp,
    /// Opened by a one-time password: good for nothing but choosing another.
    pub must_change_password: bool,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("user", &self.user).finish_non_exhaustive()
    }
}

pub(crate) fn check_login(login: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_alphanumeric() && !c.is_uppercase() || matches!(c, '.' | '_' | '-' | '@');
    if login.is_empty() {
        return Err("is empty: choose what they sign in with".to_owned());
    }
    if login.len() > MAX_LOGIN_BYTES {
        return Err(format!("is too long: {MAX_LOGIN_BYTES} letters at most, of Chinese ones a third"));
    }
    if !login.chars().all(allowed) {
        return Err("holds other than small letters, digits, and . _ - @: leave them out".to_owned());
    }
    Ok(())
}

pub(crate) fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        return Err("is empty: fill it in".to_owned());
    }
    if name.chars().any(char::is_control) {
        return Err("holds a line break or another control character: write it on one line".to_owned());
    }
    if name.chars().count() > MAX_NAME_CHARS {
        return Err(format!("is too long: {MAX_NAME_CHARS} characters at most"));
    }
    Ok(())
}

pub(crate) fn check_identity(identity: &Identity) -> Result<(), String> {
    let fits = |text: &str| !text.is_empty() && text.len() <= MAX_IDENTITY_BYTES;
    if !fits(&identity.issuer) || !fits(&identity.subject) {
        return Err(format!("wants an issuer and a subject of 1 to {MAX_IDENTITY_BYTES} bytes each"));
    }
    Ok(())
}

pub(crate) fn check_grants(grants: &[Grant]) -> Result<(), String> {
    if grants.len() > MAX_GRANTS {
        return Err(format!("are too many: {MAX_GRANTS} at most"));
    }
    match grants.iter().find(|grant| !grant.role.fits(grant.scope)) {
        Some(Grant { role, scope }) => Err(format!(
            "hold the role {} for {scope}: a provider_manager has a provider, a responder themselves, all others an org \
             unit or everything; a device is no user",
            role.name()
        )),
        None => Ok(()),
    }
}

//! State: who is known now, and who has signed in?

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{DeviceId, Timestamp, UserId};
use serde::{Deserialize, Serialize};

use crate::{ApiKey, Ended, Event, Identity, KeyId, Password, SecretHash, Session, User};

/// Users, their keys and their sessions. Rebuilt from the events alone.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct State {
    users: BTreeMap<UserId, Arc<User>>,
    logins: BTreeMap<String, UserId>,
    identities: BTreeMap<Identity, UserId>,
    passwords: BTreeMap<UserId, Password>,
    keys: BTreeMap<(UserId, KeyId), ApiKey>,
    keys_by_hash: BTreeMap<SecretHash, (UserId, KeyId)>,
    /// Numbers given to keys of a user, also those that are revoked.
    keys_given: BTreeMap<UserId, KeyId>,
    sessions: BTreeMap<SecretHash, Session>,
    device_keys: BTreeMap<DeviceId, SecretHash>,
    devices_by_hash: BTreeMap<SecretHash, DeviceId>,
}

impl State {
    /// Takes in what happened.
    pub fn evolve(&mut self, event: &Event) {
        match event {
            Event::UserCreated(user) | Event::UserChanged(user) => {
                let before = self.users.insert(user.id, Arc::new(user.clone()));
                if let Some(identity) = before.as_ref().and_then(|before| before.identity.as_ref()) {
                    self.identities.remove(identity);
                }
                if let Some(identity) = &user.identity {
                    self.identities.insert(identity.clone(), user.id);
                }
                self.logins.insert(user.login.clone(), user.id);
            }
            Event::PasswordSet { user, password } => {
                self.passwords.insert(*user, password.clone());
            }
            Event::KeyIssued(key) => {
                self.keys_given.insert(key.user, key.id + 1);
                self.keys_by_hash.insert(key.hash, (key.user, key.id));
                self.keys.insert((key.user, key.id), key.clone());
            }
            Event::KeyRevoked { user, key } => {
                if let Some(key) = self.keys.remove(&(*user, *key)) {
                    self.keys_by_hash.remove(&key.hash);
                }
            }
            Event::DeviceKeyIssued { device, hash } => {
                if let Some(before) = self.device_keys.insert(device.clone(), *hash) {
                    self.devices_by_hash.remove(&before);
                }
                self.devices_by_hash.insert(*hash, device.clone());
            }
            Event::DeviceKeyRevoked(device) => {
                if let Some(hash) = self.device_keys.remove(device) {
                    self.devices_by_hash.remove(&hash);
                }
            }
            Event::SessionOpened(session) => {
                // Whoever signs in tidies up, so that what is over does not pile up.
                self.sessions.retain(|_, other| other.expires_at > session.opened_at);
                self.sessions.insert(session.hash, session.clone());
            }
            Event::SessionsEnded { user, which: Ended::All } => {
                self.sessions.retain(|_, session| session.user != *user);
            }
            Event::SessionsEnded { which: Ended::One(hash), .. } => {
                self.sessions.remove(hash);
            }
        }
    }

    /// The user with this number.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&Arc<User>> {
        self.users.get(&id)
    }

    /// The user who signs in with this.
    #[must_use]
    pub fn user_by_login(&self, login: &str) -> Option<&Arc<User>> {
        self.user(*self.logins.get(login)?)
    }

    /// The user whom somebody else vouches for.
    #[must_use]
    pub fn user_by_identity(&self, identity: &Identity) -> Option<&Arc<User>> {
        self.user(*self.identities.get(identity)?)
    }

    /// The users after this one, in order of creation.
    pub fn users(&self, after: Option<UserId>) -> impl Iterator<Item = &Arc<User>> {
        use std::ops::Bound::{Excluded, Unbounded};
        self.users.range((after.map_or(Unbounded, Excluded), Unbounded)).map(|(_, user)| user)
    }

    /// The password of a user, if they have one.
    #[must_use]
    pub fn password(&self, user: UserId) -> Option<&Password> {
        self.passwords.get(&user)
    }

    /// The keys of a user, oldest first.
    pub fn keys(&self, user: UserId) -> impl Iterator<Item = &ApiKey> {
        self.keys.range((user, 0)..=(user, KeyId::MAX)).map(|(_, key)| key)
    }

    /// The key with this hash, if it is good at `now` and its user is.
    #[must_use]
    pub fn key(&self, hash: &SecretHash, now: Timestamp) -> Option<(&ApiKey, &Arc<User>)> {
        let key = self.keys.get(self.keys_by_hash.get(hash)?)?;
        let user = self.user(key.user)?;
        let is_over = key.expires_at.is_some_and(|until| until <= now);
        (!is_over && !user.disabled).then_some((key, user))
    }

    /// The device whose key has this hash.
    #[must_use]
    pub fn device(&self, hash: &SecretHash) -> Option<&DeviceId> {
        self.devices_by_hash.get(hash)
    }

    /// Whether the device has a key of its own.
    #[must_use]
    pub fn has_key(&self, device: &DeviceId) -> bool {
        self.device_keys.contains_key(device)
    }

    /// The session with this hash, if it is good at `now` and its user is.
    #[must_use]
    pub fn session(&self, hash: &SecretHash, now: Timestamp) -> Option<(&Session, &Arc<User>)> {
        let session = self.sessions.get(hash)?;
        let user = self.user(session.user)?;
        (session.expires_at > now && !user.disabled).then_some((session, user))
    }

    /// The sessions of a user.
    pub fn sessions(&self, user: UserId) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(move |session| session.user == user)
    }

    /// The number of the next user.
    pub(crate) fn next_user(&self) -> UserId {
        self.users.last_key_value().map_or(UserId(0), |(last, _)| UserId(last.0 + 1))
    }

    /// The number of the next key of a user.
    pub(crate) fn next_key(&self, user: UserId) -> KeyId {
        self.keys_given.get(&user).copied().unwrap_or(0)
    }
}

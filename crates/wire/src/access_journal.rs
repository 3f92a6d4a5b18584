//! The access journal: one record holds everything that one command about users decided.

use access::{ApiKey, Ended, Event, Password, SecretHash, Session, User};
use model::{DeviceId, Timestamp, UserId};
use prost::Message as _;

use crate::{
    Name, Unreadable,
    access_records::{grants_from_wire, user_to_wire},
    v1::{self, access_event},
};

/// Returns the bytes that stand in the journal for `events`, decided at `at`.
#[must_use]
pub fn access_record(at: Timestamp, events: &[Event]) -> Vec<u8> {
    v1::AccessRecord { at_ms: at.0, events: events.iter().map(to_wire).collect() }.encode_to_vec()
}

/// Reads the bytes of one record.
///
/// # Errors
/// [`Unreadable`] when they are not a record this program understands completely.
pub fn read_access_record(bytes: &[u8]) -> Result<(Timestamp, Vec<Event>), Unreadable> {
    let record = v1::AccessRecord::decode(bytes)
        .map_err(|error| Unreadable { what: format!("an access record does not decode ({error})") })?;
    let events = record.events.into_iter().map(from_wire).collect::<Option<Vec<_>>>();
    let events = events.ok_or_else(|| Unreadable {
        what: format!("an access record decided at {} holds an unknown event or value", record.at_ms),
    })?;
    Ok((Timestamp(record.at_ms), events))
}

fn to_wire(event: &Event) -> v1::AccessEvent {
    use access_event::Event as W;
    let event = match event {
        Event::UserCreated(user) => W::UserCreated(user_to_wire(user, [])),
        Event::UserChanged(user) => W::UserChanged(user_to_wire(user, [])),
        Event::PasswordSet { user, password } => W::PasswordSet(v1::JournalPasswordSet {
            user_id: user.0,
            hash: password.hash.clone(),
            one_time: password.one_time,
        }),
        Event::KeyIssued(key) => W::KeyIssued(v1::JournalKeyIssued {
            user_id: key.user.0,
            key_id: key.id,
            label: key.label.clone(),
            hash: key.hash.to_vec(),
            issued_at_ms: key.issued_at.0,
            expires_at_ms: key.expires_at.map(|at| at.0),
        }),
        Event::KeyRevoked { user, key } => {
            W::KeyRevoked(v1::JournalKeyRevoked { user_id: user.0, key_id: *key })
        }
        Event::DeviceKeyIssued { device, hash } => W::DeviceKeyIssued(v1::JournalDeviceKeyIssued {
            device_id: device.to_string(),
            hash: hash.to_vec(),
        }),
        Event::DeviceKeyRevoked(device) => {
            W::DeviceKeyRevoked(v1::JournalDeviceKeyRevoked { device_id: device.to_string() })
        }
        Event::SessionOpened(session) => W::SessionOpened(v1::JournalSessionOpened {
            user_id: session.user.0,
            hash: session.hash.to_vec(),
            opened_at_ms: session.opened_at.0,
            expires_at_ms: session.expires_at.0,
            must_change_password: session.must_change_password,
        }),
        Event::SessionsEnded { user, which } => W::SessionsEnded(v1::JournalSessionsEnded {
            user_id: user.0,
            hash: match which {
                Ended::All => Vec::new(),
                Ended::One(hash) => hash.to_vec(),
            },
        }),
    };
    v1::AccessEvent { event: Some(event) }
}

fn from_wire(event: v1::AccessEvent) -> Option<Event> {
    use access_event::Event as W;
    Some(match event.event? {
        W::UserCreated(user) => Event::UserCreated(user_from_record(user)?),
        W::UserChanged(user) => Event::UserChanged(user_from_record(user)?),
        W::PasswordSet(set) => Event::PasswordSet {
            user: UserId(set.user_id),
            password: Password { hash: set.hash, one_time: set.one_time },
        },
        W::KeyIssued(key) => Event::KeyIssued(ApiKey {
            id: key.key_id,
            user: UserId(key.user_id),
            label: key.label,
            hash: secret(&key.hash)?,
            issued_at: Timestamp(key.issued_at_ms),
            expires_at: key.expires_at_ms.map(Timestamp),
        }),
        W::KeyRevoked(revoked) => Event::KeyRevoked { user: UserId(revoked.user_id), key: revoked.key_id },
        W::DeviceKeyIssued(key) => {
            Event::DeviceKeyIssued { device: DeviceId::new(&key.device_id).ok()?, hash: secret(&key.hash)? }
        }
        W::DeviceKeyRevoked(key) => Event::DeviceKeyRevoked(DeviceId::new(&key.device_id).ok()?),
        W::SessionOpened(session) => Event::SessionOpened(Session {
            user: UserId(session.user_id),
            hash: secret(&session.hash)?,
            opened_at: Timestamp(session.opened_at_ms),
            expires_at: Timestamp(session.expires_at_ms),
            must_change_password: session.must_change_password,
        }),
        W::SessionsEnded(ended) => Event::SessionsEnded {
            user: UserId(ended.user_id),
            which: match &ended.hash[..] {
                [] => Ended::All,
                hash => Ended::One(secret(hash)?),
            },
        },
    })
}

fn secret(bytes: &[u8]) -> Option<SecretHash> {
    bytes.try_into().ok()
}

fn user_from_record(user: v1::User) -> Option<User> {
    Some(User {
        id: Name::user("", &user.name).ok()?,
        grants: grants_from_wire("", &user.grants).ok()?,
        login: user.login,
        display_name: user.display_name.into(),
        disabled: user.disabled,
        identity: user.identity.map(Into::into),
        revision: user.etag.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use access::{Grant, Identity, Role, Scope};
    use model::{OrgUnitCode, ProviderId, ResponderId};

    use super::*;

    #[test]
    fn every_event_reads_back() {
        let scopes = [
            (Role::Administrator, Scope::Everything),
            (Role::Operator, Scope::OrgUnit(OrgUnitCode::new("341181").expect("a code"))),
            (Role::ProviderManager, Scope::Provider(ProviderId(3))),
            (Role::Responder, Scope::Responder(ResponderId(7))),
        ];
        let user = User {
            id: UserId(4),
            login: "wang".to_owned(),
            display_name: "王".into(),
            grants: scopes.map(|(role, scope)| Grant { role, scope }).to_vec(),
            disabled: true,
            identity: Some(Identity { issuer: "https://id.example".to_owned(), subject: "7".into() }),
            revision: 9,
        };
        let key = |expires_at| ApiKey {
            id: 1,
            user: UserId(4),
            label: "gateway".to_owned(),
            hash: [1; 32],
            issued_at: Timestamp(5),
            expires_at,
        };
        let session = Session {
            user: UserId(4),
            hash: [2; 32],
            opened_at: Timestamp(6),
            expires_at: Timestamp(7),
            must_change_password: true,
        };
        let password = Password { hash: "$argon2id$…".to_owned(), one_time: true };
        let events = [
            Event::UserCreated(user.clone()),
            Event::UserChanged(User { identity: None, ..user }),
            Event::PasswordSet { user: UserId(4), password },
            Event::KeyIssued(key(None)),
            Event::KeyIssued(key(Some(Timestamp(0)))),
            Event::KeyRevoked { user: UserId(4), key: 1 },
            Event::DeviceKeyIssued { device: DeviceId::new("客厅 SOS").expect("an id"), hash: [3; 32] },
            Event::DeviceKeyRevoked(DeviceId::new("wrist-1").expect("an id")),
            Event::SessionOpened(session),
            Event::SessionsEnded { user: UserId(4), which: Ended::All },
            Event::SessionsEnded { user: UserId(4), which: Ended::One([2; 32]) },
        ];
        let bytes = access_record(Timestamp(8), &events);
        assert_eq!(read_access_record(&bytes), Ok((Timestamp(8), events.to_vec())));
        assert!(read_access_record(b"\x12\x02\x32\x00").is_err(), "a session without a hash");
    }
}

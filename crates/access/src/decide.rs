//! Decide: is a wish granted, and what happens then?

use model::{Timestamp, UserId};

use crate::user::{check_grants, check_identity, check_login, check_name};
use crate::{
    ApiKey, Command, Ended, Event, Grant, Identity, MAX_KEYS, MAX_SESSIONS, NewKey, NewUser, Password,
    Rejection, Role, Scope, Session, State, User, UserChange,
};

/// Returns what happens when `command` is granted at `now`, to be given to [`State::evolve`] in this order.
///
/// # Errors
/// [`Rejection`]: the first fault of the command.
pub fn decide(state: &State, now: Timestamp, command: Command) -> Result<Vec<Event>, Rejection> {
    match command {
        Command::CreateUser(wish) => create(state, wish).map(|event| vec![event]),
        Command::UpdateUser(change) => update(state, change),
        Command::SetPassword { user, password, instead_of } => {
            known(state, user)?;
            if let Some(hash) = instead_of {
                shown(state, user, &hash)?;
            }
            Ok(vec![Event::PasswordSet { user, password }, all_ended(user)])
        }
        Command::IssueKey(wish) => issue(state, now, wish).map(|event| vec![event]),
        Command::RevokeKey { user, key } => {
            known(state, user)?;
            if !state.keys(user).any(|known| known.id == key) {
                return Err(Rejection::NoKey { user, key });
            }
            Ok(vec![Event::KeyRevoked { user, key }])
        }
        Command::IssueDeviceKey { device, hash } => Ok(vec![Event::DeviceKeyIssued { device, hash }]),
        Command::RevokeDeviceKey(device) if state.has_key(&device) => {
            Ok(vec![Event::DeviceKeyRevoked(device)])
        }
        Command::RevokeDeviceKey(device) => Err(Rejection::NoDeviceKey(device)),
        Command::OpenSession { user, hash, expires_at, by } => {
            if known(state, user)?.disabled {
                return Err(Rejection::Disabled(user));
            }
            let must_change_password = shown(state, user, &by)?.one_time;
            let session = Session { user, hash, opened_at: now, expires_at, must_change_password };
            Ok(oldest(state, user).into_iter().chain([Event::SessionOpened(session)]).collect())
        }
        Command::EndSession(hash) => {
            let (session, _) = state.session(&hash, now).ok_or(Rejection::NoSession)?;
            Ok(vec![Event::SessionsEnded { user: session.user, which: Ended::One(hash) }])
        }
        Command::EndSessions(user) => {
            known(state, user)?;
            Ok(vec![all_ended(user)])
        }
    }
}

fn known(state: &State, user: UserId) -> Result<&User, Rejection> {
    state.user(user).map(AsRef::as_ref).ok_or(Rejection::NoUser(user))
}

/// The password of a user, if it is the one that they have shown: looking at it takes a while, and it may be another now.
fn shown<'a>(state: &'a State, user: UserId, hash: &str) -> Result<&'a Password, Rejection> {
    state.password(user).filter(|password| password.hash == hash).ok_or(Rejection::OtherPassword)
}

fn all_ended(user: UserId) -> Event {
    Event::SessionsEnded { user, which: Ended::All }
}

fn check(field: &'static str, checked: Result<(), String>) -> Result<(), Rejection> {
    checked.map_err(|reason| Rejection::Invalid { field, reason })
}

fn create(state: &State, wish: NewUser) -> Result<Event, Rejection> {
    let NewUser { login, display_name, grants, identity } = wish;
    check("login", check_login(&login))?;
    check("display_name", check_name(&display_name))?;
    check("grants", check_grants(&grants))?;
    if let Some(user) = state.user_by_login(&login) {
        return Err(Rejection::Taken { field: "login", user: user.id });
    }
    identity_is_free(state, identity.as_ref(), None)?;
    let id = state.next_user();
    Ok(Event::UserCreated(User { id, login, display_name, grants, disabled: false, identity, revision: 0 }))
}

fn update(state: &State, change: UserChange) -> Result<Vec<Event>, Rejection> {
    let UserChange { user, revision, display_name, grants, disabled, identity } = change;
    let before = known(state, user)?;
    if before.revision != revision {
        return Err(Rejection::Changed { user });
    }
    let mut after = User { revision: revision + 1, ..before.clone() };
    if let Some(name) = display_name {
        check("display_name", check_name(&name))?;
        after.display_name = name;
    }
    if let Some(grants) = grants {
        check("grants", check_grants(&grants))?;
        after.grants = grants;
    }
    if let Some(disabled) = disabled {
        after.disabled = disabled;
    }
    if let Some(identity) = identity {
        identity_is_free(state, identity.as_ref(), Some(user))?;
        after.identity = identity;
    }
    if administers(before) && !administers(&after) {
        let others = state.users(None).filter(|other| other.id != user);
        if !others.into_iter().any(|other| administers(other)) {
            return Err(Rejection::LastAdministrator);
        }
    }
    let has_other_rights =
        after.grants != before.grants || after.disabled || after.identity != before.identity;
    // Whoever took a key while they had less to say must not have more to say by it.
    let has_more = after.grants.iter().any(|grant| !before.grants.contains(grant));
    let keys = state.keys(user).filter(|_| has_more).map(|key| Event::KeyRevoked { user, key: key.id });
    let ended = has_other_rights.then(|| all_ended(user));
    Ok([Event::UserChanged(after)].into_iter().chain(keys).chain(ended).collect())
}

fn administers(user: &User) -> bool {
    !user.disabled && user.grants.contains(&Grant { role: Role::Administrator, scope: Scope::Everything })
}

fn identity_is_free(
    state: &State,
    identity: Option<&Identity>,
    own: Option<UserId>,
) -> Result<(), Rejection> {
    let Some(identity) = identity else { return Ok(()) };
    check("identity", check_identity(identity))?;
    match state.user_by_identity(identity) {
        Some(user) if Some(user.id) != own => Err(Rejection::Taken { field: "identity", user: user.id }),
        Some(_) | None => Ok(()),
    }
}

fn issue(state: &State, now: Timestamp, wish: NewKey) -> Result<Event, Rejection> {
    let NewKey { user, label, hash, expires_at } = wish;
    check("label", check_name(&label))?;
    if known(state, user)?.disabled {
        return Err(Rejection::Disabled(user));
    }
    if state.keys(user).count() >= MAX_KEYS {
        return Err(Rejection::TooManyKeys { user, most: MAX_KEYS });
    }
    if expires_at.is_some_and(|until| until <= now) {
        let reason = "has passed: give a time to come, or none".to_owned();
        return Err(Rejection::Invalid { field: "expires_at", reason });
    }
    Ok(Event::KeyIssued(ApiKey { id: state.next_key(user), user, label, hash, issued_at: now, expires_at }))
}

/// Ends the oldest sessions of a user, so that there is room for one more.
fn oldest(state: &State, user: UserId) -> Vec<Event> {
    let mut open: Vec<_> = state.sessions(user).collect();
    open.sort_by_key(|session| (session.opened_at, session.hash));
    let too_many = (open.len() + 1).saturating_sub(MAX_SESSIONS);
    let ended = open.into_iter().take(too_many);
    ended.map(|session| Event::SessionsEnded { user, which: Ended::One(session.hash) }).collect()
}

#[cfg(test)]
mod tests;

//! Stories of users.

use model::OrgUnitCode;
use proptest::prelude::*;

use super::*;
use crate::Password;

const NOW: Timestamp = Timestamp(1_000_000);
const LATER: Timestamp = Timestamp(2_000_000);

fn everything(role: Role) -> Grant {
    Grant { role, scope: Scope::Everything }
}

fn wish(login: &str, grants: &[Grant]) -> NewUser {
    NewUser { login: login.to_owned(), display_name: login.into(), grants: grants.to_vec(), identity: None }
}

fn change(state: &State, user: u32) -> UserChange {
    let revision = state.user(UserId(user)).map_or(0, |user| user.revision);
    UserChange {
        user: UserId(user),
        revision,
        display_name: None,
        grants: None,
        disabled: None,
        identity: None,
    }
}

#[track_caller]
fn done(state: &mut State, command: Command) -> Vec<Event> {
    let events = decide(state, NOW, command).expect("it is granted");
    events.iter().for_each(|event| state.evolve(event));
    events
}

/// An administrator (0) and an operator (1).
fn two() -> State {
    let mut state = State::default();
    done(&mut state, Command::CreateUser(wish("root", &[everything(Role::Administrator)])));
    done(&mut state, Command::CreateUser(wish("wang", &[everything(Role::Operator)])));
    done(&mut state, password(0, "first"));
    done(&mut state, password(1, "first"));
    state
}

fn opened(user: u32, hash: u8) -> Command {
    Command::OpenSession { user: UserId(user), hash: [hash; 32], expires_at: LATER, by: "first".to_owned() }
}

fn password(user: u32, hash: &str) -> Command {
    let password = Password { hash: hash.to_owned(), one_time: false };
    Command::SetPassword { user: UserId(user), password, instead_of: None }
}

#[test]
fn a_login_and_an_identity_belong_to_one_user() {
    let mut state = two();
    let refused = decide(&state, NOW, Command::CreateUser(wish("wang", &[])));
    assert_eq!(refused, Err(Rejection::Taken { field: "login", user: UserId(1) }));
    let identity = Identity { issuer: "https://id.example".to_owned(), subject: "7".into() };
    let vouched = |user| UserChange { identity: Some(Some(identity.clone())), ..change(&state, user) };
    let (first, second) = (vouched(0), vouched(1));
    done(&mut state, Command::UpdateUser(first));
    assert_eq!(
        decide(&state, NOW, Command::UpdateUser(second)),
        Err(Rejection::Taken { field: "identity", user: UserId(0) })
    );
    let given_up = UserChange { identity: Some(None), ..change(&state, 0) };
    done(&mut state, Command::UpdateUser(given_up));
    assert_eq!(state.user_by_identity(&identity), None);
    for login in ["", "Wang", "a b", "a\n", &"x".repeat(65), &"王".repeat(22)] {
        assert!(decide(&state, NOW, Command::CreateUser(wish(login, &[]))).is_err(), "{login:?}");
    }
}

#[test]
fn a_role_has_the_records_that_go_with_it() {
    let state = two();
    let county = Scope::OrgUnit(OrgUnitCode::new("341181").expect("a code"));
    for (role, scope, is_right) in [
        (Role::Operator, county, true),
        (Role::Responder, county, false),
        (Role::Responder, Scope::Responder(model::ResponderId(1)), true),
        (Role::ProviderManager, Scope::Everything, false),
        (Role::Device, Scope::Everything, false),
    ] {
        let decided = decide(&state, NOW, Command::CreateUser(wish("new", &[Grant { role, scope }])));
        assert_eq!(decided.is_ok(), is_right, "{} for {scope}", role.name());
    }
}

#[test]
fn who_changes_what_somebody_else_has_changed_is_told() {
    let mut state = two();
    let seen = change(&state, 1);
    done(&mut state, Command::UpdateUser(UserChange { disabled: Some(true), ..seen.clone() }));
    assert_eq!(
        decide(&state, NOW, Command::UpdateUser(UserChange { disabled: Some(false), ..seen })),
        Err(Rejection::Changed { user: UserId(1) })
    );
}

#[test]
fn the_last_administrator_stays() {
    let mut state = two();
    for last in [
        UserChange { disabled: Some(true), ..change(&state, 0) },
        UserChange { grants: Some(vec![]), ..change(&state, 0) },
    ] {
        assert_eq!(decide(&state, NOW, Command::UpdateUser(last)), Err(Rejection::LastAdministrator));
    }
    done(&mut state, Command::CreateUser(wish("second", &[everything(Role::Administrator)])));
    let first = UserChange { disabled: Some(true), ..change(&state, 0) };
    done(&mut state, Command::UpdateUser(first));
}

#[test]
fn who_is_disabled_or_has_other_rights_or_a_new_password_is_out() {
    let mut state = two();
    let ways: [fn(&State) -> Command; 3] = [
        |state| Command::UpdateUser(UserChange { grants: Some(vec![]), ..change(state, 1) }),
        |_| password(1, "first"),
        |state| Command::UpdateUser(UserChange { disabled: Some(true), ..change(state, 1) }),
    ];
    done(&mut state, opened(0, 9));
    for way in ways {
        done(&mut state, opened(1, 1));
        assert!(state.session(&[1; 32], NOW).is_some());
        let command = way(&state);
        done(&mut state, command);
        assert!(state.session(&[1; 32], NOW).is_none());
        assert!(state.session(&[9; 32], NOW).is_some(), "others stay");
    }
    assert_eq!(decide(&state, NOW, opened(1, 1)), Err(Rejection::Disabled(UserId(1))));
}

#[test]
fn a_password_that_was_changed_meanwhile_opens_nothing_and_changes_nothing() {
    let mut state = two();
    done(&mut state, password(1, "second"));
    assert_eq!(decide(&state, NOW, opened(1, 1)), Err(Rejection::OtherPassword));
    let late = Command::SetPassword {
        user: UserId(1),
        password: Password { hash: "third".to_owned(), one_time: false },
        instead_of: Some("first".to_owned()),
    };
    assert_eq!(decide(&state, NOW, late), Err(Rejection::OtherPassword));
}

#[test]
fn a_key_ends_when_its_user_may_do_more_and_stays_when_they_may_do_less() {
    let mut state = two();
    let key = NewKey { user: UserId(1), label: "mine".to_owned(), hash: [7; 32], expires_at: None };
    done(&mut state, Command::IssueKey(key));
    let less = UserChange { grants: Some(vec![]), ..change(&state, 1) };
    done(&mut state, Command::UpdateUser(less));
    assert!(state.key(&[7; 32], NOW).is_some());
    let more = UserChange { grants: Some(vec![everything(Role::Administrator)]), ..change(&state, 1) };
    done(&mut state, Command::UpdateUser(more));
    assert!(state.key(&[7; 32], NOW).is_none());
}

#[test]
fn a_name_that_changes_ends_no_session() {
    let mut state = two();
    done(&mut state, opened(1, 1));
    let named = UserChange { display_name: Some("王".into()), ..change(&state, 1) };
    done(&mut state, Command::UpdateUser(named));
    assert!(state.session(&[1; 32], NOW).is_some());
}

#[test]
fn a_session_and_a_key_end_in_time_and_the_oldest_session_makes_room() {
    let mut state = two();
    for hash in 0..=MAX_SESSIONS as u8 {
        done(&mut state, opened(1, hash));
    }
    assert_eq!(state.sessions(UserId(1)).count(), MAX_SESSIONS);
    assert!(state.session(&[0; 32], NOW).is_none());
    assert!(state.session(&[1; 32], NOW).is_some());
    assert!(state.session(&[1; 32], LATER).is_none());
    let key = |expires_at| {
        Command::IssueKey(NewKey { user: UserId(1), label: "gateway".to_owned(), hash: [7; 32], expires_at })
    };
    assert!(decide(&state, NOW, key(Some(NOW))).is_err());
    done(&mut state, key(Some(LATER)));
    assert!(state.key(&[7; 32], NOW).is_some());
    assert!(state.key(&[7; 32], LATER).is_none());
    done(&mut state, Command::RevokeKey { user: UserId(1), key: 0 });
    assert!(state.key(&[7; 32], NOW).is_none());
    let again = done(&mut state, key(None));
    assert!(matches!(&again[..], [Event::KeyIssued(key)] if key.id == 1), "a number is given once");
    for _ in 1..MAX_KEYS {
        done(&mut state, key(None));
    }
    assert!(matches!(decide(&state, NOW, key(None)), Err(Rejection::TooManyKeys { .. })));
}

proptest! {
    #[test]
    fn somebody_always_administers_everything(steps in prop::collection::vec((0u32..4, 0u8..4), 1..60)) {
        let mut state = two();
        for (user, what) in steps {
            let command = match what {
                0 => Command::CreateUser(wish(&format!("user-{user}"), &[everything(Role::Administrator)])),
                1 => Command::UpdateUser(UserChange { disabled: Some(true), ..change(&state, user) }),
                2 => Command::UpdateUser(UserChange { grants: Some(vec![]), ..change(&state, user) }),
                _ => Command::UpdateUser(UserChange { disabled: Some(false), ..change(&state, user) }),
            };
            if let Ok(events) = decide(&state, NOW, command) {
                events.iter().for_each(|event| state.evolve(event));
            }
            prop_assert!(state.users(None).any(|user| administers(user)));
        }
    }
}

//! Access: who is there, and what may they do?
//!
//! A wish about users is a [`Command`]; [`decide`] turns it into [`Event`]s or refuses it; [`State::evolve`] keeps what
//! happened. What somebody may do is asked of the [`Policy`], and nowhere else.
//!
//! What always holds:
//!
//! - Nobody may do anything that no rule of the policy permits.
//! - A login and an outside identity belong to one user at most, and a number is never given twice.
//! - Passwords, keys and sessions are known here by their hashes only.
//! - Somebody can always sign in who administers everything, once there is anybody at all.
//! - Who is disabled, gets a new password or other rights has no session any more.

mod command;
mod decide;
mod event;
mod grant;
mod permission;
mod policy;
mod rejection;
mod state;
mod user;

pub use command::{Command, UserChange};
pub use decide::decide;
pub use event::{Ended, Event};
pub use grant::{Belongs, Grant, Record, Role, Scope};
pub use permission::{Need, Permission};
pub use policy::{Policy, PolicyFault};
pub use rejection::Rejection;
pub use state::State;
pub use user::{
    ApiKey, Identity, KeyId, MAX_KEYS, MAX_LOGIN_BYTES, MAX_SESSIONS, NewKey, NewUser, Password, SecretHash,
    Session, User,
};

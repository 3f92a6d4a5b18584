//! The gate: who is calling, and may they?
//!
//! Whoever calls shows a bearer token: that of a session, a key, or the server's own. The gate knows them by their hashes
//! only. What a method needs stands in `proto/`; who may do what, in the access policy. A call that passes carries its
//! [`Caller`], of whom the method asks about each record. When somebody's rights end, so do their open streams.
//!
//! Users have a journal of their own, because nobody who signs in may have to wait for an import.

mod passwords;
mod revocable;
mod sign_in;

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, Weak},
    time::{Duration, Instant},
};

use access::{
    Command, Event, Grant, Need, Permission, Policy, Record, Rejection, Role, Scope, SecretHash, State, User,
};
use dashmap::DashMap;
use http::{HeaderMap, header};
use journal::{Journal, Notice, Outcome};
use model::{DeviceId, Timestamp, UserId};
use tokio::sync::{Mutex, oneshot};
use tokio_util::sync::CancellationToken;
use wire::Method;

use crate::{clock::Clock, metrics};

pub(crate) use passwords::Unfit;
pub(crate) use revocable::{Revocable, over};
pub(crate) use sign_in::Opened;
use sign_in::Tries;

/// What the tokens of sessions, of programs and of devices begin with, so that whoever finds one knows what it is.
const SESSION_PREFIX: &str = "anhu_s_";
const KEY_PREFIX: &str = "anhu_k_";
const DEVICE_PREFIX: &str = "anhu_d_";

/// What somebody must show.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mode {
    /// Nothing: everybody on this machine may do everything.
    Open,
    /// A token. That of this hash is the server's own.
    Closed(blake3::Hash),
}

/// The journal of users, which writes one record after the other.
pub(crate) type Book = Journal<oneshot::Sender<Outcome>>;

/// Lets in, or not.
pub(crate) struct Gate {
    mode: Mode,
    policy: Arc<Policy>,
    methods: HashMap<String, Method>,
    state: RwLock<State>,
    /// Taken out when the server stops.
    book: Mutex<Option<Arc<Book>>>,
    /// The same, to ask how it is.
    standing: Weak<Book>,
    clock: Clock,
    /// What ends with each session or key that is in use.
    live: DashMap<SecretHash, Live>,
    tries: Tries,
}

struct Live {
    /// What whoever shows it may do.
    grants: Arc<[Grant]>,
    over: CancellationToken,
}

/// Who calls, and what they may do.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) who: Who,
    /// What they have shown.
    pub(crate) shown: Option<SecretHash>,
    grants: Arc<[Grant]>,
    policy: Arc<Policy>,
    /// They have shown a one-time password, and may only choose another.
    pub(crate) must_change_password: bool,
    /// Cancelled when they are no longer let in.
    over: CancellationToken,
    /// When that ends at the latest.
    until: Option<Instant>,
}

/// A call that may be made.
pub(crate) enum Admitted {
    /// By anybody.
    Nobody,
    /// And is answered, even if it turns the caller away itself.
    Once(Caller),
    /// And goes on as long as the caller is let in.
    ForAsLong(Caller),
}

/// Who has come in by the front door.
pub(crate) enum Guest {
    /// Whoever may speak for all devices: the host, and in development mode anybody.
    OfAll,
    /// A program, which speaks for the devices that its user may speak for.
    Program(Caller),
    /// A device, which speaks for itself.
    Device {
        id: DeviceId,
        /// Cancelled when its key is taken back.
        over: CancellationToken,
    },
}

impl Guest {
    /// Whether they are still let in.
    pub(crate) fn is_let_in(&self) -> bool {
        match self {
            Self::OfAll => true,
            Self::Program(caller) => caller.is_let_in(),
            Self::Device { over, .. } => !over.is_cancelled(),
        }
    }

    /// Whether they may speak for a device, which belongs as `record` says.
    pub(crate) fn may_speak_for(&self, device: &str, record: impl FnOnce() -> Record) -> bool {
        match self {
            Self::OfAll => true,
            Self::Program(caller) => caller.may(Permission::SignalsPublish, &record()),
            Self::Device { id, .. } => id.as_str() == device,
        }
    }
}

/// Somebody who is let in.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Who {
    /// Anybody on this machine, in development mode.
    Anybody,
    /// Who can read the server's own files.
    Host,
    /// Somebody we know.
    User(Arc<User>),
}

/// Why somebody is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// They show nothing that we know.
    #[error(
        "no valid token: sign in by AccessService.SignIn or take a key, and send it as `authorization: Bearer …`; on the \
         server's machine `anhu token` prints its own"
    )]
    Unknown,
    /// A one-time password is good for one thing only.
    #[error("choose a password of your own first: AccessService.ChangePassword")]
    MustChangePassword,
    /// No grant of theirs permits it for any record.
    #[error("no role of yours permits {}", .0.name())]
    NotPermitted(Permission),
    /// There is no such method, or nobody has said what it needs.
    #[error("nobody may call this")]
    Undeclared,
}

/// Why a wish about users was not granted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// By the rules.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The password is not good enough.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// Login and password do not go together.
    #[error("login or password is wrong")]
    Wrong,
    /// Too many tries.
    #[error("too many tries: the next one is in {} s", .0.as_secs() + 1)]
    TooOften(Duration),
    /// It holds, and the disk refused to keep it.
    #[error("the disk refused to keep it: it holds until the next start; see /readyz")]
    NotDurable,
    /// Their rights, or those of whom it is about, are others now.
    #[error("rights have changed meanwhile: look again, and ask again")]
    Meanwhile,
    /// The server is stopping, or has failed.
    #[error("the server cannot do this now: try again in a moment")]
    Stopped,
}

impl Gate {
    pub(crate) fn new(mode: Mode, policy: Policy, state: State, book: Book, clock: Clock) -> Self {
        let book = Arc::new(book);
        let by_path = |method: Method| (method.path.clone(), method);
        Self {
            mode,
            policy: Arc::new(policy),
            methods: wire::methods().into_iter().map(by_path).collect(),
            state: RwLock::new(state),
            standing: Arc::downgrade(&book),
            book: Mutex::new(Some(book)),
            clock,
            live: DashMap::new(),
            tries: Tries::new(),
        }
    }

    /// Users, keys and sessions. Hold it briefly, and never across an await.
    pub(crate) fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who sends these headers to the method at this path, if they may call it at all.
    pub(crate) fn admit(&self, path: &str, headers: &HeaderMap) -> Result<Admitted, Refusal> {
        let method = self.methods.get(path).ok_or(Refusal::Undeclared)?;
        let need = method.need.ok_or(Refusal::Undeclared)?;
        if need == Need::Nothing {
            return Ok(Admitted::Nobody);
        }
        let caller = self.caller(headers).ok_or(Refusal::Unknown)?;
        if let Need::Permission(permission) = need {
            if caller.must_change_password {
                return Err(Refusal::MustChangePassword);
            }
            if !self.policy.may_somewhere(&caller.grants, permission) {
                return Err(Refusal::NotPermitted(permission));
            }
        }
        Ok(if method.streams { Admitted::ForAsLong(caller) } else { Admitted::Once(caller) })
    }

    fn caller(&self, headers: &HeaderMap) -> Option<Caller> {
        let Mode::Closed(own) = self.mode else { return Some(self.all_powerful(Who::Anybody)) };
        let token = bearer(headers)?;
        // Comparing hashes takes the same time whatever is shown.
        if blake3::hash(token.as_bytes()) == own {
            return Some(self.all_powerful(Who::Host));
        }
        self.known(token)
    }

    /// Whose session or key this is.
    fn known(&self, token: &str) -> Option<Caller> {
        let (shown, now) = (*blake3::hash(token.as_bytes()).as_bytes(), self.clock.now());
        let state = self.state();
        let (user, must_change_password, until) = if token.starts_with(SESSION_PREFIX) {
            let (session, user) = state.session(&shown, now)?;
            (Arc::clone(user), session.must_change_password, Some(session.expires_at))
        } else {
            let (key, user) = state.key(&shown, now)?;
            (Arc::clone(user), false, key.expires_at)
        };
        // Before the state may change: who ends it then finds it.
        let live = self.live.entry(shown).or_insert_with(|| Live {
            grants: user.grants.as_slice().into(),
            over: CancellationToken::new(),
        });
        let (grants, over) = (Arc::clone(&live.grants), live.over.clone());
        drop(live);
        Some(Caller {
            grants,
            who: Who::User(user),
            shown: Some(shown),
            policy: Arc::clone(&self.policy),
            must_change_password,
            over,
            until: until.map(|until| Instant::now() + Duration::from_millis((until - now).0.max(0) as u64)),
        })
    }

    fn all_powerful(&self, who: Who) -> Caller {
        Caller {
            who,
            shown: None,
            grants: [Grant { role: Role::Administrator, scope: Scope::Everything }].into(),
            policy: Arc::clone(&self.policy),
            must_change_password: false,
            over: CancellationToken::new(),
            until: None,
        }
    }

    /// Who comes to the front door with this password, if they may come in.
    pub(crate) fn greet(&self, password: Option<&[u8]>) -> Option<Guest> {
        let Mode::Closed(own) = self.mode else { return Some(Guest::OfAll) };
        let password = password?;
        let hash = blake3::hash(password);
        if hash == own {
            return Some(Guest::OfAll);
        }
        if let Some(caller) = str::from_utf8(password).ok().and_then(|token| self.known(token)) {
            let may = self.policy.may_somewhere(&caller.grants, Permission::SignalsPublish);
            return (may && !caller.must_change_password).then_some(Guest::Program(caller));
        }
        let state = self.state();
        let id = state.device(hash.as_bytes())?.clone();
        let live = self
            .live
            .entry(*hash.as_bytes())
            .or_insert_with(|| Live { grants: [].into(), over: CancellationToken::new() });
        let over = live.over.clone();
        let may = self.policy.may_own(Role::Device, Permission::SignalsPublish);
        may.then_some(Guest::Device { id, over })
    }

    /// Has `command` decided, kept and done. What the disk refuses to keep is done all the same: who must sign in while it
    /// is full must not be shut out.
    pub(crate) async fn ask(self: &Arc<Self>, command: Command) -> Result<Vec<Event>, Refused> {
        self.ask_if(command, |_| true).await
    }

    /// As [`ask`](Self::ask), if `still` says so when its turn has come: rights may have changed while it waited.
    pub(crate) async fn ask_if(
        self: &Arc<Self>,
        command: Command,
        still: impl FnOnce(&Self) -> bool + Send + 'static,
    ) -> Result<Vec<Event>, Refused> {
        let gate = Arc::clone(self);
        // Whoever asks may go away at any moment; what is kept is done all the same.
        let asked = tokio::spawn(async move { gate.decide(command, still).await });
        asked.await.map_err(|_| Refused::Stopped)?
    }

    async fn decide(
        &self,
        command: Command,
        still: impl FnOnce(&Self) -> bool,
    ) -> Result<Vec<Event>, Refused> {
        let book = self.book.lock().await;
        let journal = book.as_ref().ok_or(Refused::Stopped)?;
        if !still(self) {
            return Err(Refused::Meanwhile);
        }
        let now = self.clock.now();
        let events = access::decide(&self.state(), now, command)?;
        let (done, outcome) = oneshot::channel();
        journal.append(&wire::access_record(now, &events), done).map_err(|_| Refused::Stopped)?;
        let outcome = outcome.await.map_err(|_| Refused::Stopped)?;
        {
            let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
            events.iter().for_each(|event| state.evolve(event));
            // While nobody reads the old state: whoever has just been let in by it is found.
            self.turn_away(&state, now);
        }
        match outcome {
            Outcome::Durable => Ok(events),
            Outcome::NotDurable(failure) => {
                metrics::not_durable("access", &failure);
                Err(Refused::NotDurable)
            }
        }
    }

    /// Ends what is open of whoever is out now, or may do other things.
    fn turn_away(&self, state: &State, now: Timestamp) {
        self.live.retain(|shown, live| {
            let session = state.session(shown, now).map(|(_, user)| user);
            let user = session.or_else(|| state.key(shown, now).map(|(_, user)| user));
            let stays = match user {
                Some(user) => *user.grants == *live.grants,
                None => state.device(shown).is_some(),
            };
            if !stays {
                live.over.cancel();
            }
            stays
        });
    }

    /// Gives a program a key, and returns it: it is not kept.
    pub(crate) async fn issue_key(
        self: &Arc<Self>,
        user: UserId,
        (label, expires_at): (String, Option<Timestamp>),
        still: impl FnOnce(&Self) -> bool + Send + 'static,
    ) -> Result<(String, access::ApiKey), Refused> {
        let (token, hash) = secret(KEY_PREFIX)?;
        let wish = Command::IssueKey(access::NewKey { user, label, hash, expires_at });
        let events = self.ask_if(wish, still).await?;
        let key = events.into_iter().find_map(|event| {
            let Event::KeyIssued(key) = event else { return None };
            Some(key)
        });
        Ok((token, key.ok_or(Refused::Stopped)?))
    }

    /// Gives a device a key, and returns it: it is not kept.
    pub(crate) async fn issue_device_key(self: &Arc<Self>, device: DeviceId) -> Result<String, Refused> {
        let (token, hash) = secret(DEVICE_PREFIX)?;
        self.ask(Command::IssueDeviceKey { device, hash }).await?;
        Ok(token)
    }

    /// At the first start of all, lets somebody in who lets in the others; returns their one-time password.
    pub(crate) async fn first_administrator(
        self: &Arc<Self>,
        login: &str,
    ) -> Result<Option<String>, Refused> {
        if self.state().users(None).next().is_some() {
            return Ok(None);
        }
        let administrator = access::NewUser {
            login: login.to_owned(),
            display_name: login.into(),
            grants: vec![Grant { role: Role::Administrator, scope: Scope::Everything }],
            identity: None,
        };
        self.ask(Command::CreateUser(administrator)).await?;
        self.reset_password(UserId(0), |_| true).await.map(Some)
    }

    /// Whether what is decided about users is kept.
    pub(crate) fn health(&self) -> Option<journal::Health> {
        self.standing.upgrade().map(|book| book.health())
    }

    /// Decides nothing any more, and hands over the journal to be closed.
    pub(crate) async fn close(&self) -> Option<Arc<Book>> {
        self.book.lock().await.take()
    }
}

impl Caller {
    /// Whether they may do this with that record.
    pub(crate) fn may(&self, permission: Permission, record: &Record) -> bool {
        self.policy.may(&self.grants, permission, record)
    }

    /// What they may do with at least one record.
    pub(crate) fn permissions(&self) -> impl Iterator<Item = Permission> {
        let all = Permission::NAMES.into_iter().map(|(permission, _)| permission);
        all.filter(|permission| self.policy.may_somewhere(&self.grants, *permission))
    }

    /// The user they are, if they are one.
    pub(crate) fn user(&self) -> Option<&Arc<User>> {
        match &self.who {
            Who::User(user) => Some(user),
            Who::Anybody | Who::Host => None,
        }
    }

    /// Whether they are still let in.
    pub(crate) fn is_let_in(&self) -> bool {
        !self.over.is_cancelled() && self.until.is_none_or(|until| Instant::now() < until)
    }

    /// Waits until they are no longer let in.
    pub(crate) async fn over(self) {
        match self.until {
            Some(until) => {
                let _ = tokio::time::timeout_at(until.into(), self.over.cancelled()).await;
            }
            None => self.over.cancelled().await,
        }
    }
}

/// What the journal of users does with a flushed record.
pub(crate) fn take(notice: Notice<'_, oneshot::Sender<Outcome>>) {
    match notice {
        Notice::Released(group) => {
            for released in group.drain(..) {
                // Whoever asked may have gone away; what was decided stands.
                let _ = released.token.send(released.outcome);
            }
        }
        Notice::Recovered { head } => metrics::recovered("access", head),
    }
}

/// What is shown as `authorization: Bearer …`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
}

/// A token that nobody can guess, and its hash.
fn secret(prefix: &str) -> Result<(String, SecretHash), Refused> {
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Refused::Stopped)?;
    let token = format!("{prefix}{}", blake3::Hash::from_bytes(random).to_hex());
    let hash = *blake3::hash(token.as_bytes()).as_bytes();
    Ok((token, hash))
}

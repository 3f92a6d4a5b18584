//! Signing in: who is it, how often may they try, and what do they get?

use std::{
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use access::{Command, Password, Session, User};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use model::{Millis, UserId};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{
    Gate, Refused, SESSION_PREFIX,
    passwords::{self, one_time},
    secret,
};
use crate::metrics;

/// How long a session lasts: a long shift and the way home.
const SESSION: Millis = Millis::from_seconds(14 * 3600);
/// Tries to sign in as one user before they are slowed down, and how often there is another one then.
const TRIES: NonZeroU32 = NonZeroU32::new(5).unwrap();
const TRY_EVERY: Duration = Duration::from_secs(20);
/// The same for one address, which may be that of a whole town hall.
const TRIES_FROM: NonZeroU32 = NonZeroU32::new(60).unwrap();
const TRY_FROM_EVERY: Duration = Duration::from_secs(1);
/// Logins and addresses tried, after which those that may be tried freely again are forgotten.
const TRIED: usize = 10_000;
/// How often they are forgotten at most.
const FORGET_EVERY: Duration = Duration::from_secs(1);
/// Passwords looked at, at the same time: each takes 20 MiB and some 40 ms of a processor.
const LOOKED_AT: usize = 2;
/// How long somebody waits for their password to be looked at, when many sign in at once.
const TURN_WAITS: Duration = Duration::from_secs(5);

/// A session that was opened.
pub(crate) struct Opened {
    pub(crate) token: String,
    pub(crate) session: Session,
    pub(crate) user: Arc<User>,
}

/// Who tries how often.
pub(super) struct Tries {
    /// By login and where from: nobody shuts out somebody elsewhere by guessing.
    by_login: DefaultKeyedRateLimiter<(String, IpAddr)>,
    /// By where from, for whoever tries one login after the other.
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    looking: Semaphore,
    /// When the tries of long ago were forgotten.
    forgotten: Mutex<Option<Instant>>,
}

impl Tries {
    pub(super) fn new() -> Self {
        let quota =
            |every, burst| Quota::with_period(every).unwrap_or(Quota::per_minute(burst)).allow_burst(burst);
        Self {
            by_login: RateLimiter::keyed(quota(TRY_EVERY, TRIES)),
            by_address: RateLimiter::keyed(quota(TRY_FROM_EVERY, TRIES_FROM)),
            looking: Semaphore::new(LOOKED_AT),
            forgotten: Mutex::default(),
        }
    }

    /// Whether this login may be tried now.
    fn take(&self, login: &str, from: IpAddr) -> Result<(), Refused> {
        self.forget();
        let from = network(from);
        // No login is so long; and nobody fills the memory with them.
        let login = &login[..login.floor_char_boundary(access::MAX_LOGIN_BYTES)];
        let key = (login.to_owned(), from);
        let now = self.by_login.clock().now();
        // One that may not be tried costs its address nothing, so that nobody uses up the tries of others there.
        let refused = self.by_login.check_key(&key).err();
        let Some(not_until) = refused.or_else(|| self.by_address.check_key(&from).err()) else {
            return Ok(());
        };
        metrics::sign_in(false);
        Err(Refused::TooOften(not_until.wait_time_from(now)))
    }

    /// Forgets who may try freely again; not more often than now and then, because it looks at all.
    fn forget(&self) {
        if self.by_login.len() <= TRIED && self.by_address.len() <= TRIED {
            return;
        }
        let Ok(mut last) = self.forgotten.try_lock() else { return };
        if last.is_none_or(|last| last.elapsed() > FORGET_EVERY) {
            *last = Some(Instant::now());
            self.by_login.retain_recent();
            self.by_address.retain_recent();
        }
    }

    /// A turn to work at a password, which takes a processor a while; when too many wait, another time.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Refused> {
        let turn = tokio::time::timeout(TURN_WAITS, self.looking.acquire()).await;
        turn.map_err(|_| Refused::TooOften(TURN_WAITS))?.map_err(|_| Refused::Stopped)
    }

    /// Whether a password goes with a hash. Takes as long when there is no hash.
    async fn look_at(&self, hash: Option<String>, password: &str) -> Result<bool, Refused> {
        let password = passwords::bounded(password).to_owned();
        let _turn = self.turn().await?;
        let looked = tokio::task::spawn_blocking(move || passwords::fits(hash.as_deref(), &password));
        Ok(looked.await.unwrap_or(false))
    }

    async fn hash(&self, password: String) -> Result<String, Refused> {
        let _turn = self.turn().await?;
        let hashing = tokio::task::spawn_blocking(move || passwords::hash(&password)).await;
        hashing.ok().flatten().ok_or(Refused::Stopped)
    }

    async fn check(&self, password: &str, known: Vec<String>) -> Result<(), Refused> {
        let password = passwords::bounded(password).to_owned();
        let _turn = self.turn().await?;
        let checking = tokio::task::spawn_blocking(move || passwords::check(&password, &known));
        Ok(checking.await.map_err(|_| Refused::Stopped)??)
    }
}

/// From where tries are counted together: whoever has one address of the sixth version has a network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
    }
}

impl Gate {
    /// Signs somebody in.
    pub(crate) async fn sign_in(
        self: &Arc<Self>,
        login: &str,
        password: &str,
        from: IpAddr,
    ) -> Result<Opened, Refused> {
        self.tries.take(login, from)?;
        let found = {
            let state = self.state();
            let user = state.user_by_login(login).filter(|user| !user.disabled);
            user.and_then(|user| Some((Arc::clone(user), state.password(user.id)?.hash.clone())))
        };
        let hash = found.as_ref().map(|(_, hash)| hash.clone());
        let is_right = self.tries.look_at(hash, password).await?;
        metrics::sign_in(is_right);
        let (user, hash) = found.filter(|_| is_right).ok_or(Refused::Wrong)?;
        self.open(user, hash).await
    }

    /// Opens a session for whoever has shown the password of this hash.
    async fn open(self: &Arc<Self>, user: Arc<User>, by: String) -> Result<Opened, Refused> {
        let (token, hash) = secret(SESSION_PREFIX)?;
        let expires_at = self.clock.now() + SESSION;
        match self.ask(Command::OpenSession { user: user.id, hash, expires_at, by }).await {
            // It is open, until the next start; nothing that anybody relies on is lost with it.
            Ok(_) | Err(Refused::NotDurable) => {}
            Err(refused) => return Err(refused),
        }
        let session = self.state().session(&hash, self.clock.now()).map(|(session, _)| session.clone());
        let session = session.ok_or(Refused::Wrong)?;
        Ok(Opened { token, session, user })
    }

    /// Gives somebody another password, which they have chosen, and a session with it.
    pub(crate) async fn change_password(
        self: &Arc<Self>,
        user: Arc<User>,
        (old, new): (&str, &str),
        from: IpAddr,
    ) -> Result<Opened, Refused> {
        self.tries.take(&user.login, from)?;
        let known = vec![user.login.clone(), user.display_name.to_string(), old.to_owned()];
        self.tries.check(new, known).await?;
        let before = self.state().password(user.id).map(|password| password.hash.clone());
        if !self.tries.look_at(before.clone(), old).await? {
            return Err(Refused::Wrong);
        }
        let hash = self.tries.hash(new.to_owned()).await?;
        let password = Password { hash: hash.clone(), one_time: false };
        self.ask(Command::SetPassword { user: user.id, password, instead_of: before }).await?;
        self.open(user, hash).await
    }

    /// Gives somebody a password with which they can choose another, and returns it, if `still` says so then.
    pub(crate) async fn reset_password(
        self: &Arc<Self>,
        user: UserId,
        still: impl FnOnce(&Self) -> bool + Send + 'static,
    ) -> Result<String, Refused> {
        let made = one_time().map_err(|_| Refused::Stopped)?;
        let password = Password { hash: self.tries.hash(made.clone()).await?, one_time: true };
        self.ask_if(Command::SetPassword { user, password, instead_of: None }, still).await?;
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_a_network_of_addresses_has_one_of_tries() {
        let address = |text: &str| text.parse::<IpAddr>().expect("an address");
        assert_eq!(network(address("2001:db8:1:2:3::4")), network(address("2001:db8:1:2:ffff::1")));
        assert_ne!(network(address("2001:db8:1:2::1")), network(address("2001:db8:1:3::1")));
        assert_eq!(network(address("::ffff:10.0.0.1")), address("10.0.0.1"));
        assert_ne!(network(address("10.0.0.1")), network(address("10.0.0.2")));
    }

    #[test]
    fn one_login_that_is_tried_costs_the_others_of_its_address_little() {
        let tries = Tries::new();
        let from = IpAddr::from([10, 0, 0, 1]);
        let right: usize = (0..1000).filter(|_| tries.take("wang", from).is_ok()).count();
        assert_eq!(right, TRIES.get() as usize);
        assert!(tries.take("li", from).is_ok());
        assert!(tries.take("wang", IpAddr::from([10, 0, 0, 2])).is_ok());
    }
}

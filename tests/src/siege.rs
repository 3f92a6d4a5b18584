//! Siege: what is left when a server is killed again and again under load?
//!
//! Devices, helpers and operators go on all the while, as they would: a device sends again what was not acknowledged, a
//! helper and an operator connect again and go on from where they were. What is checked at the end is only what they
//! themselves know: what the devices were acknowledged, and what the streams showed.

mod devices;
mod helpers;
mod hotline;
mod notes;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    anhu::{Anhu, folder},
    wait, world,
};
use notes::Notes;

/// How large a siege is.
#[derive(Debug, Clone)]
pub struct Siege {
    /// How each life of the server ends but the last.
    pub deaths: Vec<Death>,
    /// Different alerts raised until the last kill, at least.
    pub alerts: usize,
    /// Connections, each of which brings the presses of 40 elders, all the time.
    pub gateways: usize,
    /// Helpers who accept whatever they are offered.
    pub helpers: usize,
    /// More lines of the server's configuration.
    pub config: String,
}

/// How a life of the server ends.
#[derive(Debug, Clone)]
pub enum Death {
    /// It is killed at some moment.
    Kill,
    /// It kills itself where `ANHU_DIE_AT` says, such as `flush:3`. For a server that is built for tests.
    At(String),
}

impl Death {
    fn environment(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Kill => None,
            Self::At(place) => Some(("ANHU_DIE_AT", place.clone())),
        }
    }
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How often the server was killed.
    pub kills: usize,
    /// Different alerts that devices raised; all of them were acknowledged in the end.
    pub alerts: usize,
    /// Alerts that were sent more than once because nobody had acknowledged them.
    pub resent: usize,
    /// Incidents that the operators' streams showed.
    pub incidents: usize,
    /// Assignments that helpers were given.
    pub assignments: usize,
    /// Alerts that were acknowledged and that no stream showed.
    pub lost: Vec<String>,
    /// Alerts that stand in two incidents, or twice in one.
    pub doubled: Vec<String>,
    /// Incidents that had two helpers at once though one was enough, helpers who had two at once, and helpers who were told
    /// to go where no stream shows them.
    pub double_dispatched: Vec<String>,
    /// How long the server took to serve again after a kill: the median and the longest.
    pub back: (Duration, Duration),
    /// How long everything took.
    pub took: Duration,
}

impl Outcome {
    /// Whether nothing was lost and nothing doubled.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.double_dispatched.is_empty()
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, alerts, resent, incidents, assignments, .. } = self;
        writeln!(f, "{kills} kills in {:.0} s, {alerts} alerts, all acknowledged", self.took.as_secs_f64())?;
        writeln!(f, "{resent} sent again, {incidents} incidents shown, {assignments} assignments")?;
        let (median, longest) = self.back;
        writeln!(f, "serving again after {median:.0?} (median), {longest:.0?} (longest)")?;
        for (what, which) in
            [("lost", &self.lost), ("doubled", &self.doubled), ("double-dispatched", &self.double_dispatched)]
        {
            writeln!(
                f,
                "{} {what}{}",
                which.len(),
                which.iter().take(10).map(|one| format!("\n  {one}")).collect::<String>()
            )?;
        }
        Ok(())
    }
}

/// What devices, helpers and operators share: where the server is, and what they write down.
#[derive(Debug, Clone)]
struct Field {
    http: String,
    mqtt_port: u16,
    notes: Arc<Notes>,
    /// No new alerts are raised from now on; those under way are sent until they are acknowledged.
    no_more: Arc<AtomicBool>,
    /// Everybody goes home.
    over: Arc<AtomicBool>,
    raised: Arc<AtomicUsize>,
}

impl Field {
    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Lays siege to a server of its own and returns what came of it.
///
/// # Panics
/// When the server does not come back, or not everything is acknowledged in the end.
pub async fn run(siege: &Siege) -> Outcome {
    let begun = Instant::now();
    let (http, mqtt_port) = (format!("127.0.0.1:{}", wait::free_port()), wait::free_port());
    let ports = [("ANHU_HTTP_LISTEN", http.clone()), ("ANHU_MQTT_LISTEN", format!("127.0.0.1:{mqtt_port}"))];
    let folder = folder();
    let start = async |death: Option<&Death>| {
        let mut environment = ports.to_vec();
        environment.extend(death.and_then(Death::environment));
        Anhu::launch(&environment, &siege.config, Arc::clone(&folder)).await
    };
    // Entering the county is no part of it: the first death comes after that.
    let mut life = start(None).await;
    let anhu = life.as_mut().expect("the first life");
    let helpers = settle(anhu, siege).await;
    let field = Field {
        http: format!("http://{http}"),
        mqtt_port,
        notes: Arc::default(),
        no_more: Arc::default(),
        over: Arc::default(),
        raised: Arc::default(),
    };
    if siege.deaths.first().and_then(Death::environment).is_some() {
        anhu.kill();
        life = start(siege.deaths.first()).await;
    }
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..siege.gateways {
        crowd.spawn(devices::press(field.clone(), number));
    }
    for responder in helpers {
        crowd.spawn(helpers::help(field.clone(), responder));
    }
    let operator = tokio::spawn(hotline::watch(field.clone()));

    let mut back = Vec::new();
    let mut random = Random::new(siege.deaths.len() as u64);
    for (number, death) in siege.deaths.iter().enumerate() {
        match (death, life) {
            (Death::Kill, Ok(mut anhu)) => {
                let enough = siege.alerts * (number + 1) / siege.deaths.len();
                let raised = async || (field.raised.load(Ordering::Relaxed) >= enough).then_some(());
                wait::until("enough alerts", raised).await;
                // So that the kills do not all come at the moment of a count.
                tokio::time::sleep(Duration::from_micros(random.below(50_000))).await;
                anhu.kill();
            }
            (Death::At(place), Ok(mut anhu)) => {
                wait::until(place, async || anhu.has_ended().then_some(())).await;
            }
            // It died there before it could say that it serves: devices do not wait for that.
            (Death::At(_), Err(_)) => {}
            (Death::Kill, Err(log)) => panic!("anhu does not serve:\n{log}"),
        }
        let killed = Instant::now();
        life = start(siege.deaths.get(number + 1)).await;
        back.push(killed.elapsed());
    }
    let anhu = life.unwrap_or_else(|log| panic!("anhu does not serve:\n{log}"));
    field.no_more.store(true, Ordering::Relaxed);
    wait::until("everything is acknowledged", async || {
        (field.notes.acked() == field.raised.load(Ordering::Relaxed)).then_some(())
    })
    .await;
    wait::until("the streams show everything, or nothing new", async || field.notes.is_quiet().then_some(()))
        .await;
    field.over.store(true, Ordering::Relaxed);
    crowd.shutdown().await;
    operator.abort();
    drop(anhu);
    back.sort_unstable();
    let pick = |index: usize| back.get(index).copied().unwrap_or_default();
    let back = (pick(back.len() / 2), pick(back.len().saturating_sub(1)));
    field.notes.outcome(siege.deaths.len(), back, begun.elapsed())
}

/// Enters the county, its elders with their devices and its helpers, and returns the helpers.
async fn settle(anhu: &Anhu, siege: &Siege) -> Vec<String> {
    let world = world::build(anhu, &[], siege.helpers).await;
    let buttons =
        (0..siege.gateways).flat_map(|gateway| (0..devices::BUTTONS).map(move |button| (gateway, button)));
    let homes = buttons.map(|(gateway, button)| {
        let (north, east) = (0.001 * gateway as f64, 0.001 * button as f64);
        (devices::id(gateway, button), (world::HOME.0 + north, world::HOME.1 + east))
    });
    world::settle(anhu, homes).await;
    world.responders
}

/// Numbers that look drawn, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

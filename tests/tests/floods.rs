//! Floods: the same press again and again, old alerts by the thousand, messages out of order. None is lost, none counts
//! twice, and whoever else presses meanwhile is helped.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use tests::{anhu::Anhu, mqtt::deliver, wait, world};
use tokio::task::JoinSet;
use wire::v1;

/// Connections of a flood.
const LINES: usize = 40;
/// Messages a connection sends before it looks whether the flood is over.
const BATCH: usize = 100;
/// A device of the flood cuts its own line after so many acknowledgements, while others are under way.
const CUT_AFTER: usize = 30;
/// Those who press meanwhile, and how many helpers each press asks.
const OTHERS: usize = 10;
const ASKED: usize = 3;

/// A topic and a payload.
type Message = (String, String);

fn press(device: &str, id: &str) -> Message {
    (format!("anhu/v1/{device}/alert"), format!(r#"{{"kind":"sos","id":"{id}"}}"#))
}

fn other(number: usize) -> String {
    format!("other-{number}")
}

/// A server with `flooding` elders whose devices are in the flood, others who will press, and helpers for all of these.
async fn county(flooding: &[String]) -> Anhu {
    let anhu = Anhu::start().await;
    world::build(&anhu, &[], 0).await;
    let all = flooding.iter().cloned().chain((0..OTHERS).map(other));
    world::settle(&anhu, all.map(|device| (device, world::HOME))).await;
    world::staff(&anhu, 0, ASKED * (OTHERS + flooding.len())).await;
    anhu
}

/// Connections that go on until they are told; whatever they send is acknowledged in the end.
struct Flood {
    over: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    lines: JoinSet<()>,
}

impl Flood {
    /// Sends one batch after the other: `batch` makes those of a line by their number.
    fn start(port: u16, batch: impl Fn(usize, usize) -> Vec<Message> + Clone + Send + 'static) -> Self {
        let (over, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut lines = JoinSet::new();
        for line in 0..LINES {
            let (over, sent, batch) = (Arc::clone(&over), Arc::clone(&sent), batch.clone());
            lines.spawn(async move {
                for number in 0.. {
                    let messages = batch(line, number);
                    deliver(port, &format!("flood-{line}"), &messages, CUT_AFTER).await;
                    sent.fetch_add(messages.len(), Ordering::Relaxed);
                    if over.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        Self { over, sent, lines }
    }

    /// Waits until every connection has had a batch acknowledged on average, so that it is a flood by now.
    async fn rises(&self) {
        wait::until("the flood is acknowledged", async || {
            (self.sent.load(Ordering::Relaxed) >= LINES * BATCH).then_some(())
        })
        .await;
    }

    /// Returns how many messages were sent, without those that were sent again; all are acknowledged.
    async fn ends(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let ended = tokio::time::timeout(wait::PATIENCE, self.lines.join_all()).await;
        ended.expect("everything is acknowledged");
        self.sent.load(Ordering::Relaxed)
    }
}

/// Everybody else presses, is acknowledged, has an incident, and helpers are asked for each.
async fn others_are_helped(anhu: &Anhu) {
    for number in 0..OTHERS {
        let (device, message) = (other(number), [press(&other(number), "help")]);
        let pressed = deliver(anhu.mqtt_port, &device, &message, BATCH);
        tokio::time::timeout(wait::PATIENCE, pressed).await.expect("acknowledged");
    }
    for number in 0..OTHERS {
        let device = format!("devices/{}", other(number));
        let asked = |one: &v1::Incident| one.device == device && one.first_offer_at.is_some();
        let helped = anhu.wait_for_incident("a helper is asked", asked).await;
        assert_eq!((helped.alert_count, helped.late), (1, false), "{helped:#?}");
    }
}

/// How many alerts there are of each device, and in how many incidents.
async fn counts(anhu: &Anhu) -> BTreeMap<String, (usize, u32)> {
    let mut counts = BTreeMap::new();
    for incident in anhu.all_incidents().await {
        let (incidents, alerts): &mut (usize, u32) = counts.entry(incident.device).or_default();
        *incidents += 1;
        *alerts += incident.alert_count;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn a_press_that_is_sent_thousands_of_times_is_one_and_others_are_helped_meanwhile() {
    let devices = ["once".to_owned(), "twice".to_owned()];
    let anhu = county(&devices).await;
    let again = |_: usize, _: usize| {
        let presses = [press("once", "p-1"), press("twice", "p-1"), press("twice", "p-2")];
        presses.into_iter().cycle().take(BATCH).collect::<Vec<_>>()
    };
    let flood = Flood::start(anhu.mqtt_port, again);
    flood.rises().await;
    others_are_helped(&anhu).await;
    assert!(flood.ends().await >= LINES * BATCH);
    let expected = |counts: &BTreeMap<String, (usize, u32)>| {
        assert_eq!((counts["devices/once"], counts["devices/twice"]), ((1, 1), (1, 2)), "{counts:?}");
        assert_eq!(counts.len(), devices.len() + OTHERS, "{counts:?}");
    };
    expected(&counts(&anhu).await);

    let anhu = anhu.kill_and_restart("").await;
    let flood = Flood::start(anhu.mqtt_port, again);
    flood.rises().await;
    flood.ends().await;
    expected(&counts(&anhu).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_presses_without_end_is_helped_and_so_are_others() {
    let devices = ["loud".to_owned()];
    let anhu = county(&devices).await;
    let anew = |line: usize, number: usize| {
        (0..BATCH).map(|press_| press("loud", &format!("{line}-{number}-{press_}"))).collect::<Vec<_>>()
    };
    let flood = Flood::start(anhu.mqtt_port, anew);
    flood.rises().await;
    others_are_helped(&anhu).await;
    let sent = flood.ends().await;
    let loud = |one: &v1::Incident| one.device == "devices/loud" && one.first_offer_at.is_some();
    anhu.wait_for_incident("a helper is asked", loud).await;
    assert_eq!(counts(&anhu).await["devices/loud"], (1, sent as u32));
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_of_hours_ago_are_all_kept_and_shown_as_late_and_others_are_helped_meanwhile() {
    let devices: Vec<String> = (0..LINES).map(|line| format!("stale-{line}")).collect();
    let anhu = county(&devices).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis() as usize;
    let old = move |line: usize, batch: usize| {
        let message = |number: usize| {
            let id = format!("{batch}-{number}");
            let occurred_at = now - 3 * 3_600_000 + number;
            let payload = format!(r#"{{"kind":"sos","id":"{id}","occurred_at":{occurred_at}}}"#);
            (format!("anhu/v1/stale-{line}/alert"), payload)
        };
        (0..BATCH).map(message).collect()
    };
    let flood = Flood::start(anhu.mqtt_port, old);
    flood.rises().await;
    others_are_helped(&anhu).await;
    let sent = flood.ends().await;

    let counts = counts(&anhu).await;
    let kept = devices.iter().map(|device| counts[&format!("devices/{device}")]);
    assert!(kept.clone().all(|(incidents, _)| incidents == 1), "they join: {counts:?}");
    assert_eq!(kept.map(|(_, alerts)| alerts as usize).sum::<usize>(), sent, "{counts:?}");
    for incident in anhu.all_incidents().await {
        let full = anhu.incident(&incident.name).await;
        let is_stale = full.device.starts_with("devices/stale-");
        assert_eq!((full.late, full.offers.is_empty()), (is_stale, is_stale), "{full:#?}");
        assert!(full.alerts.iter().all(|alert| alert.late == is_stale), "{full:#?}");
    }
    deliver(anhu.mqtt_port, "now", &[press("stale-0", "now")], BATCH).await;
    let asked = |one: &v1::Incident| one.device == "devices/stale-0" && one.first_offer_at.is_some();
    anhu.wait_for_incident("who presses now is helped, whatever came late", asked).await;
}

/// All orders of these.
fn orders(messages: &[Message]) -> Vec<Vec<Message>> {
    if messages.is_empty() {
        return vec![Vec::new()];
    }
    let mut all = Vec::new();
    for (index, first) in messages.iter().enumerate() {
        let mut rest = messages.to_vec();
        rest.remove(index);
        all.extend(orders(&rest).into_iter().map(|rest| [vec![first.clone()], rest].concat()));
    }
    all
}

/// An alarm, the end of it, a cancel, and another alarm, in every order, each sent twice: the second alarm, which no cancel is
/// about, stays open, and each alarm stands once.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_order_an_alarm_made_after_the_cancel_stays_open_and_none_counts_twice() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let said = |what: &str, id: &str, ago: u128| {
        let occurred_at = now - ago * 1000;
        (String::new(), format!(r#"{{"kind":{what},"id":"{id}","occurred_at":{occurred_at}}}"#))
    };
    let story = [
        said(r#""inactivity""#, "first", 20),
        said(r#""inactivity","restore":true"#, "over", 15),
        said(r#""cancel""#, "nothing", 10),
        said(r#""inactivity""#, "second", 1),
    ];
    let orders = orders(&story);
    let devices: Vec<String> = (0..orders.len()).map(|order| format!("order-{order}")).collect();
    let anhu = county(&devices).await;
    let mut all = JoinSet::new();
    for (device, order) in devices.iter().cloned().zip(orders.clone()) {
        let topic = format!("anhu/v1/{device}/alert");
        let twice = order.iter().chain(order.iter().rev());
        let messages: Vec<Message> = twice.map(|(_, payload)| (topic.clone(), payload.clone())).collect();
        let port = anhu.mqtt_port;
        all.spawn(async move { deliver(port, &device, &messages, 3).await });
    }
    others_are_helped(&anhu).await;
    tokio::time::timeout(wait::PATIENCE, all.join_all()).await.expect("everything is acknowledged");

    let mut stands: BTreeMap<(String, String), Vec<v1::IncidentState>> = BTreeMap::new();
    for incident in anhu.all_incidents().await {
        let full = anhu.incident(&incident.name).await;
        for alert in &full.alerts {
            let key = (full.device.clone(), alert.source_id.clone());
            stands.entry(key).or_default().push(full.state());
        }
    }
    for (device, order) in devices.iter().zip(orders) {
        let of = |id: &str| stands.get(&(format!("devices/{device}"), id.to_owned())).cloned();
        assert_eq!(of("first").map(|stands| stands.len()), Some(1), "{order:?}: {stands:?}");
        assert_eq!(of("second"), Some(vec![v1::IncidentState::New]), "{order:?}: {stands:?}");
    }
}

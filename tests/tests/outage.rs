//! The whole server is dead: who notices, and whose home has been silent since?

use tests::{
    anhu::{Anhu, folder},
    receiver::{Answer, KEY_IN_ADDRESS, Receiver, ping_url},
    wait::{free_port, until},
};

/// A server that tries itself every second and tells a monitor on this port.
async fn watched_by(port: u16) -> Anhu {
    let config = format!(
        "[watchdog]\nevery_s = 1\nlimit_s = 5\nping_url = {:?}\n[log]\nlevel = \"trace\"\n",
        ping_url(port)
    );
    Anhu::start_with(&config, folder()).await
}

fn counted(anhu: &Anhu, metric: &str) -> u64 {
    let metrics = anhu.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with(metric));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

async fn rounds(anhu: &Anhu, how: &str, wanted: u64) {
    let metric = format!("anhu_watchdog_rounds_total{{how=\"{how}\"}}");
    until("the watchdog's rounds", async || (counted(anhu, &metric) >= wanted).then_some(())).await;
}

#[tokio::test]
async fn a_monitor_hears_after_each_good_round_and_of_no_other() {
    let monitor = Receiver::start().await;
    let anhu = watched_by(monitor.port).await;
    until("two pings", async || (monitor.calls().len() >= 2).then_some(())).await;
    until("it is seen", async || anhu.get("/readyz").1.contains("; 127.0.0.1 was told").then_some(())).await;
    let well = counted(&anhu, "anhu_watchdog_rounds_total{how=\"well\"}") as usize;
    assert!(monitor.calls().len() <= well + 1, "one a round");

    // Nothing is acknowledged any more, so no round goes well.
    anhu.fill_disk();
    rounds(&anhu, "stuck", 1).await;
    let before = monitor.calls().len();
    rounds(&anhu, "stuck", 3).await;
    assert_eq!(monitor.calls().len(), before, "silence is how the monitor knows");
    assert_eq!(anhu.get("/readyz").0, 503);
    assert!(!anhu.log().contains(KEY_IN_ADDRESS), "the key in the address is not told");
}

#[tokio::test]
async fn a_monitor_that_hangs_holds_up_no_round() {
    let monitor = Receiver::start().await;
    monitor.answer(|_, _| Answer::Never);
    let anhu = watched_by(monitor.port).await;
    rounds(&anhu, "well", 4).await;
    let failed = "anhu_watchdog_pings_total{outcome=\"failed\"}";
    until("two pings failed", async || (counted(&anhu, failed) >= 2).then_some(())).await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "alerts go round all the same: {ready}");
    assert!(ready.contains("; 127.0.0.1 could not be told: no answer within 1 s"), "{ready}");
    assert_eq!(counted(&anhu, "anhu_watchdog_rounds_total{how=\"stuck\"}"), 0);
}

#[tokio::test]
async fn a_monitor_that_is_away_is_said_once_and_told_when_it_is_back() {
    let port = free_port();
    let anhu = watched_by(port).await;
    let failed = "anhu_watchdog_pings_total{outcome=\"failed\"}";
    until("three pings failed", async || (counted(&anhu, failed) >= 3).then_some(())).await;
    let said = |what: &str| anhu.log().lines().filter(|line| line.contains(what)).count();
    assert_eq!(said("the monitor cannot be told"), 1, "{}", anhu.log());

    let monitor = Receiver::start_on(port).await;
    until("it is told", async || (monitor.calls().len() >= 2).then_some(())).await;
    assert_eq!(said("the monitor is told again"), 1, "{}", anhu.log());
    monitor.answer(|_, _| Answer::Status(503));
    let detail = "; 127.0.0.1 could not be told: it answered 503";
    until("a refusal is seen", async || anhu.get("/readyz").1.contains(detail).then_some(())).await;
    assert_eq!(said("the monitor cannot be told"), 2, "once per change");
}

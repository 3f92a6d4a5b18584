//! A server that dies again and again under load loses nothing and doubles nothing.

use tests::siege::{Death, Siege, run};

const CONFIG: &str = "[watchdog]\nevery_s = 0\n[journal]\ncheckpoint_records = 500\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_kills_under_load_lose_nothing_and_double_nothing() {
    let deaths = vec![Death::Kill; 10];
    let outcome =
        run(&Siege { deaths, alerts: 5000, gateways: 20, helpers: 20, config: CONFIG.to_owned() }).await;
    assert!(outcome.is_clean(), "{outcome}");
    assert!(outcome.alerts >= 5000 && outcome.incidents >= 160 && outcome.assignments >= 20, "{outcome}");
}

/// Every place between a device's socket and the operator's screen, in this order, early and late in a life.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deaths_at_every_step_between_socket_and_screen_lose_nothing_and_double_nothing() {
    let places = [
        "arrived",
        "understood",
        "taken",
        "decided",
        "write",
        "flush",
        "flushed",
        "shown",
        "told",
        "answered",
    ];
    let deaths: Vec<Death> =
        [12, 60].iter().flat_map(|pass| places.map(|place| Death::At(format!("{place}:{pass}")))).collect();
    let siege = Siege { deaths, alerts: 0, gateways: 20, helpers: 10, config: CONFIG.to_owned() };
    let outcome = run(&siege).await;
    assert!(outcome.is_clean(), "{outcome}");
    assert!(outcome.kills == 20 && outcome.incidents >= 30, "{outcome}");
}

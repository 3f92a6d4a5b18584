//! The node sends itself an alert, and says where it got stuck.

use tests::{
    anhu::{Anhu, folder, in_tree},
    wait,
};

const EVERY_SECOND: &str = "[watchdog]\nevery_s = 1\nlimit_s = 5\n";

fn rounds(anhu: &Anhu, how: &str) -> u64 {
    let metrics = anhu.get("/metrics").1;
    let wanted = format!("anhu_watchdog_rounds_total{{how=\"{how}\"}}");
    let line = metrics.lines().find(|line| line.starts_with(&wanted));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
}

#[tokio::test]
async fn an_alert_of_its_own_goes_round_unseen_by_operators_and_figures() {
    let anhu = Anhu::start_with(EVERY_SECOND, folder()).await;
    wait::until("two rounds", async || (rounds(&anhu, "well") >= 2).then_some(())).await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "{ready}");
    assert!(ready.contains("ok  watchdog: from device to helper and screen in "), "{ready}");
    assert!(anhu.all_incidents().await.is_empty(), "operators see nothing of it");
    let metrics = anhu.get("/metrics").1;
    assert!(!metrics.contains("anhu_alerts_total{"), "nor does it count as an alert:\n{metrics}");
    assert!(metrics.contains("anhu_incidents_open 0"), "{metrics}");
    assert!(metrics.contains("anhu_watchdog_seconds_count{step=\"offered\"}"), "{metrics}");
}

#[tokio::test]
async fn a_policy_that_asks_nobody_by_itself_is_no_reason_to_be_alarmed() {
    let folder = folder();
    let policy = folder.path().join("policy.toml");
    let shipped = std::fs::read_to_string(in_tree("config/policy.toml")).expect("the policy we ship");
    let by_hand = shipped.replacen("mode = \"wave\"", "mode = \"operator_decides\"", 1);
    let by_hand = ["size = 3, ", "size = 5, ", "size = 64, "]
        .iter()
        .fold(by_hand, |text, size| text.replacen(size, "", 1));
    std::fs::write(&policy, by_hand).expect("a policy");
    let config = format!("policy_file = {:?}\n{EVERY_SECOND}", policy.display().to_string());
    let anhu = Anhu::start_with(&config, folder).await;
    wait::until("a round", async || (rounds(&anhu, "well") >= 1).then_some(())).await;
}

#[tokio::test]
async fn a_server_killed_in_the_middle_of_a_round_tidies_up_and_goes_on() {
    let mut anhu = Anhu::start_with(EVERY_SECOND, folder()).await;
    for _ in 0..5 {
        anhu = anhu.kill_and_restart(EVERY_SECOND).await;
        // The first round begins with the server, so the kill falls somewhere into it.
        wait::until("it began", async || anhu.get("/metrics").1.contains("anhu_watchdog").then_some(()))
            .await;
    }
    wait::until("a round", async || (rounds(&anhu, "well") >= 2).then_some(())).await;
    assert_eq!(rounds(&anhu, "stuck"), 0, "{}", anhu.log());
}

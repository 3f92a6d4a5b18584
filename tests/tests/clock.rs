//! Somebody sets the clock of the machine, and everything happens when it should.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tests::{
    anhu::{Anhu, folder},
    clock::shifted_by,
    mosquitto, wait, world,
};
use wire::v1;

fn press(anhu: &Anhu, id: &str) {
    let payload = format!(r#"{{"kind":"sos","id":"{id}"}}"#);
    let sent = mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", payload.as_bytes(), &[]);
    assert!(sent.status.success(), "it is acknowledged");
}

/// A press so many seconds ago, by a device with a right clock.
fn press_with_its_time(anhu: &Anhu, id: &str, seconds_ago: u128) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
    let occurred_at = now - seconds_ago * 1000;
    let payload = format!(r#"{{"kind":"sos","id":"{id}","occurred_at":{occurred_at}}}"#);
    let sent = mosquitto::publish(anhu.mqtt_port, "anhu/v1/wrist-1/alert", payload.as_bytes(), &[]);
    assert!(sent.status.success(), "it is acknowledged");
}

/// Waits until the one incident, with its whole story, is as `wanted` wants it.
async fn until(anhu: &Anhu, what: &str, wanted: impl Fn(&v1::Incident) -> bool) -> v1::Incident {
    wait::until(what, async || Some(anhu.incident("incidents/1").await).filter(|incident| wanted(incident)))
        .await
}

fn ended(incident: &v1::Incident) -> usize {
    incident.offers.iter().filter(|offer| offer.state() == v1::OfferState::Expired).count()
}

#[tokio::test]
async fn an_offer_lives_as_long_as_it_should_when_the_clock_is_put_forward_meanwhile() {
    an_offer_lives_as_long_as_it_should("+1h").await;
}

#[tokio::test]
async fn an_offer_lives_as_long_as_it_should_when_the_clock_is_set_back_meanwhile() {
    an_offer_lives_as_long_as_it_should("-1h").await;
}

async fn an_offer_lives_as_long_as_it_should(shift: &str) {
    let folder = folder();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0").expect("a clock");
    let anhu = Anhu::start_under(&shifted_by(&clock), "", folder).await;
    world::build(&anhu, &["wrist-1"], 1).await;
    press(&anhu, "a");
    anhu.wait_for_incident("it is offered", |incident| incident.first_offer_at.is_some()).await;
    let begun = Instant::now();
    std::fs::write(&clock, shift).expect("another clock");
    press(&anhu, "b");
    let incident = until(&anhu, "the offer is over", |incident| ended(incident) > 0).await;
    let lived = begun.elapsed().as_secs_f64();
    assert!((15.0..30.0).contains(&lived), "an offer of 20 s lived {lived} s");
    assert_eq!(incident.alert_count, 2, "the second press joins");
}

#[tokio::test]
async fn a_start_with_a_clock_set_back_goes_on_from_the_last_decision_and_says_so() {
    let folder = folder();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0").expect("a clock");
    let mut anhu = Anhu::start_under(&shifted_by(&clock), "", std::sync::Arc::clone(&folder)).await;
    world::build(&anhu, &["wrist-1"], 2).await;
    press(&anhu, "a");
    let before = anhu.wait_for_incident("it is offered", |incident| incident.first_offer_at.is_some()).await;
    anhu.kill();

    std::fs::write(&clock, "-1h").expect("another clock");
    let anhu = Anhu::start_under(&shifted_by(&clock), "", std::sync::Arc::clone(&folder)).await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "it serves all the same: {ready}");
    assert!(ready.contains("RED clock: 3") && ready.contains("set back"), "{ready}");
    assert!(ready.contains("set it, then start again"), "what to do: {ready}");
    press(&anhu, "a");
    let after = anhu.incident(&before.name).await;
    assert_eq!((after.alert_count, after.offers.len()), (1, before.offers.len()), "the same press again");
    let expired = until(&anhu, "the offer ends in its time", |incident| ended(incident) > 0).await;
    let timeline: Vec<i64> =
        expired.timeline.iter().filter_map(|entry| Some(entry.at.as_ref()?.seconds)).collect();
    assert!(timeline.is_sorted(), "time does not run backwards: {timeline:?}");
}

#[tokio::test]
async fn after_a_run_with_a_clock_a_day_ahead_a_press_of_this_moment_sends_somebody() {
    let folder = folder();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+1d").expect("a clock");
    let mut anhu = Anhu::start_under(&shifted_by(&clock), "", std::sync::Arc::clone(&folder)).await;
    world::build(&anhu, &["wrist-1"], 2).await;
    anhu.kill();

    std::fs::write(&clock, "+0").expect("the clock is put right");
    let anhu = Anhu::start_under(&shifted_by(&clock), "", folder).await;
    let (code, ready) = anhu.get("/readyz");
    assert_eq!(code, 200, "it serves all the same: {ready}");
    assert!(ready.contains("RED clock: 86") && ready.contains("nothing has to be done"), "{ready}");
    assert!(anhu.log().contains("was ahead in an earlier run"), "{}", anhu.log());
    press_with_its_time(&anhu, "old", 660);
    let held = anhu.wait_for_incident("it is held", |incident| incident.alert_count == 1).await;
    assert!(held.late && held.offers.is_empty(), "what is late is late all the same: {held:#?}");
    press_with_its_time(&anhu, "new", 0);
    let sent = until(&anhu, "it is offered", |incident| incident.first_offer_at.is_some()).await;
    assert!(!sent.late, "{sent:#?}");
    let ends = until(&anhu, "the offer ends in its time", |incident| ended(incident) > 0).await;
    let timeline: Vec<i64> =
        ends.timeline.iter().filter_map(|entry| Some(entry.at.as_ref()?.seconds)).collect();
    assert!(timeline.is_sorted(), "time does not run backwards: {timeline:?}");
}

#[tokio::test]
async fn a_clock_that_is_put_right_while_the_server_runs_counts_for_presses_at_once() {
    let folder = folder();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+1d").expect("a clock");
    let anhu = Anhu::start_under(&shifted_by(&clock), "", folder).await;
    world::build(&anhu, &["wrist-1"], 2).await;
    press_with_its_time(&anhu, "a", 0);
    let held = anhu.wait_for_incident("an operator sees it", |incident| incident.alert_count == 1).await;
    assert!(
        held.late && !held.escalations.is_empty(),
        "nobody can know yet, and people are called: {held:#?}"
    );
    std::fs::write(&clock, "+0").expect("the clock is put right");
    press_with_its_time(&anhu, "b", 0);
    until(&anhu, "it is offered", |incident| incident.first_offer_at.is_some()).await;
    let ready = anhu.get("/readyz").1;
    assert!(ready.contains("RED clock: 86"), "{ready}");
}

#[tokio::test]
async fn a_restart_an_hour_late_does_at_once_what_is_due_and_floods_nobody() {
    let folder = folder();
    let clock = folder.path().join("clock");
    std::fs::write(&clock, "+0").expect("a clock");
    let mut anhu = Anhu::start_under(&shifted_by(&clock), "", std::sync::Arc::clone(&folder)).await;
    world::build(&anhu, &["wrist-1"], 2).await;
    press(&anhu, "a");
    anhu.wait_for_incident("it is offered", |incident| incident.first_offer_at.is_some()).await;
    anhu.kill();

    std::fs::write(&clock, "+1h").expect("another clock");
    let anhu = Anhu::start_under(&shifted_by(&clock), "", std::sync::Arc::clone(&folder)).await;
    let suggested = |made: &v1::Escalation| made.step() == v1::EscalationStep::Suggest120;
    let late = until(&anhu, "everything that was due has happened", |incident| {
        ended(incident) > 0 && incident.escalations.iter().any(suggested)
    })
    .await;
    let made_late = late.offers.len() - ended(&late);
    assert!(made_late <= 2, "each of the two is asked once more at most: {:?}", late.offers);
    let steps: Vec<_> = late.escalations.iter().map(v1::Escalation::step).collect();
    let station = steps.iter().position(|step| *step == v1::EscalationStep::Station);
    let supervisor = steps.iter().position(|step| *step == v1::EscalationStep::Supervisor);
    assert!(station < supervisor || supervisor.is_some(), "in their order: {steps:?}");
}

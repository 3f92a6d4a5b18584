//! A broker may be away, slow, cut off or forgetful: nothing it still has is left out, and nothing counts twice.

use std::{collections::BTreeMap, time::Duration};

use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tests::{
    anhu::{Anhu, folder},
    mosquitto::Mosquitto,
    proxy::Proxy,
    wait,
};

fn linked_to(port: u16) -> String {
    format!(
        "[[links]]\nname = \"town\"\nurl = \"mqtt://127.0.0.1:{port}\"\nclient_id = \"anhu\"\n\
         filters = [\"anhu/v1/+/alert\"]\n"
    )
}

async fn wait_for_link(anhu: &Anhu) {
    wait::until("the link is up", async || anhu.get("/readyz").1.contains("ok  link town").then_some(()))
        .await;
}

/// Publishes so many alerts of fifty devices on a broker, which acknowledges all of them.
async fn publish(port: u16, first: usize, count: usize) {
    let mut options = MqttOptions::new(format!("publisher-{first}"), "127.0.0.1", port);
    options.set_keep_alive(Duration::from_secs(30)).set_inflight(200);
    let (client, mut events) = AsyncClient::new(options, 100);
    let sending = tokio::spawn(async move {
        for number in first..first + count {
            let topic = format!("anhu/v1/wrist-{}/alert", number % 50);
            let payload = format!(r#"{{"kind":"sos","id":"b-{number}"}}"#);
            client.publish(topic, QoS::AtLeastOnce, false, payload).await.expect("the client runs");
        }
    });
    let mut acked = 0;
    while acked < count {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("the broker is there") {
            acked += 1;
        }
    }
    sending.await.expect("all are sent");
}

/// How many alerts the server has counted.
fn counted(anhu: &Anhu) -> usize {
    let metrics = anhu.get("/metrics").1;
    let line = metrics.lines().find(|line| line.starts_with("anhu_alerts_total{kind=\"sos\"}"));
    line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).map_or(0, |count| count as usize)
}

async fn wait_for_count(anhu: &Anhu, count: usize) {
    wait::until("all have arrived", async || (counted(anhu) >= count).then_some(())).await;
    assert_eq!(counted(anhu), count, "none counts twice");
    let shown: usize = anhu.all_incidents().await.iter().map(|incident| incident.alert_count as usize).sum();
    assert_eq!(shown, count, "and all are shown");
}

#[tokio::test]
async fn twenty_thousand_that_a_broker_kept_while_we_were_away_are_all_counted_once() {
    let broker = Mosquitto::start().await;
    let config = linked_to(broker.port);
    let mut anhu = Anhu::start_with(&config, folder()).await;
    wait_for_link(&anhu).await;
    anhu.kill();
    publish(broker.port, 0, 20_000).await;
    let anhu = anhu.kill_and_restart(&config).await;
    wait_for_count(&anhu, 20_000).await;
}

#[tokio::test]
async fn a_line_that_is_cut_again_and_again_loses_nothing_and_doubles_nothing() {
    let broker = Mosquitto::start().await;
    let line = Proxy::to(broker.port).await;
    let anhu = Anhu::start_with(&linked_to(line.port), folder()).await;
    wait_for_link(&anhu).await;
    let publishing = tokio::spawn(publish(broker.port, 0, 3000));
    for cut in 0..8 {
        let (connections, before) = (line.connections(), counted(&anhu));
        line.cut();
        wait::until("it is linked again", async || (line.connections() > connections).then_some(())).await;
        // Some must come through between two cuts, or there would be nothing to lose.
        if before < 3000 && cut < 7 {
            wait::until("some more", async || (counted(&anhu) > before).then_some(())).await;
        }
    }
    publishing.await.expect("all are published");
    wait_for_count(&anhu, 3000).await;
}

#[tokio::test]
async fn a_broker_that_has_forgotten_us_is_subscribed_to_again() {
    let mut broker = Mosquitto::start().await;
    let anhu = Anhu::start_with(&linked_to(broker.port), folder()).await;
    wait_for_link(&anhu).await;
    publish(broker.port, 0, 10).await;
    wait_for_count(&anhu, 10).await;
    broker.restart_without_memory().await;
    wait_for_link(&anhu).await;
    wait::until("a message comes through", async || {
        // Those published before it was subscribed again went nowhere; the broker itself has dropped them.
        let before = counted(&anhu);
        publish(broker.port, 1000 + before, 1).await;
        (counted(&anhu) > 10).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_nobody_can_read_does_not_hold_up_those_behind_it() {
    let broker = Mosquitto::start().await;
    let anhu = Anhu::start_with(&linked_to(broker.port), folder()).await;
    wait_for_link(&anhu).await;
    let mut options = MqttOptions::new("poisoner", "127.0.0.1", broker.port);
    options.set_keep_alive(Duration::from_secs(30)).set_max_packet_size(1 << 20, 1 << 20);
    let (client, mut events) = AsyncClient::new(options, 100);
    let poisons: [Vec<u8>; 5] =
        [vec![], vec![0; 200_000], b"{".repeat(100_000), vec![0xFF; 10], br#"{"kind":"none"}"#.to_vec()];
    for poison in poisons.clone() {
        client.try_publish("anhu/v1/wrist-1/alert", QoS::AtLeastOnce, false, poison).expect("there is room");
    }
    let mut acked = 0;
    while acked < poisons.len() {
        if let Event::Incoming(Packet::PubAck(_)) = events.poll().await.expect("the broker is there") {
            acked += 1;
        }
    }
    publish(broker.port, 0, 50).await;
    wait::until("all have arrived", async || (counted(&anhu) == 50).then_some(())).await;
    let kinds = anhu.all_incidents().await.into_iter().fold(BTreeMap::new(), |mut kinds, incident| {
        *kinds.entry(incident.kind().as_str_name()).or_insert(0) += incident.alert_count;
        kinds
    });
    assert_eq!(kinds.values().sum::<u32>(), 55, "the five are cases too: {kinds:?}");
}

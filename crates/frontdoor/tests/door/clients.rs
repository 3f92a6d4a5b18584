//! Do the clients others wrote get along with the front door?

use std::{
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use frontdoor::{Ack, Inbound, Intake, Limits, Login, Refusal};

use crate::support::{Desk, Habit, Running, bytes, soon};

/// Hands acks to a thread that releases them in bunches, each bunch backwards, as no journal would.
struct Committer(mpsc::Sender<Ack>);

impl Committer {
    fn start() -> Arc<Self> {
        let (sender, acks) = mpsc::channel();
        thread::spawn(move || {
            while let Ok(first) = acks.recv() {
                let bunch: Vec<Ack> = [first].into_iter().chain(acks.try_iter()).collect();
                bunch.into_iter().rev().for_each(Ack::durable);
            }
        });
        Arc::new(Self(sender))
    }
}

impl Intake for Committer {
    type Guest = ();

    fn admit(&self, _login: Login<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn may_publish(&self, (): &(), _topic: &str) -> bool {
        true
    }

    fn may_subscribe(&self, (): &(), _filter: &str) -> bool {
        true
    }

    async fn take(&self, (): &(), _message: Inbound, ack: Ack) {
        self.0.send(ack).expect("the committer lives");
    }
}

const MESSAGES: usize = 2000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rumqttc_3_1_1_gets_every_ack() {
    use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
    let running = Running::start(Limits::default(), &Committer::start()).await;
    let mut options = MqttOptions::new("d1", "127.0.0.1", running.addr.port());
    options.set_keep_alive(Duration::from_secs(5)).set_inflight(50);
    let (client, mut events) = AsyncClient::new(options, 10);
    let publishing = tokio::spawn(async move {
        for message in 0..MESSAGES {
            let qos = if message % 10 == 0 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
            client.publish("t", qos, false, message.to_string()).await.expect("polled");
        }
    });
    let mut acked = 0;
    soon("all acks", async {
        while acked < MESSAGES {
            let event = events.poll().await.expect("connected");
            acked +=
                usize::from(matches!(event, Event::Incoming(Incoming::PubAck(_) | Incoming::PubComp(_))));
        }
    })
    .await;
    publishing.await.expect("no panic");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rumqttc_5_gets_every_ack() {
    use rumqttc::v5::{AsyncClient, Event, Incoming, MqttOptions, mqttbytes::QoS};
    let running = Running::start(Limits::default(), &Committer::start()).await;
    let mut options = MqttOptions::new("d1", "127.0.0.1", running.addr.port());
    options.set_keep_alive(Duration::from_secs(5));
    let (client, mut events) = AsyncClient::new(options, 10);
    let publishing = tokio::spawn(async move {
        for message in 0..MESSAGES {
            let qos = if message % 10 == 0 { QoS::ExactlyOnce } else { QoS::AtLeastOnce };
            client.publish("t", qos, false, message.to_string()).await.expect("polled");
        }
    });
    let mut acked = 0;
    soon("all acks", async {
        while acked < MESSAGES {
            let event = events.poll().await.expect("connected");
            acked +=
                usize::from(matches!(event, Event::Incoming(Incoming::PubAck(_) | Incoming::PubComp(_))));
        }
    })
    .await;
    publishing.await.expect("no panic");
}

#[tokio::test]
async fn rumqttc_gets_a_receipt() {
    use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};
    let running = Running::start(Limits::default(), &Desk::new(Habit::DurableAtOnce)).await;
    let (client, mut events) = AsyncClient::new(MqttOptions::new("d1", "127.0.0.1", running.addr.port()), 10);
    client.subscribe("anhu/v1/+/receipt", QoS::AtLeastOnce).await.expect("room");
    let receipt = soon("the receipt", async {
        loop {
            match events.poll().await.expect("connected") {
                Event::Incoming(Incoming::SubAck(_)) => {
                    assert_eq!(running.door.publish("anhu/v1/d1/receipt", bytes("received")), 1);
                }
                Event::Incoming(Incoming::Publish(receipt)) => return receipt,
                Event::Incoming(_) | Event::Outgoing(_) => {}
            }
        }
    })
    .await;
    assert_eq!(
        (&*receipt.topic, &receipt.payload[..], receipt.qos),
        ("anhu/v1/d1/receipt", &b"received"[..], QoS::AtLeastOnce)
    );
}

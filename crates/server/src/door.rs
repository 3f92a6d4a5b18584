//! What the front door asks of the server: who may come in, what they may do, and what becomes of their messages.

use dispatch::Command;
use frontdoor::{Ack, Admission, Inbound, Intake, Login, Refusal};

use crate::{
    engine::{Done, Engine, Job, Work},
    gate::Gate,
    ingest::{Arrival, Ingest, is_receipt, receipt_of},
    metrics,
    outbox::Listeners,
    trap,
};
use std::sync::Arc;

/// The server's side of the front door.
pub(crate) struct Porter {
    pub(crate) gate: Arc<Gate>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) engine: Engine,
    pub(crate) listeners: Listeners,
}

impl Intake for Porter {
    fn admit(&self, login: Login<'_>) -> Admission {
        if self.gate.admits_device(login.password) {
            Admission::Accept
        } else {
            Admission::Refuse(Refusal::Credentials)
        }
    }

    fn may_publish(&self, _client_id: &str, topic: &str) -> bool {
        // Receipts are ours alone: nobody else may tell a device that help is on the way.
        !is_receipt(topic)
    }

    fn may_subscribe(&self, _client_id: &str, filter: &str) -> bool {
        // A device may hear what is said to it and nothing else, so no wildcards.
        is_receipt(filter) && !filter.contains(['+', '#'])
    }

    fn subscribed(&self, _client_id: &str, filter: &str) {
        if let Some(device) = receipt_of(filter) {
            self.listeners.heard_of(device);
        }
    }

    async fn take(&self, message: Inbound, ack: Ack) {
        trap::at(trap::Place::Arrived);
        metrics::message("front_door");
        let arrival = Arrival {
            topic: &message.topic,
            payload: &message.payload,
            retained: message.retain,
            replayed: false,
        };
        let commands: Vec<Command> = self.ingest.read(arrival);
        if commands.is_empty() {
            ack.durable();
            return;
        }
        trap::at(trap::Place::Understood);
        let done: Done = Box::new(move |answer| {
            // Not durable: the acknowledgement is dropped, and the device sends again.
            if answer.durable {
                ack.durable();
                trap::at(trap::Place::Answered);
            }
        });
        // An error means that the server is stopping; the acknowledgement is dropped with the job.
        let _ = self.engine.post(Job { work: Work::Commands(commands), done }).await;
    }
}

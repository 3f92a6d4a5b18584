//! What the front door asks of the server: who may come in, what they may do, and what becomes of their messages.

use std::sync::Arc;

use access::Record;
use frontdoor::{Ack, Inbound, Intake, Login, Refusal};
use model::DeviceId;

use crate::{
    engine::{Done, Engine, Job, Work},
    gate::{Gate, Guest},
    ingest::{Arrival, Ingest, is_receipt, receipt_of},
    metrics,
    outbox::Listeners,
    rpc::of_sender,
    trap,
};

/// The server's side of the front door.
pub(crate) struct Porter {
    pub(crate) gate: Arc<Gate>,
    pub(crate) ingest: Arc<Ingest>,
    pub(crate) engine: Engine,
    pub(crate) listeners: Listeners,
}

impl Porter {
    fn may_speak_for(&self, guest: &Guest, device: &str) -> bool {
        let record =
            || DeviceId::new(device).map_or(Record::OF_NOBODY, |id| of_sender(&self.ingest.directory, &id));
        guest.may_speak_for(device, record)
    }
}

impl Intake for Porter {
    type Guest = Guest;

    fn admit(&self, login: Login<'_>) -> Result<Guest, Refusal> {
        self.gate.greet(login.password).ok_or(Refusal::Credentials)
    }

    fn may_publish(&self, guest: &Guest, topic: &str) -> bool {
        // Receipts are ours alone: nobody else may tell a device that help is on the way.
        guest.is_let_in() && !is_receipt(topic)
    }

    fn may_subscribe(&self, guest: &Guest, filter: &str) -> bool {
        // A device may hear what is said to it and nothing else, so no wildcards.
        let device = receipt_of(filter).filter(|_| !filter.contains(['+', '#']));
        device.is_some_and(|device| guest.is_let_in() && self.may_speak_for(guest, device))
    }

    fn subscribed(&self, _client_id: &str, filter: &str) {
        if let Some(device) = receipt_of(filter) {
            self.listeners.heard_of(device);
        }
    }

    async fn take(&self, guest: &Guest, message: Inbound, ack: Ack) {
        trap::at(trap::Place::Arrived);
        metrics::message("front_door");
        let arrival = Arrival {
            topic: &message.topic,
            payload: &message.payload,
            retained: message.retain,
            replayed: false,
        };
        let theirs = |device: &DeviceId| self.may_speak_for(guest, device.as_str());
        let Ok(commands) = self.ingest.read(arrival, theirs) else {
            // Not acknowledged, and the connection ends: a device that was set up wrongly must not take it for heard.
            metrics::not_theirs();
            return;
        };
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

//! Receipts: telling a device that it was heard, so that it can say "help is coming".

use std::sync::Arc;

use bytes::Bytes;
use frontdoor::FrontDoor;
use serde::Serialize;
use tokio::sync::mpsc;

use crate::link::Link;

/// Receipts that may wait; then the newest are dropped and counted, for the alarm does not depend on them.
pub(crate) const QUEUE: usize = 4096;

/// One thing to tell one device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Receipt {
    #[serde(skip)]
    pub(crate) device: String,
    /// The device's own id of its alert, if it gave one.
    pub(crate) alert_id: String,
    pub(crate) incident_id: u64,
    /// `received`, `helper_on_the_way` or `closed`.
    pub(crate) state: &'static str,
}

/// Publishes receipts to devices at the front door and behind other brokers, until the outlet is gone.
pub(crate) async fn run(mut queue: mpsc::Receiver<Receipt>, door: Arc<FrontDoor>, links: Vec<Link>) {
    while let Some(receipt) = queue.recv().await {
        let topic = format!("anhu/v1/{}/receipt", receipt.device);
        let Ok(payload) = serde_json::to_vec(&receipt) else { continue };
        let payload = Bytes::from(payload);
        door.publish(&topic, payload.clone());
        for link in &links {
            link.publish(&topic, payload.clone());
        }
    }
}

//! Operator: what does the hotline do with an incident?
//!
//! It takes each incident of a device of the invented county after some seconds, and says how it ended when the helper
//! is done, or when there was nobody to send. Other incidents of the server are left alone.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use fastrand::Rng;
use tokio::task::JoinSet;
use tonic::{Code, Status};
use wire::v1::{
    self, AssignmentState, Disposition, IncidentState, Kind, Priority,
    incident_service_client::IncidentServiceClient, watch_incidents_response::Change,
};

use super::{AGAIN, Arrival, Channel, Ledger, Tempo};
use crate::county::DEVICE_PREFIX;

/// Who sits at the hotline.
const OPERATORS: [&str; 3] = ["示范话务员小李", "示范话务员小周", "示范话务员小陈"];
/// How often something is tried that the server could not do.
const TRIES: usize = 10;
/// Longest message that is read, in bytes: an incident with all its alerts and steps.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;
/// How long a second look for what was not seen may take.
const SECOND_LOOK: Duration = Duration::from_secs(20);

type Client = IncidentServiceClient<Channel>;

/// The hotline, staffed.
pub(super) struct Hotline {
    client: Client,
    ledger: Arc<Ledger>,
    /// Where the stream stood when the play began.
    begun: Arc<OnceLock<String>>,
    _task: JoinSet<()>,
}

impl Hotline {
    /// Begins to watch and to act; tells `arrival` once everything open was seen.
    pub(super) fn open(channel: Channel, tempo: Tempo, ledger: Arc<Ledger>, arrival: Arrival) -> Self {
        let client = IncidentServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        let begun = Arc::new(OnceLock::new());
        let desk = Desk {
            client: client.clone(),
            tempo,
            ledger: Arc::clone(&ledger),
            arrival: Some(arrival),
            begun: Arc::clone(&begun),
            token: String::new(),
            rng: Rng::with_seed(0),
            under_way: HashSet::new(),
            tasks: JoinSet::new(),
        };
        let mut task = JoinSet::new();
        task.spawn(desk.run());
        Self { client, ledger, begun, _task: task }
    }

    /// Reads everything that has changed since the beginning once more.
    pub(super) async fn look_again(mut self) {
        let resume_token = self.begun.get().cloned().unwrap_or_default();
        let look = async {
            let mut changes = self
                .client
                .watch_incidents(v1::WatchIncidentsRequest { resume_token, include_watchdog: false })
                .await?
                .into_inner();
            while let Some(response) = changes.message().await? {
                match response.change {
                    Some(Change::Incident(incident)) => self.ledger.shown(&incident),
                    Some(Change::SnapshotEnd(_)) => break,
                    Some(Change::Heartbeat(_)) | None => {}
                }
            }
            Ok::<_, Status>(())
        };
        // What could not be looked for stays lost, which is what the table then says.
        let _ = tokio::time::timeout(SECOND_LOOK, look).await;
    }
}

/// What an operator wants to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Wish {
    Acknowledge,
    Resolve(Disposition),
}

struct Desk {
    client: Client,
    tempo: Tempo,
    ledger: Arc<Ledger>,
    arrival: Option<Arrival>,
    begun: Arc<OnceLock<String>>,
    token: String,
    rng: Rng,
    /// What was begun, so that it is begun once.
    under_way: HashSet<(String, Wish)>,
    tasks: JoinSet<()>,
}

impl Desk {
    async fn run(mut self) {
        loop {
            let ended = self.watch().await;
            if let (Err(status), Some(arrival)) = (ended, self.arrival.take()) {
                let _ = arrival.send(Err(status)).await;
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn watch(&mut self) -> Result<(), Status> {
        let request = v1::WatchIncidentsRequest { resume_token: self.token.clone(), include_watchdog: false };
        let mut changes = self.client.watch_incidents(request).await?.into_inner();
        while let Some(response) = changes.message().await? {
            self.token = response.resume_token;
            match response.change {
                Some(Change::Incident(incident)) => {
                    self.ledger.shown(&incident);
                    self.see(&incident);
                }
                Some(Change::SnapshotEnd(_)) => {
                    self.begun.get_or_init(|| self.token.clone());
                    if let Some(arrival) = self.arrival.take() {
                        let _ = arrival.send(Ok(())).await;
                    }
                }
                Some(Change::Heartbeat(_)) | None => {}
            }
            while self.tasks.try_join_next().is_some() {}
        }
        Ok(())
    }

    /// Begins what is to be done, after the time a person takes.
    fn see(&mut self, incident: &v1::Incident) {
        if !incident.device.trim_start_matches("devices/").starts_with(DEVICE_PREFIX) {
            return;
        }
        let Some(wish) = wish(incident) else { return };
        if !self.under_way.insert((incident.name.clone(), wish)) {
            return;
        }
        let after = self.tempo.answer(match wish {
            Wish::Acknowledge => 3.0 + 7.0 * self.rng.f64(),
            Wish::Resolve(Disposition::Technical) => 20.0 + 20.0 * self.rng.f64(),
            Wish::Resolve(_) => 3.0 + 5.0 * self.rng.f64(),
        });
        let operator = OPERATORS[self.rng.usize(..OPERATORS.len())].to_owned();
        self.tasks.spawn(act(self.client.clone(), incident.name.clone(), operator, wish, after));
    }
}

/// What an operator would do next with this incident.
fn wish(incident: &v1::Incident) -> Option<Wish> {
    match incident.state() {
        IncidentState::New => Some(Wish::Acknowledge),
        IncidentState::Acknowledged => ending(incident).map(Wish::Resolve),
        IncidentState::Unspecified
        | IncidentState::Resolved
        | IncidentState::Closed
        | IncidentState::Cancelled => None,
    }
}

/// How the incident ended, when it did.
fn ending(incident: &v1::Incident) -> Option<Disposition> {
    let over = |state: AssignmentState| matches!(state, AssignmentState::Cleared | AssignmentState::Aborted);
    let helped = incident.assignments.iter().any(|going| going.state() == AssignmentState::Cleared);
    if helped && incident.assignments.iter().all(|going| over(going.state())) {
        return Some(Disposition::Served);
    }
    let nobody_goes = incident.assignments.is_empty() && incident.offers.is_empty();
    let technical = match incident.priority() {
        Priority::P3 | Priority::P4 => true,
        Priority::Unspecified | Priority::P1 | Priority::P2 => incident.kind() == Kind::Unreadable,
    };
    (nobody_goes && technical).then_some(Disposition::Technical)
}

/// Does it after a while, and again while the server cannot. What the rules refuse was done by somebody else.
async fn act(mut client: Client, name: String, operator: String, wish: Wish, after: Duration) {
    tokio::time::sleep(after).await;
    for _ in 0..TRIES {
        let (name, operator) = (name.clone(), operator.clone());
        let done = match wish {
            Wish::Acknowledge => {
                client.acknowledge_incident(v1::AcknowledgeIncidentRequest { name, operator }).await.map(drop)
            }
            Wish::Resolve(disposition) => {
                let (disposition, note) = (disposition.into(), String::new());
                let request = v1::ResolveIncidentRequest { name, operator, disposition, note };
                client.resolve_incident(request).await.map(drop)
            }
        };
        match done {
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(AGAIN).await,
            Ok(()) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::device_name, *};

    fn incident(state: IncidentState, priority: Priority, going: &[AssignmentState]) -> v1::Incident {
        let assignment =
            |state: &AssignmentState| v1::Assignment { state: (*state).into(), ..v1::Assignment::default() };
        v1::Incident {
            state: state.into(),
            priority: priority.into(),
            device: format!("devices/{}", device_name(7)),
            assignments: going.iter().map(assignment).collect(),
            ..v1::Incident::default()
        }
    }

    #[test]
    fn an_incident_is_taken_first_and_resolved_when_the_helper_is_done() {
        use IncidentState::{Acknowledged, New, Resolved};
        let p1 = |state, going| wish(&incident(state, Priority::P1, going));
        assert_eq!(p1(New, &[AssignmentState::Cleared]), Some(Wish::Acknowledge));
        assert_eq!(p1(Acknowledged, &[AssignmentState::OnScene]), None);
        assert_eq!(p1(Acknowledged, &[AssignmentState::Cleared, AssignmentState::OnScene]), None);
        assert_eq!(p1(Acknowledged, &[AssignmentState::Cleared]), Some(Wish::Resolve(Disposition::Served)));
        assert_eq!(p1(Acknowledged, &[]), None, "somebody will still be found");
        assert_eq!(p1(Resolved, &[AssignmentState::Cleared]), None);
    }

    #[test]
    fn a_technical_task_is_resolved_without_a_helper() {
        let task = incident(IncidentState::Acknowledged, Priority::P4, &[]);
        assert_eq!(wish(&task), Some(Wish::Resolve(Disposition::Technical)));
    }
}

//! Hotline: watches, writes down what it sees, and ends incidents when somebody has been there.

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Status, transport::Channel};
use wire::v1::{self, incident_service_client::IncidentServiceClient, watch_incidents_response::Change};

use super::Field;

/// How long a console waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// Watches until everybody goes home.
pub(super) async fn watch(field: Field) {
    let mut token = String::new();
    while !field.is_over() {
        // An error means that the connection has broken: the next stream goes on from the token.
        let _ = session(&field, &mut token).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn session(field: &Field, token: &mut String) -> Result<(), Status> {
    let channel = Channel::from_shared(field.http.clone()).expect("a URL").connect().await;
    let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut client = IncidentServiceClient::new(channel);
    let request = v1::WatchIncidentsRequest { resume_token: token.clone(), ..Default::default() };
    let mut stream = client.watch_incidents(request).await?.into_inner();
    field.notes.caught_up(false);
    while let Some(message) = stream.next().await {
        let v1::WatchIncidentsResponse { change, resume_token } = message?;
        match change {
            Some(Change::Incident(incident)) => {
                if is_served(&incident) {
                    tokio::spawn(end(client.clone(), incident.name.clone()));
                }
                field.notes.shown(incident);
            }
            Some(Change::SnapshotEnd(_)) => field.notes.caught_up(true),
            Some(Change::Heartbeat(_)) | None => {}
        }
        *token = resume_token;
    }
    Ok(())
}

/// Somebody has been there, and the incident is not over.
fn is_served(incident: &v1::Incident) -> bool {
    let served = incident.assignments.iter().any(|going| going.state() == v1::AssignmentState::Cleared);
    served && incident.resolved_at.is_none()
}

async fn end(mut client: IncidentServiceClient<Channel>, name: String) {
    let request = v1::ResolveIncidentRequest {
        name,
        operator: "siege".to_owned(),
        disposition: v1::Disposition::Served.into(),
        note: String::new(),
    };
    // When it fails, the next change of the incident asks again.
    let _ = client.resolve_incident(request).await;
}

//! Helpers: accept whatever is offered, go, and are done.

use std::time::Duration;

use tokio_stream::StreamExt as _;
use tonic::{Status, transport::Channel};
use wire::v1::{self, responder_service_client::ResponderServiceClient, watch_offers_response::Change};

use super::Field;

/// How long an app waits before it connects again.
const AGAIN: Duration = Duration::from_millis(20);

/// Helps until everybody goes home.
pub(super) async fn help(field: Field, responder: String) {
    while !field.is_over() {
        // An error means that the connection has broken: the next stream begins with what is true.
        let _ = session(&field, &responder).await;
        tokio::time::sleep(AGAIN).await;
    }
}

async fn session(field: &Field, responder: &str) -> Result<(), Status> {
    let channel = Channel::from_shared(field.http.clone()).expect("a URL").connect().await;
    let channel = channel.map_err(|error| Status::unavailable(error.to_string()))?;
    let mut client = ResponderServiceClient::new(channel);
    let request = v1::WatchOffersRequest { responder: responder.to_owned() };
    let mut stream = client.watch_offers(request).await?.into_inner();
    while let Some(message) = stream.next().await {
        match message?.change {
            Some(Change::Offer(offer)) if is_open(&offer) => {
                let accept =
                    v1::AcceptOfferRequest { responder: responder.to_owned(), offer_id: offer.offer_id };
                match client.accept_offer(accept).await {
                    Ok(_) => go(field, &mut client, responder, &offer.incident).await?,
                    // Somebody else was quicker, or it was withdrawn.
                    Err(status) if is_refusal(&status) => {}
                    Err(status) => return Err(status),
                }
            }
            Some(Change::Assignment(going)) if is_going(&going) => {
                go(field, &mut client, responder, &going.incident).await?;
            }
            Some(_) | None => {}
        }
    }
    Ok(())
}

/// Goes there and is done at once.
async fn go(
    field: &Field,
    client: &mut ResponderServiceClient<Channel>,
    responder: &str,
    incident: &str,
) -> Result<(), Status> {
    field.notes.assigned(incident, responder);
    let request = v1::UpdateAssignmentRequest {
        responder: responder.to_owned(),
        incident: incident.to_owned(),
        state: v1::AssignmentState::Cleared.into(),
        reason: String::new(),
    };
    match client.update_assignment(request).await {
        Ok(_) => Ok(()),
        Err(status) if is_refusal(&status) => Ok(()),
        Err(status) => Err(status),
    }
}

fn is_open(offer: &v1::OfferNotice) -> bool {
    matches!(offer.state(), v1::OfferState::Sent | v1::OfferState::Delivered | v1::OfferState::Seen)
}

fn is_going(going: &v1::AssignmentNotice) -> bool {
    !matches!(going.state(), v1::AssignmentState::Cleared | v1::AssignmentState::Aborted)
}

/// Whether the rules refused, not the connection.
fn is_refusal(status: &Status) -> bool {
    matches!(
        status.code(),
        tonic::Code::FailedPrecondition
            | tonic::Code::NotFound
            | tonic::Code::Aborted
            | tonic::Code::PermissionDenied
    )
}

//! `ResponderService`: the caregivers' apps.

use std::{pin::Pin, sync::Arc, time::Duration};

use access::Permission;
use dispatch::{AssignmentState, AssignmentStep, Command, Duty, OfferState, Rejection};
use model::{OfferId, ResponderId};
use roster::{Availability, Reported};
use tokio::sync::mpsc;
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};
use wire::{
    FieldFault, FromWire as _, Name, place_from_request, time_from_wire, time_to_wire,
    v1::{self, watch_offers_response::Change},
};

use super::{
    App, bad_field, command, missing, no_such, rejected,
    scope::{caller, check_responder},
    shown,
};
use crate::{gate::Caller, metrics};

/// Longest reason a responder can give, in bytes of UTF-8.
const MAX_REASON_BYTES: usize = 1024;
/// Notices waiting for one app's socket.
const STREAM_BUFFER: usize = 16;
/// How often a stream shows that it is alive, and how the disk is.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// A fix from further ahead than this is taken as of now.
const CLOCK_AHEAD: model::Millis = model::Millis::from_seconds(120);

/// The service.
pub(crate) struct Responders(pub(crate) App);

type OfferStream = Pin<Box<dyn Stream<Item = Result<v1::WatchOffersResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::responder_service_server::ResponderService for Responders {
    async fn set_duty(
        &self,
        request: Request<v1::SetDutyRequest>,
    ) -> Result<Response<v1::SetDutyResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let responder = Name::responder("responder", &request.responder).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::DutySet, responder)?;
        let duty = Duty::read("duty", request.duty).map_err(bad_field)?;
        command(&self.0, Command::SetDuty { responder, duty }).await?;
        Ok(Response::new(v1::SetDutyResponse {}))
    }

    async fn report_positions(
        &self,
        request: Request<Streaming<v1::ReportPositionsRequest>>,
    ) -> Result<Response<v1::ReportPositionsResponse>, Status> {
        let caller = caller(&request)?;
        let mut positions = request.into_inner();
        let mut summary = v1::ReportPositionsResponse::default();
        loop {
            let next = tokio::select! {
                () = self.0.stop.cancelled() => return Err(super::stopping(crate::engine::Stopped)),
                next = positions.message() => next?,
            };
            let Some(position) = next else { break };
            let accepted = self.take_position(&caller, &position);
            metrics::position(accepted);
            *(if accepted { &mut summary.accepted } else { &mut summary.ignored }) += 1;
        }
        Ok(Response::new(summary))
    }

    type WatchOffersStream = OfferStream;

    async fn watch_offers(
        &self,
        request: Request<v1::WatchOffersRequest>,
    ) -> Result<Response<OfferStream>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().responder;
        let responder = Name::responder("responder", &name).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::OffersAnswer, responder)?;
        if self.0.roster.availability(responder) == Availability::Unknown {
            return Err(no_such(&name));
        }
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        tokio::spawn(watch(Arc::clone(&self.0), responder, sender));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn acknowledge_offer(
        &self,
        request: Request<v1::AcknowledgeOfferRequest>,
    ) -> Result<Response<v1::AcknowledgeOfferResponse>, Status> {
        let caller = caller(&request)?;
        let v1::AcknowledgeOfferRequest { responder, offer_id, state } = request.into_inner();
        let id = Name::responder("responder", &responder).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::OffersAnswer, id)?;
        let offer = OfferId(offer_id);
        let known = match OfferState::read("state", state).map_err(bad_field)? {
            OfferState::Delivered => Command::OfferDelivered { offer },
            OfferState::Seen => Command::OfferSeen { offer },
            OfferState::Sent
            | OfferState::Accepted
            | OfferState::Declined
            | OfferState::Expired
            | OfferState::Withdrawn
            | OfferState::Failed => {
                return Err(bad_field(FieldFault::new("state", "write DELIVERED or SEEN")));
            }
        };
        let theirs = |incident: &v1::Incident| {
            incident.offers.iter().any(|known| known.offer_id == offer_id && known.responder == responder)
        };
        if !self.0.board.incident_of(id).is_some_and(|incident| theirs(&incident)) {
            return Err(rejected(&Rejection::NoOffer(offer)));
        }
        command(&self.0, known).await?;
        Ok(Response::new(v1::AcknowledgeOfferResponse {}))
    }

    async fn accept_offer(
        &self,
        request: Request<v1::AcceptOfferRequest>,
    ) -> Result<Response<v1::AcceptOfferResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let responder = Name::responder("responder", &request.responder).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::OffersAnswer, responder)?;
        let offer = OfferId(request.offer_id);
        let verdict = command(&self.0, Command::AcceptOffer { responder, offer }).await?;
        let assignment = verdict
            .incident
            .and_then(|id| shown(&self.0, id))
            .and_then(|incident| views::assignment_notice(&incident, responder, &self.0.directory));
        Ok(Response::new(v1::AcceptOfferResponse { assignment }))
    }

    async fn decline_offer(
        &self,
        request: Request<v1::DeclineOfferRequest>,
    ) -> Result<Response<v1::DeclineOfferResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let responder = Name::responder("responder", &request.responder).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::OffersAnswer, responder)?;
        let offer = OfferId(request.offer_id);
        let reason = reason(request.reason)?;
        command(&self.0, Command::DeclineOffer { responder, offer, reason }).await?;
        Ok(Response::new(v1::DeclineOfferResponse {}))
    }

    async fn update_assignment(
        &self,
        request: Request<v1::UpdateAssignmentRequest>,
    ) -> Result<Response<v1::UpdateAssignmentResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let responder = Name::responder("responder", &request.responder).map_err(bad_field)?;
        check_responder(&self.0, &caller, Permission::OffersAnswer, responder)?;
        let incident = Name::incident("incident", &request.incident).map_err(bad_field)?;
        let state = AssignmentState::read("state", request.state).map_err(bad_field)?;
        let step = match state {
            AssignmentState::Aborted if request.reason.is_empty() => return Err(missing("reason")),
            AssignmentState::Aborted => AssignmentStep::Abort { reason: reason(request.reason)? },
            AssignmentState::Assigned
            | AssignmentState::EnRoute
            | AssignmentState::OnScene
            | AssignmentState::Transporting
            | AssignmentState::Cleared => AssignmentStep::Reach(state),
        };
        command(&self.0, Command::UpdateAssignment { responder, incident, step }).await?;
        let assignment = shown(&self.0, incident)
            .and_then(|shown| views::assignment_notice(&shown, responder, &self.0.directory));
        Ok(Response::new(v1::UpdateAssignmentResponse { assignment }))
    }
}

impl Responders {
    /// Straight into the roster: no queue, no lock, no journal. The next position mends a lost one.
    fn take_position(&self, caller: &Caller, position: &v1::ReportPositionsRequest) -> bool {
        let Ok(responder) = Name::responder("responder", &position.responder) else { return false };
        if check_responder(&self.0, caller, Permission::PositionsReport, responder).is_err() {
            return false;
        }
        let Ok(Some(place)) = place_from_request("place", position.place.as_ref()) else { return false };
        let now = self.0.clock.now();
        let on_ours = |fix_at| self.0.clock.on_ours(time_from_wire(fix_at));
        let fix_at = position.fix_at.as_ref().map_or(now, on_ours);
        let fix_at = if fix_at - now > CLOCK_AHEAD { now } else { fix_at };
        match self.0.roster.report(responder, place, fix_at) {
            Reported::Newest => true,
            Reported::Outdated(_) | Reported::Unknown => false,
        }
    }
}

/// One app's stream: what is alive, then every change.
async fn watch(
    app: App,
    responder: ResponderId,
    sender: mpsc::Sender<Result<v1::WatchOffersResponse, Status>>,
) {
    // Changes are collected from before the board is read. Each says how things are, so one that comes twice is harmless.
    let mut changes = app.hub.watch_offers(responder);
    let alive = app.board.incident_of(responder);
    let alive = alive.map(|incident| views::live_notices(&incident, responder, &app.directory));
    let snapshot = alive.unwrap_or_default().into_iter();
    for change in snapshot.chain([Change::SnapshotEnd(v1::SnapshotEnd {})]) {
        if send(&sender, change).await.is_err() {
            return;
        }
    }
    let mut beats = super::beats(HEARTBEAT);
    loop {
        let change = tokio::select! {
            () = app.stop.cancelled() => {
                let _ = sender.send(Err(super::stopping(crate::engine::Stopped))).await;
                return;
            }
            () = sender.closed() => return,
            _ = beats.tick() => {
                let at = Some(time_to_wire(app.clock.now()));
                Some(Change::Heartbeat(v1::Heartbeat { at, degraded: app.is_degraded() }))
            }
            change = changes.recv() => change,
        };
        let Some(change) = change else {
            let message = "this stream was too slow, or a newer one took its place: watch again";
            let _ = sender.send(Err(Status::resource_exhausted(message))).await;
            return;
        };
        if send(&sender, change).await.is_err() {
            return;
        }
    }
}

async fn send(
    sender: &mpsc::Sender<Result<v1::WatchOffersResponse, Status>>,
    change: Change,
) -> Result<(), mpsc::error::SendError<Result<v1::WatchOffersResponse, Status>>> {
    sender.send(Ok(v1::WatchOffersResponse { change: Some(change) })).await
}

fn reason(reason: String) -> Result<String, Status> {
    if reason.len() > MAX_REASON_BYTES {
        let fault = FieldFault::new("reason", format!("write {MAX_REASON_BYTES} bytes at most"));
        return Err(bad_field(fault));
    }
    Ok(reason)
}

//! `IncidentService`: the hotline.

use std::{collections::HashMap, pin::Pin, sync::Arc, time::Duration};

use dispatch::{Command, Disposition, MessageKey, Operation, RaiseAlert, Subject};
use model::{IncidentId, Kind};
use tokio::sync::{broadcast, mpsc};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status};
use wire::{
    FieldFault, FromWire as _, Name, place_from_request, time_to_wire,
    v1::{self, watch_incidents_response::Change},
};

use super::{App, bad_field, changed_incident, missing, no_such, page_size, page_start, shown};

/// Longest text an operator can write, in bytes of UTF-8.
const MAX_TEXT_BYTES: usize = 4096;
/// Longest name of an operator, in bytes of UTF-8.
const MAX_OPERATOR_BYTES: usize = 128;
/// Responders one dispatch can name.
const MAX_NAMED: usize = 64;
/// Changes waiting for one console's socket.
const STREAM_BUFFER: usize = 16;
/// How often a quiet stream shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// The service.
pub(crate) struct Incidents(pub(crate) App);

type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchIncidentsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::incident_service_server::IncidentService for Incidents {
    async fn list_incidents(
        &self,
        request: Request<v1::ListIncidentsRequest>,
    ) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let before = page_start(&request.page_token, |token| token.parse().ok().map(IncidentId))?;
        let wanted =
            |incident: &v1::Incident| request.states.is_empty() || request.states.contains(&incident.state);
        let mut page = self.0.board.page(before, size + 1, wanted);
        let more = page.len() > size;
        page.truncate(size);
        let next_page_token = match page.last() {
            Some(last) if more => last.name.trim_start_matches("incidents/").to_owned(),
            Some(_) | None => String::new(),
        };
        let incidents = page.into_iter().map(|incident| summary(&incident)).collect();
        Ok(Response::new(v1::ListIncidentsResponse { incidents, next_page_token }))
    }

    async fn get_incident(
        &self,
        request: Request<v1::GetIncidentRequest>,
    ) -> Result<Response<v1::GetIncidentResponse>, Status> {
        let name = request.into_inner().name;
        let id = Name::incident("name", &name).map_err(bad_field)?;
        let incident = Some(shown(&self.0, id).ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetIncidentResponse { incident }))
    }

    type WatchIncidentsStream = WatchStream;

    async fn watch_incidents(
        &self,
        request: Request<v1::WatchIncidentsRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let token = request.into_inner().resume_token;
        let since = page_start(&token, |token| token.parse::<u64>().ok()).map_err(|_| {
            bad_field(FieldFault::new("resume_token", "is not one of ours: send it as it came"))
        })?;
        let (sender, receiver) = mpsc::channel(STREAM_BUFFER);
        let watch = Watch {
            app: Arc::clone(&self.0),
            sender,
            sent: HashMap::new(),
            newest: 0,
            seen: since.unwrap_or(0),
        };
        tokio::spawn(watch.run(since.is_some()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn open_incident(
        &self,
        request: Request<v1::OpenIncidentRequest>,
    ) -> Result<Response<v1::OpenIncidentResponse>, Status> {
        let raised = self.call(request.into_inner())?;
        let incident = changed_incident(&self.0, Command::RaiseAlert(Box::new(raised))).await?;
        Ok(Response::new(v1::OpenIncidentResponse { incident }))
    }

    async fn acknowledge_incident(
        &self,
        request: Request<v1::AcknowledgeIncidentRequest>,
    ) -> Result<Response<v1::AcknowledgeIncidentResponse>, Status> {
        let v1::AcknowledgeIncidentRequest { name, operator } = request.into_inner();
        let incident = self.operate(&name, operator, Operation::Acknowledge).await?;
        Ok(Response::new(v1::AcknowledgeIncidentResponse { incident }))
    }

    async fn dispatch_incident(
        &self,
        request: Request<v1::DispatchIncidentRequest>,
    ) -> Result<Response<v1::DispatchIncidentResponse>, Status> {
        let v1::DispatchIncidentRequest { name, operator, responders } = request.into_inner();
        if responders.len() > MAX_NAMED {
            return Err(bad_field(FieldFault::new("responders", format!("name {MAX_NAMED} at most"))));
        }
        let responders = responders
            .iter()
            .map(|name| Name::responder("responders", name).map_err(bad_field))
            .collect::<Result<_, _>>()?;
        let incident = self.operate(&name, operator, Operation::Dispatch { responders }).await?;
        Ok(Response::new(v1::DispatchIncidentResponse { incident }))
    }

    async fn withdraw_incident(
        &self,
        request: Request<v1::WithdrawIncidentRequest>,
    ) -> Result<Response<v1::WithdrawIncidentResponse>, Status> {
        let v1::WithdrawIncidentRequest { name, operator, reason } = request.into_inner();
        let reason = text("reason", reason, 1)?;
        let incident = self.operate(&name, operator, Operation::Withdraw { reason }).await?;
        Ok(Response::new(v1::WithdrawIncidentResponse { incident }))
    }

    async fn add_incident_note(
        &self,
        request: Request<v1::AddIncidentNoteRequest>,
    ) -> Result<Response<v1::AddIncidentNoteResponse>, Status> {
        let v1::AddIncidentNoteRequest { name, operator, text: note } = request.into_inner();
        let note = text("text", note, 1)?;
        let incident = self.operate(&name, operator, Operation::AddNote { text: note }).await?;
        Ok(Response::new(v1::AddIncidentNoteResponse { incident }))
    }

    async fn resolve_incident(
        &self,
        request: Request<v1::ResolveIncidentRequest>,
    ) -> Result<Response<v1::ResolveIncidentResponse>, Status> {
        let v1::ResolveIncidentRequest { name, operator, disposition, note } = request.into_inner();
        let disposition = Disposition::read("disposition", disposition).map_err(bad_field)?;
        let note = text("note", note, 0)?;
        let incident = self.operate(&name, operator, Operation::Resolve { disposition, note }).await?;
        Ok(Response::new(v1::ResolveIncidentResponse { incident }))
    }

    async fn close_incident(
        &self,
        request: Request<v1::CloseIncidentRequest>,
    ) -> Result<Response<v1::CloseIncidentResponse>, Status> {
        let v1::CloseIncidentRequest { name, operator } = request.into_inner();
        let incident = self.operate(&name, operator, Operation::Close).await?;
        Ok(Response::new(v1::CloseIncidentResponse { incident }))
    }
}

impl Incidents {
    async fn operate(
        &self,
        name: &str,
        operator: String,
        operation: Operation,
    ) -> Result<Option<v1::Incident>, Status> {
        let incident = Name::incident("name", name).map_err(bad_field)?;
        let operator = operator_name(operator)?;
        changed_incident(&self.0, Command::Operate { incident, operator, operation }).await
    }

    /// A call, as the alert it is.
    fn call(&self, request: v1::OpenIncidentRequest) -> Result<RaiseAlert, Status> {
        if request.request_id.is_empty() || request.request_id.len() > MAX_OPERATOR_BYTES {
            let reason = "choose an id of 1 to 128 bytes, so that a repeated request opens nothing twice";
            return Err(bad_field(FieldFault::new("request_id", reason)));
        }
        let kind = Kind::read("kind", request.kind).map_err(bad_field)?;
        let place = place_from_request("place", request.place.as_ref()).map_err(bad_field)?;
        let operator = operator_name(request.operator)?;
        let home = match request.elder.as_str() {
            "" => None,
            name => {
                let elder = Name::elder("elder", name).map_err(bad_field)?;
                let home = self.0.directory.home(elder, self.0.clock.today());
                Some(home.ok_or_else(|| no_such(name))?)
            }
        };
        let detail = text("detail", request.detail, 0)?;
        let hash = blake3::hash(format!("call {}", request.request_id).as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        Ok(RaiseAlert {
            subject: home
                .map_or(Subject::Call(request.request_id.clone()), |home| Subject::Elder(home.elder)),
            home: home.and_then(|home| home.place),
            org_unit: home.map(|home| home.org_unit),
            at_risk: home.is_some_and(|home| home.at_risk),
            key: Some(MessageKey(key)),
            device: None,
            kind,
            source_id: Some(request.request_id),
            topic: format!("call taken by operators/{operator}"),
            device_time: None,
            received_at: self.0.clock.now(),
            place,
            detail,
            raw: None,
            retained: false,
            exercise: request.exercise,
        })
    }
}

/// One console's stream.
struct Watch {
    app: App,
    sender: mpsc::Sender<Result<v1::WatchIncidentsResponse, Status>>,
    /// Revisions sent from the board, until the live changes have caught up with them.
    sent: HashMap<String, u64>,
    /// The highest of them.
    newest: u64,
    /// Everything up to this revision was sent.
    seen: u64,
}

/// The console went away.
struct Gone;

impl Watch {
    async fn run(mut self, resume: bool) {
        // Live changes are collected from before the board is read, so that none falls between the two.
        let mut live = self.app.hub.watch_incidents();
        // A token from before the data was replaced says nothing; then everything open is sent.
        let resume = resume && self.seen <= self.app.board.head();
        if !resume {
            self.seen = 0;
        }
        let begun = self.catch_up(resume).await;
        if begun.is_err() || self.send(Change::SnapshotEnd(v1::SnapshotEnd {})).await.is_err() {
            return;
        }
        loop {
            let changed = tokio::select! {
                () = self.app.stop.cancelled() => {
                    let _ = self.sender.send(Err(super::stopping(crate::engine::Stopped))).await;
                    return;
                }
                () = self.sender.closed() => return,
                changed = tokio::time::timeout(HEARTBEAT, live.recv()) => changed,
            };
            let told = match changed {
                Ok(Ok(incident)) => self.tell(&incident).await,
                // Too slow for each step: what is true now is sent instead.
                Ok(Err(broadcast::error::RecvError::Lagged(_))) => self.catch_up(true).await,
                Ok(Err(broadcast::error::RecvError::Closed)) => return,
                Err(_) => {
                    let at = Some(time_to_wire(self.app.clock.now()));
                    self.send(Change::Heartbeat(v1::Heartbeat { at })).await
                }
            };
            if told.is_err() {
                return;
            }
        }
    }

    /// Sends what the board shows: everything open, or on resuming everything that changed since.
    async fn catch_up(&mut self, resume: bool) -> Result<(), Gone> {
        let since = if resume { self.seen } else { 0 };
        // Before the board is read: what changes meanwhile comes live as well.
        let head = self.app.board.head();
        let incidents = if resume {
            let mut changed = self.app.board.page(None, usize::MAX, |incident| incident.revision > since);
            changed.reverse();
            changed
        } else {
            self.app.board.open()
        };
        for incident in incidents {
            self.sent.insert(incident.name.clone(), incident.revision);
            self.newest = self.newest.max(incident.revision);
            // Until all are sent, a break must resume from where this began.
            let response = v1::WatchIncidentsResponse {
                change: Some(Change::Incident(v1::Incident::clone(&incident))),
                resume_token: since.to_string(),
            };
            self.sender.send(Ok(response)).await.map_err(|_| Gone)?;
        }
        self.seen = head.max(since);
        Ok(())
    }

    async fn tell(&mut self, incident: &v1::Incident) -> Result<(), Gone> {
        if self.sent.get(&incident.name).is_some_and(|sent| *sent >= incident.revision) {
            return Ok(());
        }
        // One record may change several incidents: until a later one comes, a break must resume before it.
        self.seen = self.seen.max(incident.revision.saturating_sub(1));
        if incident.revision > self.newest {
            self.sent.clear();
        }
        self.send(Change::Incident(incident.clone())).await
    }

    async fn send(&self, change: Change) -> Result<(), Gone> {
        let response =
            v1::WatchIncidentsResponse { change: Some(change), resume_token: self.seen.to_string() };
        self.sender.send(Ok(response)).await.map_err(|_| Gone)
    }
}

/// An incident without its lists, for a page of many.
fn summary(incident: &v1::Incident) -> v1::Incident {
    v1::Incident {
        alerts: Vec::new(),
        offers: Vec::new(),
        timeline: Vec::new(),
        decisions: Vec::new(),
        ..incident.clone()
    }
}

fn operator_name(operator: String) -> Result<String, Status> {
    match operator.len() {
        0 => Err(missing("operator")),
        1..=MAX_OPERATOR_BYTES => Ok(operator),
        _ => Err(bad_field(FieldFault::new("operator", format!("write {MAX_OPERATOR_BYTES} bytes at most")))),
    }
}

fn text(field: &str, text: String, at_least: usize) -> Result<String, Status> {
    if text.len() < at_least {
        return Err(missing(field));
    }
    if text.len() > MAX_TEXT_BYTES {
        return Err(bad_field(FieldFault::new(field, format!("write {MAX_TEXT_BYTES} bytes at most"))));
    }
    Ok(text)
}

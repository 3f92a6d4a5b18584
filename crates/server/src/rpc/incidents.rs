//! `IncidentService`: the hotline.

use std::{pin::Pin, sync::Arc};

use access::{Permission, Record};
use dispatch::{
    Command, Disposition, EscalationStep, MessageKey, Operation, RaiseAlert, Rejection, Service, Subject,
};
use model::{IncidentId, Kind, Priority};
use tokio_stream::Stream;
use tonic::{Request, Response, Status};
use wire::{FieldFault, FromWire as _, Name, place_from_request, v1};

use super::{
    App, bad_field, changed_incident, missing, no_such, page_size, page_start, recommendation,
    registry::on_a_thread,
    rejected,
    scope::{self, caller, of_incident},
    watch::Watch,
};
use crate::gate::Caller;

/// Longest text an operator can write, in bytes of UTF-8.
const MAX_TEXT_BYTES: usize = 4096;
/// Longest name of an operator, in bytes of UTF-8.
const MAX_OPERATOR_BYTES: usize = 128;
/// How the topic of a call begins.
pub(super) const CALL: &str = "call";
/// Responders one dispatch can name.
const MAX_NAMED: usize = 64;
/// Responders recommended when the caller does not say how many.
const DEFAULT_RECOMMENDED: usize = 10;
/// Responders recommended at most.
const MOST_RECOMMENDED: usize = 20;

/// The service.
pub(crate) struct Incidents(pub(crate) App);

type WatchStream = Pin<Box<dyn Stream<Item = Result<v1::WatchIncidentsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl v1::incident_service_server::IncidentService for Incidents {
    async fn list_incidents(
        &self,
        request: Request<v1::ListIncidentsRequest>,
    ) -> Result<Response<v1::ListIncidentsResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let size = page_size(request.page_size)?;
        let before = page_start(&request.page_token, |token| token.parse().ok().map(IncidentId))?;
        let wanted = |incident: &v1::Incident| {
            let state = request.states.is_empty() || request.states.contains(&incident.state);
            state
                && (request.include_watchdog || !incident.watchdog)
                && caller.may(Permission::IncidentsRead, &of_incident(incident))
        };
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
        let caller = caller(&request)?;
        let id = Name::incident("name", &request.into_inner().name).map_err(bad_field)?;
        let incident = scope::incident(&self.0, &caller, Permission::IncidentsRead, id)?;
        Ok(Response::new(v1::GetIncidentResponse { incident: Some(v1::Incident::clone(&incident)) }))
    }

    type WatchIncidentsStream = WatchStream;

    async fn watch_incidents(
        &self,
        request: Request<v1::WatchIncidentsRequest>,
    ) -> Result<Response<WatchStream>, Status> {
        let caller = caller(&request)?;
        let v1::WatchIncidentsRequest { resume_token, include_watchdog } = request.into_inner();
        let since = page_start(&resume_token, |token| token.parse::<u64>().ok()).map_err(|_| {
            bad_field(FieldFault::new("resume_token", "is not one of ours: send it as it came"))
        })?;
        Ok(Response::new(Box::pin(Watch::start(Arc::clone(&self.0), caller, since, include_watchdog))))
    }

    async fn open_incident(
        &self,
        request: Request<v1::OpenIncidentRequest>,
    ) -> Result<Response<v1::OpenIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let raised = self.call(&caller, request.into_inner())?;
        let incident = changed_incident(&self.0, Command::RaiseAlert(Box::new(raised))).await?;
        Ok(Response::new(v1::OpenIncidentResponse { incident }))
    }

    async fn acknowledge_incident(
        &self,
        request: Request<v1::AcknowledgeIncidentRequest>,
    ) -> Result<Response<v1::AcknowledgeIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::AcknowledgeIncidentRequest { name, operator } = request.into_inner();
        let incident = self.operate(&caller, &name, operator, Operation::Acknowledge).await?;
        Ok(Response::new(v1::AcknowledgeIncidentResponse { incident }))
    }

    async fn dispatch_incident(
        &self,
        request: Request<v1::DispatchIncidentRequest>,
    ) -> Result<Response<v1::DispatchIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::DispatchIncidentRequest { name, operator, responders } = request.into_inner();
        if responders.len() > MAX_NAMED {
            return Err(bad_field(FieldFault::new("responders", format!("name {MAX_NAMED} at most"))));
        }
        let responders = responders
            .iter()
            .map(|name| Name::responder("responders", name).map_err(bad_field))
            .collect::<Result<_, _>>()?;
        let incident = self.operate(&caller, &name, operator, Operation::Dispatch { responders }).await?;
        Ok(Response::new(v1::DispatchIncidentResponse { incident }))
    }

    async fn withdraw_incident(
        &self,
        request: Request<v1::WithdrawIncidentRequest>,
    ) -> Result<Response<v1::WithdrawIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::WithdrawIncidentRequest { name, operator, reason } = request.into_inner();
        let reason = text("reason", reason, 1)?;
        let incident = self.operate(&caller, &name, operator, Operation::Withdraw { reason }).await?;
        Ok(Response::new(v1::WithdrawIncidentResponse { incident }))
    }

    async fn add_incident_note(
        &self,
        request: Request<v1::AddIncidentNoteRequest>,
    ) -> Result<Response<v1::AddIncidentNoteResponse>, Status> {
        let caller = caller(&request)?;
        let v1::AddIncidentNoteRequest { name, operator, text: note } = request.into_inner();
        let note = text("text", note, 1)?;
        let incident = self.operate(&caller, &name, operator, Operation::AddNote { text: note }).await?;
        Ok(Response::new(v1::AddIncidentNoteResponse { incident }))
    }

    async fn resolve_incident(
        &self,
        request: Request<v1::ResolveIncidentRequest>,
    ) -> Result<Response<v1::ResolveIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ResolveIncidentRequest { name, operator, disposition, note } = request.into_inner();
        let disposition = Disposition::read("disposition", disposition).map_err(bad_field)?;
        let note = text("note", note, 0)?;
        let incident =
            self.operate(&caller, &name, operator, Operation::Resolve { disposition, note }).await?;
        Ok(Response::new(v1::ResolveIncidentResponse { incident }))
    }

    async fn take_over_incident(
        &self,
        request: Request<v1::TakeOverIncidentRequest>,
    ) -> Result<Response<v1::TakeOverIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::TakeOverIncidentRequest { name, operator, reason } = request.into_inner();
        let reason = text("reason", reason, 1)?;
        let incident = self.operate(&caller, &name, operator, Operation::TakeOver { reason }).await?;
        Ok(Response::new(v1::TakeOverIncidentResponse { incident }))
    }

    async fn triage_incident(
        &self,
        request: Request<v1::TriageIncidentRequest>,
    ) -> Result<Response<v1::TriageIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let kind = match request.kind {
            0 => None,
            kind => Some(Kind::read("kind", kind).map_err(bad_field)?),
        };
        let triage = Operation::Triage {
            priority: Priority::read("priority", request.priority).map_err(bad_field)?,
            kind,
            responders: request.responders_needed,
            reason: text("reason", request.reason, 1)?,
        };
        let incident = self.operate(&caller, &request.name, request.operator, triage).await?;
        Ok(Response::new(v1::TriageIncidentResponse { incident }))
    }

    async fn recommend_responders(
        &self,
        request: Request<v1::RecommendRespondersRequest>,
    ) -> Result<Response<v1::RecommendRespondersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::RecommendRespondersRequest { name, page_size } = request.into_inner();
        let limit = match usize::try_from(page_size) {
            Ok(0) => DEFAULT_RECOMMENDED,
            Ok(size) => size.min(MOST_RECOMMENDED),
            Err(_) => return Err(bad_field(FieldFault::new("page_size", "is negative: write 0 to 20"))),
        };
        let id = Name::incident("name", &name).map_err(bad_field)?;
        let incident = scope::incident(&self.0, &caller, Permission::IncidentsRead, id)?;
        let wanted =
            recommendation::wanted(id, &incident).ok_or_else(|| rejected(&Rejection::NoPlace(id)))?;
        let app = Arc::clone(&self.0);
        on_a_thread(move || recommendation::response(&app, &wanted, limit)).await.map(Response::new)
    }

    async fn hand_over_incident(
        &self,
        request: Request<v1::HandOverIncidentRequest>,
    ) -> Result<Response<v1::HandOverIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::HandOverIncidentRequest { name, operator, service, note } = request.into_inner();
        let service = Service::read("service", service).map_err(bad_field)?;
        let note = text("note", note, 0)?;
        let incident = self.operate(&caller, &name, operator, Operation::HandOver { service, note }).await?;
        Ok(Response::new(v1::HandOverIncidentResponse { incident }))
    }

    async fn escalate_incident(
        &self,
        request: Request<v1::EscalateIncidentRequest>,
    ) -> Result<Response<v1::EscalateIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::EscalateIncidentRequest { name, operator, step, note } = request.into_inner();
        let step = EscalationStep::read("step", step).map_err(bad_field)?;
        let note = text("note", note, 0)?;
        let incident = self.operate(&caller, &name, operator, Operation::Escalate { step, note }).await?;
        Ok(Response::new(v1::EscalateIncidentResponse { incident }))
    }

    async fn merge_incident(
        &self,
        request: Request<v1::MergeIncidentRequest>,
    ) -> Result<Response<v1::MergeIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::MergeIncidentRequest { name, operator, into, reason } = request.into_inner();
        let into = Name::incident("into", &into).map_err(bad_field)?;
        scope::incident(&self.0, &caller, Permission::IncidentsAct, into)?;
        let reason = text("reason", reason, 1)?;
        let incident = self.operate(&caller, &name, operator, Operation::Merge { into, reason }).await?;
        Ok(Response::new(v1::MergeIncidentResponse { incident }))
    }

    async fn reopen_incident(
        &self,
        request: Request<v1::ReopenIncidentRequest>,
    ) -> Result<Response<v1::ReopenIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ReopenIncidentRequest { name, operator, reason } = request.into_inner();
        let reason = text("reason", reason, 1)?;
        let incident = self.operate(&caller, &name, operator, Operation::Reopen { reason }).await?;
        Ok(Response::new(v1::ReopenIncidentResponse { incident }))
    }

    async fn close_incident(
        &self,
        request: Request<v1::CloseIncidentRequest>,
    ) -> Result<Response<v1::CloseIncidentResponse>, Status> {
        let caller = caller(&request)?;
        let v1::CloseIncidentRequest { name, operator } = request.into_inner();
        let incident = self.operate(&caller, &name, operator, Operation::Close).await?;
        Ok(Response::new(v1::CloseIncidentResponse { incident }))
    }
}

impl Incidents {
    async fn operate(
        &self,
        caller: &Caller,
        name: &str,
        operator: String,
        operation: Operation,
    ) -> Result<Option<v1::Incident>, Status> {
        let incident = Name::incident("name", name).map_err(bad_field)?;
        let operator = operator_name(caller.operator(operator)?)?;
        scope::incident(&self.0, caller, Permission::IncidentsAct, incident)?;
        changed_incident(&self.0, Command::Operate { incident, operator, operation }).await
    }

    /// A call, as the alert it is.
    fn call(&self, caller: &Caller, request: v1::OpenIncidentRequest) -> Result<RaiseAlert, Status> {
        if request.request_id.is_empty() || request.request_id.len() > MAX_OPERATOR_BYTES {
            let reason = "choose an id of 1 to 128 bytes, so that a repeated request opens nothing twice";
            return Err(bad_field(FieldFault::new("request_id", reason)));
        }
        let kind = Kind::read("kind", request.kind).map_err(bad_field)?;
        let place = place_from_request("place", request.place.as_ref()).map_err(bad_field)?;
        let operator = operator_name(caller.operator(request.operator)?)?;
        let home = match request.elder.as_str() {
            "" => None,
            name => {
                let elder = Name::elder("elder", name).map_err(bad_field)?;
                let home = self.0.directory.home(elder, self.0.clock.today());
                let theirs =
                    home.filter(|home| caller.may(Permission::EldersRead, &Record::of(home.org_unit)));
                let home = theirs.ok_or_else(|| no_such(name))?;
                caller.check(Permission::IncidentsAct, &Record::of(home.org_unit), name)?;
                Some(home)
            }
        };
        let detail = text("detail", request.detail, 0)?;
        // Two consoles may count alike.
        let call = match caller.user() {
            Some(user) => format!("{}/{}", Name::User(user.id), request.request_id),
            None => request.request_id.clone(),
        };
        let hash = blake3::hash(format!("call {call}").as_bytes());
        let mut key = [0; 16];
        key.copy_from_slice(&hash.as_bytes()[..16]);
        Ok(RaiseAlert {
            subject: home.map_or(Subject::Call(call), |home| Subject::Elder(home.elder)),
            home: home.and_then(|home| home.place),
            org_unit: home.map(|home| home.org_unit),
            at_risk: home.is_some_and(|home| home.at_risk),
            key: Some(MessageKey(key)),
            device: None,
            kind,
            source_id: Some(request.request_id),
            topic: format!("{CALL} taken by operators/{operator}"),
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

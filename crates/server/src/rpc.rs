//! gRPC: who asks, what may be asked, and how a refusal reads.

pub(crate) mod access;
pub(crate) mod incidents;
pub(crate) mod ingest;
pub(crate) mod notifications;
mod recommendation;
pub(crate) mod registry;
mod registry_import;
pub(crate) mod responders;
mod scope;
pub(crate) mod system;
mod watch;

pub(crate) use scope::{not_permitted, of_sender};

use std::{collections::HashMap, sync::Arc, time::Duration};

use dispatch::{Command, Rejection};
use model::IncidentId;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use wire::{FieldFault, Name, v1};

use crate::{
    engine::{Answer, Stopped, Verdict},
    node::Node,
};

/// The domain of our error reasons, as `google.rpc.ErrorInfo` wants one.
const DOMAIN: &str = "anhu";
/// Records on a page when the caller does not say.
const DEFAULT_PAGE: usize = 50;
/// Records on a page at most.
const LARGEST_PAGE: usize = 1000;

/// What every service works with.
pub(crate) type App = Arc<Node>;

/// Ticks of a stream's heartbeat, the first after one `period`. Those that a slow reader has missed are left out.
fn beats(period: Duration) -> tokio::time::Interval {
    let mut beats = tokio::time::interval_at(tokio::time::Instant::now() + period, period);
    beats.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    beats
}

/// A field of the request is wrong.
pub(crate) fn bad_field(fault: FieldFault) -> Status {
    let message = fault.to_string();
    let details = ErrorDetails::with_bad_request_violation(fault.field, fault.reason);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// A field that must be there is not.
pub(crate) fn missing(field: &str) -> Status {
    bad_field(FieldFault::new(field, "is missing: set it"))
}

/// The server is stopping.
pub(crate) fn stopping(stopped: Stopped) -> Status {
    let info = ErrorDetails::with_error_info("STOPPING", DOMAIN, HashMap::new());
    Status::with_error_details(Code::Unavailable, stopped.to_string(), info)
}

/// The disk refused it.
fn not_durable() -> Status {
    let info = ErrorDetails::with_error_info("NOT_DURABLE", DOMAIN, HashMap::new());
    let message =
        "the disk refused it: it is shown and acted upon, and may be lost in a restart; see /readyz";
    Status::with_error_details(Code::Unavailable, message, info)
}

/// There is no such thing.
pub(crate) fn no_such(name: &str) -> Status {
    let kind = name.split('/').next().unwrap_or_default().to_owned();
    let message = format!("{name} does not exist");
    let details = ErrorDetails::with_resource_info(kind, name, "", message.clone());
    Status::with_error_details(Code::NotFound, message, details)
}

/// A wish that the rules refuse.
pub(crate) fn rejected(rejection: &Rejection) -> Status {
    let (code, reason) = match rejection {
        Rejection::NoIncident(_) => (Code::NotFound, "NO_INCIDENT"),
        Rejection::NoOffer(_) => (Code::NotFound, "NO_OFFER"),
        Rejection::NoResponder(_) => (Code::NotFound, "NO_RESPONDER"),
        Rejection::NoAssignment { .. } => (Code::FailedPrecondition, "NO_ASSIGNMENT"),
        Rejection::NotYourOffer { .. } => (Code::PermissionDenied, "NOT_YOUR_OFFER"),
        Rejection::OfferOver { .. } => (Code::FailedPrecondition, "OFFER_OVER"),
        Rejection::StepBackwards { .. } => (Code::FailedPrecondition, "STEP_BACKWARDS"),
        Rejection::Taken { .. } => (Code::Aborted, "TAKEN"),
        Rejection::WrongState { .. } => (Code::FailedPrecondition, "WRONG_STATE"),
        Rejection::NobodyFree => (Code::FailedPrecondition, "NOBODY_FREE"),
        Rejection::NoPlace(_) => (Code::FailedPrecondition, "NO_PLACE"),
        Rejection::AlreadyAssigned(_) => (Code::FailedPrecondition, "ALREADY_ASSIGNED"),
        Rejection::NoReason(_) => (Code::InvalidArgument, "NO_REASON"),
        Rejection::Needed(_) => (Code::InvalidArgument, "NEEDED"),
        Rejection::NotMergeable { .. } => (Code::FailedPrecondition, "NOT_MERGEABLE"),
    };
    let mut details = ErrorDetails::with_error_info(reason, DOMAIN, facts(rejection));
    if let Some(field) = faulty_field(rejection) {
        details.add_bad_request_violation(field, rejection.to_string());
    }
    if code == Code::FailedPrecondition {
        details.add_precondition_failure_violation(reason, "", rejection.to_string());
    }
    if code == Code::NotFound {
        details.set_resource_info(reason.trim_start_matches("NO_"), "", "", rejection.to_string());
    }
    Status::with_error_details(code, rejection.to_string(), details)
}

/// What a program should know of a refusal: who has the incident, and which others it is about.
fn facts(rejection: &Rejection) -> HashMap<String, String> {
    match rejection {
        Rejection::Taken { incident, operator } => HashMap::from([
            ("incident".to_owned(), Name::Incident(*incident).to_string()),
            ("operator".to_owned(), format!("operators/{operator}")),
        ]),
        Rejection::NotMergeable { incident, into, .. } => HashMap::from([
            ("incident".to_owned(), Name::Incident(*incident).to_string()),
            ("into".to_owned(), Name::Incident(*into).to_string()),
        ]),
        Rejection::NoIncident(_)
        | Rejection::NoOffer(_)
        | Rejection::NotYourOffer { .. }
        | Rejection::OfferOver { .. }
        | Rejection::NoResponder(_)
        | Rejection::NoAssignment { .. }
        | Rejection::StepBackwards { .. }
        | Rejection::WrongState { .. }
        | Rejection::NobodyFree
        | Rejection::NoPlace(_)
        | Rejection::AlreadyAssigned(_)
        | Rejection::NoReason(_)
        | Rejection::Needed(_) => HashMap::new(),
    }
}

/// The field of the request that must be mended.
fn faulty_field(rejection: &Rejection) -> Option<&'static str> {
    match rejection {
        Rejection::NoReason(_) => Some("reason"),
        Rejection::Needed(_) => Some("responders_needed"),
        Rejection::NotMergeable { .. } => Some("into"),
        Rejection::NoIncident(_)
        | Rejection::NoOffer(_)
        | Rejection::NotYourOffer { .. }
        | Rejection::OfferOver { .. }
        | Rejection::NoResponder(_)
        | Rejection::NoAssignment { .. }
        | Rejection::StepBackwards { .. }
        | Rejection::Taken { .. }
        | Rejection::WrongState { .. }
        | Rejection::NobodyFree
        | Rejection::NoPlace(_)
        | Rejection::AlreadyAssigned(_) => None,
    }
}

/// Hands `command` to the engine and returns what became of it, once it is flushed.
pub(crate) async fn command(app: &App, command: Command) -> Result<Verdict, Status> {
    let Answer { mut verdicts, durable } = app.engine.ask(vec![command]).await.map_err(stopping)?;
    let verdict = verdicts.pop().ok_or_else(|| stopping(Stopped))?.map_err(|why| rejected(&why))?;
    if durable { Ok(verdict) } else { Err(not_durable()) }
}

/// The incident as it is after a command about it.
pub(crate) async fn changed_incident(app: &App, command_: Command) -> Result<Option<v1::Incident>, Status> {
    let verdict = command(app, command_).await?;
    Ok(verdict.incident.and_then(|id| shown(app, id)))
}

/// The incident as the board shows it.
pub(crate) fn shown(app: &App, id: IncidentId) -> Option<v1::Incident> {
    app.board.get(id).map(|incident| v1::Incident::clone(&incident))
}

/// How many records go on a page.
pub(crate) fn page_size(wanted: i32) -> Result<usize, Status> {
    match usize::try_from(wanted) {
        Ok(0) => Ok(DEFAULT_PAGE),
        Ok(size) => Ok(size.min(LARGEST_PAGE)),
        Err(_) => Err(bad_field(FieldFault::new("page_size", "is negative: write 0 to 1000"))),
    }
}

/// Where a page begins, by the token of the page before.
pub(crate) fn page_start<T>(token: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Status> {
    if token.is_empty() {
        return Ok(None);
    }
    let fault = || FieldFault::new("page_token", "is not one of ours: send the next_page_token as it came");
    read(token).map(Some).ok_or_else(|| bad_field(fault()))
}

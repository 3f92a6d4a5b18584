//! Cancelling for an elder: whose word does an operator pass on?
//!
//! Dispatch knows a cancel by its subject, as a device's key sends it, and takes it for the newest case of that subject. An
//! operator names an incident, so it must be that one.

use std::collections::HashMap;

use dispatch::Subject;
use model::IncidentId;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use wire::{
    Name,
    v1::{self, IncidentState, Kind},
};

use super::{App, DOMAIN};

/// Whose incident it is; `None` when it is not on the board.
///
/// # Errors
/// `FAILED_PRECONDITION` when a cancel would mean another incident of the same subject.
pub(super) fn subject_of(app: &App, id: IncidentId) -> Option<Result<Subject, Status>> {
    let incident = app.board.get(id)?;
    let subject = subject_shown(&incident)?;
    let same = |other: &v1::Incident| subject_shown(other).as_ref() == Some(&subject);
    let open = app.board.open();
    let candidates = open.iter().filter(|other| is_open(other) && is_care(other) && same(other));
    // A real case goes before a drill, and the newest before older ones; names of one length sort as numbers do.
    let meant = candidates.max_by_key(|other| (!other.exercise, other.name.len(), other.name.clone()));
    match meant {
        Some(meant) if meant.name != incident.name && is_open(&incident) => {
            Some(Err(another(&meant.name, &incident.name)))
        }
        Some(_) | None => Some(Ok(subject)),
    }
}

fn another(meant: &str, named: &str) -> Status {
    let told = format!("{meant} is the newest of the same person, and {named} is not: cancel that one first");
    let info = HashMap::from([("incident".to_owned(), meant.to_owned())]);
    let mut details = ErrorDetails::with_error_info("NOT_THE_NEWEST", DOMAIN, info);
    details.add_precondition_failure_violation("NOT_THE_NEWEST", meant, told.clone());
    Status::with_error_details(Code::FailedPrecondition, told, details)
}

/// The subject as dispatch knows it, read from what the board shows of how it began.
fn subject_shown(incident: &v1::Incident) -> Option<Subject> {
    if !incident.elder.is_empty() {
        return Name::elder("elder", &incident.elder).ok().map(Subject::Elder);
    }
    if !incident.device.is_empty() {
        return Name::device("device", &incident.device).ok().map(Subject::Device);
    }
    let first = incident.alerts.first()?;
    let is_call = first.device.is_empty() && first.topic.starts_with(super::incidents::CALL);
    Some(if is_call { Subject::Call(first.source_id.clone()) } else { Subject::Topic(first.topic.clone()) })
}

fn is_open(incident: &v1::Incident) -> bool {
    matches!(incident.state(), IncidentState::New | IncidentState::Acknowledged)
}

fn is_care(incident: &v1::Incident) -> bool {
    !matches!(incident.kind(), Kind::DeviceOffline | Kind::LowBattery | Kind::Tamper | Kind::LinkTest)
}

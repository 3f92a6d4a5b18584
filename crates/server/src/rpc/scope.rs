//! Scope: who is calling, and to whom does a record belong?
//!
//! A method asks for the record of what it is about, and the caller whether they may. What somebody may not see does not
//! exist for them; what they may see and not do is refused.

use std::{collections::HashMap, net::IpAddr, sync::Arc};

use access::{Belongs, Permission, Record, Scope};
use dispatch::Rejection;
use model::{DeviceId, ElderId, IncidentId, OrgUnitCode, ResponderId};
use registry::{Device, Provider, Responder, State};
use tonic::{Code, Request, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use views::Directory;
use wire::{Name, v1};

use super::{App, DOMAIN, bad_field, no_such, registry::on_a_thread, rejected};
use crate::{
    gate::{Caller, Who},
    port::Peer,
};

/// Who has sent this request.
pub(crate) fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    // The gate puts it there; without it nobody passes.
    let found = request.extensions().get::<Caller>().cloned();
    found.ok_or_else(|| Status::unauthenticated("nobody knows who sent this"))
}

/// Where this request comes from.
pub(crate) fn address<T>(request: &Request<T>) -> Result<IpAddr, Status> {
    // The port puts it there.
    let found = request.extensions().get::<Peer>().map(|Peer(address)| address.ip());
    found.ok_or_else(|| Status::internal("nobody knows where this comes from"))
}

/// They may see it, or see others like it, and may not do this.
pub(crate) fn not_permitted(permission: Permission, what: &str) -> Status {
    let name = permission.name();
    let facts = HashMap::from([("permission".to_owned(), name.to_owned())]);
    let info = ErrorDetails::with_error_info("NOT_PERMITTED", DOMAIN, facts);
    let message = format!("you are not permitted {name} for {what}: ask an administrator for a role that is");
    Status::with_error_details(Code::PermissionDenied, message, info)
}

impl Caller {
    /// Refuses what they may not do.
    pub(crate) fn check(&self, permission: Permission, record: &Record, what: &str) -> Result<(), Status> {
        if self.may(permission, record) { Ok(()) } else { Err(not_permitted(permission, what)) }
    }

    /// What they are called where their deeds are written down: who is known by a login cannot give another name.
    pub(crate) fn operator(&self, told: String) -> Result<String, Status> {
        match &self.who {
            Who::Anybody | Who::Host => Ok(told),
            Who::User(user) if told.is_empty() || told == user.login => Ok(user.login.clone()),
            Who::User(user) => Err(Status::permission_denied(format!(
                "you are {}: leave out `operator`, or write that",
                user.login
            ))),
        }
    }
}

/// The record of what belongs to an org unit, if that is known.
fn of(unit: Option<OrgUnitCode>) -> Record {
    unit.map_or(Record::OF_NOBODY, Record::of)
}

pub(crate) fn of_provider(provider: &Provider) -> Record {
    Record { provider: Some(provider.id), ..Record::of(provider.org_unit) }
}

pub(crate) fn of_responder(responder: &Responder) -> Record {
    Record { provider: responder.provider, responder: Some(responder.id), ..Record::of(responder.org_unit) }
}

/// Whoever has a device, has it looked after; one that nobody has belongs where it was entered.
pub(crate) fn of_device(records: &State, device: &Device) -> Record {
    of(records.elder_of(&device.id).map(|elder| elder.org_unit).or(device.org_unit))
}

/// An incident of which nobody knows whose it is, is everybody's: nobody may fail to see it.
pub(crate) fn of_incident(incident: &v1::Incident) -> Record {
    of(OrgUnitCode::new(&incident.org_unit).ok())
}

/// The elder's record, without waiting for an import.
pub(crate) fn of_elder(app: &App, id: ElderId) -> Option<Record> {
    app.directory.elder(id).map(|elder| Record::of(elder.org_unit))
}

/// The record of whom a device belongs to, without waiting for an import.
pub(crate) fn of_sender(directory: &Directory, device: &DeviceId) -> Record {
    let elder = directory.elder_of(device).and_then(|id| directory.elder(id));
    of(elder.map(|elder| elder.org_unit))
}

/// The records for which somebody has a role, as far as it matters who may see and give that.
pub(crate) fn of_scope(app: &App, scope: Scope) -> Record {
    match scope {
        Scope::Everything => Record::OF_ALL,
        Scope::OrgUnit(unit) => Record::of(unit),
        // Of somebody who is not there only those may speak who have everything.
        Scope::Provider(id) => app.registrar.records().provider(id).map_or(Record::OF_ALL, of_provider),
        Scope::Responder(id) => app.registrar.records().responder(id).map_or(Record::OF_ALL, of_responder),
    }
}

/// Refuses a caller who may not do this for that responder, who does not exist for them if they may not see them either.
pub(crate) fn check_responder(
    app: &App,
    caller: &Caller,
    permission: Permission,
    id: ResponderId,
) -> Result<(), Status> {
    // Enough for themselves and for whoever has everything; these do not wait for an import.
    let by_number = Record { responder: Some(id), belongs: Belongs::ToEverybody, provider: None };
    if caller.may(permission, &by_number) {
        return Ok(());
    }
    // And this for whoever has their org unit.
    let unit = app.roster.member(id).and_then(|member| member.org_unit);
    if unit.is_some_and(|unit| caller.may(permission, &Record::of(unit))) {
        return Ok(());
    }
    let name = Name::Responder(id).to_string();
    let record = app.registrar.records().responder(id).map(of_responder).ok_or_else(|| no_such(&name))?;
    if !caller.may(permission, &record) && !caller.may(Permission::RespondersRead, &record) {
        return Err(no_such(&name));
    }
    caller.check(permission, &record, &name)
}

/// The device that the field `device` of a request names and that the request would change, which must be there.
pub(crate) async fn device(app: &App, caller: &Caller, name: &str) -> Result<DeviceId, Status> {
    let id = Name::device("device", name).map_err(bad_field)?;
    let app = Arc::clone(app);
    let find = move || {
        let records = app.registrar.records();
        records.device(&id).map(|device| (device.id.clone(), of_device(&records, device)))
    };
    let (id, record) = on_a_thread(find).await?.ok_or_else(|| no_such(name))?;
    if !caller.may(Permission::DevicesRead, &record) {
        return Err(no_such(name));
    }
    caller.check(Permission::DevicesWrite, &record, name)?;
    Ok(id)
}

/// The incident, if the caller may see it, and may do this with it.
pub(crate) fn incident(
    app: &App,
    caller: &Caller,
    permission: Permission,
    id: IncidentId,
) -> Result<Arc<v1::Incident>, Status> {
    let name = Name::Incident(id).to_string();
    let seen = |found: &Arc<v1::Incident>| caller.may(Permission::IncidentsRead, &of_incident(found));
    let found = app.board.get(id).filter(seen).ok_or_else(|| {
        let acts = permission == Permission::IncidentsAct;
        if acts { rejected(&Rejection::NoIncident(id)) } else { no_such(&name) }
    })?;
    caller.check(permission, &of_incident(&found), &name)?;
    Ok(found)
}

//! `RegistryService`: elders, devices and bindings, providers, responders and org units.
//!
//! Records come back as they are stored. How a refusal reads:
//!
//! - `INVALID_ARGUMENT`: a field breaks a rule, whatever the registry holds.
//! - `FAILED_PRECONDITION`: a field refers to a record that is not there; entering that one first mends it.
//! - `ALREADY_EXISTS`: the record is there already.
//! - `NOT_FOUND`: what the request itself is about is not there.
//!
//! The first three carry a `google.rpc.BadRequest` that names each field as the request spells it.

use std::{collections::HashMap, sync::Arc};

use access::{Permission, Record};
use model::{DeviceId, ElderId, OrgUnitCode, ProviderId, ResponderId, Timestamp};
use registry::{
    Command, Device, Elder, Event, NewDevice, NewElder, NewOrgUnit, NewProvider, NewResponder, OrgUnit,
    Provider, Rejection, RejectionKind, Responder, State,
};
use tokio::sync::Semaphore;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use wire::{FieldFault, Name, time_from_wire, time_to_wire, v1};

use super::{
    App, DOMAIN, bad_field, missing, no_such, page_size, page_start,
    registry_import::{self, Steps},
    scope::{self, caller, not_permitted, of_device, of_elder, of_provider, of_responder},
    stopping,
};
use crate::{gate::Caller, registrar::Refused};

/// Violations one status carries: they travel in a header, and clients take headers of 8 to 16 KiB.
const MAX_TOLD: usize = 20;

/// Searches at the same time: they keep a processor busy, and alerts come first.
static SEARCHES: Semaphore = Semaphore::const_new(2);

/// Looks into the records at the same time: who may see little looks through much.
static READS: Semaphore = Semaphore::const_new(4);

/// The service.
pub(crate) struct Registry(pub(crate) App);

#[tonic::async_trait]
impl v1::registry_service_server::RegistryService for Registry {
    async fn create_org_unit(
        &self,
        request: Request<v1::CreateOrgUnitRequest>,
    ) -> Result<Response<v1::CreateOrgUnitResponse>, Status> {
        let caller = caller(&request)?;
        let wish: NewOrgUnit = wish(request.into_inner().org_unit, "org_unit")?;
        let record = Record::of(wish.code);
        caller.check(Permission::OrgUnitsWrite, &record, &format!("orgUnits/{}", wish.code))?;
        let org_unit = self.enter(Command::CreateOrgUnit(wish), |event| {
            let Event::OrgUnitCreated(unit) = event else { return None };
            Some(v1::OrgUnit::from(unit))
        });
        Ok(Response::new(v1::CreateOrgUnitResponse { org_unit: org_unit.await? }))
    }

    async fn get_org_unit(
        &self,
        request: Request<v1::GetOrgUnitRequest>,
    ) -> Result<Response<v1::GetOrgUnitResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let code = Name::org_unit("name", &name).map_err(bad_field)?;
        let org_unit = self.read(move |_, records| {
            let unit = records.org_unit(code);
            unit.filter(|unit| caller.may(Permission::OrgUnitsRead, &Record::of(unit.code)))
                .map(v1::OrgUnit::from)
        });
        let org_unit = org_unit.await?;
        let org_unit = Some(org_unit.ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetOrgUnitResponse { org_unit }))
    }

    async fn list_org_units(
        &self,
        request: Request<v1::ListOrgUnitsRequest>,
    ) -> Result<Response<v1::ListOrgUnitsResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListOrgUnitsRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| OrgUnitCode::new(token).ok())?;
        let read = move |_: &App, records: &State| {
            let seen = |unit: &&OrgUnit| caller.may(Permission::OrgUnitsRead, &Record::of(unit.code));
            page(records.org_units(after).filter(seen), size, |unit| unit.code.to_string(), v1::OrgUnit::from)
        };
        let (org_units, next_page_token) = self.read(read).await?;
        Ok(Response::new(v1::ListOrgUnitsResponse { org_units, next_page_token }))
    }

    async fn create_provider(
        &self,
        request: Request<v1::CreateProviderRequest>,
    ) -> Result<Response<v1::CreateProviderResponse>, Status> {
        let caller = caller(&request)?;
        let wish: NewProvider = wish(request.into_inner().provider, "provider")?;
        let record = Record::of(wish.org_unit);
        caller.check(Permission::ProvidersWrite, &record, &format!("orgUnits/{}", wish.org_unit))?;
        let provider = self.enter(Command::CreateProvider(wish), |event| {
            let Event::ProviderCreated(provider) = event else { return None };
            Some(v1::Provider::from(provider))
        });
        Ok(Response::new(v1::CreateProviderResponse { provider: provider.await? }))
    }

    async fn get_provider(
        &self,
        request: Request<v1::GetProviderRequest>,
    ) -> Result<Response<v1::GetProviderResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let id = Name::provider("name", &name).map_err(bad_field)?;
        let provider = self.read(move |_, records| {
            let provider = records.provider(id);
            provider
                .filter(|found| caller.may(Permission::ProvidersRead, &of_provider(found)))
                .map(v1::Provider::from)
        });
        let provider = provider.await?;
        let provider = Some(provider.ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetProviderResponse { provider }))
    }

    async fn list_providers(
        &self,
        request: Request<v1::ListProvidersRequest>,
    ) -> Result<Response<v1::ListProvidersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListProvidersRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| token.parse().ok().map(ProviderId))?;
        let read = move |_: &App, records: &State| {
            let seen = |found: &&Provider| caller.may(Permission::ProvidersRead, &of_provider(found));
            page(
                records.providers(after).filter(seen),
                size,
                |provider| provider.id.to_string(),
                v1::Provider::from,
            )
        };
        let (providers, next_page_token) = self.read(read).await?;
        Ok(Response::new(v1::ListProvidersResponse { providers, next_page_token }))
    }

    async fn create_responder(
        &self,
        request: Request<v1::CreateResponderRequest>,
    ) -> Result<Response<v1::CreateResponderResponse>, Status> {
        let caller = caller(&request)?;
        let wish: NewResponder = wish(request.into_inner().responder, "responder")?;
        let record = Record { provider: wish.provider, ..Record::of(wish.org_unit) };
        if let Some(id) = wish.provider {
            self.check_employer(&caller, id, wish.org_unit).await?;
        }
        caller.check(Permission::RespondersWrite, &record, &format!("orgUnits/{}", wish.org_unit))?;
        let responder = self.enter(Command::CreateResponder(wish), |event| {
            let Event::ResponderCreated(responder) = event else { return None };
            Some(v1::Responder::from(responder))
        });
        Ok(Response::new(v1::CreateResponderResponse { responder: responder.await? }))
    }

    async fn get_responder(
        &self,
        request: Request<v1::GetResponderRequest>,
    ) -> Result<Response<v1::GetResponderResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let id = Name::responder("name", &name).map_err(bad_field)?;
        let responder = self.read(move |_, records| {
            let responder = records.responder(id);
            let seen = responder.filter(|found| caller.may(Permission::RespondersRead, &of_responder(found)));
            seen.map(v1::Responder::from)
        });
        let responder = responder.await?;
        let responder = Some(responder.ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetResponderResponse { responder }))
    }

    async fn list_responders(
        &self,
        request: Request<v1::ListRespondersRequest>,
    ) -> Result<Response<v1::ListRespondersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListRespondersRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| token.parse().ok().map(ResponderId))?;
        let read = move |_: &App, records: &State| {
            let seen = |found: &&Responder| caller.may(Permission::RespondersRead, &of_responder(found));
            page(
                records.responders(after).filter(seen),
                size,
                |responder| responder.id.to_string(),
                v1::Responder::from,
            )
        };
        let (responders, next_page_token) = self.read(read).await?;
        Ok(Response::new(v1::ListRespondersResponse { responders, next_page_token }))
    }

    async fn create_elder(
        &self,
        request: Request<v1::CreateElderRequest>,
    ) -> Result<Response<v1::CreateElderResponse>, Status> {
        let caller = caller(&request)?;
        let wish: NewElder = wish(request.into_inner().elder, "elder")?;
        let record = Record::of(wish.org_unit);
        caller.check(Permission::EldersWrite, &record, &format!("orgUnits/{}", wish.org_unit))?;
        let elder = self.enter(Command::CreateElder(wish), |event| {
            let Event::ElderCreated(elder) = event else { return None };
            Some(v1::Elder::from(elder))
        });
        Ok(Response::new(v1::CreateElderResponse { elder: elder.await? }))
    }

    async fn get_elder(
        &self,
        request: Request<v1::GetElderRequest>,
    ) -> Result<Response<v1::GetElderResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let id = Name::elder("name", &name).map_err(bad_field)?;
        let elder = self.read(move |_, records| {
            let elder = records.elder(id);
            elder
                .filter(|found| caller.may(Permission::EldersRead, &Record::of(found.org_unit)))
                .map(v1::Elder::from)
        });
        let elder = elder.await?;
        let elder = Some(elder.ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetElderResponse { elder }))
    }

    async fn list_elders(
        &self,
        request: Request<v1::ListEldersRequest>,
    ) -> Result<Response<v1::ListEldersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListEldersRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| token.parse().ok().map(ElderId))?;
        let read = move |_: &App, records: &State| {
            let seen = |elder: &&Elder| caller.may(Permission::EldersRead, &Record::of(elder.org_unit));
            page(records.elders(after).filter(seen), size, |elder| elder.id.to_string(), v1::Elder::from)
        };
        let (elders, next_page_token) = self.read(read).await?;
        Ok(Response::new(v1::ListEldersResponse { elders, next_page_token }))
    }

    async fn search_elders(
        &self,
        request: Request<v1::SearchEldersRequest>,
    ) -> Result<Response<v1::SearchEldersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::SearchEldersRequest { query, page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let start = page_start(&page_token, |token| token.parse().ok())?.unwrap_or(0);
        if query.chars().count() > views::MAX_QUESTION_CHARS {
            let reason = format!("is longer than {} characters: ask for less", views::MAX_QUESTION_CHARS);
            return Err(bad_field(FieldFault::new("query", reason)));
        }
        let _turn = SEARCHES.acquire().await;
        let until = views::MAX_FOUND.min(size.saturating_add(start));
        let app = Arc::clone(&self.0);
        let look = move || {
            // Before the records are held: it may take some milliseconds.
            let found = {
                let may =
                    |id| of_elder(&app, id).is_some_and(|record| caller.may(Permission::EldersRead, &record));
                app.registrar.finder().find(&query, until, may)
            };
            let records = app.registrar.records();
            let page = found.iter().skip(start).filter_map(|id| records.elder(*id)).map(v1::Elder::from);
            (page.collect(), found.len())
        };
        let (elders, found) = on_a_thread(look).await?;
        let goes_on = found == until && until < views::MAX_FOUND;
        let next_page_token = if goes_on { until.to_string() } else { String::new() };
        Ok(Response::new(v1::SearchEldersResponse { elders, next_page_token }))
    }

    async fn create_device(
        &self,
        request: Request<v1::CreateDeviceRequest>,
    ) -> Result<Response<v1::CreateDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let wish: NewDevice = wish(request.into_inner().device, "device")?;
        let record = wish.org_unit.map_or(Record::OF_NOBODY, Record::of);
        caller.check(Permission::DevicesWrite, &record, &Name::Device(wish.id.clone()).to_string())?;
        let device = self.enter(Command::CreateDevice(wish), |event| {
            let Event::DeviceCreated(device) = event else { return None };
            Some(v1::Device::from(device))
        });
        Ok(Response::new(v1::CreateDeviceResponse { device: device.await? }))
    }

    async fn get_device(
        &self,
        request: Request<v1::GetDeviceRequest>,
    ) -> Result<Response<v1::GetDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let name = request.into_inner().name;
        let id = Name::device("name", &name).map_err(bad_field)?;
        let read = move |app: &App, records: &State| {
            let device = records.device(&id);
            let seen =
                device.filter(|device| caller.may(Permission::DevicesRead, &of_device(records, device)));
            seen.map(|device| device_now(app, records, device))
        };
        let device = self.read(read).await?;
        let device = Some(device.ok_or_else(|| no_such(&name))?);
        Ok(Response::new(v1::GetDeviceResponse { device }))
    }

    async fn list_devices(
        &self,
        request: Request<v1::ListDevicesRequest>,
    ) -> Result<Response<v1::ListDevicesResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListDevicesRequest { page_size: size, page_token, silent_since } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| DeviceId::new(token).ok())?;
        let since = silent_since.as_ref().map(|since| self.0.clock.on_ours(time_from_wire(since)));
        let read = move |app: &App, records: &State| {
            let wanted = |device: &&Device| {
                caller.may(Permission::DevicesRead, &of_device(records, device))
                    && since.is_none_or(|since| is_silent(app, records, device, since))
            };
            let shown = |device: &Device| device_now(app, records, device);
            page(records.devices(after).filter(wanted), size, |device| device.id.to_string(), shown)
        };
        let (devices, next_page_token) = self.read(read).await?;
        Ok(Response::new(v1::ListDevicesResponse { devices, next_page_token }))
    }

    async fn bind_device(
        &self,
        request: Request<v1::BindDeviceRequest>,
    ) -> Result<Response<v1::BindDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let v1::BindDeviceRequest { device, elder, from } = request.into_inner();
        let device = scope::device(&self.0, &caller, &device).await?;
        let name = elder;
        let elder = Name::elder("elder", &name).map_err(bad_field)?;
        let theirs = of_elder(&self.0, elder).filter(|record| caller.may(Permission::DevicesWrite, record));
        theirs.ok_or_else(|| no_such(&name))?;
        let from = from.as_ref().map_or_else(|| self.0.clock.now(), time_from_wire);
        let binding = self.enter(Command::BindDevice { device, elder, from }, |event| {
            let Event::DeviceBound(binding) = event else { return None };
            Some(v1::Binding::from(binding))
        });
        Ok(Response::new(v1::BindDeviceResponse { binding: binding.await? }))
    }

    async fn unbind_device(
        &self,
        request: Request<v1::UnbindDeviceRequest>,
    ) -> Result<Response<v1::UnbindDeviceResponse>, Status> {
        let caller = caller(&request)?;
        let v1::UnbindDeviceRequest { device, until } = request.into_inner();
        let device = scope::device(&self.0, &caller, &device).await?;
        let until = until.as_ref().map_or_else(|| self.0.clock.now(), time_from_wire);
        let ended = self.enter(Command::UnbindDevice { device: device.clone(), until }, |event| {
            let Event::DeviceUnbound { elder, .. } = event else { return None };
            Some(*elder)
        });
        let ended = ended.await?;
        let read = move |_: &App, records: &State| {
            // Somebody may have bound the device anew in the meantime: the one that ended here is meant.
            let mut bindings = records.bindings(&device).iter().rev();
            let binding =
                bindings.find(|binding| Some(binding.elder) == ended && binding.until == Some(until));
            binding.map(v1::Binding::from)
        };
        let binding = self.read(read).await?;
        Ok(Response::new(v1::UnbindDeviceResponse { binding }))
    }

    type ImportRecordsStream = Steps;

    async fn import_records(
        &self,
        request: Request<Streaming<v1::ImportRecordsRequest>>,
    ) -> Result<Response<Steps>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(registry_import::start(Arc::clone(&self.0), caller, request.into_inner())))
    }
}

impl Registry {
    /// Asks the registrar, and returns what `read` finds in the event that happened.
    async fn enter<T>(
        &self,
        command: Command,
        read: impl Fn(&Event) -> Option<T> + Send,
    ) -> Result<Option<T>, Status> {
        let events = self.0.registrar.ask(command).await.map_err(refused)?;
        Ok(events.iter().find_map(read))
    }

    /// Refuses to enter somebody of a provider whom the caller may not see, or, for whoever may do so only because it is
    /// theirs, in an org unit in which it does not work.
    async fn check_employer(&self, caller: &Caller, id: ProviderId, unit: OrgUnitCode) -> Result<(), Status> {
        let provider = self.read(move |_, records| records.provider(id).cloned()).await?;
        let seen = provider.filter(|found| caller.may(Permission::ProvidersRead, &of_provider(found)));
        let name = Name::Provider(id).to_string();
        let provider = seen.ok_or_else(|| no_such(&name))?;
        let is_theirs = caller.may(Permission::RespondersWrite, &Record::of(unit));
        if is_theirs || unit.is_within(provider.org_unit) {
            return Ok(());
        }
        Err(not_permitted(Permission::RespondersWrite, &format!("orgUnits/{unit}")))
    }

    /// Reads the records on a thread that no socket waits for: whoever holds them for long, such as a dry run of a
    /// county's file, keeps readers of the registry waiting and never an alert.
    async fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&App, &State) -> T + Send + 'static,
    ) -> Result<T, Status> {
        let app = Arc::clone(&self.0);
        let _turn = READS.acquire().await;
        on_a_thread(move || look(&app, &app.registrar.records())).await
    }
}

/// The device, whose it is, and when it was last heard of.
fn device_now(app: &App, records: &State, device: &Device) -> v1::Device {
    let elder = records.binding_of(&device.id).map(|binding| Name::Elder(binding.elder).to_string());
    let seen = app.presence.of(&device.id);
    v1::Device {
        elder: elder.unwrap_or_default(),
        last_seen_at: seen.as_ref().and_then(|seen| seen.heard_at).map(time_to_wire),
        online: seen.is_some_and(|seen| seen.online),
        ..v1::Device::from(device)
    }
}

/// Whether somebody may need this device and it was not heard since then, or never.
fn is_silent(app: &App, records: &State, device: &Device, since: Timestamp) -> bool {
    let heard = app.presence.last_heard(&device.id).is_some_and(|at| at >= since);
    !heard && records.binding_of(&device.id).is_some()
}

/// Runs what may take long where no socket waits for it.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|_| {
        Status::internal("the server has failed at this: please report it with the server's log")
    })
}

/// What a request wishes to enter.
fn wish<M, W: TryFrom<M, Error = FieldFault>>(message: Option<M>, field: &str) -> Result<W, Status> {
    message.ok_or_else(|| missing(field))?.try_into().map_err(bad_field)
}

/// The first `size` of `records`, and the token of the next page: the id of the last one when more follow.
fn page<'a, R: 'a, M>(
    mut records: impl Iterator<Item = &'a R>,
    size: usize,
    id: impl Fn(&R) -> String,
    shown: impl Fn(&'a R) -> M,
) -> (Vec<M>, String) {
    let page: Vec<&R> = records.by_ref().take(size).collect();
    let next_page_token = match page.last() {
        Some(last) if records.next().is_some() => id(last),
        Some(_) | None => String::new(),
    };
    (page.into_iter().map(shown).collect(), next_page_token)
}

/// How a refusal of the registrar reads.
pub(crate) fn refused(why: Refused) -> Status {
    let message = why.to_string();
    match why {
        Refused::Rejected(rejection) => rejected(&rejection),
        Refused::TooLong { .. } => bad_field(FieldFault::new("file", message)),
        Refused::NotDurable(_) | Refused::Waiting => {
            let info = ErrorDetails::with_error_info("NOT_DURABLE", DOMAIN, HashMap::new());
            Status::with_error_details(Code::Unavailable, message, info)
        }
        Refused::Stopped(stopped) => stopping(stopped),
    }
}

fn rejected(rejection: &Rejection) -> Status {
    let code = match rejection.kind {
        RejectionKind::Invalid => Code::InvalidArgument,
        RejectionKind::NotFound => Code::FailedPrecondition,
        RejectionKind::AlreadyExists => Code::AlreadyExists,
    };
    let violations = rejection.violations.iter().take(MAX_TOLD);
    let violations: Vec<_> = violations
        .map(|violation| FieldViolation::new(request_field(&violation.field), violation.reason.clone()))
        .collect();
    let message = match violations.first() {
        Some(first) if rejection.total > 1 => {
            format!("{}: {} (and {} more)", first.field, first.description, rejection.total - 1)
        }
        Some(first) => format!("{}: {}", first.field, first.description),
        None => rejection.to_string(),
    };
    Status::with_error_details(code, message, ErrorDetails::with_bad_request(violations))
}

/// The field of the request that the registry calls `field`: names are display names there, and a binding has no
/// message around it.
fn request_field(field: &str) -> String {
    if let Some(part) = field.strip_prefix("binding.") {
        return part.to_owned();
    }
    if field == "device.id" {
        return "device.device_id".to_owned();
    }
    match field.strip_suffix(".name") {
        Some(record) => format!("{record}.display_name"),
        None => field.to_owned(),
    }
}

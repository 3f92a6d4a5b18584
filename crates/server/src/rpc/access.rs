//! `AccessService`: who may come in, and what they may do.
//!
//! Whoever may look after users may do so for those whose every grant they cover themselves: an administrator of a county
//! looks after the users of that county, and never makes one who may do more.

use std::{collections::HashMap, sync::Arc};

use access::{Command, Grant, NewUser, Permission, Record, Rejection, State, User, UserChange};
use model::UserId;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use wire::{FieldFault, Name, grants_from_wire, time_from_wire, time_to_wire, user_to_wire, v1};

use super::{
    App, DOMAIN, bad_field, missing, no_such, page_size, page_start,
    registry::on_a_thread,
    scope::{address, caller, device, not_permitted, of_scope},
};
use crate::gate::{Caller, Gate, Opened, Refused};

/// The service.
pub(crate) struct Users(pub(crate) App);

#[tonic::async_trait]
impl v1::access_service_server::AccessService for Users {
    async fn sign_in(
        &self,
        request: Request<v1::SignInRequest>,
    ) -> Result<Response<v1::SignInResponse>, Status> {
        let from = address(&request)?;
        let v1::SignInRequest { login, password } = request.into_inner();
        let Opened { token, session, user } =
            self.0.gate.sign_in(&login, &password, from).await.map_err(refused)?;
        Ok(Response::new(v1::SignInResponse {
            token,
            expires_at: Some(time_to_wire(session.expires_at)),
            user: Some(self.shown(&user)),
            must_change_password: session.must_change_password,
        }))
    }

    async fn sign_out(
        &self,
        request: Request<v1::SignOutRequest>,
    ) -> Result<Response<v1::SignOutResponse>, Status> {
        let shown = caller(&request)?.shown.ok_or_else(|| nothing_to("sign out of"))?;
        self.0.gate.ask(Command::EndSession(shown)).await.map_err(refused)?;
        Ok(Response::new(v1::SignOutResponse {}))
    }

    async fn get_current_user(
        &self,
        request: Request<v1::GetCurrentUserRequest>,
    ) -> Result<Response<v1::GetCurrentUserResponse>, Status> {
        let caller = caller(&request)?;
        Ok(Response::new(v1::GetCurrentUserResponse {
            user: caller.user().map(|user| self.shown(user)),
            permissions: caller.permissions().map(|permission| permission.name().to_owned()).collect(),
            must_change_password: caller.must_change_password,
        }))
    }

    async fn change_password(
        &self,
        request: Request<v1::ChangePasswordRequest>,
    ) -> Result<Response<v1::ChangePasswordResponse>, Status> {
        let caller = caller(&request)?;
        let from = address(&request)?;
        let v1::ChangePasswordRequest { old_password, new_password } = request.into_inner();
        let user = caller.user().ok_or_else(|| nothing_to("change the password of"))?;
        let opened =
            self.0.gate.change_password(Arc::clone(user), (&old_password, &new_password), from).await;
        let Opened { token, session, .. } = opened.map_err(refused)?;
        let expires_at = Some(time_to_wire(session.expires_at));
        Ok(Response::new(v1::ChangePasswordResponse { token, expires_at }))
    }

    async fn create_user(
        &self,
        request: Request<v1::CreateUserRequest>,
    ) -> Result<Response<v1::CreateUserResponse>, Status> {
        let caller = caller(&request)?;
        let user = request.into_inner().user.ok_or_else(|| missing("user"))?;
        let grants = grants_from_wire("user.grants", &user.grants).map_err(bad_field)?;
        let wish = NewUser {
            login: user.login,
            display_name: user.display_name.into(),
            identity: user.identity.map(Into::into),
            grants,
        };
        check_covers(&self.0, &caller, &wish.grants)?;
        let vouched_for = wish.identity.is_some();
        let login = wish.login.clone();
        let still = caller.clone();
        let asked = self.0.gate.ask_if(Command::CreateUser(wish), move |_| still.is_let_in());
        asked.await.map_err(refused)?;
        let created = self.0.gate.state().user_by_login(&login).cloned();
        let user = created.ok_or_else(|| Status::internal("the user that was just made is not there"))?;
        let one_time_password = if vouched_for {
            String::new()
        } else {
            let still = self.still(&caller, user.id);
            self.0.gate.reset_password(user.id, still).await.map_err(refused)?
        };
        Ok(Response::new(v1::CreateUserResponse { user: Some(self.shown(&user)), one_time_password }))
    }

    async fn get_user(
        &self,
        request: Request<v1::GetUserRequest>,
    ) -> Result<Response<v1::GetUserResponse>, Status> {
        let caller = caller(&request)?;
        let user = self.seen(&caller, "name", &request.into_inner().name)?;
        Ok(Response::new(v1::GetUserResponse { user: Some(self.shown(&user)) }))
    }

    async fn list_users(
        &self,
        request: Request<v1::ListUsersRequest>,
    ) -> Result<Response<v1::ListUsersResponse>, Status> {
        let caller = caller(&request)?;
        let v1::ListUsersRequest { page_size: size, page_token } = request.into_inner();
        let size = page_size(size)?;
        let after = page_start(&page_token, |token| token.parse().ok().map(UserId))?;
        let app = Arc::clone(&self.0);
        let look = move || {
            // Let go of at once: whoever comes in asks there as well.
            let all: Vec<Arc<User>> = app.gate.state().users(after).map(Arc::clone).collect();
            let mut seen = all.into_iter().filter(|user| may_see(&app, &caller, user));
            let page: Vec<_> = seen.by_ref().take(size).collect();
            let next_page_token = match page.last() {
                Some(last) if seen.next().is_some() => last.id.to_string(),
                Some(_) | None => String::new(),
            };
            let state = app.gate.state();
            let users = page.iter().map(|user| shown(&state, user)).collect();
            v1::ListUsersResponse { users, next_page_token }
        };
        on_a_thread(look).await.map(Response::new)
    }

    async fn update_user(
        &self,
        request: Request<v1::UpdateUserRequest>,
    ) -> Result<Response<v1::UpdateUserResponse>, Status> {
        let caller = caller(&request)?;
        let v1::UpdateUserRequest { user, update_mask } = request.into_inner();
        let user = user.ok_or_else(|| missing("user"))?;
        let before = self.led(&caller, "user.name", &user.name)?;
        let change = change(before.id, &user, &update_mask.ok_or_else(|| missing("update_mask"))?.paths)?;
        check_covers(&self.0, &caller, change.grants.as_deref().unwrap_or_default())?;
        let still = self.still(&caller, before.id);
        self.0.gate.ask_if(Command::UpdateUser(change), still).await.map_err(refused)?;
        let after = self.0.gate.state().user(before.id).cloned().unwrap_or(before);
        Ok(Response::new(v1::UpdateUserResponse { user: Some(self.shown(&after)) }))
    }

    async fn reset_password(
        &self,
        request: Request<v1::ResetPasswordRequest>,
    ) -> Result<Response<v1::ResetPasswordResponse>, Status> {
        let caller = caller(&request)?;
        let user = self.led(&caller, "name", &request.into_inner().name)?;
        let still = self.still(&caller, user.id);
        let one_time_password = self.0.gate.reset_password(user.id, still).await.map_err(refused)?;
        Ok(Response::new(v1::ResetPasswordResponse { one_time_password }))
    }

    async fn end_sessions(
        &self,
        request: Request<v1::EndSessionsRequest>,
    ) -> Result<Response<v1::EndSessionsResponse>, Status> {
        let caller = caller(&request)?;
        let user = self.led(&caller, "name", &request.into_inner().name)?;
        let still = self.still(&caller, user.id);
        self.0.gate.ask_if(Command::EndSessions(user.id), still).await.map_err(refused)?;
        Ok(Response::new(v1::EndSessionsResponse {}))
    }

    async fn create_api_key(
        &self,
        request: Request<v1::CreateApiKeyRequest>,
    ) -> Result<Response<v1::CreateApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let v1::CreateApiKeyRequest { parent, api_key } = request.into_inner();
        let user = self.led(&caller, "parent", &parent)?;
        let v1::ApiKey { label, expires_at, .. } = api_key.ok_or_else(|| missing("api_key"))?;
        let until = expires_at.as_ref().map(time_from_wire);
        let still = self.still(&caller, user.id);
        let (secret, key) = self.0.gate.issue_key(user.id, (label, until), still).await.map_err(refused)?;
        Ok(Response::new(v1::CreateApiKeyResponse { api_key: Some(v1::ApiKey::from(&key)), secret }))
    }

    async fn create_device_key(
        &self,
        request: Request<v1::CreateDeviceKeyRequest>,
    ) -> Result<Response<v1::CreateDeviceKeyResponse>, Status> {
        let device = device(&self.0, &caller(&request)?, &request.into_inner().device).await?;
        let secret = self.0.gate.issue_device_key(device).await.map_err(refused)?;
        Ok(Response::new(v1::CreateDeviceKeyResponse { secret }))
    }

    async fn revoke_device_key(
        &self,
        request: Request<v1::RevokeDeviceKeyRequest>,
    ) -> Result<Response<v1::RevokeDeviceKeyResponse>, Status> {
        let device = device(&self.0, &caller(&request)?, &request.into_inner().device).await?;
        self.0.gate.ask(Command::RevokeDeviceKey(device)).await.map_err(refused)?;
        Ok(Response::new(v1::RevokeDeviceKeyResponse {}))
    }

    async fn revoke_api_key(
        &self,
        request: Request<v1::RevokeApiKeyRequest>,
    ) -> Result<Response<v1::RevokeApiKeyResponse>, Status> {
        let caller = caller(&request)?;
        let (user, key) = Name::api_key("name", &request.into_inner().name).map_err(bad_field)?;
        let user = self.led(&caller, "name", &Name::User(user).to_string())?;
        let still = self.still(&caller, user.id);
        self.0.gate.ask_if(Command::RevokeKey { user: user.id, key }, still).await.map_err(refused)?;
        Ok(Response::new(v1::RevokeApiKeyResponse {}))
    }
}

impl Users {
    fn shown(&self, user: &User) -> v1::User {
        shown(&self.0.gate.state(), user)
    }

    /// Whether the caller is let in and may look after this user still, when the turn of a wish has come.
    fn still(&self, caller: &Caller, user: UserId) -> impl FnOnce(&Gate) -> bool + Send + use<> {
        let (app, caller) = (Arc::clone(&self.0), caller.clone());
        move |gate| {
            let user = gate.state().user(user).cloned();
            caller.is_let_in() && user.is_some_and(|user| check_covers(&app, &caller, &user.grants).is_ok())
        }
    }

    /// The user of this name, if the caller may see them; others do not exist for the caller.
    fn seen(&self, caller: &Caller, field: &str, name: &str) -> Result<Arc<User>, Status> {
        let id = Name::user(field, name).map_err(bad_field)?;
        let user = self.0.gate.state().user(id).cloned();
        user.filter(|user| may_see(&self.0, caller, user)).ok_or_else(|| no_such(name))
    }

    /// The user of this name, if the caller may look after them.
    fn led(&self, caller: &Caller, field: &str, name: &str) -> Result<Arc<User>, Status> {
        let user = self.seen(caller, field, name)?;
        check_covers(&self.0, caller, &user.grants)?;
        Ok(user)
    }
}

fn shown(state: &State, user: &User) -> v1::User {
    user_to_wire(user, state.keys(user.id))
}

/// Whether any of what a user may do is within what the caller may see; themselves always.
fn may_see(app: &App, caller: &Caller, user: &User) -> bool {
    let own = caller.user().is_some_and(|own| own.id == user.id);
    let sees = |grant: &Grant| caller.may(Permission::UsersRead, &of_scope(app, grant.scope));
    own || caller.may(Permission::UsersRead, &Record::OF_ALL) || user.grants.iter().any(sees)
}

/// Nobody gives, takes or uses rights that they have not themselves.
fn check_covers(app: &App, caller: &Caller, grants: &[Grant]) -> Result<(), Status> {
    if grants.is_empty() {
        // What they will be allowed is for whoever may allow everything to say.
        return caller.check(Permission::UsersWrite, &Record::OF_ALL, "somebody without a role");
    }
    match grants.iter().find(|grant| !caller.may(Permission::UsersWrite, &of_scope(app, grant.scope))) {
        Some(grant) => Err(not_permitted(
            Permission::UsersWrite,
            &format!("somebody who is {} for {}", grant.role.name(), grant.scope),
        )),
        None => Ok(()),
    }
}

/// Of `display_name`, `grants`, `disabled` and `identity`, those that `paths` name.
fn change(user: UserId, wish: &v1::User, paths: &[String]) -> Result<UserChange, Status> {
    let fault = |field: &str, reason: &str| bad_field(FieldFault::new(field, reason));
    let revision =
        wish.etag.parse().map_err(|_| fault("user.etag", "is missing: send the one that you have read"))?;
    let mut change =
        UserChange { user, revision, display_name: None, grants: None, disabled: None, identity: None };
    for path in paths {
        match path.as_str() {
            "display_name" => change.display_name = Some(wish.display_name.clone().into()),
            "grants" => {
                change.grants = Some(grants_from_wire("user.grants", &wish.grants).map_err(bad_field)?);
            }
            "disabled" => change.disabled = Some(wish.disabled),
            "identity" => change.identity = Some(wish.identity.clone().map(Into::into)),
            _ => return Err(fault("update_mask", "name display_name, grants, disabled or identity")),
        }
    }
    if paths.is_empty() { Err(fault("update_mask", "is empty: name what changes")) } else { Ok(change) }
}

/// Who calls is not a user.
fn nothing_to(what: &str) -> Status {
    Status::failed_precondition(format!("you are not a user who signs in: there is nothing to {what}"))
}

/// How a refusal reads.
fn refused(why: Refused) -> Status {
    let message = why.to_string();
    let with = |code, reason: &str| {
        let info = ErrorDetails::with_error_info(reason, DOMAIN, HashMap::new());
        Status::with_error_details(code, message.clone(), info)
    };
    match why {
        Refused::Rejected(rejection) => match rejection {
            Rejection::Invalid { field, reason } => bad_field(FieldFault::new(field, reason)),
            Rejection::Taken { .. } => with(Code::AlreadyExists, "TAKEN"),
            Rejection::NoUser(id) => no_such(&Name::User(id).to_string()),
            Rejection::NoKey { user, key } => no_such(&Name::ApiKey(user, key).to_string()),
            Rejection::NoDeviceKey(device) => no_such(&Name::Device(device).to_string()),
            Rejection::NoSession => with(Code::NotFound, "NO_SESSION"),
            Rejection::OtherPassword => with(Code::Unauthenticated, "OTHER_PASSWORD"),
            Rejection::Changed { .. } => with(Code::Aborted, "CHANGED"),
            Rejection::Disabled(_) => with(Code::FailedPrecondition, "DISABLED"),
            Rejection::LastAdministrator => with(Code::FailedPrecondition, "LAST_ADMINISTRATOR"),
            Rejection::TooManyKeys { .. } => with(Code::ResourceExhausted, "TOO_MANY_KEYS"),
        },
        Refused::Unfit(_) => bad_field(FieldFault::new("new_password", message)),
        Refused::Wrong => with(Code::Unauthenticated, "WRONG_PASSWORD"),
        Refused::TooOften(_) => with(Code::ResourceExhausted, "TOO_OFTEN"),
        Refused::Meanwhile => with(Code::Aborted, "MEANWHILE"),
        Refused::NotDurable => with(Code::Unavailable, "NOT_DURABLE"),
        Refused::Stopped => with(Code::Unavailable, "STOPPING"),
    }
}

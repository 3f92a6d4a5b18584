//! `SystemService`: those who run the server.

use access::{Permission, Record};
use dispatch::Command;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};
use wire::{time_to_wire, v1};

use super::{App, command, not_durable, scope::caller, stopping};
use crate::{config::Faults, policies::NotReplaced};

/// Faults one status carries: they travel in a header, and clients take headers of 8 to 16 KiB. All are in the log.
const MAX_TOLD: usize = 20;
/// Longest part shown of a faulty value, in bytes.
const MAX_VALUE_BYTES: usize = 64;

/// The service.
pub(crate) struct System(pub(crate) App);

#[tonic::async_trait]
impl v1::system_service_server::SystemService for System {
    async fn get_version(
        &self,
        _: Request<v1::GetVersionRequest>,
    ) -> Result<Response<v1::GetVersionResponse>, Status> {
        Ok(Response::new(v1::GetVersionResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_at: Some(time_to_wire(self.0.clock.started_at())),
            policy_version: self.0.policies.current().version().to_owned(),
        }))
    }

    async fn get_health(
        &self,
        request: Request<v1::GetHealthRequest>,
    ) -> Result<Response<v1::GetHealthResponse>, Status> {
        caller(&request)?.check(Permission::SystemRead, &Record::OF_ALL, "the server")?;
        let health = self.0.health();
        let parts = health.parts.into_iter().map(|part| v1::HealthPart {
            name: part.name,
            healthy: part.healthy,
            detail: part.detail,
        });
        Ok(Response::new(v1::GetHealthResponse {
            ready: health.ready,
            degraded: health.degraded,
            parts: parts.collect(),
        }))
    }

    async fn set_drill_mode(
        &self,
        request: Request<v1::SetDrillModeRequest>,
    ) -> Result<Response<v1::SetDrillModeResponse>, Status> {
        let caller = caller(&request)?;
        caller.check(Permission::SystemDrill, &Record::OF_ALL, "the server")?;
        let on = request.into_inner().on;
        command(&self.0, Command::SetDrillMode { on }).await?;
        Ok(Response::new(v1::SetDrillModeResponse { on }))
    }

    async fn reload_policy(
        &self,
        request: Request<v1::ReloadPolicyRequest>,
    ) -> Result<Response<v1::ReloadPolicyResponse>, Status> {
        caller(&request)?.check(Permission::SystemPolicy, &Record::OF_ALL, "the server")?;
        match self.0.policies.reload(&self.0.engine).await {
            Ok(reloaded) => Ok(Response::new(v1::ReloadPolicyResponse {
                policy_version: reloaded.version,
                replaced: reloaded.replaced,
            })),
            Err(NotReplaced::Faulty(faults)) => Err(faulty(&faults)),
            Err(NotReplaced::NotDurable) => Err(not_durable()),
            Err(NotReplaced::Stopped(stopped)) => Err(stopping(stopped)),
        }
    }
}

/// Each fault of the file with its key, as if it were a field of the request.
fn faulty(faults: &Faults) -> Status {
    let told = faults.0.iter().take(MAX_TOLD).map(|fault| {
        let at = fault.line.map(|line| format!(" (line {line})")).unwrap_or_default();
        let mut value = fault.value.clone();
        value.truncate(value.floor_char_boundary(MAX_VALUE_BYTES));
        FieldViolation::new(fault.key.clone(), format!("is {value}{at}: {}", fault.remedy))
    });
    let details = ErrorDetails::with_bad_request(told.collect::<Vec<_>>());
    let message = match faults.0.len() {
        1 => "the policy file has a fault, and the policy stays as it was".to_owned(),
        count => format!("the policy file has {count} faults, and the policy stays as it was"),
    };
    Status::with_error_details(Code::FailedPrecondition, message, details)
}

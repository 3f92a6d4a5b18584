//! `SystemService`: those who run the server.

use dispatch::Command;
use tonic::{Request, Response, Status};
use wire::{time_to_wire, v1};

use super::{App, command};

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
        }))
    }

    async fn get_health(
        &self,
        _: Request<v1::GetHealthRequest>,
    ) -> Result<Response<v1::GetHealthResponse>, Status> {
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
        let on = request.into_inner().on;
        command(&self.0, Command::SetDrillMode { on }).await?;
        Ok(Response::new(v1::SetDrillModeResponse { on }))
    }
}

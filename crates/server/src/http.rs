//! One port for gRPC, gRPC-Web, metrics and health.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use tonic::{Status, service::Routes};
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_web::GrpcWebLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer, ExposeHeaders};
use wire::v1;

use crate::{
    gate::{self, Admitted, Refusal, Revocable},
    metrics,
    node::Node,
    rpc::{
        access::Users, incidents::Incidents, ingest::Ingestion, not_permitted, notifications::Notifications,
        registry::Registry, responders::Responders, system::System,
    },
};

/// Largest gRPC request, in bytes: a piece of an imported file and some.
const MAX_REQUEST: usize = 4 * 1024 * 1024;
/// The same about users: a stranger may send it.
const MAX_USER_REQUEST: usize = 64 * 1024;
/// How long a browser may remember that a call is allowed.
const PREFLIGHT: Duration = Duration::from_secs(3600);

/// Everything behind the port.
pub(crate) fn router<H: Health>(
    node: Arc<Node>,
    handle: PrometheusHandle,
    health: HealthServer<H>,
) -> Result<Router, tonic_reflection::server::Error> {
    let app = || Arc::clone(&node);
    let descriptors = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(wire::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let incidents = v1::incident_service_server::IncidentServiceServer::new(Incidents(app()));
    let responders = v1::responder_service_server::ResponderServiceServer::new(Responders(app()));
    let ingest = v1::ingest_service_server::IngestServiceServer::new(Ingestion(app()));
    let registry = v1::registry_service_server::RegistryServiceServer::new(Registry(app()));
    let notifications = v1::notification_service_server::NotificationServiceServer::new(Notifications(app()));
    let system = v1::system_service_server::SystemServiceServer::new(System(app()));
    let users = v1::access_service_server::AccessServiceServer::new(Users(app()));
    let guarded = Routes::new(incidents)
        .add_service(responders)
        .add_service(ingest.max_decoding_message_size(MAX_REQUEST))
        .add_service(registry.max_decoding_message_size(MAX_REQUEST))
        .add_service(notifications)
        .add_service(system)
        .add_service(users.max_decoding_message_size(MAX_USER_REQUEST))
        .into_axum_router()
        .reset_fallback()
        .route_layer(middleware::from_fn_with_state(app(), guard));
    let open = Routes::new(health)
        .add_service(descriptors().build_v1()?)
        .add_service(descriptors().build_v1alpha()?)
        .into_axum_router()
        .reset_fallback();
    let grpc = guarded.merge(open).layer(GrpcWebLayer::new());
    let status = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .with_state(app())
        .route("/metrics", get(move || scrape(Arc::clone(&node), handle.clone())));
    Ok(grpc.merge(status).fallback(unknown).layer(cors()))
}

/// Lets in whoever may call this, and lets them stay as long as they may.
async fn guard(State(node): State<Arc<Node>>, mut request: Request, next: Next) -> Response {
    let caller = match node.gate.admit(request.uri().path(), request.headers()) {
        Ok(Admitted::Nobody) => return next.run(request).await,
        Ok(Admitted::Once(caller)) => {
            request.extensions_mut().insert(caller);
            return next.run(request).await;
        }
        Ok(Admitted::ForAsLong(caller)) => caller,
        Err(refusal) => {
            metrics::refused_at_the_gate();
            let message = refusal.to_string();
            let status = match refusal {
                Refusal::Unknown => Status::unauthenticated(message),
                Refusal::MustChangePassword => Status::failed_precondition(message),
                Refusal::NotPermitted(permission) => not_permitted(permission, "any record"),
                Refusal::Undeclared => Status::permission_denied(message),
            };
            return status.into_http();
        }
    };
    request.extensions_mut().insert(caller.clone());
    // Whoever is still sending is cut as well.
    let response = tokio::select! {
        response = next.run(request) => response,
        () = caller.clone().over() => return gate::over().into_http(),
    };
    response.map(|body| Body::new(Revocable::new(body, caller.over())))
}

/// gRPC clients get a gRPC answer, everybody else a plain one.
async fn unknown(request: Request) -> Response {
    let is_grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/grpc"));
    let path = request.uri().path();
    if is_grpc {
        return Status::unimplemented(format!("{path} is not a method of this server")).into_http();
    }
    (StatusCode::NOT_FOUND, format!("{path} is not here; try /healthz, /readyz or /metrics\n"))
        .into_response()
}

/// The process runs.
async fn healthz() -> &'static str {
    "ok\n"
}

/// The node takes alerts and makes them durable; otherwise the reasons, one a line.
async fn readyz(State(node): State<Arc<Node>>) -> Response {
    let health = node.health();
    let code = if health.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let lines = health.parts.iter().map(|part| {
        let word = if part.healthy { "ok " } else { "RED" };
        format!("{word} {}: {}\n", part.name, part.detail)
    });
    (code, lines.collect::<String>()).into_response()
}

async fn scrape(node: Arc<Node>, handle: PrometheusHandle) -> Result<String, Infallible> {
    node.measure();
    Ok(handle.render())
}

/// A console on another port of this machine may call; what it needs to see of an answer is exposed.
fn cors() -> CorsLayer {
    let grpc = ["grpc-status", "grpc-message", "grpc-status-details-bin"];
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(|origin, _| {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin.trim_start_matches("http://").trim_start_matches("https://");
            let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
            matches!(host, "localhost" | "127.0.0.1" | "[::1]")
        }))
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(ExposeHeaders::list(grpc.map(HeaderName::from_static)))
        .max_age(PREFLIGHT)
}

//! Whoever shows a token, calls any method.

use std::time::Duration;

use tonic::{
    Code, Request, Status,
    client::Grpc,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};
use tonic_prost::ProstCodec;
use wire::v1::{
    self, access_service_client::AccessServiceClient, incident_service_client::IncidentServiceClient,
    ingest_service_client::IngestServiceClient, registry_service_client::RegistryServiceClient,
    responder_service_client::ResponderServiceClient,
};

use crate::anhu::Anhu;

/// How long a call may say nothing until it counts as let in.
const SILENCE: Duration = Duration::from_secs(2);

/// Somebody with a token, or with none.
#[derive(Debug, Clone)]
pub struct Caller {
    channel: Channel,
    shows: Shows,
}

/// Puts a token on every call.
#[derive(Debug, Clone)]
pub struct Shows(Option<MetadataValue<Ascii>>);

impl Interceptor for Shows {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.0 {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

/// A connection on which the token is shown.
pub type Shown = InterceptedService<Channel, Shows>;

impl Caller {
    /// Somebody who shows this header.
    ///
    /// # Panics
    /// When no header can hold it.
    pub async fn with_header(anhu: &Anhu, header: Option<&str>) -> Self {
        let header = header.map(|header| header.parse().expect("a header"));
        Self { channel: anhu.channel().await, shows: Shows(header) }
    }

    /// Somebody who shows this token.
    pub async fn with(anhu: &Anhu, token: &str) -> Self {
        Self::with_header(anhu, Some(&format!("Bearer {token}"))).await
    }

    /// Who can read the server's own files.
    ///
    /// # Panics
    /// When there is no token in them.
    pub async fn host(anhu: &Anhu) -> Self {
        let token = std::fs::read_to_string(anhu.data().join("access-token")).expect("a token");
        Self::with(anhu, token.trim()).await
    }

    fn shown(&self) -> Shown {
        InterceptedService::new(self.channel.clone(), self.shows.clone())
    }

    /// Those who look after users.
    #[must_use]
    pub fn users(&self) -> AccessServiceClient<Shown> {
        AccessServiceClient::new(self.shown())
    }

    /// Operators.
    #[must_use]
    pub fn incidents(&self) -> IncidentServiceClient<Shown> {
        IncidentServiceClient::new(self.shown())
    }

    /// Administrators.
    #[must_use]
    pub fn registry(&self) -> RegistryServiceClient<Shown> {
        RegistryServiceClient::new(self.shown())
    }

    /// Caregivers' apps.
    #[must_use]
    pub fn responders(&self) -> ResponderServiceClient<Shown> {
        ResponderServiceClient::new(self.shown())
    }

    /// Integrators.
    #[must_use]
    pub fn ingest(&self) -> IngestServiceClient<Shown> {
        IngestServiceClient::new(self.shown())
    }

    /// Calls a method with an empty message, and returns how it answers; `Ok` also for a stream that goes on.
    ///
    /// # Panics
    /// When the path is none, or nobody takes the call.
    pub async fn knock(&self, path: &str) -> Code {
        let mut grpc = Grpc::new(self.shown());
        grpc.ready().await.expect("a connection");
        let path = path.parse().expect("a path");
        // What streams and what does not looks the same on the wire.
        let codec = ProstCodec::<(), ()>::default();
        let answer = match grpc.server_streaming(Request::new(()), path, codec).await {
            Ok(answer) => answer,
            Err(status) => return status.code(),
        };
        match tokio::time::timeout(SILENCE, answer.into_inner().message()).await {
            Ok(Err(status)) => status.code(),
            Ok(Ok(_)) | Err(_) => Code::Ok,
        }
    }
}

/// A role for some records, as requests have it.
#[must_use]
pub fn grant(role: v1::Role, scope: &str) -> v1::Grant {
    v1::Grant { role: role.into(), scope: scope.to_owned() }
}

/// Lets a program in with these grants, and returns it with the name of its user.
///
/// # Panics
/// When the host may not.
pub async fn program(anhu: &Anhu, login: &str, grants: &[v1::Grant]) -> (Caller, String) {
    let mut users = Caller::host(anhu).await.users();
    let user = v1::User {
        login: login.to_owned(),
        display_name: login.to_owned(),
        grants: grants.to_vec(),
        ..Default::default()
    };
    let created = users.create_user(v1::CreateUserRequest { user: Some(user) }).await.expect("a user");
    let name = created.into_inner().user.expect("a user").name;
    let key = v1::ApiKey { label: "test".to_owned(), ..Default::default() };
    let request = v1::CreateApiKeyRequest { parent: name.clone(), api_key: Some(key) };
    let key = users.create_api_key(request).await.expect("a key").into_inner();
    (Caller::with(anhu, &key.secret).await, name)
}

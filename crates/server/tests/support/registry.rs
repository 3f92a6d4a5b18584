//! What a server's registry holds, for tests that write it and read it back.

use tempfile::TempDir;
use wire::v1;

use crate::server::Server;

/// An empty folder.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

/// The elders of the server.
pub(crate) fn elders(server: &Server) -> Vec<v1::Elder> {
    on_runtime(async {
        let mut registry = server.registry().await;
        registry.list_elders(v1::ListEldersRequest::default()).await.expect("elders").into_inner().elders
    })
}

/// Runs `future` to its end.
pub(crate) fn on_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(future)
}

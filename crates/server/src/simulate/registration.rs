//! Registration: how does the invented county come into a running server?

use anyhow::Context as _;
use indicatif::ProgressBar;
use tonic::Status;
use wire::v1::{self, import_records_response::Step, registry_service_client::RegistryServiceClient};

use super::{Channel, people::Person};
use crate::{
    client::Server,
    county::{County, File, Known},
};

/// Records of one page.
const PAGE: i32 = 1000;

type Client = RegistryServiceClient<Channel>;

/// Imports whatever of the county the server does not know.
pub(crate) async fn register(server: &Server, county: &County, bar: &ProgressBar) -> anyhow::Result<()> {
    let mut client = RegistryServiceClient::new(server.connect().await?);
    bar.set_message("looking what is known");
    let known = known(&mut client).await.map_err(|status| server.explain(&status))?;
    let files = county.files(&known);
    bar.set_length(files.iter().map(|file| file.rows as u64).sum());
    bar.set_message("entering the county");
    for file in files {
        let rows = file.rows as u64;
        let kind = file.kind;
        let report = import(&mut client, file).await.map_err(|status| server.explain(&status))?;
        let report = report.context("the server ended an import without a report: try again")?;
        if let Some(refused) = report.refused.first() {
            anyhow::bail!(
                "the server refuses {kind}, line {}, {}: {}",
                refused.line,
                refused.field,
                refused.reason
            );
        }
        bar.inc(rows);
    }
    Ok(())
}

/// The responders of the county by the names the server gave them.
pub(super) async fn people(
    server: &Server,
    channel: Channel,
    county: &County,
) -> anyhow::Result<Vec<Person>> {
    let mut client = RegistryServiceClient::new(channel);
    let listed = responders(&mut client).await.map_err(|status| server.explain(&status))?;
    let names: std::collections::HashMap<_, _> =
        listed.into_iter().map(|responder| (responder.external_id, responder.name)).collect();
    let person = |(index, helper): (usize, &crate::county::Helper)| {
        let name = names.get(helper.responder.external_id.as_deref()?)?.clone();
        Some(Person { name, start: helper.start, seed: index as u64 })
    };
    county
        .helpers
        .iter()
        .enumerate()
        .map(|helper| person(helper).context("the server does not know a responder that was entered"))
        .collect()
}

async fn import(client: &mut Client, file: File) -> Result<Option<v1::ImportReport>, Status> {
    let request = v1::ImportRecordsRequest {
        kind: v1::ImportKind::from(file.kind).into(),
        file_bytes: file.csv.len() as u64,
        chunk: file.csv,
        dry_run: false,
    };
    let mut steps = client.import_records(tokio_stream::once(request)).await?.into_inner();
    while let Some(response) = steps.message().await? {
        match response.step {
            Some(Step::Report(report)) => return Ok(Some(report)),
            Some(Step::Progress(_)) | None => {}
        }
    }
    Ok(None)
}

async fn known(client: &mut Client) -> Result<Known, Status> {
    let org_units = every_page(async |page_token| {
        let request = v1::ListOrgUnitsRequest { page_size: PAGE, page_token };
        let page = client.list_org_units(request).await?.into_inner();
        Ok((page.org_units, page.next_page_token))
    });
    let org_units = org_units.await?.into_iter().map(|unit| unit.code).collect();
    let providers = every_page(async |page_token| {
        let request = v1::ListProvidersRequest { page_size: PAGE, page_token };
        let page = client.list_providers(request).await?.into_inner();
        Ok((page.providers, page.next_page_token))
    });
    let providers = providers.await?.into_iter().map(|provider| provider.external_id).collect();
    let responders = responders(client).await?.into_iter().map(|responder| responder.external_id).collect();
    let elders = every_page(async |page_token| {
        let page =
            client.list_elders(v1::ListEldersRequest { page_size: PAGE, page_token }).await?.into_inner();
        Ok((page.elders, page.next_page_token))
    });
    let elders = elders.await?.into_iter().map(|elder| elder.external_id).collect();
    let devices = every_page(async |page_token| {
        let request = v1::ListDevicesRequest { page_size: PAGE, page_token, ..Default::default() };
        let page = client.list_devices(request).await?.into_inner();
        Ok((page.devices, page.next_page_token))
    });
    let devices = devices.await?.into_iter().map(|device| device.device_id).collect();
    Ok(Known { org_units, providers, responders, elders, devices })
}

async fn responders(client: &mut Client) -> Result<Vec<v1::Responder>, Status> {
    let listed = every_page(async |page_token| {
        let request = v1::ListRespondersRequest { page_size: PAGE, page_token };
        let page = client.list_responders(request).await?.into_inner();
        Ok((page.responders, page.next_page_token))
    });
    listed.await
}

/// Everything on the pages that `fetch` gets by their tokens, each with the token of the next.
async fn every_page<T>(
    mut fetch: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Status>,
) -> Result<Vec<T>, Status> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (page, next) = fetch(token).await?;
        all.extend(page);
        token = next;
        if token.is_empty() {
            return Ok(all);
        }
    }
}

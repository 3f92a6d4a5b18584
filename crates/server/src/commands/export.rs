//! `anhu export`: how do the records of a running server come into a spreadsheet, and back?

mod rows;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::Duration,
};

use clap::ValueEnum;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use registry::ImportKind;
use tonic::Response;
use wire::v1::{self, registry_service_client::RegistryServiceClient};

use super::import::{kinds, table_file};
use crate::{
    client::{Channel, Server},
    workbook::Table,
};
use rows::Row;

/// Records asked for at once.
const PAGE: i32 = 1000;

/// Export the records of a running server to a CSV file or an Excel workbook
///
/// The file has the headings of `anhu import --sample KIND` and can be imported as it is, into an
/// empty server in the order org_units, providers, responders, elders, devices. It holds personal
/// data, so only you may read it. What a file cannot hold is told at the end. To open it in Excel,
/// take a workbook: of a CSV file Excel drops the zeros in front of a number.
///
/// Example: anhu export elders elders.xlsx --lang zh
/// Example: anhu export org_units units.csv
/// Example: ANHU_TOKEN=$(anhu token) anhu export devices devices.csv --server http://10.0.0.5:8080
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// Which records
    #[arg(value_parser = kinds())]
    kind: ImportKind,
    /// The file to write: a workbook (.xlsx) or comma-separated (.csv); one that is there is replaced
    #[arg(value_parser = table_file)]
    file: PathBuf,
    /// The language of the headings
    #[arg(long, value_enum, default_value = "en")]
    lang: Language,
    #[command(flatten)]
    server: Server,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Language {
    /// English
    En,
    /// Chinese
    Zh,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let Arguments { kind, file, lang, .. } = arguments;
    let shown = |[english, chinese]: [&'static str; 2]| match lang {
        Language::En => english,
        Language::Zh => chinese,
    };
    let mut table = Table::create(file, kind.headings().map(shown))?;
    let rows = super::serve::runtime()?.block_on(async {
        let source = Source { client: arguments.connect().await?, server: &arguments.server };
        write(source, *kind, &mut table).await
    })?;
    table.end(file)?;
    println!("{kind}: {} rows are in {}", HumanCount(rows), file.display());
    Ok(())
}

impl Arguments {
    async fn connect(&self) -> anyhow::Result<RegistryServiceClient<Channel>> {
        Ok(RegistryServiceClient::new(self.server.connect().await?))
    }
}

/// Writes every record of this kind, and returns how many there were.
async fn write(mut source: Source<'_>, kind: ImportKind, table: &mut Table) -> anyhow::Result<u64> {
    let known = match kind {
        ImportKind::Responders => source.numbers(ImportKind::Providers).await?,
        ImportKind::Devices => source.numbers(ImportKind::Elders).await?,
        ImportKind::OrgUnits | ImportKind::Providers | ImportKind::Elders => HashMap::new(),
    };
    let bar = bar("writing");
    let (mut token, mut lost) = (String::new(), BTreeMap::<&str, u64>::new());
    loop {
        let (mut rows, next) = source.page(kind, token).await?;
        for row in &mut rows {
            row.name_others(&known);
            for what in &row.lost {
                *lost.entry(what).or_default() += 1;
            }
            table.row(kind.headings().map(|[heading, _]| row.cell(heading)))?;
            bar.inc(1);
        }
        token = next;
        if token.is_empty() {
            bar.finish_and_clear();
            for (what, rows) in lost {
                eprintln!("{} rows: {what}", HumanCount(rows));
            }
            return Ok(bar.position());
        }
    }
}

fn bar(message: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos} rows, {per_sec}");
    let bar = ProgressBar::new_spinner().with_message(message);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// Where the records come from.
struct Source<'a> {
    client: RegistryServiceClient<Channel>,
    server: &'a Server,
}

impl Source<'_> {
    /// The number elsewhere of each record, by its name here.
    async fn numbers(&mut self, kind: ImportKind) -> anyhow::Result<HashMap<String, String>> {
        let bar = bar("reading");
        let (mut numbers, mut token) = (HashMap::new(), String::new());
        loop {
            let (rows, next) = self.page(kind, token).await?;
            bar.inc(rows.len() as u64);
            numbers.extend(rows.into_iter().map(|row| {
                let number = row.cell("external_id").to_owned();
                (row.name, number)
            }));
            token = next;
            if token.is_empty() {
                bar.finish_and_clear();
                return Ok(numbers);
            }
        }
    }

    /// The next records of this kind, and where to go on.
    async fn page(&mut self, kind: ImportKind, page_token: String) -> anyhow::Result<(Vec<Row>, String)> {
        let (client, page_size) = (&mut self.client, PAGE);
        let page = match kind {
            ImportKind::OrgUnits => {
                let answer = client.list_org_units(v1::ListOrgUnitsRequest { page_size, page_token }).await;
                answer.map(Response::into_inner).map(|page| {
                    (page.org_units.into_iter().map(rows::org_unit).collect(), page.next_page_token)
                })
            }
            ImportKind::Providers => {
                let answer = client.list_providers(v1::ListProvidersRequest { page_size, page_token }).await;
                answer.map(Response::into_inner).map(|page| {
                    (page.providers.into_iter().map(rows::provider).collect(), page.next_page_token)
                })
            }
            ImportKind::Responders => {
                let request = v1::ListRespondersRequest { page_size, page_token };
                client.list_responders(request).await.map(Response::into_inner).map(|page| {
                    (page.responders.into_iter().map(rows::responder).collect(), page.next_page_token)
                })
            }
            ImportKind::Elders => {
                let answer = client.list_elders(v1::ListEldersRequest { page_size, page_token }).await;
                answer
                    .map(Response::into_inner)
                    .map(|page| (page.elders.into_iter().map(rows::elder).collect(), page.next_page_token))
            }
            ImportKind::Devices => {
                let request = v1::ListDevicesRequest { page_size, page_token, silent_since: None };
                client
                    .list_devices(request)
                    .await
                    .map(Response::into_inner)
                    .map(|page| (page.devices.into_iter().map(rows::device).collect(), page.next_page_token))
            }
        };
        page.map_err(|status| self.server.explain(&status))
    }
}

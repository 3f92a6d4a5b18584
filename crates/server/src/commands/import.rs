//! `anhu import`: how do the records of a spreadsheet come into a running server?

mod errors;

use std::{
    collections::BTreeSet,
    fs::File,
    io::{IsTerminal as _, Read as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use bytes::Bytes;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use registry::{ImportKind, MAX_FILE_BYTES};
use wire::v1::{self, import_records_response::Step, registry_service_client::RegistryServiceClient};

use crate::{
    client::Server,
    workbook::{self, Sheet},
};

/// How much of the file goes into one message, in bytes.
const CHUNK_BYTES: usize = 256 * 1024;
/// Time between two lines of progress where no bar can be drawn.
const LINE_EVERY: Duration = Duration::from_secs(2);

/// Import a CSV file or an Excel workbook into a running server: every row of it, or none
///
/// Import org_units first, then providers, responders, elders and devices: a row may refer to
/// rows of the files before. When a row is refused nothing is entered, and every refused row is
/// named with what to do. A row that is there already is refused too, so that no file is entered
/// twice.
///
/// Of a workbook the first sheet is read, and dates of Excel are understood. Format columns of ids
/// and phones as text before you type: of a number Excel keeps only 15 digits and no zero in front.
///
/// Example: anhu import --sample elders > elders.csv
/// Example: anhu import elders elders.csv --dry-run
/// Example: anhu import elders 老年人.xlsx --sheet 2026年
/// Example: anhu import elders elders.csv --errors to-mend.xlsx
/// Example: ANHU_TOKEN=$(anhu token) anhu import elders elders.csv --server http://10.0.0.5:8080
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Arguments {
    /// What the rows are
    #[arg(value_parser = kinds(), required_unless_present = "sample", requires = "file")]
    kind: Option<ImportKind>,
    /// The file, headings in the first line: a workbook (.xlsx), or comma-separated in UTF-8
    file: Option<PathBuf>,
    /// Which sheet of a workbook; the first when not given
    #[arg(long, value_name = "NAME", requires = "file")]
    sheet: Option<String>,
    /// Say what would be entered or refused, and enter nothing
    #[arg(long)]
    dry_run: bool,
    /// When rows are refused, write all rows to this file (.xlsx or .csv) with a first column 错误 error that says what
    /// is wrong and what to do; mend it there and import it instead. A workbook shows only the refused rows at first
    #[arg(long, value_name = "FILE", value_parser = table_file, requires = "file")]
    errors: Option<PathBuf>,
    /// Print a small file of this kind to fill in, and do nothing else
    #[arg(long, value_name = "KIND", value_parser = kinds(), conflicts_with_all = ["kind", "file", "dry_run"])]
    sample: Option<ImportKind>,
    #[command(flatten)]
    server: Server,
}

/// The kinds by their words.
pub(super) fn kinds() -> impl TypedValueParser<Value = ImportKind> {
    PossibleValuesParser::new(ImportKind::ALL.map(ImportKind::as_str))
        .try_map(|word| word.parse::<ImportKind>())
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    match (arguments.sample, arguments.kind, &arguments.file) {
        (Some(kind), _, _) => {
            print!("{}", kind.sample());
            Ok(())
        }
        (None, Some(kind), Some(path)) => {
            let sheet = sheet(path, arguments.sheet.as_deref())?;
            // What cannot be sent is refused together with what the server finds in the rest.
            let dry_run = arguments.dry_run || !sheet.faults.is_empty();
            let file = sheet.csv.clone();
            let report = super::serve::runtime()?.block_on(import(&arguments.server, kind, file, dry_run))?;
            let report = by_row(report, &sheet);
            let mend = errors(&report, &sheet, arguments.errors.as_deref(), path)?;
            told(&report, kind, path, arguments.dry_run, &mend)
        }
        (None, _, _) => anyhow::bail!("name a kind and a file: anhu import elders elders.csv"),
    }
}

/// The rows of the file, whatever its form.
fn sheet(path: &Path, name: Option<&str>) -> anyhow::Result<Sheet> {
    let (file, shown) = (read(path)?, path.display());
    if workbook::is_workbook(&file) {
        return workbook::read(&file, name).with_context(|| shown.to_string());
    }
    anyhow::ensure!(
        !workbook::is_closed(&file),
        "{shown} is of an old form or has a password: open it in Excel and save it without one as \"Excel workbook \
         (.xlsx)\""
    );
    anyhow::ensure!(name.is_none(), "{shown} is no workbook, so it has no sheets: leave --sheet out");
    Ok(Sheet::of_csv(file))
}

/// Where the refused rows can be mended, in words, after writing them there if that is wanted.
fn errors(
    report: &v1::ImportReport,
    sheet: &Sheet,
    to: Option<&Path>,
    path: &Path,
) -> anyhow::Result<String> {
    let Some(to) = to else {
        let again = "mend what is listed, then import it again";
        return Ok(match report.rows_refused {
            0 => again.to_owned(),
            _ => format!(
                "{again}; --errors to-mend.xlsx writes the rows and what is wrong with each to a file"
            ),
        });
    };
    if !report.refused.is_empty() && errors::write(to, sheet, &report.refused)? {
        let to = to.display();
        return Ok(format!("mend the refused rows in {to}, which holds all rows, then import that file"));
    }
    Ok(format!("mend what is listed in {}, then import it again", path.display()))
}

/// The name of a file that rows can be written to.
pub(super) fn table_file(name: &str) -> anyhow::Result<PathBuf> {
    let path = PathBuf::from(name);
    anyhow::ensure!(workbook::is_table(&path), "name a file that ends in .xlsx or .csv");
    Ok(path)
}

/// The report with the rows of the sheet for lines, and with what could not be sent.
fn by_row(mut report: v1::ImportReport, sheet: &Sheet) -> v1::ImportReport {
    let lines = |refused: &[v1::RefusedRow]| {
        let lines: BTreeSet<_> = refused.iter().map(|row| row.line).filter(|line| *line > 0).collect();
        lines.len() as u64
    };
    let unlisted = report.rows_refused.saturating_sub(lines(&report.refused));
    for row in &mut report.refused {
        row.line = sheet.row_of(row.line);
    }
    if sheet.faults.is_empty() {
        return report;
    }
    let cell = |row: &v1::RefusedRow| (row.line, row.field.trim().to_ascii_lowercase());
    let unsent: BTreeSet<_> = sheet.faults.iter().map(cell).collect();
    // Such a cell was sent empty, and that is not what is wrong with it.
    report.refused.retain(|row| !unsent.contains(&cell(row)));
    report.refused.extend(sheet.faults.iter().cloned());
    report.refused.sort_by_key(|row| row.line);
    report.rows_refused = lines(&report.refused) + unlisted;
    report
}

/// The file in memory, so that nothing can happen to it while it is sent: half a file is never taken for a whole one.
fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = path.display();
    let file = File::open(path)
        .with_context(|| format!("{shown} cannot be opened: check the path and who may read it"))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1)
        .read_to_end(&mut bytes)
        .with_context(|| format!("{shown} cannot be read: name a file"))?;
    anyhow::ensure!(
        bytes.len() as u64 <= MAX_FILE_BYTES,
        "{shown} is larger than {}: split it, each part with the headings",
        HumanBytes(MAX_FILE_BYTES)
    );
    Ok(bytes)
}

/// Sends the file and waits for the report.
async fn import(
    server: &Server,
    kind: ImportKind,
    file: Bytes,
    dry_run: bool,
) -> anyhow::Result<v1::ImportReport> {
    let mut client = RegistryServiceClient::new(server.connect().await?);
    let mut shown = Shown::new(file.len() as u64);
    let sent = shown.bar.clone();
    let kind = v1::ImportKind::from(kind).into();
    // An empty file is sent as one empty piece: the server says what is wrong with it.
    let file_bytes = file.len() as u64;
    let pieces = file.len().div_ceil(CHUNK_BYTES).max(1);
    let requests = (0..pieces).map(move |piece| {
        let start = piece * CHUNK_BYTES;
        let chunk = file[start..file.len().min(start + CHUNK_BYTES)].to_vec();
        sent.inc(chunk.len() as u64);
        v1::ImportRecordsRequest { kind, dry_run, chunk, file_bytes }
    });
    let answer = client.import_records(tokio_stream::iter(requests)).await;
    let mut steps = answer.map_err(|status| server.explain(&status))?.into_inner();
    while let Some(response) = steps.message().await.map_err(|status| server.explain(&status))? {
        match response.step {
            Some(Step::Progress(progress)) => shown.progress(&progress),
            Some(Step::Report(report)) => {
                shown.bar.finish_and_clear();
                return Ok(report);
            }
            None => {}
        }
    }
    anyhow::bail!(
        "{} ended before its report: import the file again; if it was entered, every row is refused as known",
        server.url
    )
}

/// Tells how it went. Refused rows are an error, so that a script notices.
fn told(
    report: &v1::ImportReport,
    kind: ImportKind,
    path: &Path,
    dry_run: bool,
    mend: &str,
) -> anyhow::Result<()> {
    let (read, path) = (HumanCount(report.rows_read), path.display());
    if report.refused.is_empty() && report.rows_refused == 0 {
        let what = if dry_run { "would be entered; nothing was, as this is a dry run" } else { "entered" };
        println!("{kind}: {read} rows of {path} {what}");
        return Ok(());
    }
    eprint!("{}", table(&report.refused));
    let listed = report.refused.len() as u64;
    if report.rows_refused > listed {
        eprintln!("… these are the first {}; mend them to see the others", HumanCount(listed));
    }
    let refused = match report.rows_refused {
        0 => "the file is refused".to_owned(),
        rows => format!("{} of {read} rows are refused", HumanCount(rows)),
    };
    anyhow::bail!("{kind}: {refused}, so nothing of {path} was entered: {mend}")
}

/// `line  field  reason`, each fault on a line of its own.
fn table(rows: &[v1::RefusedRow]) -> String {
    let line = |row: &v1::RefusedRow| if row.line == 0 { "-".to_owned() } else { row.line.to_string() };
    let lines = rows.iter().map(|row| line(row).len()).max().unwrap_or(0).max("line".len());
    let fields = rows.iter().map(|row| width(&row.field)).max().unwrap_or(0).max("field".len());
    let mut text = format!("{:>lines$}  {:fields$}  reason\n", "line", "field");
    for row in rows {
        let gap = " ".repeat(fields - width(&row.field));
        text.push_str(&format!("{:>lines$}  {}{gap}  {}\n", line(row), row.field, row.reason));
    }
    text
}

/// How many columns of a terminal `text` takes: two for a Chinese character.
fn width(text: &str) -> usize {
    text.chars().map(|c| if c >= '\u{2e80}' { 2 } else { 1 }).sum()
}

/// Where the import is: a bar on a terminal, lines elsewhere.
struct Shown {
    bar: ProgressBar,
    reading_since: Option<Instant>,
    line_due: Instant,
}

impl Shown {
    fn new(bytes: u64) -> Self {
        let template = "{msg} [{bar:30}] {bytes}/{total_bytes}, {eta} left";
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar =
            if std::io::stderr().is_terminal() { ProgressBar::new(bytes) } else { ProgressBar::hidden() };
        bar.set_length(bytes);
        bar.set_style(style.progress_chars("=> "));
        bar.set_message("sending");
        Self { bar, reading_since: None, line_due: Instant::now() }
    }

    fn progress(&mut self, progress: &v1::ImportProgress) {
        let since = *self.reading_since.get_or_insert_with(|| {
            self.bar.reset();
            Instant::now()
        });
        let v1::ImportProgress { bytes_read, rows_read } = *progress;
        self.bar.set_position(bytes_read);
        let rate = rows_read as f64 / since.elapsed().as_secs_f64().max(0.001);
        let rows = format!("{} rows", HumanCount(rows_read));
        self.bar.set_message(format!("reading {rows}, {} rows/s", HumanCount(rate as u64)));
        if self.bar.is_hidden() && Instant::now() >= self.line_due {
            self.line_due = Instant::now() + LINE_EVERY;
            let total = self.bar.length().unwrap_or(bytes_read);
            eprintln!("reading: {rows}, {} of {}", HumanBytes(bytes_read), HumanBytes(total));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refused_rows_stand_in_columns_whatever_the_headings_are_written_in() {
        let row = |line, field: &str, reason: &str| v1::RefusedRow {
            line,
            field: field.to_owned(),
            reason: reason.to_owned(),
        };
        let rows = [row(0, "file", "is empty"), row(12_345, "姓名", "is empty: fill it in")];
        assert_eq!(
            table(&rows),
            " line  field  reason\n    -  file   is empty\n12345  姓名   is empty: fill it in\n"
        );
    }
}

//! `ImportRecords`: how does a file come in from the network and become records, or a list of what to mend?
//!
//! The file is gathered, read on a thread of its own, and entered by the registrar whole or not at all. News on the way
//! is left out when the caller does not keep up; only the report waits for them, after everything is done. A caller
//! who goes away before the registrar was asked has entered nothing.
//!
//! The first message says how long the file is, because a caller who gives up may well end the stream properly.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use access::{Permission, Record};
use registry::{Command, Import, ImportKind, MAX_FILE_BYTES, Rejection, RowOf};
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt as _};
use wire::{
    FieldFault, FromWire as _,
    v1::{self, import_records_response::Step},
};

use super::{
    App, bad_field, missing,
    registry::{on_a_thread, refused},
    stopping,
};
use crate::{engine::Stopped, gate, registrar::Refused};

/// Longest piece of a file in one message, in bytes.
const MAX_CHUNK_BYTES: usize = 1024 * 1024;
/// Imports at once. Each may hold [`MAX_FILE_BYTES`] twice and the rows read from it; memory for alerts must remain.
const IMPORTS_AT_ONCE: usize = 2;
/// How long a caller may send nothing before the next one gets their place.
const SILENCE: Duration = Duration::from_secs(60);
/// Time between two messages of progress: as often as an eye follows.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// Messages waiting for one caller's socket.
const STREAM_BUFFER: usize = 16;

/// The places of [`IMPORTS_AT_ONCE`].
static PLACES: Semaphore = Semaphore::const_new(IMPORTS_AT_ONCE);

/// What the caller sees: progress, then one report or a refusal.
pub(crate) type Steps = ReceiverStream<Result<v1::ImportRecordsResponse, Status>>;

/// Sends what happens to the caller.
type Caller = mpsc::Sender<Result<v1::ImportRecordsResponse, Status>>;

/// Starts an import; it ends when the caller goes away or the server stops.
pub(crate) fn start(app: App, who: gate::Caller, pieces: Streaming<v1::ImportRecordsRequest>) -> Steps {
    let (caller, steps) = mpsc::channel(STREAM_BUFFER);
    tokio::spawn(async move {
        let imported = tokio::select! {
            () = caller.closed() => return,
            () = app.stop.cancelled() => Err(stopping(Stopped)),
            imported = import(&app, who, pieces, &caller) => imported,
        };
        let last = imported.map(|report| v1::ImportRecordsResponse { step: Some(Step::Report(report)) });
        // An error means that the caller has gone; what was entered stays entered.
        let _ = caller.send(last).await;
    });
    ReceiverStream::new(steps)
}

/// A file as it came.
struct File {
    kind: ImportKind,
    dry_run: bool,
    bytes: Vec<u8>,
    /// Kept while the file or its rows are in memory.
    place: SemaphorePermit<'static>,
}

/// A file whose rows were read.
struct Read {
    import: Import,
    rows: u64,
    place: SemaphorePermit<'static>,
}

async fn import(
    app: &App,
    who: gate::Caller,
    pieces: Streaming<v1::ImportRecordsRequest>,
    caller: &Caller,
) -> Result<v1::ImportReport, Status> {
    let place = PLACES.try_acquire().map_err(|_| crowded())?;
    let file = gather(pieces, place).await?;
    let dry_run = file.dry_run;
    let news = caller.clone();
    let records = Arc::clone(app);
    let checked = move || {
        let mut read = read(file, &news);
        refuse_others(&records, &who, &mut read.import);
        read
    };
    let Read { import, rows, place } = on_a_thread(checked).await?;
    let command = Command::Import(import);
    let decided = if dry_run {
        app.registrar.rehearse(command).await
    } else {
        app.registrar.ask(command).await.map(drop)
    };
    drop(place);
    match decided {
        Ok(()) if dry_run => Ok(v1::ImportReport { rows_read: rows, ..Default::default() }),
        Ok(()) => Ok(v1::ImportReport { rows_read: rows, rows_entered: rows, ..Default::default() }),
        Err(Refused::Rejected(rejection)) => Ok(report(rows, &rejection)),
        Err(why) => Err(refused(why)),
    }
}

/// Takes in the pieces of a file until its end.
async fn gather(
    mut pieces: Streaming<v1::ImportRecordsRequest>,
    place: SemaphorePermit<'static>,
) -> Result<File, Status> {
    let first = next(&mut pieces).await?.ok_or_else(|| missing("kind"))?;
    let kind = ImportKind::read("kind", first.kind).map_err(bad_field)?;
    let mut file = File { kind, dry_run: first.dry_run, bytes: Vec::new(), place };
    let length = first.file_bytes;
    let mut piece = Some(first);
    while let Some(v1::ImportRecordsRequest { chunk, .. }) = piece {
        if chunk.len() > MAX_CHUNK_BYTES {
            let reason = format!("has {} bytes: send {MAX_CHUNK_BYTES} at most in one message", chunk.len());
            return Err(bad_field(FieldFault::new("chunk", reason)));
        }
        if (file.bytes.len() + chunk.len()) as u64 > MAX_FILE_BYTES {
            let reason = format!("has more than {MAX_FILE_BYTES} bytes: nothing was entered; split the file");
            return Err(bad_field(FieldFault::new("file", reason)));
        }
        file.bytes.extend_from_slice(&chunk);
        piece = next(&mut pieces).await?;
    }
    if file.bytes.len() as u64 != length {
        let came = file.bytes.len();
        let reason =
            format!("says {length}, and {came} bytes came: nothing was entered; send the whole file");
        return Err(bad_field(FieldFault::new("file_bytes", reason)));
    }
    Ok(file)
}

/// The next piece, or `None` at the end of the file. A caller whose connection breaks does not end a file.
async fn next(
    pieces: &mut Streaming<v1::ImportRecordsRequest>,
) -> Result<Option<v1::ImportRecordsRequest>, Status> {
    tokio::time::timeout(SILENCE, pieces.message()).await.unwrap_or_else(|_| {
        let told =
            format!("no piece of the file came for {} s: nothing was entered; try again", SILENCE.as_secs());
        Err(Status::deadline_exceeded(told))
    })
}

/// Reads the rows, and tells how far it is.
fn read(file: File, caller: &Caller) -> Read {
    let File { kind, bytes, place, dry_run: _ } = file;
    let mut rows = 0;
    let mut told = Instant::now();
    let mut tell = |bytes_read, rows_read| {
        rows = rows_read;
        if told.elapsed() >= PROGRESS_EVERY {
            told = Instant::now();
            let progress = Step::Progress(v1::ImportProgress { bytes_read, rows_read });
            // News that the caller has no room for is stale before they have.
            let _ = caller.try_send(Ok(v1::ImportRecordsResponse { step: Some(progress) }));
        }
    };
    let import = registry::read_csv(kind, bytes.as_slice(), &mut tell);
    Read { import, rows, place }
}

/// Refuses the rows that are not the caller's to enter.
fn refuse_others(app: &App, who: &gate::Caller, import: &mut Import) {
    let permission = match import.kind() {
        ImportKind::OrgUnits => Permission::OrgUnitsWrite,
        ImportKind::Providers => Permission::ProvidersWrite,
        ImportKind::Responders => Permission::RespondersWrite,
        ImportKind::Elders => Permission::EldersWrite,
        ImportKind::Devices => Permission::DevicesWrite,
    };
    let may = |record: Record| who.may(permission, &record) && who.may(Permission::RecordsImport, &record);
    if may(Record::OF_ALL) {
        return;
    }
    let records = app.registrar.records();
    import.refuse_others(|of| match of {
        RowOf::OrgUnit(unit) => may(Record::of(unit)),
        // That nobody is called so is told where the row is entered.
        RowOf::Elder(id) => {
            records.elder_by_external_id(id).is_none_or(|elder| may(Record::of(elder.org_unit)))
        }
    });
}

/// What is wrong with a file of `rows` rows. A fault of the file as a whole stands on line 0.
fn report(rows: u64, rejection: &Rejection) -> v1::ImportReport {
    let lines: BTreeSet<_> = rejection.violations.iter().filter_map(|violation| violation.line).collect();
    // Which rows the faults beyond the list are in is not known: at most one each.
    let unlisted = rejection.total.saturating_sub(rejection.violations.len()) as u64;
    let refused = rejection.violations.iter().map(|violation| v1::RefusedRow {
        line: violation.line.unwrap_or(0),
        field: violation.field.clone(),
        reason: violation.reason.clone(),
    });
    v1::ImportReport {
        rows_read: rows,
        rows_entered: 0,
        rows_refused: (lines.len() as u64 + unlisted).min(rows),
        refused: refused.collect(),
    }
}

/// Too many import at the same time.
fn crowded() -> Status {
    let message = format!("{IMPORTS_AT_ONCE} imports are running: try again when one has ended");
    let details = ErrorDetails::with_quota_failure_violation("imports", message.clone());
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

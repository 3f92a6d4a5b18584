//! Import: how does a whole file become records, or a list of what to mend?
//!
//! [`read_csv`] turns bytes into an [`Import`], which carries its own faults; given to [`decide`](crate::decide) as
//! [`Command::Import`](crate::Command::Import) it is applied whole or refused whole, with every refused line named.
//! A new kind of file is one file in `import/` and one arm in each `match` here.

mod cells;
mod devices;
mod elders;
mod mark;
mod org_units;
mod providers;
mod responders;
mod rows;
mod table;

use std::{fmt, io::Read, str::FromStr};

use model::{OrgUnitCode, UnknownWord};

use crate::{
    NewElder, NewOrgUnit, NewProvider, Private, RejectionKind, Violation, draft::Draft, elder, org_unit,
    provider, rejection::Faults,
};
use cells::Cells;
use devices::DeviceRow;
use responders::ResponderRow;
use table::{Column, Table};

pub use mark::{marked, unmarked};
pub use rows::CsvRows;
pub use table::ERROR_HEADING;

/// Most rows of one file: the elders of a large county. Split a larger file.
pub const MAX_ROWS: u64 = 500_000;

/// Most bytes of one file, which is read into memory: [`MAX_ROWS`] rows of half a kilobyte.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Rows from one call of `progress` to the next: a few milliseconds.
const PROGRESS_EVERY_ROWS: u64 = 1_000;

/// What the rows of a file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ImportKind {
    /// Counties, towns and villages.
    OrgUnits,
    /// Organisations.
    Providers,
    /// People who can be sent.
    Responders,
    /// People cared for.
    Elders,
    /// Devices, and whose they are from now on.
    Devices,
}

/// A file that was read: its rows, and what is wrong with them so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    kind: ImportKind,
    /// With the line each begins on.
    rows: Vec<(u64, Row)>,
    headings: Vec<Heading>,
    faults: Faults,
}

/// One row of a file, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
enum Row {
    OrgUnit(NewOrgUnit),
    Provider(NewProvider),
    Responder(ResponderRow),
    Elder(NewElder),
    Device(DeviceRow),
}

/// To whom a row of a file belongs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RowOf<'a> {
    /// To this org unit.
    OrgUnit(OrgUnitCode),
    /// To the elder with this number elsewhere.
    Elder(&'a str),
}

impl Row {
    /// The field that says to whom the row belongs, and what it says; `None` for a device in stock.
    fn of(&self) -> Option<(&'static str, RowOf<'_>)> {
        Some(match self {
            Self::OrgUnit(wish) => ("code", RowOf::OrgUnit(wish.code)),
            Self::Provider(wish) => ("org_unit", RowOf::OrgUnit(wish.org_unit)),
            Self::Responder(row) => ("org_unit", RowOf::OrgUnit(row.org_unit())),
            Self::Elder(wish) => ("org_unit", RowOf::OrgUnit(wish.org_unit)),
            Self::Device(row) => match (row.elder(), row.org_unit()) {
                (Some(elder), _) => ("elder", RowOf::Elder(elder)),
                (None, unit) => ("org_unit", RowOf::OrgUnit(unit?)),
            },
        })
    }
}

/// What a column is called for whoever has the file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Heading {
    field: &'static str,
    spelling: &'static str,
}

/// Reads a file of comma-separated values in UTF-8.
///
/// The first line holds the headings, English or Chinese, in any order; `samples/README.md` lists them. Empty rows
/// are skipped. `progress` is called now and then, and at the end, with the bytes and rows read so far.
/// Never fails: whatever is wrong is in the [`Import`], and [`decide`](crate::decide) refuses it.
pub fn read_csv(kind: ImportKind, bytes: impl Read, progress: &mut dyn FnMut(u64, u64)) -> Import {
    let mut import = Import { kind, rows: Vec::new(), headings: Vec::new(), faults: Faults::default() };
    let mut file = Vec::new();
    if let Err(error) = bytes.take(MAX_FILE_BYTES + 1).read_to_end(&mut file) {
        import.refuse(None, format!("cannot be read ({error}): try again, or copy the file first"));
        return import;
    }
    if file.len() as u64 > MAX_FILE_BYTES {
        import.refuse(None, format!("has more than {MAX_FILE_BYTES} bytes: split it"));
        return import;
    }
    match Table::open(&file, kind.columns()) {
        Ok(table) => import.read_rows(table, progress),
        Err(violation) => import.faults.push(RejectionKind::Invalid, violation),
    }
    import
}

/// Makes the records of the file in the draft. The faults of the rows join those of the reading.
pub(crate) fn apply(draft: &mut Draft<'_>, import: Import) {
    for (line, row) in import.rows {
        draft.line = Some(line);
        match row {
            Row::OrgUnit(wish) => org_unit::create(draft, wish),
            Row::Provider(wish) => provider::create(draft, wish),
            Row::Responder(row) => responders::create(draft, row),
            Row::Elder(wish) => elder::create(draft, wish),
            Row::Device(row) => devices::create(draft, row),
        }
    }
    for violation in draft.faults.iter_mut() {
        let field = violation.field.split_once('.').map_or("", |(_record, field)| field);
        violation.field = heading_of(&import.headings, field);
    }
    draft.faults.merge(import.faults);
}

impl ImportKind {
    /// Every kind, in an order in which no file refers to a later one.
    pub const ALL: [Self; 5] =
        [Self::OrgUnits, Self::Providers, Self::Responders, Self::Elders, Self::Devices];

    /// The word for this kind on the command line and on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OrgUnits => "org_units",
            Self::Providers => "providers",
            Self::Responders => "responders",
            Self::Elders => "elders",
            Self::Devices => "devices",
        }
    }

    /// A small file of this kind with invented people, to copy and fill in.
    #[must_use]
    pub fn sample(self) -> &'static str {
        match self {
            Self::OrgUnits => include_str!("../samples/org_units.csv"),
            Self::Providers => include_str!("../samples/providers.csv"),
            Self::Responders => include_str!("../samples/responders.csv"),
            Self::Elders => include_str!("../samples/elders.csv"),
            Self::Devices => include_str!("../samples/devices.csv"),
        }
    }

    /// The headings of a file of this kind, each in English and in Chinese.
    pub fn headings(self) -> impl Iterator<Item = [&'static str; 2]> {
        self.columns().iter().map(|column| [column.headings[0], column.headings[1]])
    }

    fn columns(self) -> &'static [Column] {
        match self {
            Self::OrgUnits => org_units::COLUMNS,
            Self::Providers => providers::COLUMNS,
            Self::Responders => responders::COLUMNS,
            Self::Elders => elders::COLUMNS,
            Self::Devices => devices::COLUMNS,
        }
    }

    /// The row these cells spell, or `None` when a fault among them leaves nothing to go on with.
    fn read_row(self, cells: &mut Cells<'_>) -> Option<Row> {
        match self {
            Self::OrgUnits => org_units::read(cells).map(Row::OrgUnit),
            Self::Providers => providers::read(cells).map(Row::Provider),
            Self::Responders => responders::read(cells).map(Row::Responder),
            Self::Elders => elders::read(cells).map(Row::Elder),
            Self::Devices => devices::read(cells).map(Row::Device),
        }
    }
}

impl fmt::Display for ImportKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ImportKind {
    type Err = UnknownWord;
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| UnknownWord {
            what: "import kind",
            word: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

impl Import {
    /// What the rows are.
    #[must_use]
    pub fn kind(&self) -> ImportKind {
        self.kind
    }

    /// How many rows could be read, empty ones not counted.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Refuses each row that `may` says is not for whoever sends it: by the org unit it is of, or the number elsewhere of the
    /// elder whose device it is.
    pub fn refuse_others(&mut self, may: impl Fn(RowOf<'_>) -> bool) {
        let foreign = self.rows.iter().filter_map(|(line, row)| {
            let (field, of) = row.of()?;
            (!may(of)).then_some((*line, field))
        });
        for (line, field) in foreign.collect::<Vec<_>>() {
            let field = heading_of(&self.headings, field);
            let reason = "is not yours to enter: leave the row out, or ask somebody who may".to_owned();
            self.faults
                .push(RejectionKind::Invalid, Violation { line: Some(line), field, value: None, reason });
        }
    }

    /// What reading found wrong, by line; [`decide`](crate::decide) finds the rest.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        self.faults.as_slice()
    }

    fn read_rows(&mut self, mut table: Table<'_>, progress: &mut dyn FnMut(u64, u64)) {
        self.headings = table.headings();
        let mut count = 0;
        while let Some(line) = table.next_row() {
            count += 1;
            if count > MAX_ROWS {
                self.refuse(Some(line), format!("has more than {MAX_ROWS} rows: split it"));
                break;
            }
            if let Some(mut cells) = table.cells(line, &self.headings, &mut self.faults)
                && let Some(row) = self.kind.read_row(&mut cells)
            {
                self.rows.push((line, row));
            }
            if count % PROGRESS_EVERY_ROWS == 0 {
                progress(table.bytes_read(), count);
            }
        }
        if count == 0 {
            self.refuse(None, "holds no row below its headings: nothing to import".to_owned());
        }
        progress(table.bytes_read(), count.min(MAX_ROWS));
    }

    fn refuse(&mut self, line: Option<u64>, reason: String) {
        self.faults.push(RejectionKind::Invalid, file_violation(line, reason));
    }
}

/// A violation of the file as a whole.
fn file_violation(line: Option<u64>, reason: String) -> Violation {
    Violation { line, field: "file".to_owned(), value: None, reason }
}

/// The heading to name for `field`: `contacts[0].phone` has a column of its own, `categories[1].since` one for all of
/// them, and `categories[1]` is in the column of the whole.
fn heading_of(headings: &[Heading], field: &str) -> String {
    let whole = field.split('[').next().unwrap_or(field);
    let of_all = match field.rsplit_once(']') {
        Some((_, part)) => format!("{whole}{part}"),
        None => whole.to_owned(),
    };
    let find = |field: &str| headings.iter().find(|heading| heading.field == field);
    match find(field).or_else(|| find(&of_all)).or_else(|| find(whole)) {
        Some(heading) => heading.spelling.to_owned(),
        None => field.to_owned(),
    }
}

/// Longest piece of a cell repeated in a violation, in characters.
const SHOWN_CHARS: usize = 80;

/// What a violation shows of a cell.
fn shown(text: &str) -> Option<Private<String>> {
    (!text.is_empty()).then(|| text.chars().take(SHOWN_CHARS).collect::<String>().into())
}

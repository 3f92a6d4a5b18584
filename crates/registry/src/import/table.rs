//! Table: which cell of a file belongs to which field, and on which line does it stand?

use csv::StringRecord;

use super::{Heading, cells::Cells, file_violation, rows::CsvRows, shown};
use crate::{RejectionKind, Violation, rejection::Faults};

/// A column a kind of file may have.
pub(crate) struct Column {
    /// The field of the record it fills.
    pub(crate) field: &'static str,
    /// The headings it goes by: English first, then Chinese.
    pub(crate) headings: &'static [&'static str],
    /// Whether a file without it is refused.
    pub(crate) required: bool,
}

impl Column {
    pub(crate) const fn required(field: &'static str, headings: &'static [&'static str]) -> Self {
        Self { field, headings, required: true }
    }

    pub(crate) const fn optional(field: &'static str, headings: &'static [&'static str]) -> Self {
        Self { field, headings, required: false }
    }
}

/// A file whose headings are understood.
pub(crate) struct Table<'a> {
    rows: CsvRows<'a>,
    known: &'static [Column],
    /// The field of each column of the file, in its order.
    columns: Vec<Heading>,
}

impl<'a> Table<'a> {
    /// Reads the headings of `file`.
    pub(crate) fn open(file: &'a [u8], known: &'static [Column]) -> Result<Self, Violation> {
        let rows = CsvRows::new(file);
        if let Some(line) = rows.not_utf8() {
            return Err(file_violation(Some(line), NOT_UTF8.to_owned()));
        }
        let mut table = Self { rows, known, columns: Vec::new() };
        let line = table.next_row().ok_or_else(|| {
            file_violation(None, format!("is empty: begin with the headings {}", list(known.iter())))
        })?;
        table.columns = understand(table.rows.record(), known).map_err(|(unknown, reason)| Violation {
            line: Some(line),
            field: "headings".to_owned(),
            value: unknown.and_then(|names| shown(&names)),
            reason,
        })?;
        Ok(table)
    }

    /// Goes to the next row that is not empty and returns the line it begins on.
    pub(crate) fn next_row(&mut self) -> Option<u64> {
        self.rows.next_row()
    }

    /// The cells of the row, unless there are more or fewer than headings.
    pub(crate) fn cells<'b>(
        &'b self,
        line: u64,
        spellings: &'b [Heading],
        faults: &'b mut Faults,
    ) -> Option<Cells<'b>> {
        let (cells, headings) = (self.rows.record().len(), self.columns.len());
        let uneven = (cells != headings).then(|| {
            format!(
                "has {cells} cells under {headings} headings: look for a missing comma or an unclosed quote"
            )
        });
        match self.rows.broken().map(str::to_owned).or(uneven) {
            Some(reason) => {
                let violation = Violation { line: Some(line), field: "row".to_owned(), value: None, reason };
                faults.push(RejectionKind::Invalid, violation);
                None
            }
            None => {
                Some(Cells { line, columns: &self.columns, record: self.rows.record(), spellings, faults })
            }
        }
    }

    /// How to name each field to whoever has the file: as the file spells it, or in English when the file has no
    /// such column.
    pub(crate) fn headings(&self) -> Vec<Heading> {
        let in_file =
            |column: &Column| self.columns.iter().find(|heading| heading.field == column.field).copied();
        let in_english = |column: &Column| Heading { field: column.field, spelling: column.headings[0] };
        self.known.iter().map(|column| in_file(column).unwrap_or_else(|| in_english(column))).collect()
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.rows.bytes_read()
    }
}

/// The heading of a column that says what was wrong with a row. It is read by people only.
pub const ERROR_HEADING: &str = "错误 error";

const NOT_UTF8: &str = "is not in UTF-8 from this line on, most likely GB18030: save it again as \
                        \"CSV UTF-8 (comma delimited)\", in Chinese \"CSV UTF-8(逗号分隔)\"";

/// Finds the column of each heading, or says which are wrong and what they should be.
fn understand(
    record: &StringRecord,
    known: &'static [Column],
) -> Result<Vec<Heading>, (Option<String>, String)> {
    let (mut columns, mut unknown, mut twice) = (Vec::<Heading>::new(), Vec::new(), Vec::new());
    for heading in record {
        if heading == ERROR_HEADING {
            columns.push(Heading { field: "", spelling: ERROR_HEADING });
            continue;
        }
        match known.iter().find_map(|column| column.spelt(heading)) {
            Some(column) if columns.iter().any(|other| other.field == column.field) => {
                twice.push(column.spelling);
            }
            Some(column) => columns.push(column),
            None if heading.is_empty() => unknown.push("(empty)"),
            None => unknown.push(heading),
        }
    }
    let is_missing =
        |column: &&Column| column.required && columns.iter().all(|found| found.field != column.field);
    let missing: Vec<&Column> = known.iter().filter(is_missing).collect();
    let mut faults = Vec::new();
    if !missing.is_empty() {
        faults.push(format!("missing: {}", list(missing.into_iter())));
    }
    if !twice.is_empty() {
        faults.push(format!("given twice: {}", twice.join(", ")));
    }
    if !unknown.is_empty() {
        // The names themselves are in the value: in a file without headings they are somebody's data.
        faults.push(format!("unknown: {} of {}", unknown.len(), record.len()));
    }
    if faults.is_empty() {
        return Ok(columns);
    }
    let reason = format!("{}; use these, in any order: {}", faults.join("; "), list(known.iter()));
    Err(((!unknown.is_empty()).then(|| unknown.join(", ")), reason))
}

impl Column {
    fn spelt(&self, heading: &str) -> Option<Heading> {
        let spelling = self.headings.iter().find(|spelling| spelling.eq_ignore_ascii_case(heading))?;
        Some(Heading { field: self.field, spelling })
    }
}

/// `name (姓名), phone (电话)`.
fn list<'c>(columns: impl Iterator<Item = &'c Column>) -> String {
    let both = |column: &Column| match column.headings {
        [english, chinese, ..] => format!("{english} ({chinese})"),
        only => only.join(""),
    };
    columns.map(both).collect::<Vec<_>>().join(", ")
}

//! Table: which cell of a file belongs to which field, and on which line does it stand?

use csv::{ReaderBuilder, StringRecord, Trim};

use super::{Heading, cells::Cells, file_violation, shown};
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
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    record: StringRecord,
    lines: Lines,
    known: &'static [Column],
    /// The field of each column of the file, in its order.
    columns: Vec<Heading>,
    /// Set after a row that could not be read, which ends the file.
    broken: Option<String>,
}

impl<'a> Table<'a> {
    /// Reads the headings of `file`.
    pub(crate) fn open(file: &'a [u8], known: &'static [Column]) -> Result<Self, Violation> {
        let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        if let Err(error) = std::str::from_utf8(text) {
            let line = Lines::default().at(text, error.valid_up_to());
            return Err(file_violation(Some(line), NOT_UTF8.to_owned()));
        }
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text);
        let (record, lines, columns) = (StringRecord::new(), Lines::default(), Vec::new());
        let mut table = Self { text, reader, record, lines, known, columns, broken: None };
        let line = table.next_row().ok_or_else(|| {
            file_violation(None, format!("is empty: begin with the headings {}", list(known.iter())))
        })?;
        table.columns = understand(&table.record, known).map_err(|(unknown, reason)| Violation {
            line: Some(line),
            field: "headings".to_owned(),
            value: unknown.and_then(|names| shown(&names)),
            reason,
        })?;
        Ok(table)
    }

    /// Goes to the next row that is not empty and returns the line it begins on.
    pub(crate) fn next_row(&mut self) -> Option<u64> {
        loop {
            if self.broken.is_some() {
                return None;
            }
            let start = self.reader.position().byte() as usize;
            match self.reader.read_record(&mut self.record) {
                Ok(false) => return None,
                Ok(true) if self.record.iter().all(str::is_empty) => {}
                Ok(true) => return Some(self.lines.at(self.text, self.first_byte(start))),
                Err(error) => {
                    self.broken = Some(format!("cannot be read from here on: {error}"));
                    return Some(self.lines.at(self.text, self.first_byte(start)));
                }
            }
        }
    }

    /// The cells of the row, unless there are more or fewer than headings.
    pub(crate) fn cells<'b>(
        &'b self,
        line: u64,
        spellings: &'b [Heading],
        faults: &'b mut Faults,
    ) -> Option<Cells<'b>> {
        let (cells, headings) = (self.record.len(), self.columns.len());
        let uneven = (cells != headings).then(|| {
            format!(
                "has {cells} cells under {headings} headings: look for a missing comma or an unclosed quote"
            )
        });
        match self.broken.clone().or(uneven) {
            Some(reason) => {
                let violation = Violation { line: Some(line), field: "row".to_owned(), value: None, reason };
                faults.push(RejectionKind::Invalid, violation);
                None
            }
            None => Some(Cells { line, columns: &self.columns, record: &self.record, spellings, faults }),
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
        self.reader.position().byte()
    }

    /// The first byte of the row that was read from `start` on: the reader skips empty lines before it.
    fn first_byte(&self, start: usize) -> usize {
        let line_breaks = self.text[start..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        start + line_breaks.count()
    }
}

const NOT_UTF8: &str = "is not in UTF-8 from this line on, most likely GB18030: save it again as \
                        \"CSV UTF-8 (comma delimited)\", in Chinese \"CSV UTF-8(逗号分隔)\"";

/// Finds the column of each heading, or says which are wrong and what they should be.
fn understand(
    record: &StringRecord,
    known: &'static [Column],
) -> Result<Vec<Heading>, (Option<String>, String)> {
    let (mut columns, mut unknown, mut twice) = (Vec::<Heading>::new(), Vec::new(), Vec::new());
    for heading in record {
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

/// Counts lines as an editor does: CR LF, LF and a lone CR each end one. Goes forward only, so that a whole file is
/// counted once.
struct Lines {
    offset: usize,
    line: u64,
}

impl Default for Lines {
    fn default() -> Self {
        Self { offset: 0, line: 1 }
    }
}

impl Lines {
    /// The line of the byte at `offset`.
    fn at(&mut self, text: &[u8], offset: usize) -> u64 {
        for index in self.offset..offset {
            let after_cr = index > 0 && text[index - 1] == b'\r';
            match text[index] {
                b'\r' => self.line += 1,
                b'\n' if !after_cr => self.line += 1,
                _ => {}
            }
        }
        self.offset = self.offset.max(offset);
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_an_editor_shows_them() {
        let text = b"1\r\n2\n3\r4\n\n6";
        let line_of = |digit: u8| {
            let offset = text.iter().position(|byte| *byte == digit).expect("in the text");
            Lines::default().at(text, offset)
        };
        for line in [1, 2, 3, 4, 6] {
            assert_eq!(line_of(b'0' + line), u64::from(line));
        }
    }
}

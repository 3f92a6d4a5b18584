//! Rows: what stands in each row of a file of comma-separated values, and on which line does it begin?

use csv::{ReaderBuilder, StringRecord, Trim};

/// The rows of a file of comma-separated values in UTF-8, empty ones skipped.
pub struct CsvRows<'a> {
    text: &'a [u8],
    reader: csv::Reader<&'a [u8]>,
    record: StringRecord,
    lines: Lines,
    /// Set after a row that could not be read, which ends the file.
    broken: Option<String>,
}

impl<'a> CsvRows<'a> {
    /// The rows of `file`, with or without a byte order mark.
    #[must_use]
    pub fn new(file: &'a [u8]) -> Self {
        let text = file.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(file);
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(text);
        Self { text, reader, record: StringRecord::new(), lines: Lines::default(), broken: None }
    }

    /// Goes to the next row and returns the line it begins on; none comes after one that could not be read.
    pub fn next_row(&mut self) -> Option<u64> {
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

    /// The cells of the row, without blanks around them.
    pub fn cells(&self) -> impl Iterator<Item = &str> {
        self.record.iter()
    }

    /// The line with the first byte that is not UTF-8.
    pub(crate) fn not_utf8(&self) -> Option<u64> {
        let error = std::str::from_utf8(self.text).err()?;
        Some(Lines::default().at(self.text, error.valid_up_to()))
    }

    pub(crate) fn record(&self) -> &StringRecord {
        &self.record
    }

    /// Why the row could not be read.
    pub(crate) fn broken(&self) -> Option<&str> {
        self.broken.as_deref()
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

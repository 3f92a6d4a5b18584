//! Read: which rows does a sheet hold, and where in Excel does each of them stand?

use std::{
    io::Cursor,
    panic::{self, AssertUnwindSafe},
};

use anyhow::Context as _;
use bytes::Bytes;
use calamine::{Reader as _, Xlsx};
use indicatif::{HumanBytes, HumanCount};
use registry::{MAX_FILE_BYTES, MAX_ROWS, marked};
use wire::v1;

use super::{cells, size};

/// Columns of a sheet: several times as many as any kind of file has.
const MAX_COLUMNS: usize = 256;
/// Longest text of a cell in bytes: Excel keeps 32,767 characters.
const MAX_CELL_BYTES: usize = 4 * 32_767;
/// What to do with a workbook that cannot be understood.
pub(super) const BROKEN: &str =
    "is not a workbook that can be read: open it in Excel and save it as \"Excel workbook (.xlsx)\"";

/// A sheet as the server takes it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Sheet {
    /// Its rows as CSV, empty ones left out.
    pub(crate) csv: Bytes,
    /// Cells that cannot be sent, by their row in Excel.
    pub(crate) faults: Vec<v1::RefusedRow>,
    /// The line each row begins on in `csv`, and its row in Excel.
    rows: Vec<(u64, u64)>,
}

impl Sheet {
    /// A file that is CSV already.
    pub(crate) fn of_csv(csv: Vec<u8>) -> Self {
        Self { csv: csv.into(), ..Self::default() }
    }

    /// The row in Excel of what begins on `line` of the CSV; 0 for the file as a whole.
    pub(crate) fn row_of(&self, line: u64) -> u64 {
        self.rows.binary_search_by_key(&line, |(line, _)| *line).map_or(line, |index| self.rows[index].1)
    }
}

/// Reads the sheet of this name, or the first one.
///
/// # Errors
/// Says what is wrong with the workbook as a whole, and what to do.
pub(crate) fn read(file: &[u8], name: Option<&str>) -> anyhow::Result<Sheet> {
    // The library indexes and expects a little here and there; a workbook made to break it ends here as well.
    let told = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let sheet = panic::catch_unwind(AssertUnwindSafe(|| sheet(file, name)));
    panic::set_hook(told);
    sheet.unwrap_or_else(|_| Err(anyhow::anyhow!(BROKEN)))
}

fn sheet(file: &[u8], name: Option<&str>) -> anyhow::Result<Sheet> {
    size::check(file)?;
    let mut workbook = Xlsx::new(Cursor::new(file)).context(BROKEN)?;
    let names = workbook.sheet_names();
    let name = match name {
        Some(name) => names
            .iter()
            .find(|known| *known == name)
            .with_context(|| format!("has no sheet {name:?}: pass one of {} as --sheet", names.join(", ")))?,
        None => names.first().context("has no sheet: save a sheet with the rows in it")?,
    };
    let mut cells = workbook.worksheet_cells_reader(name).context(BROKEN)?;
    let mut rows = Rows::default();
    while let Some(cell) = cells.next_cell().context(BROKEN)? {
        let (row, column) = cell.get_position();
        if !rows.goes_on_in(u64::from(row) + 1)? {
            break;
        }
        rows.take(column as usize, cells::text(cell.get_value()))?;
    }
    rows.end()
}

/// The rows so far.
struct Rows {
    sheet: Sheet,
    csv: csv::Writer<Vec<u8>>,
    headings: Vec<String>,
    /// The row that is being read, from 1.
    row: u64,
    cells: Vec<String>,
    bytes: u64,
    line: u64,
}

impl Default for Rows {
    fn default() -> Self {
        let csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
        let (sheet, headings, cells) = (Sheet::default(), Vec::new(), Vec::new());
        Self { sheet, csv, headings, row: 0, cells, bytes: 0, line: 1 }
    }
}

impl Rows {
    /// Goes on in `row`. No more is wanted when there are more rows than a server takes, which it says itself.
    fn goes_on_in(&mut self, row: u64) -> anyhow::Result<bool> {
        anyhow::ensure!(row >= self.row, "has rows out of order: {BROKEN}");
        if row > self.row {
            self.end_row()?;
            self.row = row;
        }
        Ok(self.sheet.rows.len() as u64 <= MAX_ROWS + 1)
    }

    fn take(&mut self, column: usize, text: Result<String, &'static str>) -> anyhow::Result<()> {
        let text = text.unwrap_or_else(|reason| {
            self.refuse(column, reason);
            String::new()
        });
        if text.is_empty() {
            return Ok(());
        }
        let row = HumanCount(self.row);
        anyhow::ensure!(
            column < MAX_COLUMNS,
            "has more than {MAX_COLUMNS} columns in row {row}: remove them"
        );
        anyhow::ensure!(
            text.len() <= MAX_CELL_BYTES,
            "has a cell of more than {} in row {row}: shorten it",
            HumanBytes(MAX_CELL_BYTES as u64)
        );
        if self.cells.len() <= column {
            self.cells.resize(column + 1, String::new());
        }
        self.cells[column] = text;
        Ok(())
    }

    /// Writes the row that was read, unless it is empty. The first one holds the headings, and says how wide the others are.
    fn end_row(&mut self) -> anyhow::Result<()> {
        let mut cells = std::mem::take(&mut self.cells);
        let is_faulty = self.sheet.faults.last().is_some_and(|fault| fault.line == self.row);
        if cells.iter().all(|cell| cell.trim().is_empty()) && !is_faulty {
            return Ok(());
        }
        if self.headings.is_empty() {
            self.headings.clone_from(&cells);
            let last = cells.iter().rposition(|cell| !cell.trim().is_empty());
            self.headings.truncate(last.map_or(0, |last| last + 1));
        }
        let beyond = self.headings.len()..cells.len();
        for column in beyond.filter(|column| !cells[*column].trim().is_empty()) {
            self.refuse(column, "has no heading: write one above it, or empty the cell");
        }
        cells.resize(self.headings.len(), String::new());
        self.bytes += cells.iter().map(|cell| cell.len() as u64 + 1).sum::<u64>();
        anyhow::ensure!(
            self.bytes <= MAX_FILE_BYTES,
            "holds more than {} of text: split it, each part with the headings",
            HumanBytes(MAX_FILE_BYTES)
        );
        self.sheet.rows.push((self.line, self.row));
        self.line += 1 + cells.iter().map(|cell| breaks(cell)).sum::<u64>();
        Ok(self.csv.write_record(cells.iter().map(|cell| marked(cell).into_owned()))?)
    }

    fn end(mut self) -> anyhow::Result<Sheet> {
        self.end_row()?;
        self.sheet.csv = self.csv.into_inner()?.into();
        Ok(self.sheet)
    }

    /// Notes a fault in the row being read, as long as there are no more than anybody mends at once.
    fn refuse(&mut self, column: usize, reason: &str) {
        if self.sheet.faults.len() < registry::MAX_VIOLATIONS {
            let heading = self.headings.get(column).filter(|heading| !heading.is_empty());
            let field = heading.cloned().unwrap_or_else(|| format!("column {}", letters(column)));
            let reason = reason.to_owned();
            self.sheet.faults.push(v1::RefusedRow { line: self.row, field, reason });
        }
    }
}

/// How many lines a text goes on for, as an editor counts.
fn breaks(text: &str) -> u64 {
    let text = text.as_bytes();
    let ends = |at: usize| text[at] == b'\n' || (text[at] == b'\r' && text.get(at + 1) != Some(&b'\n'));
    (0..text.len()).filter(|at| ends(*at)).count() as u64
}

/// What Excel calls a column: A to Z, then AA.
fn letters(mut column: usize) -> String {
    let mut name = String::new();
    loop {
        name.insert(0, char::from(b'A' + (column % 26) as u8));
        match (column / 26).checked_sub(1) {
            Some(rest) => column = rest,
            None => return name,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use rust_xlsxwriter::Workbook;
    use zip::{ZipArchive, ZipWriter, write::SimpleFileOptions};

    use super::*;

    /// A workbook with a few cells of each kind.
    fn workbook() -> Vec<u8> {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        for (column, heading) in ["code", "name", "phone"].iter().enumerate() {
            sheet.write(0, column as u16, *heading).expect("a heading");
        }
        sheet.write(1, 0, 990_181).expect("a number");
        sheet.write(1, 1, "示例市\n二").expect("a text");
        sheet.write(4, 0, 1e17).expect("a number");
        sheet.write(4, 4, "stray").expect("a text");
        sheet.write_formula(5, 1, "=1+1").expect("a formula");
        book.save_to_buffer().expect("a workbook")
    }

    /// The parts of an archive by name.
    fn parts(file: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut archive = ZipArchive::new(Cursor::new(file)).expect("an archive");
        let part = |index| {
            let mut part = archive.by_index(index).expect("a part");
            let (name, mut bytes) = (part.name().expect("a name").into_owned(), Vec::new());
            part.read_to_end(&mut bytes).expect("its bytes");
            (name, bytes)
        };
        (0..ZipArchive::new(Cursor::new(file)).expect("an archive").len()).map(part).collect()
    }

    fn archive(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in parts {
            archive.start_file(name.as_str(), SimpleFileOptions::default()).expect("a part");
            archive.write_all(bytes).expect("its bytes");
        }
        archive.finish().expect("an archive").into_inner()
    }

    /// What is told about the workbook with `edit` done to the part of this name.
    fn told(name: &str, edit: impl Fn(&mut Vec<u8>)) -> String {
        let mut parts = parts(&workbook());
        edit(&mut parts.iter_mut().find(|(part, _)| part == name).expect("the part").1);
        format!("{:#}", read(&archive(&parts), None).expect_err("it is refused"))
    }

    #[test]
    fn rows_keep_their_numbers_in_excel_and_faulty_cells_are_named() {
        let sheet = read(&workbook(), None).expect("a workbook");
        assert_eq!(
            std::str::from_utf8(&sheet.csv).expect("UTF-8"),
            "code,name,phone\n990181,\"示例市\n二\",\n,,\n,0,\n"
        );
        let rows: Vec<_> = [0, 1, 2, 4, 5].map(|line| sheet.row_of(line)).into();
        assert_eq!(rows, [0, 1, 2, 5, 6]);
        let faults: Vec<_> = sheet.faults.iter().map(|fault| (fault.line, fault.field.as_str())).collect();
        assert_eq!(faults, [(5, "code"), (5, "column E")]);
        assert!(read(&workbook(), Some("of 2026")).is_err_and(|told| told.to_string().contains("Sheet1")));
    }

    #[test]
    fn a_workbook_made_to_burst_is_refused_before_it_is_unpacked() {
        let counted = told("xl/sharedStrings.xml", |part| {
            let text = String::from_utf8(std::mem::take(part)).expect("UTF-8");
            *part = text.replace("uniqueCount=\"", "uniqueCount=\"99999999999").into_bytes();
        });
        assert!(counted.contains("more texts than it has room for"), "{counted}");
        let wide = told("xl/worksheets/sheet1.xml", |part| {
            let text = String::from_utf8(std::mem::take(part)).expect("UTF-8");
            *part = text.replace("r=\"E5\"", "r=\"XFD5\"").into_bytes();
        });
        assert!(wide.contains("has more than 256 columns in row 5"), "{wide}");
    }

    #[test]
    fn no_broken_workbook_ends_the_program() {
        let (whole, mut chance) = (workbook(), fastrand::Rng::with_seed(11));
        for round in 0..200 {
            let mut parts = parts(&whole);
            let index = chance.usize(..parts.len());
            let part = &mut parts[index].1;
            for _ in 0..chance.usize(1..6) {
                let at = chance.usize(..part.len());
                match chance.u8(..4) {
                    0 => part[at] = chance.u8(..),
                    1 => part.truncate(at.max(1)),
                    2 => part.insert(at, *chance.choice(b"<>\"/&=A9").expect("one")),
                    _ => drop(part.drain(at..(at + 9).min(part.len()))),
                }
                if part.is_empty() {
                    part.push(b'<');
                }
            }
            let file = archive(&parts);
            // It is read or refused; either is an answer.
            drop(read(&file, None));
            drop(read(&file[..chance.usize(..file.len())], None));
            let mut file = whole.clone();
            let at = chance.usize(..file.len());
            file[at] ^= 1 << (round % 8);
            drop(read(&file, None));
        }
    }
}

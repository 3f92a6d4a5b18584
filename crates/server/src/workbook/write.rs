//! Write: how do rows become a workbook or a CSV file that only its owner reads?

use std::path::Path;

use anyhow::Context as _;
use registry::marked;
use rust_xlsxwriter::{FilterCondition, FilterCriteria, Format, Workbook, Worksheet};
use tempfile::NamedTempFile;

/// Width of a column in characters.
const WIDTH: f64 = 16.0;
/// What a spreadsheet needs to see that a CSV file is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// A file of rows that gets its name when it is whole. It holds personal data: nobody else may read it.
pub(crate) struct Table {
    file: NamedTempFile,
    form: Form,
}

enum Form {
    Csv(csv::Writer<Vec<u8>>),
    Workbook { book: Box<Workbook>, text: Format, next: u32 },
}

/// Whether the name of a file ends in one of a form that can be written.
pub(crate) fn is_table(path: &Path) -> bool {
    ends_in(path, "csv") || ends_in(path, "xlsx")
}

fn ends_in(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(ending))
}

impl Table {
    /// A table with these headings that will be at `path`: a workbook when the name ends in `.xlsx`, else CSV.
    pub(crate) fn create<'c>(path: &Path, headings: impl Iterator<Item = &'c str>) -> anyhow::Result<Self> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let file = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).with_context(|| {
            format!("{} cannot be written: check the folder and who may write there", path.display())
        })?;
        let form = if ends_in(path, "xlsx") { workbook()? } else { Form::Csv(csv_writer()) };
        let mut table = Self { file, form };
        table.row(headings)?;
        Ok(table)
    }

    /// Writes a row, every cell as text.
    pub(crate) fn row<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> anyhow::Result<()> {
        match &mut self.form {
            Form::Csv(csv) => {
                for cell in cells {
                    csv.write_field(marked(cell).as_bytes())?;
                }
                csv.write_record(None::<&[u8]>)?;
            }
            Form::Workbook { book, text, next } => {
                let sheet = book.worksheet_from_index(0)?;
                for (column, cell) in cells.enumerate().filter(|(_, cell)| !cell.is_empty()) {
                    let column = u16::try_from(column).context("too many columns")?;
                    sheet.write_string_with_format(*next, column, cell, text).context(TOO_LONG)?;
                }
                *next += 1;
            }
        }
        Ok(())
    }

    /// Writes a row that a workbook does not show at first.
    pub(crate) fn hidden_row<'c>(&mut self, cells: impl Iterator<Item = &'c str>) -> anyhow::Result<()> {
        if let Form::Workbook { book, next, .. } = &mut self.form {
            book.worksheet_from_index(0)?.set_row_hidden(*next)?;
        }
        self.row(cells)
    }

    /// Lets a workbook show only the rows whose first cell is filled; the others are hidden rows.
    pub(crate) fn show_filled(&mut self, columns: usize) -> anyhow::Result<()> {
        if let Form::Workbook { book, next, .. } = &mut self.form {
            let last = u16::try_from(columns.saturating_sub(1)).context("too many columns")?;
            let sheet = book.worksheet_from_index(0)?;
            sheet.autofilter(0, 0, next.saturating_sub(1), last)?.filter_automatic_off();
            let filled = FilterCondition::new().add_custom_filter(FilterCriteria::NotEqualTo, " ");
            sheet.filter_column(0, &filled)?;
        }
        Ok(())
    }

    /// Puts the file in its place, whole and on the disk.
    pub(crate) fn end(self, path: &Path) -> anyhow::Result<()> {
        let Self { mut file, form } = self;
        let told = || format!("{} cannot be written: make room, or name another folder", path.display());
        match form {
            Form::Csv(csv) => {
                let text = csv.into_inner()?;
                std::io::Write::write_all(&mut file, &text).with_context(told)?;
            }
            Form::Workbook { mut book, .. } => book.save_to_writer(file.as_file()).with_context(told)?,
        }
        file.as_file().sync_all().with_context(told)?;
        file.persist(path).with_context(told)?;
        Ok(())
    }
}

const TOO_LONG: &str =
    "a cell has more than the 32,767 characters Excel takes: name a file that ends in .csv";

fn csv_writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().flexible(true).from_writer(BYTE_ORDER_MARK.to_vec())
}

/// A workbook whose rows go to a file of their own, with cells that stay text when they are typed anew.
fn workbook() -> anyhow::Result<Form> {
    let mut book = Workbook::new();
    let text = Format::new().set_num_format("@");
    let sheet: &mut Worksheet = book.add_worksheet_with_constant_memory()?;
    sheet.set_freeze_panes(1, 0)?;
    for column in 0..64 {
        sheet.set_column_format(column, &text)?.set_column_width(column, WIDTH)?;
    }
    Ok(Form::Workbook { book: Box::new(book), text, next: 0 })
}

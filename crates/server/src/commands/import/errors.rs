//! `anhu import --errors`: how does a clerk find and mend what was refused?
//!
//! The file holds every row, because a file is entered whole or not at all: what is mended in it can be imported as it
//! is. Its first column says what is wrong, and a workbook shows only the rows where something is.

use std::{collections::BTreeMap, path::Path};

use registry::{CsvRows, ERROR_HEADING, unmarked};
use wire::v1;

use crate::workbook::{Sheet, Table};

/// Writes the rows of `sheet` to `path` with what is wrong with each, and returns whether there was such a row.
pub(super) fn write(path: &Path, sheet: &Sheet, refused: &[v1::RefusedRow]) -> anyhow::Result<bool> {
    let mut faults = BTreeMap::<u64, Vec<String>>::new();
    for row in refused {
        faults.entry(row.line).or_default().push(format!("{}: {}", row.field, row.reason));
    }
    let mut rows = CsvRows::new(&sheet.csv);
    let Some(first) = rows.next_row() else { return Ok(false) };
    let is_about_rows = faults.keys().all(|line| *line > sheet.row_of(first));
    if !is_about_rows || std::str::from_utf8(&sheet.csv).is_err() {
        return Ok(false);
    }
    // The column is there already when the file is one of these.
    let old = rows.cells().position(|heading| heading == ERROR_HEADING);
    let kept = |rows: &CsvRows<'_>| -> Vec<String> {
        let cells = rows.cells().enumerate().filter(|(column, _)| Some(*column) != old);
        cells.map(|(_, cell)| unmarked(cell).to_owned()).collect()
    };
    let headings = kept(&rows);
    let mut table = Table::create(path, with(ERROR_HEADING, &headings))?;
    while let Some(line) = rows.next_row() {
        let cells = kept(&rows);
        match faults.get(&sheet.row_of(line)) {
            Some(faults) => table.row(with(&faults.join("\n"), &cells))?,
            None => table.hidden_row(with("", &cells))?,
        }
    }
    table.show_filled(headings.len() + 1)?;
    table.end(path)?;
    Ok(true)
}

/// The cells behind a first one.
fn with<'c>(first: &'c str, cells: &'c [String]) -> impl Iterator<Item = &'c str> {
    std::iter::once(first).chain(cells.iter().map(String::as_str))
}

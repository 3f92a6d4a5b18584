//! Stories of a clerk who lives in Excel: `anhu import` of workbooks.

#[path = "support/registry.rs"]
mod registry_of;
#[path = "support/server.rs"]
mod server;

use std::{fs, path::Path};

use calamine::Reader as _;
use registry::ImportKind;
use registry_of::{elders, folder};
use rust_xlsxwriter::{ExcelDateTime, Format, Workbook, Worksheet};
use server::{Said, Server};

/// Headings of a sheet of elders.
const ELDERS: [&str; 6] = ["编号", "姓名", "行政区划代码", "身份证号", "出生日期", "电话"];

#[test]
fn a_workbook_is_imported_with_its_dates_and_numbers() {
    let folder = folder();
    let server = with_org_units(folder.path());
    let mut book = Workbook::new();
    book.add_worksheet().set_name("说明").expect("a name").write(0, 0, "read the other one").expect("a text");
    let sheet = book.add_worksheet().set_name("老年人").expect("a name");
    headings(sheet, 0);
    let day = Format::new().set_num_format("yyyy/m/d");
    let birth = ExcelDateTime::from_ymd(1941, 3, 5).expect("a date");
    sheet.write(1, 0, "0042").expect("a text");
    sheet.write(1, 1, "样例奶奶").expect("a text");
    sheet.write(1, 2, 990_181_001_001_f64).expect("a number");
    sheet.write_with_format(1, 4, &birth, &day).expect("a date");
    sheet.write(1, 5, 13_800_000_101_f64).expect("a number");
    // An empty column to the right and an empty row below, formatted by a broad brush.
    sheet.write_blank(1, 9, &day).expect("a blank").write_blank(700, 0, &day).expect("a blank");
    let said = import(&server, folder.path(), &mut book, &["--sheet", "老年人"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("1 rows of"), "{}", said.out);

    server.kill();
    let elders = elders(&Server::open(folder.path()));
    let told: Vec<_> = elders
        .iter()
        .map(|elder| {
            let phone = elder.phone.as_str();
            (elder.external_id.as_str(), elder.org_unit.as_str(), elder.birth_date.as_str(), phone)
        })
        .collect();
    assert_eq!(told, [("0042", "990181001001", "1941-03-05", "13800000101")]);
}

#[test]
fn faults_stand_on_the_rows_of_excel_and_a_number_that_excel_rounded_is_refused() {
    let folder = folder();
    let server = with_org_units(folder.path());
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    headings(sheet, 2);
    for (row, cells) in [
        (4, ["E1", "甲\n乙", "990181001", "", "1941-03-05", ""]),
        (9, ["E2", "", "990181001", "", "1941-03-05", ""]),
        (12, ["E3", "丙", "990181001", "", "1943-13-01", ""]),
    ] {
        row_of(sheet, row, &cells);
    }
    sheet.write(9, 3, 330_106_194_103_050_021_f64).expect("a number");
    let said = import(&server, folder.path(), &mut book, &[]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    let lines: Vec<_> = said.err.lines().collect();
    assert!(lines[1].starts_with("   5  姓名      holds a line break"), "{}", lines[1]);
    assert_eq!(lines[2], "  10  姓名      is empty: fill it in");
    assert!(lines[3].starts_with("  10  身份证号  is a number of more than 15 digits"), "{}", lines[3]);
    assert!(lines[3].contains("format the column as text, then type it again"), "{}", lines[3]);
    assert_eq!(lines[4], "  13  出生日期  is not a date: write it like 1941-03-05");
    assert!(lines[5].contains("3 of 3 rows are refused, so nothing of"), "{}", lines[5]);
    assert!(elders(&server).is_empty());
}

#[test]
fn refused_rows_are_mended_in_the_file_that_says_what_is_wrong_and_imported_again() {
    let folder = folder();
    let server = with_org_units(folder.path());
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    headings(sheet, 0);
    row_of(sheet, 1, &["007", "甲", "990181001", "", "1941-03-05", "0550-3012345"]);
    row_of(sheet, 2, &["008", "乙", "990189", "", "1941-13-05", "+86 55012345"]);
    let to_mend = folder.path().join("to-mend.xlsx");
    let to_mend = to_mend.to_str().expect("UTF-8");
    let said = import(&server, folder.path(), &mut book, &["--errors", to_mend]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("1 of 2 rows are refused, so nothing of"), "{}", said.err);
    assert!(said.err.contains("to-mend.xlsx, which holds all rows, then import that file"), "{}", said.err);

    let mut rows = rows(to_mend);
    assert_eq!(rows[0][..2], ["错误 error", "编号"]);
    assert_eq!(rows[1], ["", "007", "甲", "990181001", "", "1941-03-05", "0550-3012345"]);
    let wrong = &rows[2][0];
    assert!(
        wrong.contains("行政区划代码: org unit 990189 is unknown") || wrong.contains("出生日期"),
        "{wrong}"
    );
    assert_eq!(rows[2][1..], ["008", "乙", "990189", "", "1941-13-05", "+86 55012345"]);

    rows[2][5] = "1941-12-05".to_owned();
    rows[2][3] = "990181002".to_owned();
    let mut mended = Workbook::new();
    let sheet = mended.add_worksheet();
    for (index, row) in rows.iter().enumerate() {
        row_of(sheet, index as u32, &row.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let said = import(&server, folder.path(), &mut mended, &["--errors", to_mend]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let elders = elders(&server);
    let phones: Vec<_> = elders.iter().map(|elder| elder.phone.as_str()).collect();
    assert_eq!(phones, ["0550-3012345", "+86 55012345"]);

    let to_mend = to_mend.replace("xlsx", "csv");
    let said = import(&server, folder.path(), &mut mended, &["--errors", &to_mend]);
    assert!(said.err.contains("already known as elders/0: leave it out"), "{}", said.err);
    let text = fs::read_to_string(&to_mend).expect("the file");
    assert!(text.contains("错误 error,编号") && text.contains(",'+86 55012345"), "{text}");
}

#[test]
fn what_is_no_workbook_is_told_with_a_remedy() {
    let folder = folder();
    let server = Server::open(folder.path());
    let path = folder.path().join("elders.xlsx");
    for (bytes, told) in [
        (&b"PK\x03\x04 and no more"[..], "open it in Excel and save it as"),
        (b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1", "is of an old form or has a password"),
    ] {
        fs::write(&path, bytes).expect("a file");
        let said = server.run(&["import", "elders", path.to_str().expect("UTF-8")]);
        assert_eq!(said.code, 1);
        assert!(said.err.contains(told), "{}", said.err);
    }
    let mut book = Workbook::new();
    headings(book.add_worksheet(), 0);
    let said = import(&server, folder.path(), &mut book, &["--sheet", "2026"]);
    assert!(said.err.contains("has no sheet \"2026\": pass one of Sheet1 as --sheet"), "{}", said.err);
}

fn with_org_units(data: &Path) -> Server {
    let server = Server::open(data);
    let path = data.join("org_units.csv");
    fs::write(&path, ImportKind::OrgUnits.sample()).expect("a file");
    let said = server.run(&["import", "org_units", path.to_str().expect("UTF-8")]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    server
}

fn headings(sheet: &mut Worksheet, row: u32) {
    row_of(sheet, row, &ELDERS);
}

fn row_of(sheet: &mut Worksheet, row: u32, cells: &[&str]) {
    for (column, cell) in cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        sheet.write(row, column as u16, *cell).expect("a cell");
    }
}

/// The cells of the first sheet.
fn rows(path: &str) -> Vec<Vec<String>> {
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(path).expect("a workbook");
    let range = book.worksheet_range_at(0).expect("a sheet").expect("its cells");
    range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect()
}

/// Saves the workbook and imports it as elders.
fn import(server: &Server, folder: &Path, book: &mut Workbook, flags: &[&str]) -> Said {
    let path = folder.join("elders.xlsx");
    book.save(&path).expect("a file");
    server.run(&[&["import", "elders", path.to_str().expect("UTF-8")], flags].concat())
}

//! Cells: how would a person write what Excel holds in a cell?

use calamine::{DataRef, ExcelDateTime};

/// From here on Excel may hold another number than was typed: it keeps 15 digits.
const ROUNDED: f64 = 1e15;
/// The day after the last one Excel knows, 9999-12-31, as a number.
const DAYS: f64 = 2_958_466.0;

/// The text of a cell, or what is wrong with it.
pub(super) fn text(cell: &DataRef<'_>) -> Result<String, &'static str> {
    match cell {
        DataRef::Empty => Ok(String::new()),
        DataRef::String(text) => Ok(text.clone()),
        DataRef::SharedString(text) => Ok((*text).to_owned()),
        DataRef::DurationIso(text) => Ok(text.clone()),
        DataRef::DateTimeIso(text) => Ok(text.strip_suffix("T00:00:00").unwrap_or(text).to_owned()),
        DataRef::Bool(yes) => Ok(yes.to_string()),
        DataRef::Int(number) => self::number(*number as f64),
        DataRef::Float(number) => self::number(*number),
        DataRef::DateTime(date) => self::date(date),
        DataRef::Error(_) => {
            Err("holds a formula that failed: write what is meant as plain text, or empty the cell")
        }
    }
}

/// A number with the 15 digits that Excel shows, without exponent.
fn number(number: f64) -> Result<String, &'static str> {
    if !number.is_finite() || number.abs() >= ROUNDED {
        return Err(
            "is a number of more than 15 digits, of which Excel has already rounded the last ones: format the \
                    column as text, then type it again",
        );
    }
    if number.fract() == 0.0 {
        return Ok((number as i64).to_string());
    }
    let shown = format!("{number:.14e}").parse::<f64>().unwrap_or(number);
    Ok(shown.to_string())
}

/// A day like 1941-03-05; a time behind it stays, so that somebody notices.
fn date(date: &ExcelDateTime) -> Result<String, &'static str> {
    let days = date.as_f64();
    if date.is_duration() || !(0.0..DAYS).contains(&days) {
        return number(days);
    }
    let (year, month, day, hour, minute, second, _) = date.to_ymd_hms_milli();
    let time =
        if days.fract() == 0.0 { String::new() } else { format!(" {hour:02}:{minute:02}:{second:02}") };
    Ok(format!("{year:04}-{month:02}-{day:02}{time}"))
}

#[cfg(test)]
mod tests {
    use calamine::ExcelDateTimeType;

    use super::*;

    #[test]
    fn numbers_have_neither_point_nor_exponent_unless_typed_and_none_that_was_rounded_passes() {
        for (typed, expected) in [
            (13_800_000_101.0, "13800000101"),
            (110_101_410_305_001.0, "110101410305001"),
            (990_181_001_001.0, "990181001001"),
            (0.1 + 0.2, "0.3"),
            (-0.000_001_5, "-0.0000015"),
            (-0.0, "0"),
        ] {
            assert_eq!(number(typed).as_deref(), Ok(expected));
        }
        for rounded in [1e15, 110_101_194_103_050_000.0, f64::NAN, f64::INFINITY, -1e300] {
            assert!(
                number(rounded).is_err_and(|told| told.contains("format the column as text")),
                "{rounded}"
            );
        }
    }

    #[test]
    fn dates_are_written_as_days_whatever_the_workbook_counts_from() {
        let day = |days, from_1904| date(&ExcelDateTime::new(days, ExcelDateTimeType::DateTime, from_1904));
        assert_eq!(day(15_040.0, false).as_deref(), Ok("1941-03-05"));
        assert_eq!(day(15_040.0 - 1462.0, true).as_deref(), Ok("1941-03-05"));
        assert_eq!(day(15_040.5, false).as_deref(), Ok("1941-03-05 12:00:00"));
        assert_eq!(day(-3.0, false).as_deref(), Ok("-3"));
        for wild in [f64::NAN, f64::MAX, 1e15, f64::NEG_INFINITY] {
            assert!(day(wild, true).is_err());
        }
    }
}

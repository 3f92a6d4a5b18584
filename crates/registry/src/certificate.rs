//! Certificates: which is the last day on which one holds, as people write it?

use jiff::civil::Date;
use model::ExpiryDay;

/// Day 0 of an [`ExpiryDay`].
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Returns from which day on a certificate does not hold any more whose last day is `last`; `None` before 1970 and
/// after 2149-06-05.
#[must_use]
pub fn expires_after(last: Date) -> Option<ExpiryDay> {
    let days = EPOCH.until(last).ok()?.get_days();
    u16::try_from(days + 1).ok().filter(|day| *day > 0).map(ExpiryDay)
}

/// Returns the last day on which a certificate holds.
#[must_use]
pub fn last_day(expires: ExpiryDay) -> Date {
    let days = jiff::Span::new().days(i64::from(expires.0) - 1);
    EPOCH.checked_add(days).unwrap_or(EPOCH)
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_day_reads_back_and_the_day_after_the_last_is_too_late() {
        for day in 1..=u16::MAX {
            assert_eq!(expires_after(last_day(ExpiryDay(day))), Some(ExpiryDay(day)));
        }
        assert_eq!(expires_after(date(1970, 1, 1)), Some(ExpiryDay(1)));
        assert_eq!(last_day(ExpiryDay(u16::MAX)), date(2149, 6, 5));
        assert_eq!(expires_after(date(2149, 6, 6)), None);
        assert_eq!(expires_after(date(1969, 12, 31)), None);
    }
}

//! Categories: why does the state care for somebody, and since when?

use std::str::FromStr;

use jiff::civil::Date;
use model::UnknownWord;
use serde::{Deserialize, Serialize};

/// One ground for care. It drives priority, visits and entitlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// 高龄: 80 or older.
    AdvancedAge,
    /// 独居: lives alone.
    LivesAlone,
    /// 空巢: the children live elsewhere.
    EmptyNest,
    /// 留守: left behind in the village.
    LeftBehind,
    /// 失能: cannot manage everyday life.
    Disabled,
    /// 失智: dementia.
    Dementia,
    /// 低保: minimum living allowance.
    MinimumAllowance,
    /// 特困: destitute, supported by the state.
    Destitute,
    /// 计生特殊: lost the only child.
    OnlyChildLost,
    /// 重残: severe disability by certificate.
    SeverelyImpaired,
}

impl Category {
    /// Every category, in the order of the domain's table.
    pub const ALL: [Self; 10] = [
        Self::AdvancedAge,
        Self::LivesAlone,
        Self::EmptyNest,
        Self::LeftBehind,
        Self::Disabled,
        Self::Dementia,
        Self::MinimumAllowance,
        Self::Destitute,
        Self::OnlyChildLost,
        Self::SeverelyImpaired,
    ];

    /// The word for this category on the wire and in files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AdvancedAge => "advanced_age",
            Self::LivesAlone => "lives_alone",
            Self::EmptyNest => "empty_nest",
            Self::LeftBehind => "left_behind",
            Self::Disabled => "disabled",
            Self::Dementia => "dementia",
            Self::MinimumAllowance => "minimum_allowance",
            Self::Destitute => "destitute",
            Self::OnlyChildLost => "only_child_lost",
            Self::SeverelyImpaired => "severely_impaired",
        }
    }

    /// The Chinese word, as the policy documents have it.
    #[must_use]
    pub fn chinese(self) -> &'static str {
        match self {
            Self::AdvancedAge => "高龄",
            Self::LivesAlone => "独居",
            Self::EmptyNest => "空巢",
            Self::LeftBehind => "留守",
            Self::Disabled => "失能",
            Self::Dementia => "失智",
            Self::MinimumAllowance => "低保",
            Self::Destitute => "特困",
            Self::OnlyChildLost => "计生特殊",
            Self::SeverelyImpaired => "重残",
        }
    }
}

impl FromStr for Category {
    type Err = UnknownWord;
    /// Reads the English or the Chinese word.
    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        let is_it = |category: &Self| category.as_str() == word || category.chinese() == word;
        Self::ALL.into_iter().find(is_it).ok_or_else(|| UnknownWord {
            what: "category",
            word: word.to_owned(),
            known: Self::ALL.map(Self::as_str).join(", "),
        })
    }
}

/// A category somebody is or was in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CategoryRecord {
    /// Which.
    pub category: Category,
    /// The first day.
    pub since: Date,
    /// The last day; `None` while it lasts.
    pub until: Option<Date>,
}

/// A category record to enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewCategory {
    /// Which.
    pub category: Category,
    /// The first day, not in the future; `None` for the day it is entered.
    pub since: Option<Date>,
    /// The last day, not before the first; `None` while it lasts.
    pub until: Option<Date>,
}

impl CategoryRecord {
    /// Whether it holds on this day.
    #[must_use]
    pub fn holds(&self, on: Date) -> bool {
        self.since <= on && self.until.is_none_or(|until| on <= until)
    }

    /// Whether both say the same about some day.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        let starts_in_time = |a: &Self, b: &Self| b.until.is_none_or(|until| a.since <= until);
        self.category == other.category && starts_in_time(self, other) && starts_in_time(other, self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn every_category_reads_back_from_both_its_words() {
        for category in Category::ALL {
            assert_eq!(category.as_str().parse(), Ok(category));
            assert_eq!(category.chinese().parse(), Ok(category));
        }
        assert!("独行".parse::<Category>().is_err());
    }

    #[test]
    fn a_record_holds_from_its_first_to_its_last_day() {
        let (since, until) = (date(2024, 1, 1), Some(date(2024, 1, 2)));
        let record = CategoryRecord { category: Category::Disabled, since, until };
        let held = (1..5).map(|day| record.holds(date(2024, 1, day)));
        assert_eq!(held.collect::<Vec<_>>(), [true, true, false, false]);
        assert!(record.overlaps(&CategoryRecord { since: date(2024, 1, 2), until: None, ..record }));
        assert!(!record.overlaps(&CategoryRecord { since: date(2024, 1, 3), until: None, ..record }));
        assert!(!record.overlaps(&CategoryRecord { category: Category::Dementia, ..record }));
    }
}

//! Rejection: why is a wish refused, and what should be done about it?

use std::fmt;

use crate::Private;

/// Most violations a rejection lists; the total is always counted. More than anybody mends in one go.
pub const MAX_VIOLATIONS: usize = 1_000;

/// A refused command. Nothing of it was applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Rejection {
    /// The gravest of what is wrong.
    pub kind: RejectionKind,
    /// What is wrong, by line and then in the order of the record; the first [`MAX_VIOLATIONS`].
    pub violations: Vec<Violation>,
    /// How many violations there are, listed or not.
    pub total: usize,
}

/// What sort of refusal it is, the gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionKind {
    /// Everything is in order, but it is already there.
    AlreadyExists,
    /// Something it refers to is not there.
    NotFound,
    /// Something is not what it must be.
    Invalid,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The line of the imported file as an editor shows it, from 1; `None` outside imports.
    pub line: Option<u64>,
    /// The field, such as `elder.contacts[0].phone`; in an import the heading of the column, as the file spells it.
    pub field: String,
    /// What stood in the cell, shortened; only in imports.
    pub value: Option<Private<String>>,
    /// What is wrong and what to do. Holds no personal data.
    pub reason: String,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.violations.first() {
            Some(first) if self.total > 1 => write!(f, "{first} (and {} more)", self.total - 1),
            Some(first) => first.fmt(f),
            None => f.write_str("refused"),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}, ")?;
        }
        write!(f, "{}: {}", self.field, self.reason)
    }
}

/// The violations found so far: all are counted, the first [`MAX_VIOLATIONS`] kept.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Faults {
    kept: Vec<Violation>,
    total: usize,
    gravest: Option<RejectionKind>,
}

impl Faults {
    pub(crate) fn push(&mut self, kind: RejectionKind, violation: Violation) {
        self.total += 1;
        self.gravest = self.gravest.max(Some(kind));
        if self.kept.len() < MAX_VIOLATIONS {
            self.kept.push(violation);
        }
    }

    /// Adds those of `other`. Both lists are in the order of lines, so the first of the union are among the kept.
    pub(crate) fn merge(&mut self, other: Self) {
        self.total += other.total;
        self.gravest = self.gravest.max(other.gravest);
        self.kept.extend(other.kept);
        self.kept.sort_by_key(|violation| violation.line);
        self.kept.truncate(MAX_VIOLATIONS);
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Violation> {
        self.kept.iter_mut()
    }

    pub(crate) fn as_slice(&self) -> &[Violation] {
        &self.kept
    }

    /// The rejection these faults are, or `None` when there are none.
    pub(crate) fn into_rejection(self) -> Option<Rejection> {
        let kind = self.gravest?;
        Some(Rejection { kind, violations: self.kept, total: self.total })
    }
}

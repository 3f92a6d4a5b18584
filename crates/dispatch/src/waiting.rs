//! Waiting: which incidents wait for somebody, and which of them could this responder help?
//!
//! They stand in order of place, kind, priority and age. Whoever becomes free is held only against the first few of
//! each kind in the squares they can reach, so that a county full of calls costs little more than one.

use std::collections::BTreeSet;

use model::{IncidentId, Kind, Metres, Place, Priority};
use serde::{Deserialize, Serialize};

/// The edge of a square, in 10⁻⁷ degree: about 3 km from south to north.
const EDGE_E7: i32 = 1 << 18;
/// Metres in an edge from south to north; from west to east it is less.
const EDGE_METRES: f64 = EDGE_E7 as f64 * 0.011_119_508;
/// Incidents of one kind in one square that are looked at for one responder. Those further back are looked at by their
/// own timers, or when the next one becomes free.
const LOOKED_AT: usize = 4;
/// Squares looked at in each direction at most; about 300 km.
const MAX_SQUARES: i32 = 100;

/// The incidents that wait for somebody.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting(BTreeSet<Waits>);

/// Where one of them stands: square by row and column, then kind, then how urgent and how old.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Waits {
    row: i32,
    column: i32,
    kind: Kind,
    priority: Priority,
    incident: IncidentId,
}

impl Waits {
    pub(crate) fn new(at: Place, kind: Kind, priority: Priority, incident: IncidentId) -> Self {
        let (row, column) = square(at);
        Self { row, column, kind, priority, incident }
    }

    fn first_of(row: i32, column: i32) -> Self {
        Self { row, column, kind: Kind::ALL[0], priority: Priority::P1, incident: IncidentId(0) }
    }

    /// After all of the same kind in the same square.
    fn end_of_kind(self) -> Self {
        Self { priority: Priority::P4, incident: IncidentId(u64::MAX), ..self }
    }
}

impl Waiting {
    pub(crate) fn insert(&mut self, waits: Waits) {
        self.0.insert(waits);
    }

    pub(crate) fn remove(&mut self, waits: Waits) {
        self.0.remove(&waits);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those within `reach` of `at`, and some a little beyond, whose kind is `able`: the most urgent first, then the
    /// oldest, the first few of each kind in each square.
    ///
    /// Across the date line nobody is found here; their own timers do it.
    pub(crate) fn near(&self, at: Place, reach: Metres, able: impl Fn(Kind) -> bool) -> Vec<IncidentId> {
        let (row, column) = square(at);
        let rows = (f64::from(reach.0) / EDGE_METRES).ceil() as i32;
        let rows = rows.min(MAX_SQUARES);
        let furthest_from_the_equator = at.latitude().abs() + f64::from(rows) * f64::from(EDGE_E7) * 1e-7;
        let narrowing = furthest_from_the_equator.min(89.0).to_radians().cos();
        let columns = ((f64::from(rows) / narrowing).ceil() as i32).min(MAX_SQUARES);
        let mut found: Vec<Waits> = Vec::new();
        for row in row.saturating_sub(rows)..=row.saturating_add(rows) {
            let last = column.saturating_add(columns);
            let mut from = Waits::first_of(row, column.saturating_sub(columns));
            while let Some(first) =
                self.0.range(from..).next().filter(|next| (next.row, next.column) <= (row, last))
            {
                from = first.end_of_kind();
                if able(first.kind) {
                    found.extend(self.0.range(*first..=from).take(LOOKED_AT));
                }
            }
        }
        found.sort_unstable_by_key(|waits| (waits.priority, waits.incident));
        found.into_iter().map(|waits| waits.incident).collect()
    }
}

fn square(at: Place) -> (i32, i32) {
    (at.latitude_e7().div_euclid(EDGE_E7), at.longitude_e7().div_euclid(EDGE_E7))
}

#[cfg(test)]
mod tests {
    use model::CoordinateSystem;

    use super::*;

    fn place(north: f64, east: f64) -> Place {
        Place::new(33.6, 119.0, CoordinateSystem::Wgs84).expect("on the globe").offset(north, east)
    }

    fn waiting(all: &[(f64, f64, Kind, Priority, u64)]) -> Waiting {
        let mut waiting = Waiting::default();
        for (north, east, kind, priority, id) in all {
            waiting.insert(Waits::new(place(*north, *east), *kind, *priority, IncidentId(*id)));
        }
        waiting
    }

    #[test]
    fn the_most_urgent_in_reach_goes_first_then_the_oldest() {
        let waiting = waiting(&[
            (4_000.0, 0.0, Kind::Sos, Priority::P1, 3),
            (-8_000.0, 9_000.0, Kind::Sos, Priority::P1, 2),
            (100.0, 0.0, Kind::BedExit, Priority::P2, 1),
            (60_000.0, 0.0, Kind::Sos, Priority::P1, 4),
            (0.0, 90_000.0, Kind::Sos, Priority::P1, 5),
        ]);
        let near = |able: fn(Kind) -> bool| waiting.near(place(0.0, 0.0), Metres(12_000), able);
        assert_eq!(near(|_| true), [2, 3, 1].map(IncidentId));
        assert_eq!(near(|kind| kind == Kind::BedExit), [IncidentId(1)]);
    }

    #[test]
    fn only_the_first_few_of_a_crowd_are_looked_at() {
        let crowd: Vec<_> = (1..=50_000).map(|id| (10.0, 10.0, Kind::Sos, Priority::P1, id)).collect();
        let near = waiting(&crowd).near(place(0.0, 0.0), Metres(9_000), |_| true);
        assert_eq!(near, [1, 2, 3, 4].map(IncidentId));
    }
}

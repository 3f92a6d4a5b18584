//! Size: how many slots, and how large a cell?
//!
//! Cells that are too large crowd people together, so that a search looks at many it does not need; cells that are too
//! small make it pass by many empty ones. What counts is how many others a responder shares a cell with. The rule, found
//! by measuring a town, a city and a province of ten thousand to a million responders: [`Size::COMPANY`] others, on
//! average over responders. Where they stand closest that is about twice as many.

use model::{Metres, Place, ResponderId};

use crate::{point::Point, torus::Torus};

/// How large a roster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Slots: ids from 0 to one less than this can be enrolled. At most [`Size::MAX_RESPONDERS`].
    pub responders: u32,
    /// The edge of a cell. It decides how fast a search is, and nothing else. [`Size::of`] chooses it.
    pub cell: Metres,
}

/// The edge to begin with, in metres; each next cell has half the area of the one before.
const LARGEST_EDGE: f64 = 32_768.0;
const EDGES: i32 = 22;
/// The smallest edge, in metres: fixes are not better than that.
const SMALLEST_EDGE: f64 = 20.0;
/// So many places are enough to choose by.
const SAMPLE: usize = 16_384;

impl Size {
    /// Right for 100,000 responders of a city 60 km wide.
    pub const DEFAULT_CELL: Metres = Metres(384);
    /// The most slots a roster has, about 16.8 million: their numbers stay below [`ResponderId::WATCHDOG`].
    pub const MAX_RESPONDERS: u32 = ResponderId::WATCHDOG.0;
    /// With how many others a responder shares a cell, on average over responders.
    const COMPANY: f64 = 14.0;

    /// Returns the size for so many slots and for responders who are where `places` are: one place for each who is
    /// expected, such as the base, or as many homes of those they care for. With fewer than two different places the
    /// cell is that of a city whose slots are all in use.
    ///
    /// Many at the very same place, such as a station, are taken to spread around it as far as the next: they do not
    /// stay there. Sorts up to 16,384 of the places up to 22 times: a few milliseconds.
    #[must_use]
    pub fn of(responders: u32, places: &[Place]) -> Self {
        let stride = places.len().div_ceil(SAMPLE).max(1);
        let mut points: Vec<u64> = places.iter().step_by(stride).map(|place| Point::of(*place).0).collect();
        points.sort_unstable();
        points.dedup();
        let edge = if points.len() < 2 {
            edge_in_a_city(responders)
        } else {
            edge_for(responders, &points, places.len() as f64 / points.len() as f64)
        };
        Self { responders, cell: Metres(edge.clamp(SMALLEST_EDGE, LARGEST_EDGE) as u32) }
    }
}

/// So that the same city gets cells of the same company, however many it has.
fn edge_in_a_city(responders: u32) -> f64 {
    f64::from(Size::DEFAULT_CELL.0) * (100_000.0 / f64::from(responders.max(1))).sqrt()
}

/// The edge that gives a responder [`Size::COMPANY`] when `people` stand around each point.
///
/// Few points, or a sample, may have no company at all in cells so small. So it is measured in the smallest cells that
/// leave a point one other at least, and grows with the area from there.
fn edge_for(responders: u32, points: &[u64], people: f64) -> f64 {
    let wanted = Size::COMPANY / people;
    let edges = (0..EDGES).map(|halved| LARGEST_EDGE / 2_f64.powi(halved).sqrt());
    let measured = edges
        .map(|edge| (edge, others_in_cell(&Torus::new(responders, Metres(edge as u32)), points)))
        .take_while(|(_, others)| *others >= wanted.max(1.0))
        .last();
    measured.map_or(LARGEST_EDGE, |(edge, others)| edge * (wanted / others).sqrt())
}

/// With how many others one of `points` shares a cell, on average.
fn others_in_cell(torus: &Torus, points: &[u64]) -> f64 {
    let mut cells: Vec<usize> = points.iter().map(|point| torus.cell_of(Point(*point))).collect();
    cells.sort_unstable();
    let pairs: usize = cells.chunk_by(|a, b| a == b).map(|here| here.len() * (here.len() - 1)).sum();
    pairs as f64 / points.len() as f64
}

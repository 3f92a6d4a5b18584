//! Torus: which cell is a point in, and which block of cells?
//!
//! The globe is cut into rows from pole to pole and columns around it. A county needs few of them, but nobody is asked
//! to say which: the cells wrap around like a tiled wallpaper, so that far places share a cell and near ones never do.
//! Sharing costs a glance at somebody too far away, nothing else, so a lying device does no harm. There are about as
//! many cells as responders, so on average a cell gains one or two strangers at worst.

use std::ops::Range;

use model::Metres;

use crate::point::{METRES_PER_UNIT, Point, UNITS_AROUND, UNITS_POLE_TO_POLE};

/// Fewest cells, as a power of two: 64 by 64, or 25 km square with cells of 384 m.
const FEWEST_CELLS_LOG2: u32 = if cfg!(loom) { 3 } else { 12 };
/// The edge of a block of cells, as a power of two.
pub(crate) const BLOCK_LOG2: u32 = if cfg!(loom) { 1 } else { 2 };
/// Half of that edge, in cells.
const HALF_BLOCK: usize = 1 << (BLOCK_LOG2 - 1);
/// The cosine of 35° of latitude, the middle of China, where cells are square.
const SQUARE_AT: f64 = 0.819_152;

/// The grid of cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Torus {
    /// Rows from pole to pole.
    rows: u64,
    /// Columns around the globe, a multiple of those before they repeat so that the date line is nowhere special.
    columns: u64,
    rows_spread: Spread,
    columns_spread: Spread,
}

/// Where the bits of a row or column go in the number of a cell, which is the part of its row and that of its column.
///
/// Cells are numbered block by block, and within a block in fours, so that the heads of neighbours share a cache line
/// and those of a neighbourhood a page, whichever way a search walks.
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// How many there are before they repeat, as a power of two.
    log2: u32,
    /// Shifts of the lowest bit, of those up to the block, and of the block's.
    shifts: [u32; 3],
}

impl Spread {
    fn part(self, index: i64) -> usize {
        let index = index as usize & ((1 << self.log2) - 1);
        let in_block = (index >> 1) & (HALF_BLOCK - 1);
        let [lowest, middle, block] = self.shifts;
        (index & 1) << lowest | in_block << middle | (index >> BLOCK_LOG2) << block
    }

    /// The part of the first cell of a block, by the row or column of blocks it is in.
    fn block_part(self, block: i64) -> usize {
        (block as usize & ((1 << self.log2 >> BLOCK_LOG2) - 1)) << self.shifts[2]
    }
}

/// One of the two directions of a grid of cells or blocks, seen from a point: ahead is north or east.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// The row or column the point is in.
    index: i64,
    /// How far into it the point is, from 0 to 1.
    into: f64,
    /// At least so many units from one to the next.
    units: f64,
    /// Half of those there are before they repeat.
    pub(crate) half: i64,
}

impl Axis {
    /// Units to the near edge of the row or column `steps` ahead.
    pub(crate) fn ahead(&self, steps: i64) -> f64 {
        if steps == 0 { 0.0 } else { (steps as f64 - self.into) * self.units }
    }

    /// Units to the near edge of the row or column `steps` behind. Half-way round both ways lead there.
    pub(crate) fn behind(&self, steps: i64) -> f64 {
        let behind = (steps as f64 - 1.0 + self.into) * self.units;
        if steps == self.half { behind.min(self.ahead(steps)) } else { behind }
    }

    /// Units to the near edge of the row or column `steps` ahead, or behind if negative.
    pub(crate) fn gap(&self, steps: i64) -> f64 {
        if steps < 0 { self.behind(-steps) } else { self.ahead(steps) }
    }

    /// The same axis in blocks.
    pub(crate) fn in_blocks(&self) -> Self {
        let cells = 1 << BLOCK_LOG2;
        Self {
            index: self.index >> BLOCK_LOG2,
            into: ((self.index & (cells - 1)) as f64 + self.into) / cells as f64,
            units: self.units * cells as f64,
            half: self.half >> BLOCK_LOG2,
        }
    }

    /// Steps from here to the row or column that is number `within` of the block so many blocks off, the short way round.
    fn steps_into(&self, blocks: i64, within: usize) -> i64 {
        let other = (((self.index >> BLOCK_LOG2) + blocks) << BLOCK_LOG2) + within as i64;
        ((other - self.index + self.half) & (2 * self.half - 1)) - self.half
    }
}

/// The cells as seen from a point.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) rows: Axis,
    pub(crate) columns: Axis,
    torus: Torus,
}

impl View {
    /// The cell so many steps north and east.
    pub(crate) fn cell(&self, north: i64, east: i64) -> usize {
        self.torus.rows_spread.part(self.rows.index + north)
            | self.torus.columns_spread.part(self.columns.index + east)
    }

    /// The cells of the block so many blocks north and east.
    pub(crate) fn cells_of(&self, north: i64, east: i64) -> Range<usize> {
        let row = (self.rows.index >> BLOCK_LOG2) + north;
        let column = (self.columns.index >> BLOCK_LOG2) + east;
        let first = self.torus.rows_spread.block_part(row) | self.torus.columns_spread.block_part(column);
        first..first + (1 << (2 * BLOCK_LOG2))
    }

    /// Steps north and east to `cell`, which is in the block so many blocks north and east.
    pub(crate) fn steps_to(&self, cell: usize, north: i64, east: i64) -> (i64, i64) {
        let row = (cell >> 1 & 1) | (cell >> (BLOCK_LOG2 + 1) & (HALF_BLOCK - 1)) << 1;
        let column = (cell & 1) | (cell >> 2 & (HALF_BLOCK - 1)) << 1;
        (self.rows.steps_into(north, row), self.columns.steps_into(east, column))
    }
}

impl Torus {
    /// Cells of about `cell` metres, half as many as `responders` or up to twice that.
    pub(crate) fn new(responders: u32, cell: Metres) -> Self {
        let log2 = (responders / 2).max(1).next_power_of_two().ilog2().max(FEWEST_CELLS_LOG2);
        let width_log2 = log2.div_ceil(2);
        let units = f64::from(cell.0.max(1)) / METRES_PER_UNIT;
        let rows = (UNITS_POLE_TO_POLE as f64 / units) as u64;
        let repeats = (UNITS_AROUND as f64 * SQUARE_AT / units) as u64 >> width_log2;
        Self {
            rows: rows.max(1),
            columns: repeats.max(1) << width_log2,
            rows_spread: Spread {
                log2: log2 - width_log2,
                shifts: [1, BLOCK_LOG2 + 1, width_log2 + BLOCK_LOG2],
            },
            columns_spread: Spread { log2: width_log2, shifts: [0, 2, 2 * BLOCK_LOG2] },
        }
    }

    /// How many cells there are.
    pub(crate) fn cells(&self) -> usize {
        1 << (self.rows_spread.log2 + self.columns_spread.log2)
    }

    /// How many blocks there are.
    pub(crate) fn blocks(&self) -> usize {
        self.cells() >> (2 * BLOCK_LOG2)
    }

    /// The block that `cell` is in.
    pub(crate) fn block_of(cell: usize) -> usize {
        cell >> (2 * BLOCK_LOG2)
    }

    /// The cell `point` is in.
    pub(crate) fn cell_of(&self, point: Point) -> usize {
        let (row, column) = self.scaled(point);
        self.rows_spread.part((row / UNITS_POLE_TO_POLE as u64) as i64)
            | self.columns_spread.part((column / UNITS_AROUND as u64) as i64)
    }

    /// The cells seen from `point`, as far as no latitude between has a cosine below `least_cosine`.
    pub(crate) fn view(&self, point: Point, least_cosine: f64) -> View {
        let (row, column) = self.scaled(point);
        let (pole_to_pole, around) = (UNITS_POLE_TO_POLE as u64, UNITS_AROUND as u64);
        let rows = Axis {
            index: (row / pole_to_pole) as i64,
            into: (row % pole_to_pole) as f64 / pole_to_pole as f64,
            units: pole_to_pole as f64 / self.rows as f64,
            half: 1 << self.rows_spread.log2 >> 1,
        };
        let columns = Axis {
            index: (column / around) as i64,
            into: (column % around) as f64 / around as f64,
            units: around as f64 / self.columns as f64 * least_cosine,
            half: 1 << self.columns_spread.log2 >> 1,
        };
        View { rows, columns, torus: *self }
    }

    /// Row and column, times the units they divide.
    fn scaled(&self, point: Point) -> (u64, u64) {
        let from_south_pole = (i64::from(point.latitude_e7()) + UNITS_POLE_TO_POLE / 2) as u64;
        let from_date_line = (i64::from(point.longitude_e7()) + UNITS_AROUND / 2) as u64;
        (from_south_pole * self.rows, from_date_line * self.columns)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn cells_are_about_as_large_as_asked_and_as_many_as_needed() {
        let torus = Torus::new(100_000, Metres(512));
        assert_eq!((torus.cells(), torus.blocks()), (65_536, 4_096));
        let View { rows, columns, .. } = torus.view(Point::new(0, 0), SQUARE_AT);
        assert_eq!((rows.half, columns.half), (128, 128));
        assert_eq!([rows, columns].map(|axis| (axis.units * METRES_PER_UNIT) as u32), [512, 512]);
        assert_eq!(Torus::new(0, Metres(512)).cells(), 4_096);
        assert!(Torus::new(10, Metres(0)).cells() > 0 && Torus::new(10, Metres(u32::MAX)).cells() > 0);
    }

    #[test]
    fn every_row_and_column_has_a_cell_of_its_own() {
        let view = Torus::new(10_000, Metres(512)).view(Point::new(330_000_000, 0), 1.0);
        assert_eq!((view.rows.half, view.columns.half), (32, 64));
        let mut cells: Vec<usize> =
            (-32..32).flat_map(|north| (-64..64).map(move |east| view.cell(north, east))).collect();
        cells.sort_unstable();
        assert!(cells.into_iter().eq(0..8_192));
    }

    #[test]
    fn every_cell_is_met_once_in_the_block_it_belongs_to_and_no_block_is_farther_than_its_cells() {
        for point in [Point::new(330_000_000, 7), Point::new(-12_345_678, 1_799_999_999)] {
            let view = Torus::new(10_000, Metres(512)).view(point, 0.9);
            let (rows, columns) = (view.rows.in_blocks(), view.columns.in_blocks());
            assert_eq!((rows.half, columns.half), (8, 16));
            let mut met = Vec::new();
            for (north, east) in (-8..8).flat_map(|north| (-16..16).map(move |east| (north, east))) {
                for cell in view.cells_of(north, east) {
                    let (row, column) = view.steps_to(cell, north, east);
                    assert_eq!(view.cell(row, column), cell);
                    assert!(rows.gap(north) <= view.rows.gap(row) + 1e-3, "{north} {row}");
                    assert!(columns.gap(east) <= view.columns.gap(column) + 1e-3, "{east} {column}");
                    met.push(cell);
                }
            }
            met.sort_unstable();
            assert!(met.into_iter().eq(0..8_192));
        }
    }

    #[test]
    fn the_gap_is_the_short_way_round() {
        let view = Torus::new(0, Metres(512)).view(Point::new(330_000_000, 0), 1.0);
        let axis = Axis { into: 0.75, units: 1.0, ..view.rows };
        assert_eq!([0, 1, 2, -1, -2].map(|steps| axis.gap(steps)), [0.0, 0.25, 1.25, 0.75, 1.75]);
        // Half-way round is nearer ahead, although it is met from behind.
        assert_eq!([31, -31, -32].map(|steps| axis.gap(steps)), [30.25, 30.75, 31.25]);
    }

    #[test]
    fn both_sides_of_the_date_line_are_the_same_cell() {
        let torus = Torus::new(1_000, Metres(512));
        let (west, east) = (Point::new(0, -1_800_000_000), Point::new(0, 1_800_000_000));
        assert_eq!(torus.cell_of(west), torus.cell_of(east));
        let view = torus.view(Point::new(0, 1_799_999_999), 1.0);
        assert_eq!(view.cell(0, 1), torus.cell_of(west));
    }
}

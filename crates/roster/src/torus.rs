//! Torus: which cell is a point in?
//!
//! The globe is cut into rows from pole to pole and columns around it. A county needs few of them, but nobody is asked
//! to say which: the cells wrap around like a tiled wallpaper, so that far places share a cell and near ones never do.
//! Sharing costs a glance at somebody too far away, nothing else, so a lying device does no harm. There are about as
//! many cells as responders, so on average a cell gains one or two strangers at worst.

use model::Metres;

use crate::point::{METRES_PER_UNIT, Point, UNITS_AROUND, UNITS_POLE_TO_POLE};

/// Fewest cells, as a power of two: 64 by 64, or 25 km square with cells of 384 m.
const FEWEST_CELLS_LOG2: u32 = if cfg!(loom) { 2 } else { 12 };
/// The edge of a tile of cells, as a power of two, see [`Spread`].
const TILE_LOG2: u32 = if cfg!(loom) { 1 } else { 4 };
/// The cosine of 35° of latitude, the middle of China, where cells are square.
const SQUARE_AT: f64 = 0.819_152;

/// The grid of cells.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Torus {
    /// Rows from pole to pole.
    rows: u64,
    /// Columns around the globe, a multiple of `width` so that the date line is nowhere special.
    columns: u64,
    rows_spread: Spread,
    columns_spread: Spread,
}

/// Where the bits of a row or column go in the number of a cell, which is the part of its row and that of its column.
///
/// Cells are numbered in tiles of 2 by 2 within tiles of 16 by 16, so that the heads of neighbours share a cache line and
/// those of a neighbourhood a page, whichever way a search walks.
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// How many there are before they repeat, as a power of two.
    log2: u32,
    /// Shifts of the lowest bit, those up to the tile, and the tile.
    shifts: [u32; 3],
}

impl Spread {
    fn part(self, index: i64) -> usize {
        let index = index as usize & ((1 << self.log2) - 1);
        let in_tile = (index >> 1) & ((1 << (TILE_LOG2 - 1)) - 1);
        let [lowest, middle, tile] = self.shifts;
        (index & 1) << lowest | in_tile << middle | (index >> TILE_LOG2) << tile
    }
}

/// One of the two directions of the grid, seen from a point: ahead is north or east.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// The row or column the point is in.
    index: i64,
    /// How far into it the point is, from 0 to 1.
    into: f64,
    /// At least so many units from one to the next.
    units: f64,
    /// Half the cells before they repeat.
    pub(crate) half: i64,
    spread: Spread,
}

impl Axis {
    /// Units to the near edge of the cell `steps` ahead.
    pub(crate) fn ahead(&self, steps: i64) -> f64 {
        if steps == 0 { 0.0 } else { (steps as f64 - self.into) * self.units }
    }

    /// Units to the near edge of the cell `steps` behind.
    pub(crate) fn behind(&self, steps: i64) -> f64 {
        (steps as f64 - 1.0 + self.into) * self.units
    }

    /// The part that the row or column `steps` ahead has in the number of a cell; the other axis has the rest.
    pub(crate) fn part(&self, steps: i64) -> usize {
        self.spread.part(self.index + steps)
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
                shifts: [1, TILE_LOG2 + 1, width_log2 + TILE_LOG2],
            },
            columns_spread: Spread { log2: width_log2, shifts: [0, 2, 2 * TILE_LOG2] },
        }
    }

    /// How many cells there are.
    pub(crate) fn cells(&self) -> usize {
        1 << (self.rows_spread.log2 + self.columns_spread.log2)
    }

    /// The cell `point` is in.
    pub(crate) fn cell_of(&self, point: Point) -> usize {
        let (row, column) = self.scaled(point);
        self.rows_spread.part((row / UNITS_POLE_TO_POLE as u64) as i64)
            | self.columns_spread.part((column / UNITS_AROUND as u64) as i64)
    }

    /// Rows and columns seen from `point`, as far as no latitude between has a cosine below `least_cosine`.
    pub(crate) fn axes(&self, point: Point, least_cosine: f64) -> (Axis, Axis) {
        let (row, column) = self.scaled(point);
        let (pole_to_pole, around) = (UNITS_POLE_TO_POLE as u64, UNITS_AROUND as u64);
        let rows = Axis {
            index: (row / pole_to_pole) as i64,
            into: (row % pole_to_pole) as f64 / pole_to_pole as f64,
            units: pole_to_pole as f64 / self.rows as f64,
            half: 1 << self.rows_spread.log2 >> 1,
            spread: self.rows_spread,
        };
        let columns = Axis {
            index: (column / around) as i64,
            into: (column % around) as f64 / around as f64,
            units: around as f64 / self.columns as f64 * least_cosine,
            half: 1 << self.columns_spread.log2 >> 1,
            spread: self.columns_spread,
        };
        (rows, columns)
    }

    /// Row and column, times the units they divide.
    fn scaled(&self, point: Point) -> (u64, u64) {
        let from_south_pole = (i64::from(point.latitude_e7()) + UNITS_POLE_TO_POLE / 2) as u64;
        let from_date_line = (i64::from(point.longitude_e7()) + UNITS_AROUND / 2) as u64;
        (from_south_pole * self.rows, from_date_line * self.columns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_about_as_large_as_asked_and_as_many_as_needed() {
        let torus = Torus::new(100_000, Metres(512));
        assert_eq!(torus.cells(), 65_536);
        let (rows, columns) = torus.axes(Point::new(0, 0), SQUARE_AT);
        assert_eq!((rows.half, columns.half), (128, 128));
        assert_eq!([rows, columns].map(|axis| (axis.units * METRES_PER_UNIT) as u32), [512, 512]);
        assert_eq!(Torus::new(0, Metres(512)).cells(), 4_096);
        assert!(Torus::new(10, Metres(0)).cells() > 0 && Torus::new(10, Metres(u32::MAX)).cells() > 0);
    }

    #[test]
    fn every_row_and_column_has_a_cell_of_its_own() {
        let (rows, columns) = Torus::new(10_000, Metres(512)).axes(Point::new(330_000_000, 0), 1.0);
        assert_eq!((rows.half, columns.half), (32, 64));
        let mut cells: Vec<usize> = (-32..32)
            .flat_map(|row| (-64..64).map(move |column| rows.part(row) | columns.part(column)))
            .collect();
        cells.sort_unstable();
        assert!(cells.into_iter().eq(0..8_192));
    }

    #[test]
    fn both_sides_of_the_date_line_are_the_same_cell() {
        let torus = Torus::new(1_000, Metres(512));
        let (west, east) = (Point::new(0, -1_800_000_000), Point::new(0, 1_800_000_000));
        assert_eq!(torus.cell_of(west), torus.cell_of(east));
        let (rows, columns) = torus.axes(Point::new(0, 1_799_999_999), 1.0);
        assert_eq!(rows.part(0) | columns.part(1), torus.cell_of(west));
    }
}

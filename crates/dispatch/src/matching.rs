//! Matching: when several wait at once, who goes where so that all together arrive soonest?
//!
//! Rows are those who wait, columns those who can go, costs what each pair costs. Rows are served in order, each by the
//! cheapest chain of exchanges that leaves every row before it served (successive shortest paths with potentials). So
//! as many are served as can be, an earlier row is never given up for a later one, and the sum is the least there is
//! for those rows.

use std::{cmp::Reverse, collections::BinaryHeap};

/// Whom a row can have: columns, and what each costs; not negative.
pub(crate) type Wishes = Vec<(usize, i64)>;

/// Returns the column of each row, `None` where none is left. Columns count from 0 to one less than `columns`.
///
/// Takes about rows × wishes of a row × the length of a chain, which is short when wishes are local.
pub(crate) fn assign(rows: &[Wishes], columns: usize) -> Vec<Option<usize>> {
    let mut matching = Matching {
        rows,
        column_of: vec![None; rows.len()],
        row_of: vec![None; columns],
        potential: vec![0; columns],
        distance: vec![i64::MAX; columns],
        reached_from: vec![0; columns],
    };
    for row in 0..rows.len() {
        matching.serve(row);
    }
    matching.column_of
}

struct Matching<'a> {
    rows: &'a [Wishes],
    column_of: Vec<Option<usize>>,
    row_of: Vec<Option<usize>>,
    /// By column: how much its row would pay to keep it. Makes every cost that is left at least zero.
    potential: Vec<i64>,
    /// Of the search at hand, by column; [`i64::MAX`] is not reached.
    distance: Vec<i64>,
    reached_from: Vec<usize>,
}

impl Matching<'_> {
    /// Serves `row` by the cheapest chain that ends at a free column, if there is one.
    fn serve(&mut self, row: usize) {
        let mut queue = BinaryHeap::new();
        let mut touched = Vec::new();
        let mut settled = Vec::new();
        self.look(row, 0, &mut queue, &mut touched);
        let mut end = None;
        while let Some(Reverse((distance, column))) = queue.pop() {
            if distance > self.distance[column] {
                continue;
            }
            match self.row_of[column] {
                None => {
                    end = Some((column, distance));
                    break;
                }
                Some(holder) => {
                    settled.push(column);
                    // Giving up this column refunds what it costs its holder.
                    self.look(holder, distance - self.paid(holder, column), &mut queue, &mut touched);
                }
            }
        }
        if let Some((column, distance)) = end {
            for settled in settled {
                self.potential[settled] += self.distance[settled] - distance;
            }
            self.exchange(row, column);
        }
        for column in touched {
            self.distance[column] = i64::MAX;
        }
    }

    /// What `holder` pays for `column`, with its potential.
    fn paid(&self, holder: usize, column: usize) -> i64 {
        let cost =
            self.rows[holder].iter().find(|(wished, _)| *wished == column).map_or(0, |(_, cost)| *cost);
        cost - self.potential[column]
    }

    fn look(
        &mut self,
        row: usize,
        so_far: i64,
        queue: &mut BinaryHeap<Reverse<(i64, usize)>>,
        touched: &mut Vec<usize>,
    ) {
        for (column, cost) in &self.rows[row] {
            let distance = so_far + cost - self.potential[*column];
            if distance < self.distance[*column] {
                if self.distance[*column] == i64::MAX {
                    touched.push(*column);
                }
                self.distance[*column] = distance;
                self.reached_from[*column] = row;
                queue.push(Reverse((distance, *column)));
            }
        }
    }

    /// Gives `column`, the free end of a chain, to the row it was reached from, that row's column to the one before, and
    /// so on until `first` has one.
    fn exchange(&mut self, first: usize, column: usize) {
        let mut column = Some(column);
        while let Some(free) = column {
            let row = self.reached_from[free];
            column = self.column_of[row].replace(free);
            self.row_of[free] = Some(row);
            if row == first {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_second_gets_the_near_one_when_the_first_loses_little_by_it() {
        // Greedy gives the first its nearest and the second one far away: 10 + 100. Together: 12 + 11.
        let rows = [vec![(0, 10), (1, 12)], vec![(0, 11), (1, 100)]];
        assert_eq!(assign(&rows, 2), [Some(1), Some(0)]);
    }

    #[test]
    fn with_too_few_the_earlier_rows_are_served() {
        let rows = [vec![(0, 50)], vec![(0, 1)], vec![(0, 1), (1, 900)]];
        assert_eq!(assign(&rows, 2), [Some(0), None, Some(1)]);
        assert_eq!(assign(&[vec![], vec![(0, 3)]], 1), [None, Some(0)]);
    }

    /// The least sum over all ways to serve exactly those rows that can be served in order, by trying all.
    fn by_trying(rows: &[Wishes], columns: usize) -> (Vec<bool>, i64) {
        fn least(rows: &[Wishes], served: &[bool], row: usize, taken: &mut Vec<bool>) -> Option<i64> {
            if row == served.len() {
                return Some(0);
            }
            if !served[row] {
                return least(rows, served, row + 1, taken);
            }
            let mut best = None;
            for (column, cost) in &rows[row] {
                if !taken[*column] {
                    taken[*column] = true;
                    let rest = least(rows, served, row + 1, taken);
                    taken[*column] = false;
                    best = best.into_iter().chain(rest.map(|rest| rest + cost)).min();
                }
            }
            best
        }
        let mut served = vec![false; rows.len()];
        for row in 0..rows.len() {
            served[row] = true;
            served[row] = least(rows, &served, 0, &mut vec![false; columns]).is_some();
        }
        let sum = least(rows, &served, 0, &mut vec![false; columns]).expect("chosen so");
        (served, sum)
    }

    fn wishes() -> impl Strategy<Value = Vec<Wishes>> {
        let row = prop::collection::btree_map(0..5_usize, 0..50_i64, 0..4);
        prop::collection::vec(row.prop_map(|row| row.into_iter().collect()), 0..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn as_many_as_can_be_are_served_at_the_least_cost(rows in wishes()) {
            let given = assign(&rows, 5);
            let mut taken: Vec<usize> = given.iter().flatten().copied().collect();
            taken.sort_unstable();
            prop_assert!(taken.windows(2).all(|pair| pair[0] != pair[1]), "a column is given twice");
            let cost = |(row, column): (usize, usize)| {
                rows[row].iter().find(|(wished, _)| *wished == column).map(|(_, cost)| *cost)
            };
            let pairs = given.iter().enumerate().filter_map(|(row, column)| column.map(|column| (row, column)));
            let sum = pairs.map(cost).sum::<Option<i64>>();
            let served: Vec<bool> = given.iter().map(Option::is_some).collect();
            let (wanted, least) = by_trying(&rows, 5);
            prop_assert_eq!(served, wanted);
            prop_assert_eq!(sum, Some(least));
        }
    }
}

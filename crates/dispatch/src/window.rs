//! Window: things that are numbered in order of creation, found by number in one step.
//!
//! The numbers in use lie between the oldest and the newest thing there is, so a row of places for that window is enough,
//! and finding one costs the same however many there are. A place costs 8 bytes while something older is still there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Numbers given out beyond the newest that are skipped at most, against a record that names a number out of nowhere.
const MAX_SKIPPED: u64 = 1 << 20;

/// Things by number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Window<T> {
    /// The number of the first place.
    first: u64,
    places: VecDeque<Option<T>>,
}

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self { first: 0, places: VecDeque::new() }
    }
}

impl<T> Window<T> {
    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        self.places.get(self.place(number)?)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let place = self.place(number)?;
        self.places.get_mut(place)?.as_mut()
    }

    /// Puts `thing` under `number`, unless that is older than all there are or far beyond the newest; says whether it did.
    pub(crate) fn insert(&mut self, number: u64, thing: T) -> bool {
        if self.places.is_empty() {
            self.first = number;
        }
        let Some(place) = self.place(number) else { return false };
        if place as u64 > self.places.len() as u64 + MAX_SKIPPED {
            return false;
        }
        while self.places.len() <= place {
            self.places.push_back(None);
        }
        self.places[place] = Some(thing);
        true
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<T> {
        let place = self.place(number)?;
        let thing = self.places.get_mut(place)?.take();
        while let Some(None) = self.places.front() {
            self.places.pop_front();
            self.first += 1;
        }
        thing
    }

    /// All things, oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().filter_map(Option::as_ref)
    }

    fn place(&self, number: u64) -> Option<usize> {
        number.checked_sub(self.first).map(|place| place as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_under_a_number_is_found_there_until_it_is_taken_away() {
        let mut window = Window::default();
        assert!(window.insert(7, 'a') && window.insert(9, 'c') && window.insert(8, 'b'));
        assert_eq!((window.get(7), window.get(8), window.get(10)), (Some(&'a'), Some(&'b'), None));
        assert_eq!(window.iter().collect::<String>(), "abc");
        assert_eq!(window.remove(7), Some('a'));
        assert_eq!((window.get(7), window.get(9)), (None, Some(&'c')));
        assert_eq!((window.remove(7), window.remove(3)), (None, None));
        assert_eq!((window.remove(8), window.remove(9), window.places.len()), (Some('b'), Some('c'), 0));
    }

    #[test]
    fn a_number_out_of_nowhere_takes_no_memory() {
        let mut window = Window::default();
        assert!(window.insert(1, 'a'));
        assert!(!window.insert(u64::MAX, 'b') && !window.insert(0, 'c'));
        assert_eq!(window.places.len(), 1);
    }
}

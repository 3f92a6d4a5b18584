//! A book: lines of text, each somebody's, that are looked through from the first to the last.
//!
//! A line is a row of keys, each behind a [`KEY`] byte. All lines stand behind one another in one piece of memory, because
//! looking through that costs less than any index a name of two characters could have: some gigabytes a second.

use std::{collections::HashMap, hash::Hash, ops::ControlFlow};

use memchr::memmem;

/// Stands before each key of a line. No text has it: see [`plain`](super::plain).
const KEY: u8 = 0x1f;
/// Lines that nobody owns any more are cleared away when there are so many, and more than a quarter.
const WORTH_CLEARING: usize = 10_000;

#[derive(Debug)]
pub(super) struct Book<K> {
    text: Vec<u8>,
    /// Where each line begins, and whose it is; `None` when it has been replaced.
    lines: Vec<(u32, Option<K>)>,
    line_of: HashMap<K, u32>,
    replaced: usize,
}

impl<K> Default for Book<K> {
    fn default() -> Self {
        Self { text: Vec::new(), lines: Vec::new(), line_of: HashMap::new(), replaced: 0 }
    }
}

/// Whether some key of the line begins with the word.
pub(super) type Begins = bool;

impl<K: Clone + Eq + Hash> Book<K> {
    /// Writes the line of `owner`; it replaces the one before. Without keys there is none.
    pub(super) fn write<'k>(&mut self, owner: &K, keys: impl IntoIterator<Item = &'k str>) {
        self.strike(owner);
        let start = self.text.len();
        for key in keys.into_iter().filter(|key| !key.is_empty()) {
            self.text.push(KEY);
            self.text.extend_from_slice(key.as_bytes());
        }
        // Four gigabytes of names are more elders than there are.
        let (Ok(begin), Ok(line)) = (u32::try_from(start), u32::try_from(self.lines.len())) else {
            return self.text.truncate(start);
        };
        if self.text.len() > start {
            self.lines.push((begin, Some(owner.clone())));
            self.line_of.insert(owner.clone(), line);
        }
    }

    /// Takes the line of `owner` out.
    pub(super) fn strike(&mut self, owner: &K) {
        let Some(line) = self.line_of.remove(owner) else { return };
        self.lines[line as usize].1 = None;
        self.replaced += 1;
        if self.replaced > WORTH_CLEARING && self.replaced * 4 > self.lines.len() {
            self.clear_away();
        }
    }

    fn clear_away(&mut self) {
        let old = std::mem::take(self);
        for (index, (_, owner)) in old.lines.iter().enumerate() {
            let Some(owner) = owner else { continue };
            let (begin, line) = (self.text.len() as u32, self.lines.len() as u32);
            self.text.extend_from_slice(old.line(index));
            self.lines.push((begin, Some(owner.clone())));
            self.line_of.insert(owner.clone(), line);
        }
    }

    fn line(&self, index: usize) -> &[u8] {
        &self.text[self.lines[index].0 as usize..self.end(index)]
    }

    fn end(&self, index: usize) -> usize {
        self.lines.get(index + 1).map_or(self.text.len(), |(begin, _)| *begin as usize)
    }

    /// Calls `found` with the owner of each line that has this word, in the order in which they were written.
    pub(super) fn look<B>(
        &self,
        word: &str,
        mut found: impl FnMut(&K, Begins) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let beginning = [&[KEY], word.as_bytes()].concat();
        let (finder, beginning) = (memmem::Finder::new(word), memmem::Finder::new(&beginning));
        let mut at = 0;
        while let Some(offset) = finder.find(&self.text[at..]) {
            let hit = (at + offset) as u32;
            let index = self.lines.partition_point(|(begin, _)| *begin <= hit) - 1;
            if let Some(owner) = &self.lines[index].1 {
                found(owner, beginning.find(self.line(index)).is_some())?;
            }
            at = self.end(index);
        }
        ControlFlow::Continue(())
    }

    /// Whether the line of `owner` has this word.
    pub(super) fn has(&self, owner: &K, word: &str) -> bool {
        let line = self.line_of.get(owner).map(|index| self.line(*index as usize));
        line.is_some_and(|line| memmem::find(line, word.as_bytes()).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(book: &Book<u32>, word: &str) -> Vec<(u32, Begins)> {
        let mut all = Vec::new();
        let _ = book.look::<()>(word, |owner, begins| {
            all.push((*owner, begins));
            ControlFlow::Continue(())
        });
        all
    }

    #[test]
    fn a_line_is_found_once_by_each_of_its_keys_until_it_is_replaced() {
        let mut book = Book::default();
        book.write(&1, ["anna", "banana"]);
        book.write(&2, ["nana"]);
        book.write(&3, ["", ""]);
        assert_eq!(found(&book, "ana"), [(1, false), (2, false)]);
        assert_eq!(found(&book, "na"), [(1, false), (2, true)]);
        assert_eq!(found(&book, "ba"), [(1, true)]);
        book.write(&1, ["otto"]);
        assert_eq!(found(&book, "ana"), [(2, false)]);
        assert!(book.has(&1, "tt") && !book.has(&1, "nana") && !book.has(&3, "a"));
        book.strike(&2);
        assert_eq!(found(&book, "n"), []);
    }

    #[test]
    fn replaced_lines_are_cleared_away() {
        let mut book = Book::default();
        for round in 0..10 {
            for owner in 0..5_000 {
                book.write(&owner, [format!("{owner}-{round}").as_str()]);
            }
        }
        assert!(book.lines.len() < 3 * 5_000, "{} lines", book.lines.len());
        assert_eq!(found(&book, "-9").len(), 5_000);
        assert_eq!(found(&book, "4999-9"), [(4_999, true)]);
        assert!(found(&book, "-8").is_empty());
    }
}

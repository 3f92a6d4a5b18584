//! Chance: every coin that is tossed in a simulated world, from one seed.
//!
//! SplitMix64, written out here so that a seed tells the same story on every machine and with every library.

/// A sequence of numbers that look random; the same seed gives the same sequence.
#[derive(Debug, Clone)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        // Neighbouring seeds begin far from each other.
        let mut chance = Self(seed.wrapping_mul(0xd134_2543_de82_ef95));
        chance.next();
        chance
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Any of 2⁶⁴ numbers.
    pub fn number(&mut self) -> u64 {
        self.next()
    }

    /// A number below `end`; 0 when there is none.
    pub fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// A number from `first` to `last`, both possible.
    pub fn between(&mut self, first: i64, last: i64) -> i64 {
        first + self.below((last - first + 1).unsigned_abs()) as i64
    }

    /// True once in `times` times, on average.
    pub fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    /// One of `things`, of which there must be some.
    pub fn pick<T: Copy>(&mut self, things: &[T]) -> T {
        things[self.below(things.len() as u64) as usize]
    }

    /// One of `things`, unless there are none.
    pub fn any<T: Copy>(&mut self, things: &[T]) -> Option<T> {
        (!things.is_empty()).then(|| self.pick(things))
    }

    /// The place in `weights` that is drawn as often as its weight says.
    pub fn weighted(&mut self, weights: &[u32]) -> usize {
        let mut left = self.below(weights.iter().copied().map(u64::from).sum());
        for (place, weight) in weights.iter().enumerate() {
            match left.checked_sub(u64::from(*weight)) {
                Some(rest) => left = rest,
                None => return place,
            }
        }
        0
    }

    /// Seconds until the next of things that come by themselves every `mean` seconds on average, in milliseconds.
    ///
    /// Without logarithms, which differ between machines: a sum of coin tosses with the same mean.
    pub fn wait_ms(&mut self, mean_s: i64) -> i64 {
        let mut halves = 0;
        while halves < 8 && self.one_in(2) {
            halves += 1;
        }
        let longest = mean_s * 1000 * (halves + 1);
        self.between(0, longest.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_on_every_machine() {
        let mut chance = Chance::new(7);
        let numbers = [chance.number(), chance.number(), chance.number()];
        let mut again = Chance::new(7);
        assert_eq!(numbers, [again.number(), again.number(), again.number()]);
        assert_ne!(numbers[0], Chance::new(8).number());
    }

    #[test]
    fn nothing_is_drawn_that_has_no_weight() {
        let mut chance = Chance::new(1);
        assert!((0..1000).all(|_| chance.weighted(&[0, 3, 0, 1]) % 2 == 1));
        assert!((0..1000).all(|_| (-2..=2).contains(&chance.between(-2, 2))));
        assert_eq!(chance.below(0), 0);
    }
}

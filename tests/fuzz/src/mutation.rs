//! Changes to inputs, the same for the same seed: what CI tries beyond what libFuzzer has found.

use journal::testing::random;

/// Values at which code goes wrong.
const EDGES: [u64; 12] = [
    0,
    1,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0xffff_ffff_ffff_fffe,
    0xffff_ffff_ffff_ffff,
];
/// Most changes to one input.
const MAX_CHANGES: u64 = 6;

/// Returns an input made of `inputs` by some changes; empty only when there are none.
#[must_use]
pub fn mutated(inputs: &[Vec<u8>], max_len: usize, seed: u64) -> Vec<u8> {
    let mut chance = Chance(seed);
    let Some(mut input) = inputs.get(chance.below(inputs.len())).cloned() else { return Vec::new() };
    for _ in 0..=chance.below(MAX_CHANGES as usize) {
        let other = &inputs[chance.below(inputs.len())];
        chance.change(&mut input, other);
    }
    input.truncate(max_len);
    input
}

struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        (random(&mut self.0) % end.max(1) as u64) as usize
    }

    /// A part of `bytes`, mostly a short one.
    fn part(&mut self, bytes: &[u8]) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let most = if self.below(4) == 0 { bytes.len() } else { 8 };
        start..(start + self.below(most + 1)).min(bytes.len())
    }

    fn change(&mut self, input: &mut Vec<u8>, other: &[u8]) {
        let part = self.part(input);
        match self.below(8) {
            0 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] ^= 1 << self.below(8);
            }
            1 if !input.is_empty() => {
                let at = self.below(input.len());
                input[at] = self.below(256) as u8;
            }
            2 => drop(input.drain(part)),
            3 => {
                let copy = input[part.clone()].to_vec();
                input.splice(part.start..part.start, copy);
            }
            4 => {
                let theirs = self.part(other);
                input.splice(part, other[theirs].iter().copied());
            }
            5 => {
                let edge = EDGES[self.below(EDGES.len())];
                let width = [1, 2, 4, 8][self.below(4)];
                let bytes = if self.below(2) == 0 { edge.to_le_bytes() } else { edge.to_be_bytes() };
                let bytes = if self.below(2) == 0 { &bytes[..width] } else { &bytes[8 - width..] };
                let end = (part.start + width).min(input.len());
                input.splice(part.start..end, bytes.iter().copied());
            }
            6 => {
                // A number in a text.
                let digits = EDGES[self.below(EDGES.len())].to_string();
                let start = input.iter().skip(part.start).position(u8::is_ascii_digit);
                let start = start.map_or(part.start, |skipped| part.start + skipped);
                let length = input[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                input.splice(start..start + length, digits.bytes());
            }
            _ => input.truncate(part.start),
        }
    }
}

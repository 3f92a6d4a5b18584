//! The city: who stands where, who is busy, and where alerts come from.

use model::{CoordinateSystem, Place};

/// How far a query looks, in metres.
pub(crate) const REACH: f64 = 20_000.0;
/// Held by 25 %.
pub(crate) const COMMON: u16 = 0b01;
/// Held by 1 %.
pub(crate) const RARE: u16 = 0b10;
const ALERTS: usize = 8_192;
const MOVES: usize = 65_536;

/// How people are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spread {
    /// Around twenty centres of a city 60 km wide, one in ten anywhere in it.
    City,
    /// Around the centre of one town 12 km wide.
    Town,
    /// Evenly over a province 500 km wide.
    Province,
}

impl Spread {
    /// The edge of the square everybody is in, in metres.
    pub(crate) fn edge(self) -> f64 {
        match self {
            Self::City => 60_000.0,
            Self::Town => 12_000.0,
            Self::Province => 500_000.0,
        }
    }
}

/// Somebody in the plane, in metres from the south-western corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Standing {
    pub(crate) at: [f64; 2],
    pub(crate) skills: u16,
    pub(crate) id: u32,
}

/// A small generator of repeatable numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to 1.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).sum::<f64>() - 6.0
    }
}

pub(crate) struct City {
    pub(crate) spread: Spread,
    /// Everybody, busy ones included, by id.
    pub(crate) all: Vec<Standing>,
    pub(crate) busy: Vec<bool>,
    /// Where alerts come from: where people are.
    pub(crate) alerts: Vec<[f64; 2]>,
    /// Where people go next, about 450 m and at most 850 m from where they are, and after all of that back again.
    pub(crate) moves: Vec<(u32, [f64; 2])>,
}

impl City {
    pub(crate) fn new(spread: Spread, responders: u32) -> Self {
        let mut numbers = Numbers(81);
        let edge = spread.edge();
        let centres: Vec<[f64; 2]> =
            (0..20).map(|_| [0.1, 0.1].map(|least| (least + 0.8 * numbers.fraction()) * edge)).collect();
        let inside = |metres: f64| metres.clamp(0.0, edge - 1.0);
        let spot = |numbers: &mut Numbers| {
            let anywhere = [numbers.fraction() * edge, numbers.fraction() * edge];
            let around = |centre: [f64; 2], metres: f64, numbers: &mut Numbers| {
                centre.map(|middle| inside(middle + metres * numbers.bell()))
            };
            match spread {
                Spread::City if numbers.fraction() < 0.1 => anywhere,
                Spread::City => around(centres[numbers.next() as usize % centres.len()], 3_000.0, numbers),
                Spread::Town => around([edge / 2.0, edge / 2.0], 2_000.0, numbers),
                Spread::Province => anywhere,
            }
        };
        let all: Vec<Standing> = (0..responders)
            .map(|id| {
                let common = if numbers.fraction() < 0.25 { COMMON } else { 0 };
                let rare = if numbers.fraction() < 0.01 { RARE } else { 0 };
                Standing { at: spot(&mut numbers), skills: common | rare, id }
            })
            .collect();
        let busy: Vec<bool> = (0..responders).map(|_| numbers.fraction() < 0.3).collect();
        let alerts = (0..ALERTS).map(|_| spot(&mut numbers)).collect();
        let free: Vec<&Standing> = all.iter().filter(|one| !busy[one.id as usize]).collect();
        let mut moves: Vec<(u32, [f64; 2])> = (0..MOVES)
            .map(|_| {
                let one = free[numbers.next() as usize % free.len()];
                (one.id, one.at.map(|metres| inside(metres + 1_200.0 * (numbers.fraction() - 0.5))))
            })
            .collect();
        moves.extend_from_within(..);
        moves[MOVES..].iter_mut().for_each(|(id, at)| *at = all[*id as usize].at);
        Self { spread, all, busy, alerts, moves }
    }

    pub(crate) fn free(&self) -> impl Iterator<Item = Standing> {
        self.all.iter().copied().filter(|one| !self.busy[one.id as usize])
    }
}

/// The spot on the globe.
pub(crate) fn place([east, north]: [f64; 2]) -> Place {
    let corner = Place::new(31.0, 117.0, CoordinateSystem::Wgs84).expect("on the globe");
    let north_of_corner = corner.offset(north, 0.0);
    north_of_corner.offset(0.0, east)
}

//! Points: a place as one word, and what lies between two of them.
//!
//! Ranking must agree with [`Place::distance`] to the metre, and that needs a cosine of every pair's mean latitude. A
//! query computes sine and cosine once and bends them to each candidate; only where the result lies within two
//! centimetres of a half metre, where rounding could differ, is [`Place::distance`] itself asked.

use model::{CoordinateSystem, Metres, Place};

/// Metres in a unit of 10⁻⁷ degree of latitude: the earth [`Place::distance`] uses (a test compares them).
pub(crate) const METRES_PER_UNIT: f64 = 0.011_119_508;
/// Units of 10⁻⁷ degree around the globe.
pub(crate) const UNITS_AROUND: i64 = 3_600_000_000;
/// Units of 10⁻⁷ degree from pole to pole.
pub(crate) const UNITS_POLE_TO_POLE: i64 = 1_800_000_000;
/// How far a bent cosine may put a distance off, in metres: it is below 0.01 halfway round the globe.
pub(crate) const DOUBT: f64 = 0.02;
/// Half of a difference in latitude, in radians, up to which the bent cosine is exact to 5 · 10⁻¹⁰ (127 km).
const BENDS_UP_TO: f64 = 0.01;
/// Multiplying is quicker than dividing.
const A_SIXTH: f64 = 1.0 / 6.0;
/// Radians of half a unit.
const HALF_UNIT: f64 = 1e-7 * std::f64::consts::PI / 360.0;

/// A place in WGS-84 as one word, so that one atomic holds it: latitude above, longitude below, in 10⁻⁷ degree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point(pub(crate) u64);

impl Point {
    /// No place: a latitude nobody can have.
    pub(crate) const NOWHERE: Self = Self(1 << 63);

    pub(crate) fn new(latitude_e7: i32, longitude_e7: i32) -> Self {
        Self(u64::from(latitude_e7 as u32) << 32 | u64::from(longitude_e7 as u32))
    }

    pub(crate) fn of(place: Place) -> Self {
        Self::new(place.latitude_e7(), place.longitude_e7())
    }

    pub(crate) fn latitude_e7(self) -> i32 {
        (self.0 >> 32) as i32
    }

    pub(crate) fn longitude_e7(self) -> i32 {
        self.0 as i32
    }

    /// The place, or `None` for [`Point::NOWHERE`].
    pub(crate) fn place(self) -> Option<Place> {
        Place::from_e7(self.latitude_e7(), self.longitude_e7(), CoordinateSystem::Wgs84)
    }
}

/// The point a query measures from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Aim {
    at: Place,
    sine: f64,
    cosine: f64,
}

impl Aim {
    pub(crate) fn new(at: Place) -> Self {
        let (sine, cosine) = at.latitude().to_radians().sin_cos();
        Self { at, sine, cosine }
    }

    /// The square of the distance to `point`, in units of 10⁻⁷ degree of latitude; right to [`DOUBT`].
    pub(crate) fn squared(&self, point: Point) -> f64 {
        let north = f64::from(point.latitude_e7()) - f64::from(self.at.latitude_e7());
        let east = (i64::from(point.longitude_e7()) - i64::from(self.at.longitude_e7())).abs();
        let east = east.min(UNITS_AROUND - east) as f64 * self.cosine_towards(north);
        north * north + east * east
    }

    /// The cosine of the latitude halfway to a point `north` units away.
    fn cosine_towards(&self, north: f64) -> f64 {
        let half = north * HALF_UNIT;
        if half.abs() > BENDS_UP_TO {
            return (self.at.latitude().to_radians() + half).cos();
        }
        let square = half * half;
        self.cosine * (1.0 - square / 2.0) - self.sine * half * (1.0 - square * A_SIXTH)
    }

    /// [`Place::distance`] to `point`, whose squared distance is `squared`.
    pub(crate) fn metres(&self, squared: f64, point: Point) -> Metres {
        let metres = squared.sqrt() * METRES_PER_UNIT;
        let whole = metres as u32;
        let beyond = metres - f64::from(whole);
        if (beyond - 0.5).abs() > DOUBT {
            return Metres(whole + u32::from(beyond > 0.5));
        }
        // The same doubt, the other way round: a point off the globe is never stored, so there is a place.
        point.place().map_or(Metres(whole), |place| place.distance(self.at))
    }

    /// A cosine no larger than that of any latitude halfway to a point within `reach`.
    pub(crate) fn least_cosine(&self, reach: Metres) -> f64 {
        let half = f64::from(reach.0) / METRES_PER_UNIT * HALF_UNIT;
        (self.cosine - half * self.sine.abs() - half * half / 2.0).max(0.0)
    }
}

/// The distance, in units, beyond which nothing rounds to `metres` or less.
pub(crate) fn units_within(metres: Metres) -> f64 {
    (f64::from(metres.0) + 0.5 + DOUBT) / METRES_PER_UNIT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        (-900_000_000..=900_000_000, -1_800_000_000..=1_800_000_000).prop_map(|(latitude, longitude)| {
            Place::from_e7(latitude, longitude, CoordinateSystem::Wgs84).expect("on the globe")
        })
    }

    fn nearby() -> impl Strategy<Value = (Place, Place)> {
        (place(), -30_000.0..30_000.0, -30_000.0..30_000.0).prop_map(|(a, n, e)| (a, a.offset(n, e)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 50 } else { 20_000 }))]
        #[test]
        fn the_quick_distance_is_the_distance_of_the_model(
            (a, b) in prop_oneof![(place(), place()), nearby()],
        ) {
            let aim = Aim::new(a);
            let point = Point::of(b);
            prop_assert_eq!(point.place().map(|p| (p.latitude_e7(), p.longitude_e7())),
                Some((b.latitude_e7(), b.longitude_e7())));
            let squared = aim.squared(point);
            let distance = b.distance(a);
            prop_assert_eq!(aim.metres(squared, point), distance);
            prop_assert!(squared.sqrt() <= units_within(distance));
        }
    }

    #[test]
    fn nowhere_is_no_place() {
        assert_eq!(Point::NOWHERE.place(), None);
    }
}

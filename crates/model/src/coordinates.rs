//! Coordinate systems: Chinese maps and clouds shift their points; we store WGS-84.
//!
//! GCJ-02 moves a point by up to about 700 m inside mainland China. The formulas are the publicly known ones: a
//! polynomial with sine terms on the Krasovsky 1940 ellipsoid, which has no closed inverse, so the way back is a
//! fixed-point search. BD-09 turns and stretches GCJ-02 a little more.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// The system a pair of degrees is given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoordinateSystem {
    /// What satellites give.
    #[default]
    Wgs84,
    /// What Chinese maps and many watches give.
    Gcj02,
    /// What Baidu gives.
    Bd09,
}

/// Half the long axis of the Krasovsky 1940 ellipsoid, in metres.
const SEMI_MAJOR_AXIS: f64 = 6_378_245.0;
/// The square of that ellipsoid's eccentricity.
const ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;
/// Rounds of the search for the inverse; each shrinks the error a hundredfold, so the last is far below 1 cm.
const INVERSE_ROUNDS: usize = 6;
/// BD-09's own scale of degrees.
const BAIDU_PI: f64 = PI * 3000.0 / 180.0;

impl CoordinateSystem {
    /// Returns these degrees of this system as degrees of WGS-84, exact to about a centimetre.
    pub(crate) fn to_wgs84(self, latitude: f64, longitude: f64) -> (f64, f64) {
        match self {
            Self::Wgs84 => (latitude, longitude),
            Self::Gcj02 => gcj02_to_wgs84(latitude, longitude),
            Self::Bd09 => {
                let (latitude, longitude) = bd09_to_gcj02(latitude, longitude);
                gcj02_to_wgs84(latitude, longitude)
            }
        }
    }
}

fn gcj02_to_wgs84(latitude: f64, longitude: f64) -> (f64, f64) {
    let mut guess = (latitude, longitude);
    for _ in 0..INVERSE_ROUNDS {
        let shifted = wgs84_to_gcj02(guess.0, guess.1);
        guess = (guess.0 + latitude - shifted.0, guess.1 + longitude - shifted.1);
    }
    guess
}

fn wgs84_to_gcj02(latitude: f64, longitude: f64) -> (f64, f64) {
    let shifted_here = (0.8293..=55.8271).contains(&latitude) && (72.004..=137.8347).contains(&longitude);
    if !shifted_here {
        return (latitude, longitude);
    }
    let (x, y) = (longitude - 105.0, latitude - 35.0);
    let ripple = (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0;
    let wave = |v: f64, a: f64, b: f64, c: f64, d: f64| {
        let near = (20.0 * (v * PI).sin() + 40.0 * (v / 3.0 * PI).sin()) * 2.0 / 3.0;
        let far = (a * (v / b * PI).sin() + c * (v / d * PI).sin()) * 2.0 / 3.0;
        near + far
    };
    let root = x.abs().sqrt();
    let north = -100.0 + 2.0 * x + 3.0 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * root + ripple;
    let north = north + wave(y, 160.0, 12.0, 320.0, 30.0);
    let east = 300.0 + x + 2.0 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * root + ripple;
    let east = east + wave(x, 150.0, 12.0, 300.0, 30.0);

    let radians = latitude.to_radians();
    let magic = 1.0 - ECCENTRICITY_SQUARED * radians.sin().powi(2);
    let north_radius = SEMI_MAJOR_AXIS * (1.0 - ECCENTRICITY_SQUARED) / (magic * magic.sqrt());
    let east_radius = SEMI_MAJOR_AXIS / magic.sqrt() * radians.cos();
    (latitude + (north / north_radius).to_degrees(), longitude + (east / east_radius).to_degrees())
}

fn bd09_to_gcj02(latitude: f64, longitude: f64) -> (f64, f64) {
    let (x, y) = (longitude - 0.0065, latitude - 0.006);
    let radius = x.hypot(y) - 0.000_02 * (y * BAIDU_PI).sin();
    let angle = y.atan2(x) - 0.000_003 * (x * BAIDU_PI).cos();
    (radius * angle.sin(), radius * angle.cos())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Place;

    fn metres_apart(a: (f64, f64), b: (f64, f64)) -> u32 {
        let place = |(latitude, longitude)| {
            Place::new(latitude, longitude, CoordinateSystem::Wgs84).expect("on the globe")
        };
        place(a).distance(place(b)).0
    }

    #[test]
    fn tiananmen_moves_by_half_a_kilometre_and_back() {
        let wgs84 = (39.907_33, 116.391_26);
        let gcj02 = wgs84_to_gcj02(wgs84.0, wgs84.1);
        // Where Chinese maps draw it: 39.90873, 116.39750.
        assert!(metres_apart(gcj02, (39.908_73, 116.397_50)) <= 5, "{gcj02:?}");
        let back = CoordinateSystem::Gcj02.to_wgs84(gcj02.0, gcj02.1);
        assert_eq!(metres_apart(back, wgs84), 0);
    }

    #[test]
    fn baidu_differs_from_gcj02_by_about_a_kilometre() {
        let gcj02 = bd09_to_gcj02(39.915_119, 116.403_963);
        assert!((500..1_500).contains(&metres_apart(gcj02, (39.915_119, 116.403_963))), "{gcj02:?}");
        // The published pair of this point: 39.908823, 116.397470.
        assert!(metres_apart(gcj02, (39.908_8, 116.397_5)) <= 30, "{gcj02:?}");
    }

    #[test]
    fn abroad_nothing_moves() {
        assert_eq!(CoordinateSystem::Gcj02.to_wgs84(48.85, 2.35), (48.85, 2.35));
    }
}

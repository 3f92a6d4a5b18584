//! Places: where something is, and how far that is from elsewhere.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::CoordinateSystem;

/// A point on the ground in WGS-84, with the coordinate system it was given in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    latitude_e7: i32,
    longitude_e7: i32,
    source: CoordinateSystem,
}

/// Why two numbers are not a [`Place`].
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PlaceError {
    /// Not a number, or outside ±90°.
    #[error("latitude {0} is not within ±90°: the fix is corrupt, or latitude and longitude are swapped")]
    Latitude(f64),
    /// Not a number, or outside ±180°.
    #[error("longitude {0} is not within ±180°: the fix is corrupt")]
    Longitude(f64),
    /// Exactly (0, 0), which devices send when they have no fix.
    #[error("the position is (0, 0), which means no fix: leave the place out")]
    NoFix,
}

/// A length along the ground in whole metres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Metres(pub u32);

/// Metres in one degree of latitude, from the mean radius of the earth, 6,371,008.8 m (IUGG).
const METRES_PER_DEGREE: f64 = 111_195.08;

impl Place {
    /// Returns the place at `latitude` and `longitude`, in degrees of `system`, turned into WGS-84.
    ///
    /// Kept to 10⁻⁷ degree, about a centimetre.
    ///
    /// # Errors
    /// [`PlaceError::Latitude`] and [`PlaceError::Longitude`] outside the globe, [`PlaceError::NoFix`] at (0, 0).
    pub fn new(latitude: f64, longitude: f64, system: CoordinateSystem) -> Result<Self, PlaceError> {
        if !(-90.0..=90.0).contains(&latitude) {
            return Err(PlaceError::Latitude(latitude));
        }
        if !(-180.0..=180.0).contains(&longitude) {
            return Err(PlaceError::Longitude(longitude));
        }
        if latitude == 0.0 && longitude == 0.0 {
            return Err(PlaceError::NoFix);
        }
        let (latitude, longitude) = system.to_wgs84(latitude, longitude);
        // Turning BD-09 into WGS-84 can step over the edge of the globe by a few metres.
        let e7 = |degrees: f64, most: f64| (degrees.clamp(-most, most) * 1e7).round() as i32;
        Ok(Self { latitude_e7: e7(latitude, 90.0), longitude_e7: e7(longitude, 180.0), source: system })
    }

    /// Returns the place at these numbers of 10⁻⁷ degree in WGS-84, or `None` outside the globe.
    #[must_use]
    pub fn from_e7(latitude_e7: i32, longitude_e7: i32, source: CoordinateSystem) -> Option<Self> {
        let inside =
            latitude_e7.unsigned_abs() <= 900_000_000 && longitude_e7.unsigned_abs() <= 1_800_000_000;
        inside.then_some(Self { latitude_e7, longitude_e7, source })
    }

    /// Latitude in 10⁻⁷ degree of WGS-84.
    #[must_use]
    pub const fn latitude_e7(self) -> i32 {
        self.latitude_e7
    }

    /// Longitude in 10⁻⁷ degree of WGS-84.
    #[must_use]
    pub const fn longitude_e7(self) -> i32 {
        self.longitude_e7
    }

    /// Latitude in degrees of WGS-84.
    #[must_use]
    pub fn latitude(self) -> f64 {
        f64::from(self.latitude_e7) / 1e7
    }

    /// Longitude in degrees of WGS-84.
    #[must_use]
    pub fn longitude(self) -> f64 {
        f64::from(self.longitude_e7) / 1e7
    }

    /// The coordinate system the place was given in.
    #[must_use]
    pub const fn source(self) -> CoordinateSystem {
        self.source
    }

    /// Returns the distance to `other` in metres along the ground.
    ///
    /// Flat-earth approximation, within 1 % of the true distance below 50 km and 60° of latitude: good enough to
    /// rank responders, not to bill a journey.
    #[must_use]
    pub fn distance(self, other: Self) -> Metres {
        let north = self.latitude() - other.latitude();
        let east = (self.longitude() - other.longitude()).abs();
        let east = east.min(360.0 - east) * ((self.latitude() + other.latitude()) / 2.0).to_radians().cos();
        Metres((north.hypot(east) * METRES_PER_DEGREE).round() as u32)
    }

    /// Returns the place `north` and `east` metres from here (negative: south, west), kept on the globe.
    #[must_use]
    pub fn offset(self, north: f64, east: f64) -> Self {
        let latitude = (self.latitude() + north / METRES_PER_DEGREE).clamp(-90.0, 90.0);
        let narrowing = self.latitude().to_radians().cos().max(1e-6);
        let longitude = (self.longitude() + east / METRES_PER_DEGREE / narrowing).clamp(-180.0, 180.0);
        Self {
            latitude_e7: (latitude * 1e7).round() as i32,
            longitude_e7: (longitude * 1e7).round() as i32,
            source: self.source,
        }
    }
}

impl fmt::Display for Metres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} m", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Place {
        Place::new(latitude, longitude, CoordinateSystem::Wgs84).expect("on the globe")
    }

    #[test]
    fn distance_agrees_with_the_haversine_within_one_per_cent() {
        let haversine = |a: Place, b: Place| {
            let (p, q) = (a.latitude().to_radians(), b.latitude().to_radians());
            let h = ((q - p) / 2.0).sin().powi(2)
                + p.cos() * q.cos() * ((b.longitude() - a.longitude()).to_radians() / 2.0).sin().powi(2);
            2.0 * 6_371_008.8 * h.sqrt().asin()
        };
        for latitude in [18.0, 32.7, 45.0, 53.5, 60.0] {
            for (north, east) in [(100.0, 0.0), (0.0, 3_000.0), (-20_000.0, 20_000.0), (30_000.0, -40_000.0)]
            {
                let from = at(latitude, 119.0);
                let to = from.offset(north, east);
                let truth = haversine(from, to);
                let error = (f64::from(from.distance(to).0) - truth).abs();
                assert!(error <= 0.01 * truth + 1.0, "{latitude} {north} {east}: {error}");
            }
        }
    }

    #[test]
    fn distance_is_short_across_the_date_line() {
        assert!(at(10.0, 179.999).distance(at(10.0, -179.999)) < Metres(300));
    }

    #[test]
    fn what_is_not_on_the_globe_is_refused() {
        assert_eq!(Place::new(91.0, 0.0, CoordinateSystem::Wgs84), Err(PlaceError::Latitude(91.0)));
        assert!(Place::new(f64::NAN, 0.0, CoordinateSystem::Wgs84).is_err());
        assert_eq!(Place::new(0.0, -181.0, CoordinateSystem::Wgs84), Err(PlaceError::Longitude(-181.0)));
        assert_eq!(Place::new(0.0, 0.0, CoordinateSystem::Gcj02), Err(PlaceError::NoFix));
        let edge = Place::new(45.0, -180.0, CoordinateSystem::Bd09).expect("on the globe");
        assert_eq!(
            Place::from_e7(edge.latitude_e7(), edge.longitude_e7(), CoordinateSystem::Bd09),
            Some(edge)
        );
        assert_eq!(Place::from_e7(i32::MIN, 0, CoordinateSystem::Wgs84), None);
    }
}

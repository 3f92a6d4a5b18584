//! Fields: places and times as requests carry them, refused with the field's name when they are wrong.

use model::{CoordinateSystem, Place, PlaceError, Timestamp};

use crate::{FromWire as _, v1};

/// What is wrong with one field of a request. Becomes a `google.rpc.BadRequest.FieldViolation`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {reason}")]
pub struct FieldFault {
    /// Which: `elder.place.latitude`.
    pub field: String,
    /// What is wrong and what to do.
    pub reason: String,
}

impl FieldFault {
    /// A fault of `field`.
    #[must_use]
    pub fn new(field: &str, reason: impl Into<String>) -> Self {
        Self { field: field.to_owned(), reason: reason.into() }
    }
}

/// Returns the place in a request, turned into WGS-84; `None` when absent or (0, 0), which means no fix.
///
/// # Errors
/// [`FieldFault`] names the degree that is off the globe, or an unknown coordinate system.
pub fn place_from_request(field: &str, place: Option<&v1::Place>) -> Result<Option<Place>, FieldFault> {
    let Some(place) = place else { return Ok(None) };
    let system = CoordinateSystem::read(&format!("{field}.system"), place.system)?;
    match Place::new(place.latitude, place.longitude, system) {
        Ok(place) => Ok(Some(place)),
        Err(PlaceError::NoFix) => Ok(None),
        Err(error @ PlaceError::Latitude(_)) => {
            Err(FieldFault::new(&format!("{field}.latitude"), error.to_string()))
        }
        Err(error @ PlaceError::Longitude(_)) => {
            Err(FieldFault::new(&format!("{field}.longitude"), error.to_string()))
        }
    }
}

/// Returns `place` for a response: degrees of WGS-84, with the system it was given in.
#[must_use]
pub fn place_to_wire(place: Place) -> v1::Place {
    v1::Place {
        latitude: place.latitude(),
        longitude: place.longitude(),
        system: v1::CoordinateSystem::from(place.source()).into(),
    }
}

/// Returns the place in a record or response of ours, whose degrees are WGS-84 already; `None` when it is off the globe.
#[must_use]
pub fn place_from_record(place: &v1::Place) -> Option<Place> {
    let system = CoordinateSystem::read("place.system", place.system).ok()?;
    let e7 = |degrees: f64| (degrees * 1e7).round() as i32;
    Place::from_e7(e7(place.latitude), e7(place.longitude), system)
}

/// Returns a time for a response.
#[must_use]
pub fn time_to_wire(time: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(time.0.rem_euclid(1000) * 1_000_000).unwrap_or(0);
    prost_types::Timestamp { seconds: time.0.div_euclid(1000), nanos }
}

/// Returns the time a request gives, cut to milliseconds. A time far out of range stops at the end of ours.
#[must_use]
pub fn time_from_wire(time: &prost_types::Timestamp) -> Timestamp {
    Timestamp(time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos / 1_000_000)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_place_of_ours_reads_back_exactly(latitude in -900_000_000..=900_000_000i32, longitude in -1_800_000_000..=1_800_000_000i32) {
            let place = Place::from_e7(latitude, longitude, CoordinateSystem::Gcj02).expect("on the globe");
            prop_assert_eq!(place_from_record(&place_to_wire(place)), Some(place));
        }

        #[test]
        fn a_time_reads_back_exactly(millis in -100_000_000_000_000i64..100_000_000_000_000) {
            prop_assert_eq!(time_from_wire(&time_to_wire(Timestamp(millis))), Timestamp(millis));
        }
    }

    #[test]
    fn a_wrong_degree_is_refused_by_name() {
        let place = v1::Place { latitude: 99.0, longitude: 1.0, system: 0 };
        let fault = place_from_request("elder.place", Some(&place)).expect_err("off the globe");
        assert_eq!(fault.field, "elder.place.latitude");
        assert_eq!(place_from_request("place", Some(&v1::Place::default())), Ok(None));
    }
}

//! Where was it? A place that is certain, or none.

use model::{CoordinateSystem, Place, PlaceError};
use serde_json::Value;

/// What a message tells about a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fix {
    /// A place.
    Known(Place),
    /// The device says that it does not know: no degrees, (0, 0), or a mark that the fix is invalid.
    Absent,
    /// Degrees that are not on the globe, or that nobody can read.
    Unreadable,
}

/// Reads `{"latitude", "longitude", "system", "valid"}`; the last two may be absent.
///
/// A system nobody knows is unreadable rather than WGS-84: the point could be 700 m off.
pub(crate) fn read(place: &Value) -> Fix {
    let Value::Object(place) = place else {
        return Fix::Unreadable;
    };
    let field = |name| place.get(name).filter(|value: &&Value| !value.is_null());
    let system = match field("system").map(Value::as_str) {
        None | Some(Some("wgs84")) => CoordinateSystem::Wgs84,
        Some(Some("gcj02")) => CoordinateSystem::Gcj02,
        Some(Some("bd09")) => CoordinateSystem::Bd09,
        Some(_) => return Fix::Unreadable,
    };
    match field("valid").map(Value::as_bool) {
        None | Some(Some(true)) => from_degrees(field("latitude"), field("longitude"), system),
        Some(Some(false)) => Fix::Absent,
        Some(None) => Fix::Unreadable,
    }
}

/// Reads two numbers of degrees.
pub(crate) fn from_degrees(
    latitude: Option<&Value>,
    longitude: Option<&Value>,
    system: CoordinateSystem,
) -> Fix {
    let (latitude, longitude) = match (latitude, longitude) {
        (None, None) => return Fix::Absent,
        (Some(latitude), Some(longitude)) => (latitude.as_f64(), longitude.as_f64()),
        (Some(_), None) | (None, Some(_)) => return Fix::Unreadable,
    };
    let (Some(latitude), Some(longitude)) = (latitude, longitude) else {
        return Fix::Unreadable;
    };
    match Place::new(latitude, longitude, system) {
        Ok(place) => Fix::Known(place),
        Err(PlaceError::NoFix) => Fix::Absent,
        Err(PlaceError::Latitude(_) | PlaceError::Longitude(_)) => Fix::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_certain_place_is_a_place() {
        assert!(matches!(read(&json!({"latitude": 32.7, "longitude": 118.9})), Fix::Known(_)));
        assert!(matches!(
            read(&json!({"latitude": 32.7, "longitude": 118.9, "system": "gcj02"})),
            Fix::Known(_)
        ));
        for absent in [
            json!({"latitude": 0, "longitude": 0}),
            json!({"latitude": null, "longitude": null}),
            json!({"latitude": 32.7, "longitude": 118.9, "valid": false}),
            json!({"latitude": 95, "longitude": "x", "valid": false}),
        ] {
            assert_eq!(read(&absent), Fix::Absent, "{absent}");
        }
        for odd in [
            json!({"latitude": 91, "longitude": 118.9}),
            json!({"latitude": 32.7}),
            json!({"latitude": "32.7", "longitude": "118.9"}),
            json!({"latitude": 32.7, "longitude": 118.9, "system": "mars"}),
            json!({"latitude": 32.7, "longitude": 118.9, "valid": "V"}),
            json!([32.7, 118.9]),
        ] {
            assert_eq!(read(&odd), Fix::Unreadable, "{odd}");
        }
    }
}

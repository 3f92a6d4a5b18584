//! Names: `incidents/42`, as requests and responses call things.

use std::fmt;

use access::KeyId;
use model::{DeviceId, ElderId, IncidentId, OrgUnitCode, ProviderId, ResponderId, UserId};

use crate::FieldFault;

/// The name of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// `incidents/42`
    Incident(IncidentId),
    /// `responders/3`
    Responder(ResponderId),
    /// `elders/7`
    Elder(ElderId),
    /// `providers/3`
    Provider(ProviderId),
    /// `orgUnits/341181`
    OrgUnit(OrgUnitCode),
    /// `devices/zb-1`
    Device(DeviceId),
    /// `users/3`
    User(UserId),
    /// `users/3/apiKeys/0`
    ApiKey(UserId, KeyId),
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Incident(id) => write!(f, "incidents/{id}"),
            Self::Responder(id) => write!(f, "responders/{id}"),
            Self::Elder(id) => write!(f, "elders/{id}"),
            Self::Provider(id) => write!(f, "providers/{id}"),
            Self::OrgUnit(code) => write!(f, "orgUnits/{code}"),
            Self::Device(id) => write!(f, "devices/{id}"),
            Self::User(id) => write!(f, "users/{id}"),
            Self::ApiKey(user, key) => write!(f, "users/{user}/apiKeys/{key}"),
        }
    }
}

/// Why a text is not the name that was asked for.
pub type NameFault = FieldFault;

impl Name {
    /// Reads `incidents/42`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn incident(field: &str, text: &str) -> Result<IncidentId, NameFault> {
        number(field, text, "incidents").map(IncidentId)
    }

    /// Reads `responders/3`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn responder(field: &str, text: &str) -> Result<ResponderId, NameFault> {
        small_number(field, text, "responders").map(ResponderId)
    }

    /// Reads `elders/7`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn elder(field: &str, text: &str) -> Result<ElderId, NameFault> {
        number(field, text, "elders").map(ElderId)
    }

    /// Reads `providers/3`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn provider(field: &str, text: &str) -> Result<ProviderId, NameFault> {
        small_number(field, text, "providers").map(ProviderId)
    }

    /// Reads `orgUnits/341181`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn org_unit(field: &str, text: &str) -> Result<OrgUnitCode, NameFault> {
        let code = after(field, text, "orgUnits")?;
        OrgUnitCode::new(code).map_err(|error| NameFault::new(field, error.to_string()))
    }

    /// Reads `users/3`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn user(field: &str, text: &str) -> Result<UserId, NameFault> {
        small_number(field, text, "users").map(UserId)
    }

    /// Reads `users/3/apiKeys/0`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn api_key(field: &str, text: &str) -> Result<(UserId, KeyId), NameFault> {
        let fault = || NameFault::new(field, format!("{text:?} is not a name of the form users/…/apiKeys/…"));
        let (user, key) = text.split_once("/apiKeys/").ok_or_else(fault)?;
        Ok((Self::user(field, user)?, key.parse().map_err(|_| fault())?))
    }

    /// Reads `devices/zb-1`.
    ///
    /// # Errors
    /// [`NameFault`] names `field` and the form expected.
    pub fn device(field: &str, text: &str) -> Result<DeviceId, NameFault> {
        let id = after(field, text, "devices")?;
        DeviceId::new(id).map_err(|error| NameFault::new(field, error.to_string()))
    }
}

fn after<'a>(field: &str, text: &'a str, collection: &str) -> Result<&'a str, NameFault> {
    text.strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'))
        .ok_or_else(|| NameFault::new(field, format!("{text:?} is not a name of the form {collection}/…")))
}

fn number(field: &str, text: &str, collection: &str) -> Result<u64, NameFault> {
    after(field, text, collection)?
        .parse()
        .map_err(|_| NameFault::new(field, format!("{text:?} does not end in a number: {collection}/42")))
}

fn small_number(field: &str, text: &str, collection: &str) -> Result<u32, NameFault> {
    let number = number(field, text, collection)?;
    u32::try_from(number)
        .map_err(|_| NameFault::new(field, format!("{number} is larger than any number given")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_a_wrong_one_says_the_form() {
        assert_eq!(Name::incident("name", "incidents/42"), Ok(IncidentId(42)));
        assert_eq!(Name::Incident(IncidentId(42)).to_string(), "incidents/42");
        let fault = Name::responder("responder", "elders/1").expect_err("not a responder");
        assert_eq!(fault.reason, "\"elders/1\" is not a name of the form responders/…");
        assert!(Name::responder("responder", "responders/99999999999").is_err());
        assert!(Name::device("device", "devices/").is_err());
    }
}

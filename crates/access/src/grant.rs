//! Grants: which role has somebody, and for which records?

use std::fmt;

use model::{OrgUnitCode, ProviderId, ResponderId};
use serde::{Deserialize, Serialize};

/// What somebody does here. What that permits stands in the policy file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Looks after users, records and the server.
    Administrator,
    /// Leads a shift of operators.
    Supervisor,
    /// Receives emergencies.
    Operator,
    /// Leads an organisation that sends people.
    ProviderManager,
    /// Is sent.
    Responder,
    /// Is a program that hands in what devices say and keeps records.
    Integrator,
    /// Looks whether all is done as it should be, and changes nothing.
    Auditor,
    /// Is a device.
    Device,
}

impl Role {
    /// Every role and its name, in the order of the enum.
    pub const NAMES: [(Self, &'static str); 8] = [
        (Self::Administrator, "administrator"),
        (Self::Supervisor, "supervisor"),
        (Self::Operator, "operator"),
        (Self::ProviderManager, "provider_manager"),
        (Self::Responder, "responder"),
        (Self::Integrator, "integrator"),
        (Self::Auditor, "auditor"),
        (Self::Device, "device"),
    ];

    /// Its name, as the policy file has it.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()].1
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }

    /// Whether somebody may have this role for these records.
    #[must_use]
    pub fn fits(self, scope: Scope) -> bool {
        match self {
            Self::Administrator | Self::Supervisor | Self::Operator | Self::Integrator | Self::Auditor => {
                matches!(scope, Scope::Everything | Scope::OrgUnit(_))
            }
            Self::ProviderManager => matches!(scope, Scope::Provider(_)),
            Self::Responder => matches!(scope, Scope::Responder(_)),
            Self::Device => false,
        }
    }
}

/// For which records somebody has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Scope {
    /// All, and what belongs to no org unit, such as the server.
    Everything,
    /// Those of a county, town or village and of all below it.
    OrgUnit(OrgUnitCode),
    /// Those of an organisation.
    Provider(ProviderId),
    /// Those of one person who can be sent.
    Responder(ResponderId),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::OrgUnit(code) => write!(f, "orgUnits/{code}"),
            Self::Provider(id) => write!(f, "providers/{id}"),
            Self::Responder(id) => write!(f, "responders/{id}"),
        }
    }
}

/// A role for some records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Grant {
    /// What somebody does.
    pub role: Role,
    /// For which records.
    pub scope: Scope,
}

/// Which org unit a record belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Belongs {
    /// To none, because it is about the server, or about all.
    ToEverybody,
    /// To none that we know: an emergency of a device nobody knows, a device in stock. Nobody may fail to see it for that.
    ToNobodyYet,
    /// To this one.
    To(OrgUnitCode),
}

/// What of a record decides who may have to do with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its org unit.
    pub belongs: Belongs,
    /// The organisation it is, or is of.
    pub provider: Option<ProviderId>,
    /// The person who can be sent that it is, or is about.
    pub responder: Option<ResponderId>,
}

impl Record {
    /// What belongs to no org unit, because it is about the server or about all.
    pub const OF_ALL: Self = Self { belongs: Belongs::ToEverybody, provider: None, responder: None };
    /// What belongs to none that we know.
    pub const OF_NOBODY: Self = Self { belongs: Belongs::ToNobodyYet, provider: None, responder: None };

    /// A record of this org unit.
    #[must_use]
    pub fn of(unit: OrgUnitCode) -> Self {
        Self { belongs: Belongs::To(unit), ..Self::OF_ALL }
    }
}

impl Grant {
    /// How the record stands to whoever has this grant.
    pub(crate) fn relation(&self, record: &Record) -> Relation {
        let within = match (self.scope, record.belongs) {
            (Scope::Everything, _) | (Scope::OrgUnit(_), Belongs::ToNobodyYet) => true,
            (Scope::OrgUnit(unit), Belongs::To(other)) => other.is_within(unit),
            (Scope::OrgUnit(_), Belongs::ToEverybody) | (Scope::Provider(_) | Scope::Responder(_), _) => {
                false
            }
        };
        let provider = matches!((self.scope, record.provider), (Scope::Provider(own), Some(of)) if own == of);
        let own = matches!((self.scope, record.responder), (Scope::Responder(own), Some(of)) if own == of);
        Relation { within, provider, own }
    }
}

/// How a record stands to somebody: what the policy file calls `context`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Relation {
    /// It lies within their org unit.
    pub(crate) within: bool,
    /// It is of their organisation.
    pub(crate) provider: bool,
    /// It is about themselves.
    pub(crate) own: bool,
}

impl Relation {
    pub(crate) const ALL: [Self; 8] = {
        let mut all = [Self { within: false, provider: false, own: false }; 8];
        let mut bits = 0;
        while bits < 8 {
            all[bits] = Self { within: bits & 1 != 0, provider: bits & 2 != 0, own: bits & 4 != 0 };
            bits += 1;
        }
        all
    };

    /// Its bit among eight.
    pub(crate) fn bit(self) -> u8 {
        1 << (u8::from(self.within) | u8::from(self.provider) << 1 | u8::from(self.own) << 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_and_relations_are_listed_in_their_order() {
        for (place, (role, name)) in Role::NAMES.into_iter().enumerate() {
            assert_eq!((role.index(), role.name()), (place, name));
        }
        for (place, relation) in Relation::ALL.into_iter().enumerate() {
            assert_eq!(relation.bit(), 1 << place);
        }
    }

    #[test]
    fn what_belongs_to_nobody_yet_is_everybodys_and_the_server_only_for_everything() {
        let county = OrgUnitCode::new("341181").expect("a code");
        let there = Grant { role: Role::Operator, scope: Scope::OrgUnit(county) };
        assert!(there.relation(&Record::OF_NOBODY).within);
        assert!(!there.relation(&Record::OF_ALL).within);
        assert!(Grant { scope: Scope::Everything, ..there }.relation(&Record::OF_ALL).within);
        let village = OrgUnitCode::new("341181001002").expect("a code");
        let elsewhere = OrgUnitCode::new("341182001002").expect("a code");
        assert!(there.relation(&Record::of(village)).within);
        assert!(!there.relation(&Record::of(elsewhere)).within);
    }
}

//! Policy: may somebody do this with that record? The one place that says so.
//!
//! The rules are a text in Cedar. They depend on nothing but the role, the permission and how the record stands to whoever
//! asks, so all their answers are worked out once, when the text is read, and a decision is a look into a table.

use std::collections::HashSet;
use std::fmt::Write as _;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, PolicySet, Request, RestrictedExpression,
    Schema, ValidationMode, Validator,
};

use crate::grant::Relation;
use crate::{Grant, Permission, Record, Role};

/// Rules in force.
#[derive(Clone, PartialEq, Eq)]
pub struct Policy {
    /// For each role and permission, in which of the eight relations it is permitted.
    table: [[u8; Permission::NAMES.len()]; Role::NAMES.len()],
}

/// A text that is no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct PolicyFault {
    /// What is wrong, where, and what to do.
    pub what: String,
}

impl PolicyFault {
    fn of(error: &dyn std::error::Error) -> Self {
        Self { what: told(error) }
    }
}

/// Every fault, and what explains it.
fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}

impl Policy {
    /// Reads a text in Cedar, and works out all its answers.
    ///
    /// # Errors
    /// [`PolicyFault`] when it is not Cedar, or names a role, an action or a relation that does not exist.
    pub fn read(text: &str) -> Result<Self, PolicyFault> {
        let rules: PolicySet = text.parse().map_err(|error| PolicyFault::of(&error))?;
        let (schema, _) = Schema::from_cedarschema_str(&schema()).map_err(|error| PolicyFault::of(&error))?;
        let verdict = Validator::new(schema).validate(&rules, ValidationMode::Strict);
        let faults: Vec<String> = verdict.validation_errors().map(ToString::to_string).collect();
        if !faults.is_empty() {
            return Err(PolicyFault { what: faults.join("\n") });
        }
        let mut table = [[0; Permission::NAMES.len()]; Role::NAMES.len()];
        for (role, name) in Role::NAMES {
            let who = Asker::new(name)?;
            for (permission, action) in Permission::NAMES {
                let cell = &mut table[role.index()][permission.index()];
                for relation in Relation::ALL {
                    if who.may(&rules, action, relation)? {
                        *cell |= relation.bit();
                    }
                }
            }
        }
        Ok(Self { table })
    }

    /// Whether somebody with these grants may do this with that record.
    #[must_use]
    pub fn may(&self, grants: &[Grant], permission: Permission, record: &Record) -> bool {
        grants.iter().any(|grant| {
            self.table[grant.role.index()][permission.index()] & grant.relation(record).bit() != 0
        })
    }

    /// Whether whoever has this role may do this with what is about themselves.
    #[must_use]
    pub fn may_own(&self, role: Role, permission: Permission) -> bool {
        let own = Relation { within: false, provider: false, own: true };
        self.table[role.index()][permission.index()] & own.bit() != 0
    }

    /// Whether there may be a record with which somebody with these grants may do this.
    #[must_use]
    pub fn may_somewhere(&self, grants: &[Grant], permission: Permission) -> bool {
        grants.iter().any(|grant| self.table[grant.role.index()][permission.index()] != 0)
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policy").finish_non_exhaustive()
    }
}

/// What the rules may speak of.
fn schema() -> String {
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    let roles = quoted(Role::NAMES.iter().map(|(_, name)| *name).collect());
    let actions = quoted(Permission::NAMES.iter().map(|(_, name)| *name).collect());
    format!(
        "entity Role enum [{roles}];
         entity Grant in [Role];
         entity Record;
         action {actions} appliesTo {{
             principal: [Grant], resource: [Record],
             context: {{ within: Bool, provider: Bool, own: Bool }}
         }};"
    )
}

/// Somebody with one role.
struct Asker {
    entities: Entities,
}

impl Asker {
    fn new(role: &str) -> Result<Self, PolicyFault> {
        let role = entity("Role", role)?;
        let grant = Entity::new_no_attrs(entity("Grant", "this")?, HashSet::from([role.clone()]));
        let known = [Entity::new_no_attrs(role, HashSet::new()), grant];
        let entities = Entities::from_entities(known, None).map_err(|error| PolicyFault::of(&error))?;
        Ok(Self { entities })
    }

    fn may(&self, rules: &PolicySet, action: &str, relation: Relation) -> Result<bool, PolicyFault> {
        let Relation { within, provider, own } = relation;
        let pairs = [("within", within), ("provider", provider), ("own", own)];
        let pairs = pairs.map(|(name, is)| (name.to_owned(), RestrictedExpression::new_bool(is)));
        let context = Context::from_pairs(pairs).map_err(|error| PolicyFault::of(&error))?;
        let (grant, action) = (entity("Grant", "this")?, entity("Action", action)?);
        let request = Request::new(grant, action, entity("Record", "that")?, context, None)
            .map_err(|error| PolicyFault::of(&error))?;
        let answer = Authorizer::new().is_authorized(&request, rules, &self.entities);
        if let Some(error) = answer.diagnostics().errors().next() {
            return Err(PolicyFault::of(error));
        }
        Ok(answer.decision() == Decision::Allow)
    }
}

fn entity(kind: &str, id: &str) -> Result<EntityUid, PolicyFault> {
    format!("{kind}::\"{id}\"").parse().map_err(|error: cedar_policy::ParseErrors| PolicyFault::of(&error))
}

#[cfg(test)]
mod tests {
    use model::{OrgUnitCode, ProviderId, ResponderId};

    use super::*;
    use crate::Scope;

    const OURS: &str = include_str!("../../../config/access.cedar");

    fn ours() -> Policy {
        Policy::read(OURS).expect("our own policy")
    }

    fn unit(code: &str) -> OrgUnitCode {
        OrgUnitCode::new(code).expect("a code")
    }

    #[test]
    fn without_a_rule_nobody_may_do_anything() {
        let policy = Policy::read("").expect("no rule is a policy");
        let everything = [Grant { role: Role::Administrator, scope: Scope::Everything }];
        for (permission, _) in Permission::NAMES {
            assert!(!policy.may(&everything, permission, &Record::OF_ALL));
            assert!(!policy.may_somewhere(&everything, permission));
        }
        assert!(!ours().may(&[], Permission::OrgUnitsRead, &Record::OF_ALL));
    }

    #[test]
    fn a_rule_with_a_slip_is_refused_and_says_where() {
        for (text, word) in [
            ("permit (principal in Role::\"operater\", action, resource);", "operater"),
            ("permit (principal, action == Action::\"elders.reed\", resource);", "elders.reed"),
            ("permit (principal, action, resource) when { context.inside };", "inside"),
            ("permit (principal, action", "end of input"),
        ] {
            let fault = Policy::read(text).expect_err(text);
            assert!(fault.what.contains(word), "{}", fault.what);
        }
    }

    #[test]
    fn an_operator_sees_their_county_and_no_other() {
        let policy = ours();
        let grants = [Grant { role: Role::Operator, scope: Scope::OrgUnit(unit("341181")) }];
        let here = Record::of(unit("341181001"));
        let there = Record::of(unit("341182001"));
        assert!(policy.may(&grants, Permission::EldersRead, &here));
        assert!(!policy.may(&grants, Permission::EldersRead, &there));
        assert!(!policy.may(&grants, Permission::EldersWrite, &here));
        assert!(policy.may(&grants, Permission::IncidentsAct, &Record::OF_NOBODY));
        assert!(policy.may(&grants, Permission::SystemRead, &Record::OF_ALL));
        assert!(!policy.may(&grants, Permission::SystemDrill, &Record::OF_ALL));
    }

    #[test]
    fn who_is_sent_speaks_only_for_themselves_and_a_manager_for_their_people() {
        let policy = ours();
        let of = |provider, responder| Record {
            provider: Some(ProviderId(provider)),
            responder: Some(ResponderId(responder)),
            ..Record::of(unit("341181001"))
        };
        let helper = [Grant { role: Role::Responder, scope: Scope::Responder(ResponderId(7)) }];
        assert!(policy.may(&helper, Permission::OffersAnswer, &of(1, 7)));
        assert!(!policy.may(&helper, Permission::OffersAnswer, &of(1, 8)));
        assert!(!policy.may(&helper, Permission::EldersRead, &of(1, 7)));
        let manager = [Grant { role: Role::ProviderManager, scope: Scope::Provider(ProviderId(1)) }];
        assert!(policy.may(&manager, Permission::DutySet, &of(1, 8)));
        assert!(!policy.may(&manager, Permission::DutySet, &of(2, 8)));
        assert!(!policy.may(&manager, Permission::OffersAnswer, &of(1, 8)));
        assert!(policy.may_own(Role::Device, Permission::SignalsPublish));
        assert!(!policy.may_own(Role::Device, Permission::EldersRead));
    }
}

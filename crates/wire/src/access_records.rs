//! Users, grants and keys, as requests and responses carry them.

use access::{ApiKey, Grant, Identity, Role, Scope, User};

use crate::{FieldFault, FromWire, Name, time_to_wire, v1};

/// What a change must send back, so that nobody changes what somebody else has changed meanwhile.
#[must_use]
pub fn etag(user: &User) -> String {
    user.revision.to_string()
}

/// The user, and the keys they have.
pub fn user_to_wire<'a>(user: &User, keys: impl IntoIterator<Item = &'a ApiKey>) -> v1::User {
    v1::User {
        name: Name::User(user.id).to_string(),
        login: user.login.clone(),
        display_name: user.display_name.to_string(),
        grants: grants_to_wire(&user.grants),
        disabled: user.disabled,
        identity: user.identity.as_ref().map(v1::Identity::from),
        etag: etag(user),
        api_keys: keys.into_iter().map(v1::ApiKey::from).collect(),
    }
}

/// Grants, as a user has them.
#[must_use]
pub fn grants_to_wire(grants: &[Grant]) -> Vec<v1::Grant> {
    let grant = |grant: &Grant| v1::Grant {
        role: v1::Role::from(grant.role).into(),
        scope: match grant.scope {
            Scope::Everything => String::new(),
            scope @ (Scope::OrgUnit(_) | Scope::Provider(_) | Scope::Responder(_)) => scope.to_string(),
        },
    };
    grants.iter().map(grant).collect()
}

/// Reads the grants in field `field`.
///
/// # Errors
/// [`FieldFault`] names the role or scope that says nothing.
pub fn grants_from_wire(field: &str, grants: &[v1::Grant]) -> Result<Vec<Grant>, FieldFault> {
    let grant = |(place, grant): (usize, &v1::Grant)| {
        let role = Role::read(&format!("{field}[{place}].role"), grant.role)?;
        let (text, field) = (grant.scope.as_str(), format!("{field}[{place}].scope"));
        let scope = match text.split('/').next().unwrap_or_default() {
            _ if text.is_empty() => Scope::Everything,
            "providers" => Scope::Provider(Name::provider(&field, text)?),
            "responders" => Scope::Responder(Name::responder(&field, text)?),
            _ => Scope::OrgUnit(Name::org_unit(&field, text)?),
        };
        Ok(Grant { role, scope })
    };
    grants.iter().enumerate().map(grant).collect()
}

impl From<&Identity> for v1::Identity {
    fn from(identity: &Identity) -> Self {
        Self { issuer: identity.issuer.clone(), subject: identity.subject.to_string() }
    }
}

impl From<v1::Identity> for Identity {
    fn from(identity: v1::Identity) -> Self {
        Self { issuer: identity.issuer, subject: identity.subject.into() }
    }
}

impl From<&ApiKey> for v1::ApiKey {
    fn from(key: &ApiKey) -> Self {
        Self {
            name: Name::ApiKey(key.user, key.id).to_string(),
            label: key.label.clone(),
            issued_at: Some(time_to_wire(key.issued_at)),
            expires_at: key.expires_at.map(time_to_wire),
        }
    }
}

impl From<Role> for v1::Role {
    fn from(word: Role) -> Self {
        match word {
            Role::Administrator => Self::Administrator,
            Role::Supervisor => Self::Supervisor,
            Role::Operator => Self::Operator,
            Role::ProviderManager => Self::ProviderManager,
            Role::Responder => Self::Responder,
            Role::Integrator => Self::Integrator,
            Role::Auditor => Self::Auditor,
            // No user has it.
            Role::Device => Self::Unspecified,
        }
    }
}

impl FromWire for Role {
    type Wire = v1::Role;
    fn from_wire(wire: v1::Role) -> Option<Self> {
        match wire {
            v1::Role::Unspecified => None,
            v1::Role::Administrator => Some(Self::Administrator),
            v1::Role::Supervisor => Some(Self::Supervisor),
            v1::Role::Operator => Some(Self::Operator),
            v1::Role::ProviderManager => Some(Self::ProviderManager),
            v1::Role::Responder => Some(Self::Responder),
            v1::Role::Integrator => Some(Self::Integrator),
            v1::Role::Auditor => Some(Self::Auditor),
        }
    }
}

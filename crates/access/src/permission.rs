//! Permissions: what can be done with which kind of record?

/// What somebody may be permitted to do. Its name is what the policy file and the methods in `proto/` call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See counties, towns and villages.
    OrgUnitsRead,
    /// Enter them.
    OrgUnitsWrite,
    /// See organisations.
    ProvidersRead,
    /// Enter them.
    ProvidersWrite,
    /// See people who can be sent.
    RespondersRead,
    /// Enter them.
    RespondersWrite,
    /// See and find people who are cared for.
    EldersRead,
    /// Enter them.
    EldersWrite,
    /// See devices and whose they are.
    DevicesRead,
    /// Enter them, give them to somebody, take them back.
    DevicesWrite,
    /// Enter what stands in a file.
    RecordsImport,
    /// See emergencies.
    IncidentsRead,
    /// Take them, send people, close them.
    IncidentsAct,
    /// Say that somebody is on duty, or not.
    DutySet,
    /// Say where somebody is.
    PositionsReport,
    /// See what somebody is asked, answer, and say how far they are.
    OffersAnswer,
    /// Hand in what devices say.
    SignalsPublish,
    /// See what is told outside.
    NotificationsRead,
    /// Have it told again.
    NotificationsRetry,
    /// See how the server is.
    SystemRead,
    /// Turn drill mode on and off.
    SystemDrill,
    /// Put another dispatch policy in force.
    SystemPolicy,
    /// See who may sign in and what they may do.
    UsersRead,
    /// Let people and programs in, change what they may do, turn them away.
    UsersWrite,
}

impl Permission {
    /// Every permission and its name, in the order of the enum.
    pub const NAMES: [(Self, &'static str); 24] = [
        (Self::OrgUnitsRead, "org_units.read"),
        (Self::OrgUnitsWrite, "org_units.write"),
        (Self::ProvidersRead, "providers.read"),
        (Self::ProvidersWrite, "providers.write"),
        (Self::RespondersRead, "responders.read"),
        (Self::RespondersWrite, "responders.write"),
        (Self::EldersRead, "elders.read"),
        (Self::EldersWrite, "elders.write"),
        (Self::DevicesRead, "devices.read"),
        (Self::DevicesWrite, "devices.write"),
        (Self::RecordsImport, "records.import"),
        (Self::IncidentsRead, "incidents.read"),
        (Self::IncidentsAct, "incidents.act"),
        (Self::DutySet, "duty.set"),
        (Self::PositionsReport, "positions.report"),
        (Self::OffersAnswer, "offers.answer"),
        (Self::SignalsPublish, "signals.publish"),
        (Self::NotificationsRead, "notifications.read"),
        (Self::NotificationsRetry, "notifications.retry"),
        (Self::SystemRead, "system.read"),
        (Self::SystemDrill, "system.drill"),
        (Self::SystemPolicy, "system.policy"),
        (Self::UsersRead, "users.read"),
        (Self::UsersWrite, "users.write"),
    ];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES[self.index()].1
    }

    /// The permission of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(permission, _)| *permission)
    }

    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// What a method needs of whoever calls it, as its declaration in `proto/` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: signing in.
    Nothing,
    /// Somebody we know.
    SignedIn,
    /// Somebody with this permission for at least one record; the method then looks at each record.
    Permission(Permission),
}

impl Need {
    /// Reads `nothing`, `signed_in`, or the name of a permission.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "nothing" => Some(Self::Nothing),
            "signed_in" => Some(Self::SignedIn),
            other => Permission::named(other).map(Self::Permission),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_found_by_its_name() {
        for (place, (permission, name)) in Permission::NAMES.into_iter().enumerate() {
            assert_eq!((permission.index(), permission.name()), (place, name));
            assert_eq!(Need::named(name), Some(Need::Permission(permission)));
        }
        assert_eq!(Need::named("elders.eat"), None);
    }
}

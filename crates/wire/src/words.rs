//! Words: our enums and their wire numbers, both ways, each checked by the compiler.

use crate::{FieldFault, v1};

/// A word of ours that has a number on the wire.
pub trait FromWire: Sized {
    /// The generated enum.
    type Wire: TryFrom<i32>;
    /// Returns our word; `None` for a number that says nothing.
    fn from_wire(wire: Self::Wire) -> Option<Self>;
    /// Returns the word in field `field`.
    ///
    /// # Errors
    /// [`FieldFault`] names the field when the number is 0 or not known.
    fn read(field: &str, number: i32) -> Result<Self, FieldFault> {
        Self::Wire::try_from(number).ok().and_then(Self::from_wire).ok_or_else(|| {
            FieldFault::new(field, format!("{number} is not a value: use one of the enum's names"))
        })
    }
}

impl From<model::Kind> for v1::Kind {
    fn from(word: model::Kind) -> Self {
        match word {
            model::Kind::Sos => Self::Sos,
            model::Kind::Fall => Self::Fall,
            model::Kind::Smoke => Self::Smoke,
            model::Kind::Gas => Self::Gas,
            model::Kind::CarbonMonoxide => Self::CarbonMonoxide,
            model::Kind::VitalCritical => Self::VitalCritical,
            model::Kind::VitalAbnormal => Self::VitalAbnormal,
            model::Kind::BedExit => Self::BedExit,
            model::Kind::Inactivity => Self::Inactivity,
            model::Kind::GeofenceExit => Self::GeofenceExit,
            model::Kind::WaterLeak => Self::WaterLeak,
            model::Kind::MissedCheckIn => Self::MissedCheckIn,
            model::Kind::DoorOpen => Self::DoorOpen,
            model::Kind::DeviceOffline => Self::DeviceOffline,
            model::Kind::LowBattery => Self::LowBattery,
            model::Kind::Tamper => Self::Tamper,
            model::Kind::LinkTest => Self::LinkTest,
            model::Kind::Unreadable => Self::Unreadable,
        }
    }
}

impl FromWire for model::Kind {
    type Wire = v1::Kind;
    fn from_wire(wire: v1::Kind) -> Option<Self> {
        match wire {
            v1::Kind::Unspecified => None,
            v1::Kind::Sos => Some(Self::Sos),
            v1::Kind::Fall => Some(Self::Fall),
            v1::Kind::Smoke => Some(Self::Smoke),
            v1::Kind::Gas => Some(Self::Gas),
            v1::Kind::CarbonMonoxide => Some(Self::CarbonMonoxide),
            v1::Kind::VitalCritical => Some(Self::VitalCritical),
            v1::Kind::VitalAbnormal => Some(Self::VitalAbnormal),
            v1::Kind::BedExit => Some(Self::BedExit),
            v1::Kind::Inactivity => Some(Self::Inactivity),
            v1::Kind::GeofenceExit => Some(Self::GeofenceExit),
            v1::Kind::WaterLeak => Some(Self::WaterLeak),
            v1::Kind::MissedCheckIn => Some(Self::MissedCheckIn),
            v1::Kind::DoorOpen => Some(Self::DoorOpen),
            v1::Kind::DeviceOffline => Some(Self::DeviceOffline),
            v1::Kind::LowBattery => Some(Self::LowBattery),
            v1::Kind::Tamper => Some(Self::Tamper),
            v1::Kind::LinkTest => Some(Self::LinkTest),
            v1::Kind::Unreadable => Some(Self::Unreadable),
        }
    }
}

impl From<model::Priority> for v1::Priority {
    fn from(word: model::Priority) -> Self {
        match word {
            model::Priority::P1 => Self::P1,
            model::Priority::P2 => Self::P2,
            model::Priority::P3 => Self::P3,
            model::Priority::P4 => Self::P4,
        }
    }
}

impl FromWire for model::Priority {
    type Wire = v1::Priority;
    fn from_wire(wire: v1::Priority) -> Option<Self> {
        match wire {
            v1::Priority::Unspecified => None,
            v1::Priority::P1 => Some(Self::P1),
            v1::Priority::P2 => Some(Self::P2),
            v1::Priority::P3 => Some(Self::P3),
            v1::Priority::P4 => Some(Self::P4),
        }
    }
}

impl From<model::Skill> for v1::Skill {
    fn from(word: model::Skill) -> Self {
        match word {
            model::Skill::FirstAid => Self::FirstAid,
            model::Skill::Lift => Self::Lift,
            model::Skill::Nursing => Self::Nursing,
            model::Skill::FireSafety => Self::FireSafety,
            model::Skill::HomeRepair => Self::HomeRepair,
            model::Skill::DementiaCare => Self::DementiaCare,
        }
    }
}

impl FromWire for model::Skill {
    type Wire = v1::Skill;
    fn from_wire(wire: v1::Skill) -> Option<Self> {
        match wire {
            v1::Skill::Unspecified => None,
            v1::Skill::FirstAid => Some(Self::FirstAid),
            v1::Skill::Lift => Some(Self::Lift),
            v1::Skill::Nursing => Some(Self::Nursing),
            v1::Skill::FireSafety => Some(Self::FireSafety),
            v1::Skill::HomeRepair => Some(Self::HomeRepair),
            v1::Skill::DementiaCare => Some(Self::DementiaCare),
        }
    }
}

impl From<roster::Duty> for v1::Duty {
    fn from(word: roster::Duty) -> Self {
        match word {
            roster::Duty::OffDuty => Self::OffDuty,
            roster::Duty::OnBreak => Self::OnBreak,
            roster::Duty::OnDuty => Self::OnDuty,
        }
    }
}

impl FromWire for roster::Duty {
    type Wire = v1::Duty;
    fn from_wire(wire: v1::Duty) -> Option<Self> {
        match wire {
            v1::Duty::Unspecified => None,
            v1::Duty::OffDuty => Some(Self::OffDuty),
            v1::Duty::OnBreak => Some(Self::OnBreak),
            v1::Duty::OnDuty => Some(Self::OnDuty),
        }
    }
}

impl From<dispatch::EscalationStep> for v1::EscalationStep {
    fn from(word: dispatch::EscalationStep) -> Self {
        match word {
            dispatch::EscalationStep::Operators => Self::Operators,
            dispatch::EscalationStep::RingAll => Self::RingAll,
            dispatch::EscalationStep::Supervisor => Self::Supervisor,
            dispatch::EscalationStep::Suggest120 => Self::Suggest120,
            dispatch::EscalationStep::Suggest119 => Self::Suggest119,
            dispatch::EscalationStep::Suggest110 => Self::Suggest110,
            dispatch::EscalationStep::Station => Self::Station,
            dispatch::EscalationStep::Family => Self::Family,
        }
    }
}

impl FromWire for dispatch::EscalationStep {
    type Wire = v1::EscalationStep;
    fn from_wire(wire: v1::EscalationStep) -> Option<Self> {
        match wire {
            v1::EscalationStep::Unspecified => None,
            v1::EscalationStep::Operators => Some(Self::Operators),
            v1::EscalationStep::RingAll => Some(Self::RingAll),
            v1::EscalationStep::Supervisor => Some(Self::Supervisor),
            v1::EscalationStep::Suggest120 => Some(Self::Suggest120),
            v1::EscalationStep::Suggest119 => Some(Self::Suggest119),
            v1::EscalationStep::Suggest110 => Some(Self::Suggest110),
            v1::EscalationStep::Station => Some(Self::Station),
            v1::EscalationStep::Family => Some(Self::Family),
        }
    }
}

impl From<dispatch::EscalationReason> for v1::EscalationReason {
    fn from(word: dispatch::EscalationReason) -> Self {
        match word {
            dispatch::EscalationReason::OperatorDecides => Self::OperatorDecides,
            dispatch::EscalationReason::NotAcknowledged => Self::NotAcknowledged,
            dispatch::EscalationReason::NobodyAccepted => Self::NobodyAccepted,
            dispatch::EscalationReason::NoCandidate => Self::NoCandidate,
            dispatch::EscalationReason::NoPlace => Self::NoPlace,
            dispatch::EscalationReason::UnknownDevice => Self::UnknownDevice,
            dispatch::EscalationReason::Unreadable => Self::Unreadable,
            dispatch::EscalationReason::Late => Self::Late,
            dispatch::EscalationReason::Retained => Self::Retained,
            dispatch::EscalationReason::Aborted => Self::Aborted,
            dispatch::EscalationReason::Opened => Self::Opened,
            dispatch::EscalationReason::Dispatched => Self::Dispatched,
            dispatch::EscalationReason::Resolved => Self::Resolved,
            dispatch::EscalationReason::NotMoving => Self::NotMoving,
            dispatch::EscalationReason::Overdue => Self::Overdue,
            dispatch::EscalationReason::SaidToBeWell => Self::SaidToBeWell,
            dispatch::EscalationReason::OperatorAsks => Self::OperatorAsks,
            dispatch::EscalationReason::Corroborated => Self::Corroborated,
        }
    }
}

impl FromWire for dispatch::EscalationReason {
    type Wire = v1::EscalationReason;
    fn from_wire(wire: v1::EscalationReason) -> Option<Self> {
        match wire {
            v1::EscalationReason::Unspecified => None,
            v1::EscalationReason::OperatorDecides => Some(Self::OperatorDecides),
            v1::EscalationReason::NotAcknowledged => Some(Self::NotAcknowledged),
            v1::EscalationReason::NobodyAccepted => Some(Self::NobodyAccepted),
            v1::EscalationReason::NoCandidate => Some(Self::NoCandidate),
            v1::EscalationReason::NoPlace => Some(Self::NoPlace),
            v1::EscalationReason::UnknownDevice => Some(Self::UnknownDevice),
            v1::EscalationReason::Unreadable => Some(Self::Unreadable),
            v1::EscalationReason::Late => Some(Self::Late),
            v1::EscalationReason::Retained => Some(Self::Retained),
            v1::EscalationReason::Aborted => Some(Self::Aborted),
            v1::EscalationReason::Opened => Some(Self::Opened),
            v1::EscalationReason::Dispatched => Some(Self::Dispatched),
            v1::EscalationReason::Resolved => Some(Self::Resolved),
            v1::EscalationReason::NotMoving => Some(Self::NotMoving),
            v1::EscalationReason::Overdue => Some(Self::Overdue),
            v1::EscalationReason::SaidToBeWell => Some(Self::SaidToBeWell),
            v1::EscalationReason::OperatorAsks => Some(Self::OperatorAsks),
            v1::EscalationReason::Corroborated => Some(Self::Corroborated),
        }
    }
}

impl From<dispatch::Service> for v1::PublicService {
    fn from(word: dispatch::Service) -> Self {
        match word {
            dispatch::Service::Ambulance => Self::Ambulance,
            dispatch::Service::FireBrigade => Self::FireBrigade,
            dispatch::Service::Police => Self::Police,
        }
    }
}

impl FromWire for dispatch::Service {
    type Wire = v1::PublicService;
    fn from_wire(wire: v1::PublicService) -> Option<Self> {
        match wire {
            v1::PublicService::Unspecified => None,
            v1::PublicService::Ambulance => Some(Self::Ambulance),
            v1::PublicService::FireBrigade => Some(Self::FireBrigade),
            v1::PublicService::Police => Some(Self::Police),
        }
    }
}

impl From<dispatch::Doubt> for v1::Doubt {
    fn from(word: dispatch::Doubt) -> Self {
        match word {
            dispatch::Doubt::NotMoving => Self::NotMoving,
            dispatch::Doubt::Overdue => Self::Overdue,
        }
    }
}

impl FromWire for dispatch::Doubt {
    type Wire = v1::Doubt;
    fn from_wire(wire: v1::Doubt) -> Option<Self> {
        match wire {
            v1::Doubt::Unspecified => None,
            v1::Doubt::NotMoving => Some(Self::NotMoving),
            v1::Doubt::Overdue => Some(Self::Overdue),
        }
    }
}

impl From<dispatch::Hold> for v1::JournalHold {
    fn from(word: dispatch::Hold) -> Self {
        match word {
            dispatch::Hold::UnknownDevice => Self::UnknownDevice,
            dispatch::Hold::Unreadable => Self::Unreadable,
            dispatch::Hold::Late => Self::Late,
            dispatch::Hold::Retained => Self::Retained,
        }
    }
}

impl FromWire for dispatch::Hold {
    type Wire = v1::JournalHold;
    fn from_wire(wire: v1::JournalHold) -> Option<Self> {
        match wire {
            v1::JournalHold::Unspecified => None,
            v1::JournalHold::UnknownDevice => Some(Self::UnknownDevice),
            v1::JournalHold::Unreadable => Some(Self::Unreadable),
            v1::JournalHold::Late => Some(Self::Late),
            v1::JournalHold::Retained => Some(Self::Retained),
        }
    }
}

impl From<dispatch::AssignmentState> for v1::AssignmentState {
    fn from(word: dispatch::AssignmentState) -> Self {
        match word {
            dispatch::AssignmentState::Assigned => Self::Assigned,
            dispatch::AssignmentState::EnRoute => Self::EnRoute,
            dispatch::AssignmentState::OnScene => Self::OnScene,
            dispatch::AssignmentState::Transporting => Self::Transporting,
            dispatch::AssignmentState::Cleared => Self::Cleared,
            dispatch::AssignmentState::Aborted => Self::Aborted,
        }
    }
}

impl FromWire for dispatch::AssignmentState {
    type Wire = v1::AssignmentState;
    fn from_wire(wire: v1::AssignmentState) -> Option<Self> {
        match wire {
            v1::AssignmentState::Unspecified => None,
            v1::AssignmentState::Assigned => Some(Self::Assigned),
            v1::AssignmentState::EnRoute => Some(Self::EnRoute),
            v1::AssignmentState::OnScene => Some(Self::OnScene),
            v1::AssignmentState::Transporting => Some(Self::Transporting),
            v1::AssignmentState::Cleared => Some(Self::Cleared),
            v1::AssignmentState::Aborted => Some(Self::Aborted),
        }
    }
}

impl From<dispatch::OfferState> for v1::OfferState {
    fn from(word: dispatch::OfferState) -> Self {
        match word {
            dispatch::OfferState::Sent => Self::Sent,
            dispatch::OfferState::Delivered => Self::Delivered,
            dispatch::OfferState::Seen => Self::Seen,
            dispatch::OfferState::Accepted => Self::Accepted,
            dispatch::OfferState::Declined => Self::Declined,
            dispatch::OfferState::Expired => Self::Expired,
            dispatch::OfferState::Withdrawn => Self::Withdrawn,
            dispatch::OfferState::Failed => Self::Failed,
        }
    }
}

impl FromWire for dispatch::OfferState {
    type Wire = v1::OfferState;
    fn from_wire(wire: v1::OfferState) -> Option<Self> {
        match wire {
            v1::OfferState::Unspecified => None,
            v1::OfferState::Sent => Some(Self::Sent),
            v1::OfferState::Delivered => Some(Self::Delivered),
            v1::OfferState::Seen => Some(Self::Seen),
            v1::OfferState::Accepted => Some(Self::Accepted),
            v1::OfferState::Declined => Some(Self::Declined),
            v1::OfferState::Expired => Some(Self::Expired),
            v1::OfferState::Withdrawn => Some(Self::Withdrawn),
            v1::OfferState::Failed => Some(Self::Failed),
        }
    }
}

impl From<dispatch::Disposition> for v1::Disposition {
    fn from(word: dispatch::Disposition) -> Self {
        match word {
            dispatch::Disposition::Served => Self::Served,
            dispatch::Disposition::FalseAlarmAccidental => Self::FalseAlarmAccidental,
            dispatch::Disposition::FalseAlarmDevice => Self::FalseAlarmDevice,
            dispatch::Disposition::Test => Self::Test,
            dispatch::Disposition::Exercise => Self::Exercise,
            dispatch::Disposition::NoContactForcedEntry => Self::NoContactForcedEntry,
            dispatch::Disposition::HandedTo120 => Self::HandedTo120,
            dispatch::Disposition::HandedTo119 => Self::HandedTo119,
            dispatch::Disposition::HandedTo110 => Self::HandedTo110,
            dispatch::Disposition::Hospitalised => Self::Hospitalised,
            dispatch::Disposition::Deceased => Self::Deceased,
            dispatch::Disposition::CancelledByElder => Self::CancelledByElder,
            dispatch::Disposition::Duplicate => Self::Duplicate,
            dispatch::Disposition::Technical => Self::Technical,
        }
    }
}

impl FromWire for dispatch::Disposition {
    type Wire = v1::Disposition;
    fn from_wire(wire: v1::Disposition) -> Option<Self> {
        match wire {
            v1::Disposition::Unspecified => None,
            v1::Disposition::Served => Some(Self::Served),
            v1::Disposition::FalseAlarmAccidental => Some(Self::FalseAlarmAccidental),
            v1::Disposition::FalseAlarmDevice => Some(Self::FalseAlarmDevice),
            v1::Disposition::Test => Some(Self::Test),
            v1::Disposition::Exercise => Some(Self::Exercise),
            v1::Disposition::NoContactForcedEntry => Some(Self::NoContactForcedEntry),
            v1::Disposition::HandedTo120 => Some(Self::HandedTo120),
            v1::Disposition::HandedTo119 => Some(Self::HandedTo119),
            v1::Disposition::HandedTo110 => Some(Self::HandedTo110),
            v1::Disposition::Hospitalised => Some(Self::Hospitalised),
            v1::Disposition::Deceased => Some(Self::Deceased),
            v1::Disposition::CancelledByElder => Some(Self::CancelledByElder),
            v1::Disposition::Duplicate => Some(Self::Duplicate),
            v1::Disposition::Technical => Some(Self::Technical),
        }
    }
}

impl From<registry::Category> for v1::Category {
    fn from(word: registry::Category) -> Self {
        match word {
            registry::Category::AdvancedAge => Self::AdvancedAge,
            registry::Category::LivesAlone => Self::LivesAlone,
            registry::Category::EmptyNest => Self::EmptyNest,
            registry::Category::LeftBehind => Self::LeftBehind,
            registry::Category::Disabled => Self::Disabled,
            registry::Category::Dementia => Self::Dementia,
            registry::Category::MinimumAllowance => Self::MinimumAllowance,
            registry::Category::Destitute => Self::Destitute,
            registry::Category::OnlyChildLost => Self::OnlyChildLost,
            registry::Category::SeverelyImpaired => Self::SeverelyImpaired,
        }
    }
}

impl FromWire for registry::Category {
    type Wire = v1::Category;
    fn from_wire(wire: v1::Category) -> Option<Self> {
        match wire {
            v1::Category::Unspecified => None,
            v1::Category::AdvancedAge => Some(Self::AdvancedAge),
            v1::Category::LivesAlone => Some(Self::LivesAlone),
            v1::Category::EmptyNest => Some(Self::EmptyNest),
            v1::Category::LeftBehind => Some(Self::LeftBehind),
            v1::Category::Disabled => Some(Self::Disabled),
            v1::Category::Dementia => Some(Self::Dementia),
            v1::Category::MinimumAllowance => Some(Self::MinimumAllowance),
            v1::Category::Destitute => Some(Self::Destitute),
            v1::Category::OnlyChildLost => Some(Self::OnlyChildLost),
            v1::Category::SeverelyImpaired => Some(Self::SeverelyImpaired),
        }
    }
}

impl From<registry::ImportKind> for v1::ImportKind {
    fn from(word: registry::ImportKind) -> Self {
        match word {
            registry::ImportKind::OrgUnits => Self::OrgUnits,
            registry::ImportKind::Providers => Self::Providers,
            registry::ImportKind::Responders => Self::Responders,
            registry::ImportKind::Elders => Self::Elders,
            registry::ImportKind::Devices => Self::Devices,
        }
    }
}

impl FromWire for registry::ImportKind {
    type Wire = v1::ImportKind;
    fn from_wire(wire: v1::ImportKind) -> Option<Self> {
        match wire {
            v1::ImportKind::Unspecified => None,
            v1::ImportKind::OrgUnits => Some(Self::OrgUnits),
            v1::ImportKind::Providers => Some(Self::Providers),
            v1::ImportKind::Responders => Some(Self::Responders),
            v1::ImportKind::Elders => Some(Self::Elders),
            v1::ImportKind::Devices => Some(Self::Devices),
        }
    }
}

impl From<dispatch::IncidentState> for v1::IncidentState {
    fn from(state: dispatch::IncidentState) -> Self {
        match state {
            dispatch::IncidentState::New => Self::New,
            dispatch::IncidentState::Acknowledged => Self::Acknowledged,
            dispatch::IncidentState::Resolved => Self::Resolved,
            dispatch::IncidentState::Cancelled => Self::Cancelled,
            dispatch::IncidentState::Closed => Self::Closed,
        }
    }
}

impl From<model::TravelMode> for v1::TravelMode {
    fn from(mode: model::TravelMode) -> Self {
        match mode {
            model::TravelMode::OnFoot => Self::OnFoot,
            model::TravelMode::Bicycle => Self::Bicycle,
            model::TravelMode::EBike => Self::EBike,
            model::TravelMode::Car => Self::Car,
        }
    }
}

impl FromWire for model::TravelMode {
    type Wire = v1::TravelMode;
    fn from_wire(wire: v1::TravelMode) -> Option<Self> {
        Some(match wire {
            v1::TravelMode::Unspecified | v1::TravelMode::EBike => Self::EBike,
            v1::TravelMode::OnFoot => Self::OnFoot,
            v1::TravelMode::Bicycle => Self::Bicycle,
            v1::TravelMode::Car => Self::Car,
        })
    }
}

impl From<model::CoordinateSystem> for v1::CoordinateSystem {
    fn from(system: model::CoordinateSystem) -> Self {
        match system {
            model::CoordinateSystem::Wgs84 => Self::Wgs84,
            model::CoordinateSystem::Gcj02 => Self::Gcj02,
            model::CoordinateSystem::Bd09 => Self::Bd09,
        }
    }
}

impl FromWire for model::CoordinateSystem {
    type Wire = v1::CoordinateSystem;
    fn from_wire(wire: v1::CoordinateSystem) -> Option<Self> {
        Some(match wire {
            v1::CoordinateSystem::Unspecified | v1::CoordinateSystem::Wgs84 => Self::Wgs84,
            v1::CoordinateSystem::Gcj02 => Self::Gcj02,
            v1::CoordinateSystem::Bd09 => Self::Bd09,
        })
    }
}

impl From<registry::Gender> for v1::Gender {
    fn from(gender: registry::Gender) -> Self {
        match gender {
            registry::Gender::Unknown => Self::Unspecified,
            registry::Gender::Female => Self::Female,
            registry::Gender::Male => Self::Male,
        }
    }
}

impl FromWire for registry::Gender {
    type Wire = v1::Gender;
    fn from_wire(wire: v1::Gender) -> Option<Self> {
        Some(match wire {
            v1::Gender::Unspecified => Self::Unknown,
            v1::Gender::Female => Self::Female,
            v1::Gender::Male => Self::Male,
        })
    }
}

impl From<model::Unit> for v1::DeviceUnit {
    fn from(unit: model::Unit) -> Self {
        match unit {
            model::Unit::One => Self::Unspecified,
            model::Unit::Percent => Self::Percent,
            model::Unit::PerMinute => Self::PerMinute,
            model::Unit::Celsius => Self::Celsius,
            model::Unit::MillimetresOfMercury => Self::MillimetresOfMercury,
            model::Unit::Volts => Self::Volts,
            model::Unit::PartsPerMillion => Self::PartsPerMillion,
            model::Unit::DecibelMilliwatts => Self::DecibelMilliwatts,
        }
    }
}

impl FromWire for model::Unit {
    type Wire = v1::DeviceUnit;
    fn from_wire(wire: v1::DeviceUnit) -> Option<Self> {
        Some(match wire {
            v1::DeviceUnit::Unspecified => Self::One,
            v1::DeviceUnit::Percent => Self::Percent,
            v1::DeviceUnit::PerMinute => Self::PerMinute,
            v1::DeviceUnit::Celsius => Self::Celsius,
            v1::DeviceUnit::MillimetresOfMercury => Self::MillimetresOfMercury,
            v1::DeviceUnit::Volts => Self::Volts,
            v1::DeviceUnit::PartsPerMillion => Self::PartsPerMillion,
            v1::DeviceUnit::DecibelMilliwatts => Self::DecibelMilliwatts,
        })
    }
}

//! Words: what the events say with one word each.

use model::{DeviceId, ElderId, ResponderId};
use serde::{Deserialize, Serialize};

use crate::incident::OfferState;

/// Whose incident it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// An elder we know.
    Elder(ElderId),
    /// A device of which we know no elder.
    Device(DeviceId),
    /// A topic that names no device.
    Topic(String),
    /// A caller who could not be identified; the text is the request's own id.
    Call(String),
    /// Nobody's: the server sent itself an alert to see whether it works.
    Watchdog,
}

/// Why nobody is sent before an operator has decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Hold {
    /// No elder is known for the device.
    UnknownDevice,
    /// Nobody could read the message.
    Unreadable,
    /// It occurred long before it was received.
    Late,
    /// A broker replayed it.
    Retained,
}

/// The identity of one message: the same key again is the same message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MessageKey(pub [u8; 16]);

/// What will happen by itself. Each names its own consequence, so that a new policy cannot change it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// The call-back window is over: dispatch.
    CallBack,
    /// Look again for somebody free.
    SearchAgain,
    /// Call a human.
    Escalate(EscalationStep, EscalationReason),
    /// Close what is resolved or cancelled.
    Close,
    /// Look whether whoever accepted is on the way.
    Moving(ResponderId),
    /// Look whether whoever accepted has arrived.
    Arrived(ResponderId),
}

/// Whom an escalation calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationStep {
    /// The operators' queue, marked.
    Operators,
    /// Every console rings.
    RingAll,
    /// The supervisor.
    Supervisor,
    /// A person should call 120, the ambulance.
    #[serde(rename = "suggest_120")]
    Suggest120,
    /// A person should call 119, the fire brigade.
    #[serde(rename = "suggest_119")]
    Suggest119,
    /// A person should call 110, the police.
    #[serde(rename = "suggest_110")]
    Suggest110,
    /// The station of the elder's village or town.
    Station,
    /// The elder's contacts, in their order.
    Family,
}

/// Why a human is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationReason {
    /// The policy leaves it to an operator.
    OperatorDecides,
    /// No operator has taken it in time.
    NotAcknowledged,
    /// Nobody has accepted in time.
    NobodyAccepted,
    /// Nobody free and able is within reach.
    NoCandidate,
    /// Nobody knows where to go.
    NoPlace,
    /// No elder is known for the device.
    UnknownDevice,
    /// Nobody could read the message.
    Unreadable,
    /// It occurred long before it was received.
    Late,
    /// A broker replayed it.
    Retained,
    /// The assigned responder gave up.
    Aborted,
    /// It opened, and the contacts are told at once.
    Opened,
    /// Somebody is asked to go, and the contacts are told.
    Dispatched,
    /// It is over, and the contacts are told.
    Resolved,
    /// Who accepted is not on the way.
    NotMoving,
    /// Who accepted should have arrived.
    Overdue,
    /// The elder says that all is well.
    SaidToBeWell,
    /// An operator asks for it.
    OperatorAsks,
    /// Two different alarms of the most urgent kind say that it is true.
    Corroborated,
}

/// A public emergency service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Service {
    /// 120, the ambulance.
    #[serde(rename = "120")]
    Ambulance,
    /// 119, the fire brigade.
    #[serde(rename = "119")]
    FireBrigade,
    /// 110, the police.
    #[serde(rename = "110")]
    Police,
}

impl Service {
    /// Its number.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ambulance => "120",
            Self::FireBrigade => "119",
            Self::Police => "110",
        }
    }

    /// The step that tells a person to call it.
    #[must_use]
    pub fn suggested(self) -> EscalationStep {
        match self {
            Self::Ambulance => EscalationStep::Suggest120,
            Self::FireBrigade => EscalationStep::Suggest119,
            Self::Police => EscalationStep::Suggest110,
        }
    }
}

/// Why somebody who accepted does not seem to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Doubt {
    /// Not on the way, and no nearer than when accepting.
    NotMoving,
    /// Long after the estimated time of arrival.
    Overdue,
}

impl Doubt {
    /// The reason an operator is given.
    #[must_use]
    pub fn reason(self) -> EscalationReason {
        match self {
            Self::NotMoving => EscalationReason::NotMoving,
            Self::Overdue => EscalationReason::Overdue,
        }
    }
}

/// How an offer ended without anybody going.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OfferEnd {
    /// "I cannot", with the responder's words.
    Declined(String),
    /// No answer in time.
    Expired,
    /// Taken back, and why.
    Withdrawn(String),
    /// Could not be delivered, and why.
    Failed(String),
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Disposition {
    /// Help was given.
    Served,
    /// Pressed by mistake.
    FalseAlarmAccidental,
    /// The device was wrong.
    FalseAlarmDevice,
    /// A test.
    Test,
    /// A drill.
    Exercise,
    /// Nobody answered and the door was forced.
    NoContactForcedEntry,
    /// 120 has it.
    HandedTo120,
    /// 119 has it.
    HandedTo119,
    /// 110 has it.
    HandedTo110,
    /// In hospital.
    Hospitalised,
    /// The elder has died.
    Deceased,
    /// The elder said that all is well.
    CancelledByElder,
    /// The same as another incident.
    Duplicate,
    /// A technical matter.
    Technical,
}

impl Timer {
    /// Whether it calls a human while `reason` holds.
    #[must_use]
    pub fn waits_for(self, reason: EscalationReason) -> bool {
        match self {
            Self::Escalate(_, other) => other == reason,
            Self::CallBack | Self::SearchAgain | Self::Close | Self::Moving(_) | Self::Arrived(_) => false,
        }
    }

    /// Whether it calls this human.
    pub(crate) fn calls(self, step: EscalationStep) -> bool {
        match self {
            Self::Escalate(other, _) => other == step,
            Self::CallBack | Self::SearchAgain | Self::Close | Self::Moving(_) | Self::Arrived(_) => false,
        }
    }
}

impl OfferEnd {
    /// The state an offer has after ending like this.
    #[must_use]
    pub fn state(&self) -> OfferState {
        match self {
            Self::Declined(_) => OfferState::Declined,
            Self::Expired => OfferState::Expired,
            Self::Withdrawn(_) => OfferState::Withdrawn,
            Self::Failed(_) => OfferState::Failed,
        }
    }
}

impl Hold {
    /// The reason an operator is given.
    #[must_use]
    pub fn reason(self) -> EscalationReason {
        match self {
            Self::UnknownDevice => EscalationReason::UnknownDevice,
            Self::Unreadable => EscalationReason::Unreadable,
            Self::Late => EscalationReason::Late,
            Self::Retained => EscalationReason::Retained,
        }
    }

    /// Whom it calls: a human who decides.
    pub(crate) const STEP: EscalationStep = EscalationStep::Operators;
}

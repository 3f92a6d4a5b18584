//! Events: what was decided, in the past tense. The journal holds these and nothing else.

use model::{
    AlertId, DeviceId, ElderId, IncidentId, Kind, Metres, Millis, OfferId, OrgUnitCode, Place, Priority,
    ResponderId, Timestamp,
};
use roster::Duty;
use serde::{Deserialize, Serialize};

use crate::incident::AssignmentState;

/// Something that was decided.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A responder came on duty, took a break or went home.
    DutyChanged {
        /// Who.
        responder: ResponderId,
        /// What is so from now on.
        duty: Duty,
    },
    /// Drill mode was turned on or off.
    DrillModeChanged {
        /// Whether alerts are exercises from now on.
        on: bool,
    },
    /// Something happened to an incident.
    Incident {
        /// Which.
        incident: IncidentId,
        /// What.
        event: IncidentEvent,
    },
}

impl Event {
    /// Whether somebody may be asked after it who could not be asked before.
    #[must_use]
    pub fn frees_somebody(&self) -> bool {
        match self {
            Self::DutyChanged { duty, .. } => *duty == Duty::OnDuty,
            Self::DrillModeChanged { .. } => false,
            Self::Incident { event, .. } => event.frees().is_some(),
        }
    }
}

impl IncidentEvent {
    /// Who is not bound to the incident any more after it.
    #[must_use]
    pub fn frees(&self) -> Option<ResponderId> {
        match self {
            Self::OfferEnded { responder, .. } | Self::AssignmentAborted { responder, .. } => {
                Some(*responder)
            }
            Self::AssignmentAdvanced { responder, state } => (!state.is_live()).then_some(*responder),
            Self::Opened(_)
            | Self::AlertRaised(_)
            | Self::PriorityRaised { .. }
            | Self::Restored { .. }
            | Self::TimersArmed { .. }
            | Self::WaveSent(_)
            | Self::OfferDelivered { .. }
            | Self::OfferSeen { .. }
            | Self::OfferAccepted { .. }
            | Self::Escalated { .. }
            | Self::Acknowledged { .. }
            | Self::SearchStopped { .. }
            | Self::NoteAdded { .. }
            | Self::Resolved { .. }
            | Self::Closed { .. } => None,
        }
    }
}

/// Something that happened to one incident.
#[derive(Debug, Clone, PartialEq)]
pub enum IncidentEvent {
    /// It began.
    Opened(Opened),
    /// An alert opened it or joined it.
    AlertRaised(Alert),
    /// An alert that joined was more urgent.
    PriorityRaised {
        /// The priority from now on.
        priority: Priority,
        /// The kind that set it.
        kind: Kind,
    },
    /// A device said that what it raised is over. A human decides whether it is.
    Restored {
        /// Which device.
        device: DeviceId,
        /// What is over.
        kind: Kind,
    },
    /// Something will happen by itself unless its reason goes away.
    TimersArmed {
        /// What, and when.
        timers: Vec<(Timer, Timestamp)>,
    },
    /// Responders were asked, or nobody could be.
    WaveSent(Wave),
    /// The offer reached the responder's app.
    OfferDelivered {
        /// Which.
        offer: OfferId,
    },
    /// The responder has seen the offer.
    OfferSeen {
        /// Which.
        offer: OfferId,
    },
    /// The responder goes.
    OfferAccepted {
        /// Which.
        offer: OfferId,
        /// Who.
        responder: ResponderId,
    },
    /// The offer is over and nobody goes because of it.
    OfferEnded {
        /// Which.
        offer: OfferId,
        /// Whose.
        responder: ResponderId,
        /// How.
        end: OfferEnd,
    },
    /// The responder is a step further.
    AssignmentAdvanced {
        /// Who.
        responder: ResponderId,
        /// How far: en route, on scene, transporting or cleared.
        state: AssignmentState,
    },
    /// The responder goes no further.
    AssignmentAborted {
        /// Who.
        responder: ResponderId,
        /// Why.
        reason: String,
    },
    /// A human is called.
    Escalated {
        /// Whom.
        step: EscalationStep,
        /// Why.
        reason: EscalationReason,
    },
    /// An operator took it.
    Acknowledged {
        /// Who.
        operator: String,
    },
    /// An operator stopped the search for helpers.
    SearchStopped {
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// An operator wrote something down.
    NoteAdded {
        /// Who.
        operator: String,
        /// What.
        text: String,
    },
    /// An operator said how it ended.
    Resolved {
        /// Who.
        operator: String,
        /// How.
        disposition: Disposition,
        /// In words.
        note: String,
    },
    /// It is over and only history from now on.
    Closed {
        /// Who closed it; nobody when its time had come.
        operator: Option<String>,
    },
}

/// How an incident began.
#[derive(Debug, Clone, PartialEq)]
pub struct Opened {
    /// Whose incident it is.
    pub subject: Subject,
    /// The kind that set the priority.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// Where to go, if known.
    pub place: Option<Place>,
    /// Where it belongs.
    pub org_unit: Option<OrgUnitCode>,
    /// A drill or test.
    pub exercise: bool,
    /// Why nobody is sent by itself.
    pub hold: Option<Hold>,
}

/// Whose incident it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Subject {
    /// An elder we know.
    Elder(ElderId),
    /// A device of which we know no elder.
    Device(DeviceId),
    /// A topic that names no device.
    Topic(String),
    /// A caller who could not be identified; the text is the request's own id.
    Call(String),
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

/// One alert of an incident.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Its number.
    pub alert: AlertId,
    /// By which a repeat of the same message is known; `None` when the source gives nothing to tell by.
    pub key: Option<MessageKey>,
    /// The device; `None` for a call.
    pub device: Option<DeviceId>,
    /// What happened.
    pub kind: Kind,
    /// The source's own id of the message.
    pub source_id: Option<String>,
    /// The topic it came on, or `call`.
    pub topic: String,
    /// When it happened, by our clock where the device's was ahead.
    pub occurred_at: Timestamp,
    /// What the device's clock said.
    pub device_time: Option<Timestamp>,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Where, by the device.
    pub place: Option<Place>,
    /// Words for the operator.
    pub detail: String,
    /// The message as it came, when nobody could read it.
    pub raw: Option<Vec<u8>>,
    /// Replayed by a broker.
    pub retained: bool,
    /// Why this alert alone would send nobody.
    pub hold: Option<Hold>,
}

/// What will happen by itself. Each names its own consequence, so that a new policy cannot change it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Timer {
    /// The call-back window is over: dispatch.
    CallBack,
    /// Look again for somebody free.
    SearchAgain,
    /// Call a human.
    Escalate(EscalationStep, EscalationReason),
    /// Close what is resolved.
    Close,
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
    /// A person should call 120.
    #[serde(rename = "suggest_120")]
    Suggest120,
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
}

/// One group of offers, and why they are these.
#[derive(Debug, Clone, PartialEq)]
pub struct Wave {
    /// Counts from 1.
    pub wave: u32,
    /// How far was searched.
    pub reach: Metres,
    /// How many the search looked at.
    pub considered: u32,
    /// How many were left out, by reason.
    pub left_out: Vec<LeftOut>,
    /// Who was asked, nearest first; empty when nobody could be.
    pub chosen: Vec<Chosen>,
    /// Until when an answer counts.
    pub expires_at: Timestamp,
    /// The operator who asked for it, when it was not policy.
    pub operator: Option<String>,
}

/// How many were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// One of the domain's reasons, such as `lacks_skill`.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// One responder who is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The offer's number.
    pub offer: OfferId,
    /// Who.
    pub responder: ResponderId,
    /// How far.
    pub distance: Metres,
    /// Estimated time of arrival.
    pub eta: Millis,
    /// Ranked from the station's place, because no fresh position is known.
    pub from_station: bool,
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

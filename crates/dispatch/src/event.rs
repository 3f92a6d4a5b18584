//! Events: what was decided, in the past tense. The journal holds these and nothing else.

use model::{
    AlertId, DeviceId, IncidentId, Kind, Metres, Millis, OfferId, OrgUnitCode, Place, Priority, ResponderId,
    Timestamp,
};
use roster::Duty;

use crate::incident::AssignmentState;
pub use crate::words::{
    Disposition, Doubt, EscalationReason, EscalationStep, Hold, MessageKey, OfferEnd, Service, Subject, Timer,
};

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
    /// Another policy is in force. It changes what is decided from now on, never what was.
    PolicyReplaced {
        /// By which the policy is known: a digest of its text.
        version: String,
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
    /// Who may be asked after it and could not be before.
    #[must_use]
    pub fn frees(&self) -> Option<ResponderId> {
        match self {
            Self::DutyChanged { responder, duty } => (*duty == Duty::OnDuty).then_some(*responder),
            Self::DrillModeChanged { .. } | Self::PolicyReplaced { .. } => None,
            Self::Incident { event, .. } => event.frees(),
        }
    }
}

impl IncidentEvent {
    /// Whether a responder has done, or given up, what they accepted.
    pub(crate) fn ends_job(&self) -> bool {
        let ends_offer = matches!(self, Self::OfferEnded { .. });
        self.frees().is_some() && !ends_offer
    }

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
            | Self::Closed { .. }
            | Self::TakenOver { .. }
            | Self::Triaged { .. }
            | Self::HandedOver { .. }
            | Self::Merged { .. }
            | Self::Absorbed { .. }
            | Self::Reopened { .. }
            | Self::Cancelled { .. }
            | Self::SaidToBeWell { .. }
            | Self::AssignmentDoubted { .. }
            | Self::RespondersNeeded { .. } => None,
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
    /// Another operator has it from now on.
    TakenOver {
        /// Who has it now.
        operator: String,
        /// Who had it.
        from: String,
        /// Why.
        reason: String,
    },
    /// An operator said anew how urgent it is. That also decides what was held for an operator.
    Triaged {
        /// Who.
        operator: String,
        /// How urgent from now on.
        priority: Priority,
        /// What it is about from now on.
        kind: Kind,
        /// Why.
        reason: String,
    },
    /// A public service has been called to it.
    HandedOver {
        /// Who.
        operator: String,
        /// Which service.
        service: Service,
        /// What it was told, its own number for the case.
        note: String,
    },
    /// It is the same as another incident, which goes on instead; this one is history.
    Merged {
        /// The one that goes on.
        into: IncidentId,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// Another incident went up in this one: its alerts count here, and what its subject reports next joins here.
    Absorbed {
        /// Which.
        from: IncidentId,
        /// Who merged them.
        operator: String,
        /// Whose it was.
        subject: Subject,
        /// What it was about.
        kind: Kind,
        /// Its alerts.
        alert_count: u32,
        /// When its last alert came.
        last_alert_at: Timestamp,
        /// Where it was, for an incident that knew no place.
        place: Option<Place>,
        /// Whether it sent nobody before an operator had decided.
        held: bool,
    },
    /// It was over and is open again, in the hands of whoever reopened it.
    Reopened {
        /// Who.
        operator: String,
        /// Why.
        reason: String,
    },
    /// The elder said during the call-back that all is well, before anybody was asked to go.
    Cancelled {
        /// By which device.
        device: DeviceId,
        /// By which a repeat of the same message is known.
        key: Option<MessageKey>,
    },
    /// The elder said that all is well when it was too late to cancel, or it was too urgent: a human decides.
    SaidToBeWell {
        /// By which device.
        device: DeviceId,
        /// By which a repeat of the same message is known.
        key: Option<MessageKey>,
    },
    /// Who accepted does not seem to come. They are asked again and stay bound, and somebody else is looked for.
    AssignmentDoubted {
        /// Who.
        responder: ResponderId,
        /// Why.
        doubt: Doubt,
    },
    /// So many must go.
    RespondersNeeded {
        /// How many.
        count: u32,
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
    /// Whom policy would have asked first, when an operator named others.
    pub instead_of: Option<ResponderId>,
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
    /// The town that has no free responder left while this one is away.
    pub uncovers: Option<OrgUnitCode>,
}

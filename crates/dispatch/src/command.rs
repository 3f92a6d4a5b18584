//! Commands: what somebody wishes, and why a wish cannot be granted.

use model::{DeviceId, IncidentId, Kind, OfferId, OrgUnitCode, Place, Priority, ResponderId, Timestamp};
use roster::Duty;

use crate::{
    event::{Disposition, EscalationStep, MessageKey, Service, Subject},
    incident::{AssignmentState, IncidentState, OfferState},
};

/// What somebody wishes.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// A signal asks for attention.
    RaiseAlert(Box<RaiseAlert>),
    /// A device says that what it raised is over.
    Restore {
        /// Whose incident it annotates.
        subject: Subject,
        /// Which device.
        device: DeviceId,
        /// What is over.
        kind: Kind,
    },
    /// The elder says by the device's cancel key that what was raised is nothing. An operator who is told so resolves.
    Cancel {
        /// Whose incident it is.
        subject: Subject,
        /// Which device.
        device: DeviceId,
        /// By which a repeat of the same message is known.
        key: Option<MessageKey>,
        /// When, by the device's clock: a cancel older than the last alert says nothing about it.
        occurred_at: Option<Timestamp>,
    },
    /// Another policy is in force, given to [`crate::decide`] from this command on.
    ReplacePolicy,
    /// A responder comes, rests or goes.
    SetDuty {
        /// Who.
        responder: ResponderId,
        /// What from now on.
        duty: Duty,
    },
    /// Drill mode on or off.
    SetDrillMode {
        /// Whether alerts are exercises from now on.
        on: bool,
    },
    /// The responder's app has the offer.
    OfferDelivered {
        /// Which.
        offer: OfferId,
    },
    /// The responder has seen the offer.
    OfferSeen {
        /// Which.
        offer: OfferId,
    },
    /// "I go."
    AcceptOffer {
        /// Who.
        responder: ResponderId,
        /// Which.
        offer: OfferId,
    },
    /// "I cannot."
    DeclineOffer {
        /// Who.
        responder: ResponderId,
        /// Which.
        offer: OfferId,
        /// Why.
        reason: String,
    },
    /// A step of an assignment.
    UpdateAssignment {
        /// Who.
        responder: ResponderId,
        /// For which incident.
        incident: IncidentId,
        /// Which step.
        step: AssignmentStep,
    },
    /// An operator does something to an incident.
    Operate {
        /// Which incident.
        incident: IncidentId,
        /// Who.
        operator: String,
        /// What.
        operation: Operation,
    },
    /// These became free: whoever waits for somebody is looked for again where they can help, the most urgent first,
    /// together with every search that is due.
    SearchWaiting {
        /// Who became free since the last time.
        freed: Vec<ResponderId>,
    },
    /// Time has passed: fires what was due first. Repeat it while [`crate::State::next_deadline`] has passed.
    Tick,
}

/// An alert as it comes in, with what the registry knows about its sender.
#[derive(Debug, Clone, PartialEq)]
pub struct RaiseAlert {
    /// Whose incident it is.
    pub subject: Subject,
    /// The home place, if known; the alert's own place goes before it.
    pub home: Option<Place>,
    /// Where the subject belongs.
    pub org_unit: Option<OrgUnitCode>,
    /// Lives alone, disabled, or 80 and over: raises a welfare alert by one step.
    pub at_risk: bool,
    /// By which a repeat of the same message is known.
    pub key: Option<MessageKey>,
    /// The device; `None` for a call.
    pub device: Option<DeviceId>,
    /// What happened.
    pub kind: Kind,
    /// The source's own id.
    pub source_id: Option<String>,
    /// The topic it came on, or `call`.
    pub topic: String,
    /// When it happened by the device's clock, on ours.
    pub device_time: Option<Timestamp>,
    /// When it reached us.
    pub received_at: Timestamp,
    /// Where, by the device or the caller.
    pub place: Option<Place>,
    /// Words for the operator.
    pub detail: String,
    /// The message as it came, when nobody could read it.
    pub raw: Option<Vec<u8>>,
    /// Replayed by a broker.
    pub retained: bool,
    /// A test or drill.
    pub exercise: bool,
}

/// A step of an assignment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssignmentStep {
    /// En route, on scene, transporting or cleared.
    Reach(AssignmentState),
    /// Cannot go on.
    Abort {
        /// Why.
        reason: String,
    },
}

/// What an operator can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// Take it.
    Acknowledge,
    /// Ask these responders, or the nearest by policy when empty.
    Dispatch {
        /// Whom.
        responders: Vec<ResponderId>,
    },
    /// Take back all offers and stop searching.
    Withdraw {
        /// Why.
        reason: String,
    },
    /// Write something down.
    AddNote {
        /// What.
        text: String,
    },
    /// Say how it ended.
    Resolve {
        /// How.
        disposition: Disposition,
        /// In words.
        note: String,
    },
    /// Close what is resolved.
    Close,
    /// Take it from whoever has it.
    TakeOver {
        /// Why.
        reason: String,
    },
    /// Say anew how urgent it is.
    Triage {
        /// How urgent.
        priority: Priority,
        /// What it is about, when that is not what the devices say.
        kind: Option<Kind>,
        /// How many must go; as the kind asks for when not said.
        responders: Option<u32>,
        /// Why.
        reason: String,
    },
    /// A public service has been called.
    HandOver {
        /// Which.
        service: Service,
        /// What it was told.
        note: String,
    },
    /// Call a human now.
    Escalate {
        /// Whom.
        step: EscalationStep,
        /// What to tell them; may be empty.
        note: String,
    },
    /// It is the same as another incident.
    Merge {
        /// The one that goes on.
        into: IncidentId,
        /// Why.
        reason: String,
    },
    /// It was over and is open again.
    Reopen {
        /// Why.
        reason: String,
    },
}

/// Why a wish is not granted. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such open incident.
    #[error("incidents/{0} is not open: it never was, or it is closed; GetIncident tells")]
    NoIncident(IncidentId),
    /// There is no such offer.
    #[error("offer {0} does not exist or its incident is closed: watch the offers again")]
    NoOffer(OfferId),
    /// The offer was made to somebody else.
    #[error("offer {offer} was made to responders/{owner}: only they can answer it")]
    NotYourOffer {
        /// Which.
        offer: OfferId,
        /// Whose it is.
        owner: ResponderId,
    },
    /// The offer is over.
    #[error("offer {offer} is over ({state:?}): nothing to do, the next offer will come by itself")]
    OfferOver {
        /// Which.
        offer: OfferId,
        /// How it ended.
        state: OfferState,
    },
    /// The responder is not in the roster.
    #[error("responders/{0} is not in the roster: create the responder in the registry first")]
    NoResponder(ResponderId),
    /// The responder has no live assignment for the incident.
    #[error("responders/{responder} has no live assignment for incidents/{incident}")]
    NoAssignment {
        /// Who.
        responder: ResponderId,
        /// For what.
        incident: IncidentId,
    },
    /// The step would go backwards.
    #[error("an assignment that is {from:?} cannot become {to:?}: steps only go forward")]
    StepBackwards {
        /// Where it is.
        from: AssignmentState,
        /// Where it should go.
        to: AssignmentState,
    },
    /// Somebody else has taken it.
    #[error(
        "incidents/{incident} was taken by operators/{operator}: ask them, or take it over with a reason (TakeOverIncident)"
    )]
    Taken {
        /// Which.
        incident: IncidentId,
        /// By whom.
        operator: String,
    },
    /// The incident's state does not allow it.
    #[error("incidents/{incident} is {state:?}: {remedy}")]
    WrongState {
        /// Which.
        incident: IncidentId,
        /// What it is.
        state: IncidentState,
        /// What to do instead.
        remedy: &'static str,
    },
    /// None of the named responders can be asked now.
    #[error("none of the named responders is free: ask the nearest by policy, or name others")]
    NobodyFree,
    /// Nobody knows where to go.
    #[error("incidents/{0} has no place: find out where, then name the responders to send")]
    NoPlace(IncidentId),
    /// Somebody is on the way already.
    #[error("incidents/{0} has a responder already: name the responders to send in addition")]
    AlreadyAssigned(IncidentId),
    /// What needs a reason has none.
    #[error("{0} needs a reason: write down why")]
    NoReason(&'static str),
    /// So many responders cannot be needed.
    #[error("{0} responders cannot be needed: write 1 to {max}", max = crate::policy::MAX_NEEDED)]
    Needed(u32),
    /// An incident cannot go up in itself, nor a drill in a real one.
    #[error("incidents/{incident} cannot be merged into incidents/{into}: {remedy}")]
    NotMergeable {
        /// The one that would end.
        incident: IncidentId,
        /// The one that would go on.
        into: IncidentId,
        /// What to do instead.
        remedy: &'static str,
    },
}

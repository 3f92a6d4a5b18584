//! Alerts become incidents, incidents become offers, offers become assignments.
//!
//! In words a nurse could follow:
//!
//! - A press that is heard is never forgotten. It opens an incident, or joins the one that is open for the same person.
//! - A helper is claimed in the roster before being asked, so nobody is asked for two people at once.
//! - The first helper to accept goes; all others who were asked are told at once.
//! - When nobody answers, the next are asked; when nobody is there to ask, a human is told at once, and we look again.
//! - An open incident always has a next deadline, or a human who has taken it.
//!
//! [`decide`] holds every branch and returns what happened as [`Event`]s; [`State::evolve`] only writes them down. The
//! same events in the same order always give the same state, so the journal of events *is* the state. `decide` touches
//! one thing besides its result: it claims responders in the [`roster::Roster`], which is what a claim is for. [`follow`]
//! does the rest of the roster's bookkeeping from the events, and [`catch_up`] all of it after a restart.

mod alert;
mod candidates;
mod command;
mod deadline;
mod decide;
mod event;
mod field;
mod incident;
mod matching;
mod operator;
mod plan;
mod policy;
mod recent;
mod recommend;
mod search;
mod state;
mod waiting;
mod window;
mod words;

pub use candidates::Ranked;
pub use command::{AssignmentStep, Command, Operation, RaiseAlert, Rejection};
pub use decide::{Decision, catch_up, decide, follow};
pub use event::{
    Alert, Chosen, Disposition, Doubt, EscalationReason, EscalationStep, Event, Hold, IncidentEvent, LeftOut,
    MessageKey, OfferEnd, Opened, Service, Subject, Timer, Wave,
};
pub use incident::{Assignment, AssignmentState, Incident, IncidentState, Offer, OfferState, Progress};
pub use policy::{
    AreaCost, Escalation, Instead, KindPolicy, Mode, Policy, PolicyFault, PolicyFile, PriorityPolicy, Step,
    TellFamily, WaveSize, When,
};
pub use recommend::{NotRecommended, Recommendation, Recommended, Request, recommend};
pub use roster::Duty;
pub use state::State;

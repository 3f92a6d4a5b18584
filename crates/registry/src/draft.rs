//! Draft: what is known while one command is decided?
//!
//! The state, and over it the records the command itself has made so far: a town may follow its county in one file.
//! A faulty record is made as well, so that its one fault is not told again by every row that refers to it; with a
//! fault in the draft nothing leaves it.

use std::fmt;

use jiff::civil::Date;
use model::{DeviceId, ElderId, OrgUnitCode, ProviderId, ResponderId, Timestamp};

use crate::{
    Binding, Event, MAX_RECORDS, Rejection, RejectionKind, ResidentId, State, Violation, date_in_china,
    rejection::Faults,
};

pub(crate) struct Draft<'a> {
    pub(crate) now: Timestamp,
    pub(crate) today: Date,
    /// The line of the file the next records come from.
    pub(crate) line: Option<u64>,
    pub(crate) faults: Faults,
    state: &'a State,
    made: State,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(state: &'a State, now: Timestamp) -> Self {
        let (made, faults, events) = (State::default(), Faults::default(), Vec::new());
        Self { now, today: date_in_china(now), line: None, faults, state, made, events }
    }

    /// Lets `event` happen in the draft.
    pub(crate) fn make(&mut self, event: Event) {
        self.made.evolve(&event);
        self.events.push(event);
    }

    pub(crate) fn refuse(
        &mut self,
        kind: RejectionKind,
        field: impl fmt::Display,
        reason: impl Into<String>,
    ) {
        let (field, reason) = (field.to_string(), reason.into());
        self.faults.push(kind, Violation { line: self.line, field, value: None, reason });
    }

    /// Refuses `field` when `checked` says what is wrong with it.
    pub(crate) fn require(&mut self, field: impl fmt::Display, checked: Result<(), String>) {
        if let Err(reason) = checked {
            self.refuse(RejectionKind::Invalid, field, reason);
        }
    }

    pub(crate) fn require_org_unit(&mut self, field: &str, code: OrgUnitCode) {
        if !self.has_org_unit(code) {
            let reason = format!("org unit {code} is unknown: enter it first, or correct the code");
            self.refuse(RejectionKind::NotFound, field, reason);
        }
    }

    /// Refuses `field` because `name`, such as `elders/12`, is there already.
    pub(crate) fn refuse_known(&mut self, field: &str, name: impl fmt::Display, in_state: bool) {
        let reason = if in_state {
            format!("already known as {name}: leave it out")
        } else {
            "an earlier row of this file has the same: keep one of the two".to_owned()
        };
        self.refuse(RejectionKind::AlreadyExists, field, reason);
    }

    pub(crate) fn has_org_unit(&self, code: OrgUnitCode) -> bool {
        self.state.org_unit(code).or_else(|| self.made.org_unit(code)).is_some()
    }

    pub(crate) fn has_provider(&self, id: ProviderId) -> bool {
        self.state.provider(id).or_else(|| self.made.provider(id)).is_some()
    }

    pub(crate) fn has_elder(&self, id: ElderId) -> bool {
        self.state.elder(id).or_else(|| self.made.elder(id)).is_some()
    }

    pub(crate) fn has_device(&self, id: &DeviceId) -> bool {
        self.state.device(id).or_else(|| self.made.device(id)).is_some()
    }

    pub(crate) fn provider_known_as(&self, external_id: &str) -> Option<ProviderId> {
        let known = |state: &State| state.provider_by_external_id(external_id).map(|provider| provider.id);
        known(self.state).or_else(|| known(&self.made))
    }

    pub(crate) fn responder_known_as(&self, external_id: &str) -> Option<ResponderId> {
        let known = |state: &State| state.responder_by_external_id(external_id).map(|responder| responder.id);
        known(self.state).or_else(|| known(&self.made))
    }

    pub(crate) fn elder_known_as(&self, external_id: &str) -> Option<ElderId> {
        let known = |state: &State| state.elder_by_external_id(external_id).map(|elder| elder.id);
        known(self.state).or_else(|| known(&self.made))
    }

    pub(crate) fn elder_with(&self, id: ResidentId) -> Option<ElderId> {
        let known = |state: &State| state.elder_by_resident_id(id).map(|elder| elder.id);
        known(self.state).or_else(|| known(&self.made))
    }

    /// The newest binding of `device`, live or not.
    pub(crate) fn last_binding(&self, device: &DeviceId) -> Option<&Binding> {
        self.made.bindings(device).last().or_else(|| self.state.bindings(device).last())
    }

    /// The state before this command.
    pub(crate) fn before(&self) -> &State {
        self.state
    }

    // `finish` keeps every count below `MAX_RECORDS`, so that a number always fits its id.

    pub(crate) fn next_provider(&self) -> ProviderId {
        ProviderId((self.state.counts().providers + self.made.counts().providers) as u32)
    }

    pub(crate) fn next_responder(&self) -> ResponderId {
        ResponderId((self.state.counts().responders + self.made.counts().responders) as u32)
    }

    pub(crate) fn next_elder(&self) -> ElderId {
        ElderId((self.state.counts().elders + self.made.counts().elders) as u64)
    }

    /// The events of the draft, unless something in it is wrong.
    pub(crate) fn finish(mut self) -> Result<Vec<Event>, Rejection> {
        let (before, made) = (self.state.counts(), self.made.counts());
        let kinds = [
            ("org_units", before.org_units + made.org_units),
            ("providers", before.providers + made.providers),
            ("responders", before.responders + made.responders),
            ("elders", before.elders + made.elders),
            ("devices", before.devices + made.devices),
        ];
        self.line = None;
        for (kind, count) in kinds {
            if count > MAX_RECORDS {
                let reason = format!("there would be {count}: {MAX_RECORDS} is the most one registry holds");
                self.refuse(RejectionKind::Invalid, kind, reason);
            }
        }
        match self.faults.into_rejection() {
            Some(rejection) => Err(rejection),
            None => Ok(self.events),
        }
    }
}

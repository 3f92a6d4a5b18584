//! Search: find the nearest who are free and able, claim them, and ask them.

use model::{Metres, Millis, OfferId, Place, ResponderId};
use roster::{Availability, Candidate, Located, Query, Tally};

use crate::{
    decide::{Decision, Desk, Draft},
    event::{Chosen, EscalationReason, EscalationStep, IncidentEvent, LeftOut, OfferEnd, Timer, Wave},
    incident::{Assignment, AssignmentState, OfferState},
    policy::WaveSize,
};

/// How often a wave looks again when others claimed the same responders in between.
const CLAIM_ROUNDS: usize = 3;

/// Waiting incidents looked at when somebody becomes free. Those further back are looked at by their own timers.
const WAITING_LOOKED_AT: usize = 16;

/// Asks whoever has become free for the first waiting incident they can help with. Those who were silent before are
/// not asked again here: their turn comes with the next timed look.
pub(crate) fn for_waiting(desk: &Desk<'_>) -> Decision {
    for incident in desk.state.waiting().take(WAITING_LOOKED_AT) {
        let mut draft = desk.draft(incident.clone());
        let Some(at) = draft.incident.place else { continue };
        let found = draft.find_in_waves(at, &draft.already_asked(1));
        if !found.chosen.is_empty() {
            draft.ask(found, None);
            return draft.decided();
        }
    }
    Decision::default()
}

impl Draft<'_> {
    /// Starts searching: the clocks that call a human when nobody accepts, and the first wave.
    pub(crate) fn search(&mut self) {
        self.start_ladder(EscalationReason::NobodyAccepted);
        self.next_wave(None);
    }

    /// Starts the clocks that call a human while `reason` holds. One that runs already is never put back: who presses
    /// again and again must not be the one for whom nobody is called.
    pub(crate) fn start_ladder(&mut self, reason: EscalationReason) {
        let mut ladder = self.policy.of(self.incident.priority).ladder(reason, self.now);
        ladder.retain(|(timer, due)| self.incident.timers.get(timer).is_none_or(|runs| due < runs));
        if !ladder.is_empty() {
            self.record(IncidentEvent::TimersArmed { timers: ladder });
        }
    }

    /// Asks the next group. When there is nobody to ask, a human is called at once and the search goes on later.
    pub(crate) fn next_wave(&mut self, operator: Option<&str>) {
        let Some(at) = self.incident.place else {
            let (step, reason) = (EscalationStep::Operators, EscalationReason::NoPlace);
            self.record(IncidentEvent::Escalated { step, reason });
            return;
        };
        let mut found = Found::default();
        // Who was silent is asked again only when nobody is left who was silent less often.
        for often in 1..=self.policy.asks_per_responder as usize {
            found = self.find_in_waves(at, &self.already_asked(often));
            if !found.chosen.is_empty() {
                break;
            }
        }
        self.ask(found, operator);
    }

    /// Takes back every offer that can still be answered.
    pub(crate) fn withdraw_offers(&mut self, why: &str) {
        let live: Vec<(OfferId, ResponderId)> =
            self.incident.live_offers().map(|(id, offer)| (id, offer.responder)).collect();
        for (offer, responder) in live {
            let end = OfferEnd::Withdrawn(why.to_owned());
            self.record(IncidentEvent::OfferEnded { offer, responder, end });
        }
    }

    /// Claims `responder` and returns the offer to make, or `None` when somebody else was faster, or when they are
    /// asked or on the way already for this very incident, which the roster would let us claim again.
    pub(crate) fn claim(&mut self, candidate: Candidate) -> Option<Chosen> {
        if self.roster.availability(candidate.responder) == Availability::Claimed(self.incident.id) {
            return None;
        }
        self.roster.claim(candidate.responder, self.incident.id).ok()?;
        let offer = self.next_offer;
        self.next_offer = OfferId(offer.0 + 1);
        Some(Chosen {
            offer,
            responder: candidate.responder,
            distance: candidate.distance,
            eta: self.policy.eta(candidate.distance),
            from_station: match candidate.located {
                Located::Base => true,
                Located::Fix(_) => false,
            },
        })
    }

    /// Makes the offers found, or says that there is nobody and when the next look is.
    pub(crate) fn ask(&mut self, found: Found, operator: Option<&str>) {
        let nobody = found.chosen.is_empty();
        let known_already = nobody && self.incident.nobody_found && operator.is_none();
        if !known_already {
            let lives = Millis::from_seconds(self.policy.of(self.incident.priority).offer_lives_s);
            self.record(IncidentEvent::WaveSent(Wave {
                wave: self.incident.wave + u32::from(!nobody),
                reach: found.reach,
                considered: found.tally.considered,
                left_out: left_out(&found.tally),
                chosen: found.chosen,
                expires_at: self.now + lives,
                operator: operator.map(str::to_owned),
            }));
        }
        if nobody {
            if !known_already {
                let (step, reason) = (EscalationStep::Operators, EscalationReason::NoCandidate);
                self.record(IncidentEvent::Escalated { step, reason });
            }
            let again = self.now + Millis::from_seconds(self.policy.search_again_s);
            self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::SearchAgain, again)] });
        }
    }

    /// The wave whose turn it is, and those after it, which search further when it finds nobody.
    fn waves_from_here(&self) -> Vec<WaveSize> {
        let waves = &self.policy.of(self.incident.priority).waves;
        let turn = (self.incident.turn as usize).min(waves.len().saturating_sub(1));
        waves[turn..].to_vec()
    }

    /// Who is not asked again: those asked now, those who declined or gave up, and those silent `often` times or more.
    /// Who went and is done may be asked again, being near.
    fn already_asked(&self, often: usize) -> Vec<ResponderId> {
        let mut silent: Vec<ResponderId> = Vec::new();
        let mut excluded: Vec<ResponderId> = Vec::new();
        for offer in self.incident.offers.values() {
            match offer.state {
                OfferState::Expired | OfferState::Failed => silent.push(offer.responder),
                OfferState::Sent | OfferState::Delivered | OfferState::Seen | OfferState::Declined => {
                    excluded.push(offer.responder);
                }
                OfferState::Accepted | OfferState::Withdrawn => {}
            }
        }
        let gave_up = |going: &&Assignment| going.state == AssignmentState::Aborted;
        excluded.extend(self.incident.assignments.iter().filter(gave_up).map(|going| going.responder));
        silent.sort_unstable();
        excluded.extend(
            silent.chunk_by(|a, b| a == b).filter(|asked| asked.len() >= often).map(|asked| asked[0]),
        );
        excluded
    }

    /// The first wave from here on that finds anybody, each reaching further than the one before.
    fn find_in_waves(&mut self, at: Place, excluded: &[ResponderId]) -> Found {
        let mut found = Found::default();
        for size in self.waves_from_here() {
            let query = Query {
                at,
                reach: self.policy.reach(size.reach_min),
                skills: self.policy.skills_for(self.incident.kind),
                limit: size.size as usize,
                excluded,
            };
            found = self.find_and_claim(query);
            if !found.chosen.is_empty() {
                break;
            }
        }
        found
    }

    fn find_and_claim(&mut self, query: Query<'_>) -> Found {
        let mut found = Found { reach: query.reach, ..Found::default() };
        let mut candidates = Vec::with_capacity(query.limit.min(8));
        for _ in 0..CLAIM_ROUNDS {
            candidates.clear();
            let missing = query.limit - found.chosen.len();
            found.tally = self.roster.nearest(&Query { limit: missing, ..query }, &mut candidates);
            let offered = candidates.len();
            found.chosen.extend(candidates.drain(..).filter_map(|candidate| self.claim(candidate)));
            if found.chosen.len() == query.limit || offered < missing {
                break;
            }
        }
        found
    }
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) reach: Metres,
    pub(crate) tally: Tally,
    pub(crate) chosen: Vec<Chosen>,
}

fn left_out(tally: &Tally) -> Vec<LeftOut> {
    [("lacks_skill", tally.lacks_skill), ("already_asked", tally.excluded), ("too_far", tally.too_far)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| LeftOut { reason: reason.to_owned(), count })
        .collect()
}

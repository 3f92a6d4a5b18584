//! Search: who is asked to go, when one incident looks for somebody and when many do at once.
//!
//! A search that is due stands in a queue and is done with all others that are due at the moment: first the most urgent,
//! each of them one responder such that together they arrive soonest; then, for those who ask several at once, the
//! others of the wave. Whoever waits because nobody was free is looked for again as soon as somebody is.

use std::collections::{BTreeMap, BTreeSet};

use model::{IncidentId, Metres, Millis, OfferId, Priority, ResponderId, Timestamp};
use roster::Availability;

use crate::{
    candidates::{LookedAt, Outlook, Ranked, Unfit, reasons},
    decide::{Decision, Desk, Draft},
    event::{Chosen, EscalationReason, EscalationStep, Event, IncidentEvent, LeftOut, OfferEnd, Timer, Wave},
    incident::{Assignment, AssignmentState, Incident, OfferState},
    matching::{self, Wishes},
    plan::WavePlan,
    policy::TellFamily,
    state::Turnout,
};

/// Searches done together at most; the others are done right after.
const TOGETHER: usize = 256;
/// Due searches looked at to find the most urgent of them.
const DUE_LOOKED_AT: usize = 4096;
/// Responders who became free that are looked at together; more than these are found by the incidents' own timers.
const FREED_LOOKED_AT: usize = 1024;
/// Candidates each incident has when several are matched together. More exchange better and take longer.
const WISHES: usize = 8;
/// As long as so few wait, each looks again when the first of those who rest has rested. When many wait, the next look of
/// one of them comes soon anyhow, and all looking at once for the one who has rested would be in vain.
const FEW_WAIT: usize = 64;
/// The pause after a look in vain doubles each time up to this, unless the policy asks for a longer one from the start.
const LONGEST_PAUSE: Millis = Millis::from_seconds(120);
/// Doublings after which the longest pause is reached whatever the policy says.
const MOST_DOUBLINGS: u32 = 7;
/// How often those are looked for again whose candidates all went to others, and those for whom there was nobody before.
const ROUNDS: usize = 16;

/// Does every search that is due, and looks again for those who wait where somebody has become free.
///
/// Who is still free after that, because those they could have helped got somebody nearer, is held against those further
/// back, until nobody is left whom any of them can help.
pub(crate) fn together(desk: &Desk<'_>, freed: &[ResponderId]) -> Decision {
    let due = desk.state.due_searches(desk.now).take(DUE_LOOKED_AT);
    let due: BTreeSet<(Priority, IncidentId)> = due.map(|(_, due)| (due.priority, due.id)).collect();
    let mut done: BTreeSet<(Priority, IncidentId)> = due.clone();
    let mut next: Vec<(Priority, IncidentId)> = due.iter().copied().collect();
    let mut next_offer = desk.state.next_offer();
    let mut rested = BTreeMap::new();
    let mut events = Vec::new();
    for _ in 0..ROUNDS {
        let helped = whom_they_can_help(desk, freed, &done);
        next.extend(helped.now);
        if next.is_empty() {
            break;
        }
        next.sort_unstable();
        next.truncate(TOGETHER);
        done.extend(&next);
        rested.extend(helped.later);
        let found_for = next.drain(..).filter_map(|key| {
            let incident = desk.state.incident(key.1)?;
            Some(Search::new(desk.draft(incident.clone()), due.contains(&key)))
        });
        events.append(&mut find_for(found_for.collect(), &mut next_offer));
    }
    rested.retain(|id, _| !done.iter().any(|(_, done)| done == id));
    events.append(&mut look_sooner(desk, rested));
    Decision { events, ..Decision::default() }
}

/// Finds somebody for each of `searches`, which come in order of urgency.
fn find_for(mut searches: Vec<Search<'_>>, next_offer: &mut OfferId) -> Vec<Event> {
    for class in searches.chunk_by_mut(|a, b| a.draft.incident.priority == b.draft.incident.priority) {
        find_for_all(class, next_offer);
    }
    searches.into_iter().flat_map(|search| search.finish(next_offer).events).collect()
}

/// Looks for those again who can be helped by somebody who has rested by then.
fn look_sooner(desk: &Desk<'_>, rested: BTreeMap<IncidentId, Timestamp>) -> Vec<Event> {
    let waits_longer = |(id, rested): (IncidentId, Timestamp)| {
        let incident = desk.state.incident(id)?;
        let sooner = incident.search_deadline().is_some_and(|due| rested < due);
        let timers = vec![(Timer::SearchAgain, rested)];
        sooner.then_some(Event::Incident { incident: id, event: IncidentEvent::TimersArmed { timers } })
    };
    rested.into_iter().filter_map(waits_longer).collect()
}

/// Does the search of one incident now, because an operator asks for it.
pub(crate) fn alone<'a>(draft: Draft<'a>, operator: &str) -> Draft<'a> {
    let mut next_offer = draft.next_offer;
    let mut search = Search::new(draft, true);
    find_for_all(std::slice::from_mut(&mut search), &mut next_offer);
    search.draft.next_offer = next_offer;
    search.draft.ask(search.found, Some(operator));
    search.draft
}

/// Those who wait for somebody and can be helped now that some have become free.
#[derive(Default)]
struct Helped {
    now: BTreeSet<(Priority, IncidentId)>,
    /// By whoever has rested then.
    later: BTreeMap<IncidentId, Timestamp>,
}

/// For each of `freed` who are still free the first who waits for them, besides those `done`.
fn whom_they_can_help(
    desk: &Desk<'_>,
    freed: &[ResponderId],
    done: &BTreeSet<(Priority, IncidentId)>,
) -> Helped {
    let mut helped = Helped::default();
    if desk.state.waiting() == 0 {
        return helped;
    }
    let outlook = desk.outlook();
    let reach = desk.policy.furthest(desk.policy.furthest_reach());
    for responder in freed.iter().take(FREED_LOOKED_AT) {
        let is_free = desk.roster.availability(*responder) == Availability::Available;
        let whereabouts = desk.roster.whereabouts(*responder).filter(|_| is_free);
        let Some((member, (place, _))) = desk.roster.member(*responder).zip(whereabouts) else { continue };
        let able = |kind| member.skills.covers(desk.policy.skills_for(kind));
        for incident in desk.state.waiting_near(place, reach, able) {
            let key = (incident.priority, incident.id);
            if done.contains(&key) || helped.now.contains(&key) {
                continue;
            }
            match can_help(outlook, incident, *responder) {
                Ok(()) => {
                    helped.now.insert(key);
                    break;
                }
                Err(Some(Unfit::Resting { until })) => {
                    helped.later.entry(incident.id).or_insert(until);
                }
                Err(_) => {}
            }
        }
    }
    helped
}

/// Whether `responder`, who has become free, can be asked for `incident`.
fn can_help(outlook: Outlook<'_>, incident: &Incident, responder: ResponderId) -> Result<(), Option<Unfit>> {
    let excluded = already_asked(incident, outlook.policy.asks_per_responder as usize);
    let wanted = outlook.wanted_by(incident, &excluded).ok_or(None)?;
    if excluded.contains(&responder) {
        return Err(None);
    }
    let candidate = outlook.candidate(responder, wanted.at).ok_or(None)?;
    let waves = wanted.plan.waves_from(incident.turn);
    let reach = waves.iter().map(|wave| wave.reach).max().unwrap_or_default();
    outlook.fit(&wanted, reach, &candidate)?;
    Ok(())
}

/// One incident that looks for somebody.
struct Search<'a> {
    draft: Draft<'a>,
    /// Its own timer is due, so it must be told when nobody was found.
    due: bool,
    found: Found,
    /// Whom it would ask next, the best first.
    wishes: Vec<Ranked>,
    /// How many more it would ask at once.
    room: usize,
    /// The last look found nobody at all, and nobody becomes free meanwhile.
    nobody_there: bool,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) reach: Metres,
    pub(crate) looked_at: LookedAt,
    pub(crate) chosen: Vec<Chosen>,
    pub(crate) instead_of: Option<ResponderId>,
}

/// Finds somebody for each of `searches`, which are equally urgent, and then the rest of their waves.
fn find_for_all(searches: &mut [Search<'_>], next_offer: &mut OfferId) {
    let together = searches.len() > 1;
    for search in searches.iter_mut() {
        search.look(together);
    }
    for _ in 0..ROUNDS {
        let (rows, people) = wishes_of(searches);
        if people.is_empty() {
            break;
        }
        let given = matching::assign(&rows, people.len());
        for (search, column) in searches.iter_mut().zip(given) {
            if let Some(column) = column {
                search.take(people[column], next_offer);
            }
        }
        // All whom the others wished for went elsewhere. Now that those are taken, the next nearest are seen.
        for search in searches.iter_mut().filter(|search| search.has_nobody_yet()) {
            search.look(together);
        }
    }
    for search in searches.iter_mut().filter(|search| search.has_nobody_yet()) {
        search.look(false);
        search.take_next(next_offer);
    }
    let mut more = true;
    while more {
        more = false;
        for search in searches.iter_mut() {
            more |= search.take_next(next_offer);
        }
    }
}

/// What those would like who have nobody yet: rows for [`matching::assign`], and who the columns are.
fn wishes_of(searches: &[Search<'_>]) -> (Vec<Wishes>, Vec<ResponderId>) {
    let mut columns = BTreeMap::new();
    let mut people = Vec::new();
    let rows = searches
        .iter()
        .map(|search| {
            let open = if search.found.chosen.is_empty() { &search.wishes[..] } else { &[] };
            let column = |one: &Ranked| {
                *columns.entry(one.responder).or_insert_with(|| {
                    people.push(one.responder);
                    people.len() - 1
                })
            };
            open.iter().map(column).zip(open.iter().map(|one| one.cost.0)).collect()
        })
        .collect();
    (rows, people)
}

impl<'a> Search<'a> {
    fn new(draft: Draft<'a>, due: bool) -> Self {
        Self { draft, due, found: Found::default(), wishes: Vec::new(), room: 0, nobody_there: false }
    }

    /// Looks who could go: in the wave whose turn it is and, when it finds nobody, in those after it, which reach
    /// further. Who was silent is asked again only when nobody is left who was silent less often.
    fn look(&mut self, together: bool) {
        self.wishes.clear();
        self.nobody_there = true;
        let draft = &self.draft;
        if draft.incident.place.is_none() {
            return;
        }
        let outlook = draft.outlook();
        let nobody_was_silent = draft.incident.offers.is_empty();
        let times = if nobody_was_silent { 1 } else { draft.policy.asks_per_responder as usize };
        for often in 1..=times {
            let excluded = already_asked(&draft.incident, often);
            let Some(wanted) = outlook.wanted_by(&draft.incident, &excluded) else { return };
            for WavePlan { size, reach } in wanted.plan.waves_from(draft.incident.turn) {
                let size = *size as usize;
                let number = if together { size.max(WISHES) } else { size };
                let ranking = outlook.rank(&wanted, *reach, number);
                self.found.reach = draft.policy.furthest(*reach);
                self.found.looked_at = ranking.looked_at;
                self.wishes = ranking.ranked;
                self.room = size;
                if !self.wishes.is_empty() {
                    self.nobody_there = false;
                    return;
                }
            }
        }
    }

    /// Whether nobody was found so far although somebody may be there.
    fn has_nobody_yet(&self) -> bool {
        self.found.chosen.is_empty() && !self.nobody_there
    }

    /// Asks `responder`, one of the wishes.
    fn take(&mut self, responder: ResponderId, next_offer: &mut OfferId) {
        if let Some(wish) = self.wishes.iter().position(|one| one.responder == responder) {
            let ranked = self.wishes.remove(wish);
            self.found.chosen.extend(self.draft.claim(&ranked, next_offer));
        }
    }

    /// Asks the best of the wishes that are left; says whether somebody was asked.
    fn take_next(&mut self, next_offer: &mut OfferId) -> bool {
        while self.found.chosen.len() < self.room && !self.wishes.is_empty() {
            let ranked = self.wishes.remove(0);
            if let Some(chosen) = self.draft.claim(&ranked, next_offer) {
                self.found.chosen.push(chosen);
                return true;
            }
        }
        false
    }

    /// Writes down what was found; a wait that goes on is left as it was.
    fn finish(mut self, next_offer: &mut OfferId) -> Draft<'a> {
        if self.due || !self.found.chosen.is_empty() {
            self.draft.next_offer = *next_offer;
            self.draft.ask(self.found, None);
        }
        self.draft
    }
}

impl Draft<'_> {
    /// Starts searching: the clocks that call a human when nobody accepts, and a search that is due now. It is done
    /// right after this decision, with all others that are due.
    pub(crate) fn search(&mut self) {
        let mut timers = self.ladder(EscalationReason::NobodyAccepted);
        if self.incident.place.is_some() {
            timers.push((Timer::SearchAgain, self.now));
        }
        if !timers.is_empty() {
            self.record(IncidentEvent::TimersArmed { timers });
        }
        if self.incident.place.is_none() {
            self.nobody_knows_where();
        }
    }

    /// Starts the clocks that call a human while `reason` holds.
    pub(crate) fn start_ladder(&mut self, reason: EscalationReason) {
        let timers = self.ladder(reason);
        if !timers.is_empty() {
            self.record(IncidentEvent::TimersArmed { timers });
        }
    }

    /// One that runs already is never put back: who presses again and again must not be the one for whom nobody is
    /// called. Nor is a service suggested that has been called, and a drill frightens no family.
    fn ladder(&self, reason: EscalationReason) -> Vec<(Timer, Timestamp)> {
        let incident = &self.incident;
        let mut ladder = self.plan().ladder(reason, self.now);
        ladder.retain(|(timer, due)| {
            let runs_sooner = incident.timers.get(timer).is_some_and(|runs| runs <= due);
            let called = incident.handed_to.iter().any(|service| timer.calls(service.suggested()));
            let frightens = incident.exercise && timer.calls(EscalationStep::Family);
            !runs_sooner && !called && !frightens
        });
        ladder
    }

    /// The next wave, once nobody of the last one can still accept.
    pub(crate) fn go_on_searching(&mut self) {
        let wave = self.incident.wave;
        let asked = self.incident.live_offers().any(|(_, offer)| offer.wave == wave);
        let looks = self.incident.search_deadline().is_some_and(|due| due <= self.now);
        if !self.incident.searching {
            // Somebody was asked in addition, and whoever went before may have given up meanwhile.
            self.replace_who_is_missing();
            return;
        }
        if asked || looks {
            return;
        }
        match self.incident.place {
            Some(_) => {
                self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::SearchAgain, self.now)] });
            }
            None => self.nobody_knows_where(),
        }
    }

    /// Brings a wait for the next look to its end.
    pub(crate) fn look_now(&mut self) {
        if self.incident.search_deadline().is_some_and(|due| due > self.now) {
            self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::SearchAgain, self.now)] });
        }
    }

    fn nobody_knows_where(&mut self) {
        let (step, reason) = (EscalationStep::Operators, EscalationReason::NoPlace);
        self.record(IncidentEvent::Escalated { step, reason });
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

    /// Claims `ranked` and returns the offer to make, or `None` when somebody else was faster, or when they are asked or
    /// on the way already for this very incident, which the roster would let us claim again.
    pub(crate) fn claim(&self, ranked: &Ranked, next_offer: &mut OfferId) -> Option<Chosen> {
        if self.roster.availability(ranked.responder) == Availability::Claimed(self.incident.id) {
            return None;
        }
        self.roster.claim(ranked.responder, self.incident.id).ok()?;
        let offer = *next_offer;
        *next_offer = OfferId(offer.0 + 1);
        Some(Chosen {
            offer,
            responder: ranked.responder,
            distance: ranked.distance,
            eta: ranked.eta,
            from_station: ranked.from_station,
            uncovers: self.outlook().uncovered_without(ranked.responder),
        })
    }

    /// Makes the offers found, or says that there is nobody, why, and when the next look is.
    pub(crate) fn ask(&mut self, found: Found, operator: Option<&str>) {
        let nobody = found.chosen.is_empty();
        let known_already = nobody && self.incident.nobody_found && operator.is_none();
        if !known_already {
            let lives = self.plan().offer_lives;
            self.record(IncidentEvent::WaveSent(Wave {
                wave: self.incident.wave + u32::from(!nobody),
                reach: found.reach,
                considered: found.looked_at.considered,
                left_out: self.left_out(&found),
                chosen: found.chosen,
                expires_at: self.now + lives,
                operator: operator.map(str::to_owned),
                instead_of: found.instead_of,
            }));
        }
        if nobody {
            if !known_already {
                let (step, reason) = (EscalationStep::Operators, EscalationReason::NoCandidate);
                self.record(IncidentEvent::Escalated { step, reason });
            }
            let few_wait = self.waiting <= FEW_WAIT;
            let again = self.look_again_at(found.looked_at.rested_at().filter(|_| few_wait));
            self.record(IncidentEvent::TimersArmed { timers: vec![(Timer::SearchAgain, again)] });
        } else {
            self.tell_family(TellFamily::OnDispatch);
        }
    }

    /// When to look again after a look in vain: after a pause, or as soon as the first of those who rest has rested.
    ///
    /// Whoever becomes free is found at once, so the pause doubles each time, but for the most urgent: somebody may come
    /// into reach.
    fn look_again_at(&self, rested_at: Option<Timestamp>) -> Timestamp {
        let first = self.policy.search_again;
        let pause = match self.incident.priority {
            Priority::P1 => first,
            Priority::P2 | Priority::P3 | Priority::P4 => {
                let doubled = Millis(first.0 << self.incident.looks_in_vain.min(MOST_DOUBLINGS));
                doubled.min(LONGEST_PAUSE.max(first))
            }
        };
        let again = self.now + pause;
        rested_at.map_or(again, |rested| again.min(rested))
    }

    /// Why not more: those looked at and left out and, when nobody is left at all, everybody else.
    fn left_out(&self, found: &Found) -> Vec<LeftOut> {
        if !found.chosen.is_empty() {
            return found.looked_at.left_out();
        }
        let Turnout { on_duty, on_break, off_duty } = self.turnout;
        let free = self.roster.free();
        let mut left_out = found.looked_at.and_elsewhere(free).left_out();
        // Those looked at were free until others of the same moment were given them.
        let busy = on_duty.saturating_sub(free.max(found.looked_at.considered));
        left_out.extend(reasons(&[("busy", busy), ("on_break", on_break), ("off_duty", off_duty)]));
        left_out
    }
}

/// Who is not asked again: those asked now, those who declined or gave up, and those silent `often` times or more. Who went and is done may be asked again, being near.
pub(crate) fn already_asked(incident: &Incident, often: usize) -> Vec<ResponderId> {
    let mut silent: Vec<ResponderId> = Vec::new();
    let mut excluded: Vec<ResponderId> = Vec::new();
    for offer in incident.offers.values() {
        match offer.state {
            OfferState::Expired | OfferState::Failed => silent.push(offer.responder),
            OfferState::Sent | OfferState::Delivered | OfferState::Seen | OfferState::Declined => {
                excluded.push(offer.responder);
            }
            OfferState::Accepted | OfferState::Withdrawn => {}
        }
    }
    let gave_up = |going: &&Assignment| going.state == AssignmentState::Aborted;
    excluded.extend(incident.assignments.iter().filter(gave_up).map(|going| going.responder));
    silent.sort_unstable();
    let often_silent = silent.chunk_by(|a, b| a == b).filter(|asked| asked.len() >= often);
    excluded.extend(often_silent.map(|asked| asked[0]));
    excluded
}

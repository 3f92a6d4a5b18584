//! What holds when many threads do everything at once. The work is bounded and nothing sleeps.
//!
//! Under Miri, which looks for data races and whatever the language leaves undefined, there is less of it, and it takes a
//! quarter of an hour:
//! `MIRIFLAGS=-Zmiri-disable-isolation cargo +nightly miri test -p roster`
#![cfg(not(loom))]

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    thread,
};

use model::{CoordinateSystem, IncidentId, Metres, OrgUnitCode, Place, ResponderId, Skills, Timestamp};
use roster::{Availability, Candidate, Duty, Located, Member, Query, Roster, Size};

const THREADS: u32 = 4;
const RESPONDERS: u32 = 64;
const STEPS: u64 = if cfg!(miri) { 60 } else { 20_000 };
const ROUNDS: u32 = if cfg!(miri) { 1 } else { 200 };

fn here() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

fn on_duty(roster: &Roster, responder: u32, base: Option<Place>) {
    let id = ResponderId(responder);
    roster.enrol(id, Member { skills: skills(responder), base, ..Member::default() }).expect("there is room");
    roster.set_duty(id, Duty::OnDuty);
}

fn skills(responder: u32) -> Skills {
    Skills::from_bits(1 << (responder % 3))
}

fn everybody() -> Query<'static> {
    Query { at: here(), reach: Metres(u32::MAX), skills: Skills::NONE, limit: usize::MAX, excluded: &[] }
}

/// A small generator of repeatable numbers (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }

    fn responder(&mut self) -> ResponderId {
        ResponderId(self.below(u64::from(RESPONDERS)) as u32)
    }

    /// One of 36 places in 9 cells or so, now and then one far away.
    fn place(&mut self) -> Place {
        if self.below(50) == 0 {
            return here().offset(500_000.0, -900_000.0);
        }
        here().offset(self.below(6) as f64 * 250.0, self.below(6) as f64 * 250.0)
    }
}

#[test]
fn of_many_claims_of_one_responder_exactly_one_wins() {
    let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
    (0..RESPONDERS).for_each(|responder| on_duty(&roster, responder, Some(here())));
    for round in 0..ROUNDS {
        let wins: Vec<AtomicU32> = (0..RESPONDERS).map(|_| AtomicU32::new(0)).collect();
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (roster, wins) = (&roster, &wins);
                scope.spawn(move || {
                    for step in 0..RESPONDERS {
                        // Half of the threads go one way and half the other.
                        let id = if thread % 2 == 0 { step } else { RESPONDERS - 1 - step };
                        if roster.claim(ResponderId(id), incident(round, thread)).is_ok() {
                            wins[id as usize].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert!(wins.iter().all(|wins| wins.load(Ordering::Relaxed) == 1));
        let mut candidates = Vec::new();
        assert_eq!(roster.nearest(&everybody(), &mut candidates).considered, 0, "nobody lingers");
        for responder in (0..RESPONDERS).map(ResponderId) {
            let released =
                (0..THREADS).filter(|thread| roster.release(responder, incident(round, *thread))).count();
            assert_eq!(released, 1);
        }
    }
}

fn incident(round: u32, thread: u32) -> IncidentId {
    IncidentId(u64::from(round * THREADS + thread + 1))
}

#[test]
fn alerts_from_many_threads_never_share_a_responder_and_leave_nobody_out() {
    let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
    (0..RESPONDERS).for_each(|responder| on_duty(&roster, responder, Some(here())));
    let served: Vec<Vec<ResponderId>> = thread::scope(|scope| {
        let serve = |thread: u32| {
            let roster = &roster;
            move || {
                let (mut candidates, mut mine) = (Vec::new(), Vec::new());
                // Until nobody is left: an empty answer means just that.
                loop {
                    roster.nearest(&Query { limit: 1, ..everybody() }, &mut candidates);
                    let Some(nearest) = candidates.first() else { return mine };
                    if roster.claim(nearest.responder, incident(0, thread)).is_ok() {
                        mine.push(nearest.responder);
                    }
                }
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(serve(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    });
    let mut all: Vec<ResponderId> = served.into_iter().flatten().collect();
    all.sort_unstable();
    assert!(all.into_iter().eq((0..RESPONDERS).map(ResponderId)));
}

#[test]
fn a_lone_free_responder_who_moves_all_the_time_is_always_found_and_never_twice() {
    // To the next cells, and to another block of cells.
    for metres in [700.0, 2_500.0] {
        let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
        on_duty(&roster, 7, Some(here()));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for step in 1..=STEPS as i64 * 5 {
                    let place = here().offset(if step % 2 == 0 { 0.0 } else { metres }, 0.0);
                    roster.report(ResponderId(7), place, Timestamp(step));
                }
                done.store(true, Ordering::Relaxed);
            });
            for limit in [1, 2, usize::MAX] {
                let (roster, done) = (&roster, &done);
                scope.spawn(move || {
                    let mut candidates = Vec::new();
                    while !done.load(Ordering::Relaxed) {
                        let query = Query { limit, reach: Metres(4_000), ..everybody() };
                        roster.nearest(&query, &mut candidates);
                        assert_eq!(candidates.len(), 1, "{candidates:?}");
                    }
                });
            }
        });
    }
}

#[test]
fn after_everything_at_once_each_responder_is_counted_once() {
    let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
    (0..RESPONDERS).for_each(|responder| on_duty(&roster, responder, Some(here())));
    let town = |number: u64| OrgUnitCode::from_number(341_181_000 + number).expect("nine digits");
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let roster = &roster;
            scope.spawn(move || {
                let mut numbers = Numbers(u64::from(thread));
                for _ in 0..STEPS {
                    let responder = numbers.responder();
                    match numbers.below(4) {
                        0 => drop(roster.claim(responder, incident(0, thread))),
                        1 => drop(roster.release(responder, incident(0, thread))),
                        2 => {
                            let org_unit = Some(town(numbers.below(5)));
                            roster.enrol(responder, Member { org_unit, ..Member::default() }).expect("room");
                        }
                        _ => {
                            let duty = [Duty::OnDuty, Duty::OffDuty][numbers.below(2) as usize];
                            roster.set_duty(responder, duty);
                        }
                    }
                }
            });
        }
    });
    let free = |responder: &ResponderId| roster.availability(*responder) == Availability::Available;
    let free: Vec<ResponderId> = (0..RESPONDERS).map(ResponderId).filter(free).collect();
    assert_eq!(roster.free() as usize, free.len());
    for town in (0..5).map(town) {
        let of_town = |responder: &&ResponderId| {
            roster.member(**responder).and_then(|member| member.org_unit) == Some(town)
        };
        assert_eq!(roster.free_in(town) as usize, free.iter().filter(of_town).count());
    }
}

/// Newest fix of each responder as the reporters have sent it.
type Sent = Vec<Vec<(Timestamp, Place)>>;

#[test]
fn after_everything_at_once_the_roster_is_what_a_list_would_be() {
    for seed in 0..if cfg!(miri) { 1 } else { 4 } {
        let roster = Roster::new(Size { responders: RESPONDERS, cell: Size::DEFAULT_CELL });
        let base =
            |responder: u32| (responder & 3 != 0).then(|| here().offset(f64::from(responder) * 40.0, 0.0));
        (0..RESPONDERS).for_each(|responder| on_duty(&roster, responder, base(responder)));
        let holders: Vec<AtomicU64> = (0..RESPONDERS).map(|_| AtomicU64::new(0)).collect();
        let sent: Vec<Sent> = thread::scope(|scope| {
            let reporters: Vec<_> = (0..2)
                .map(|thread| {
                    let roster = &roster;
                    scope.spawn(move || {
                        report_all_the_time(roster, Numbers(seed * 100 + thread), thread as i64)
                    })
                })
                .collect();
            for thread in 2..4 {
                let (roster, holders) = (&roster, &holders);
                scope
                    .spawn(move || claim_all_the_time(roster, holders, Numbers(seed * 100 + thread), thread));
            }
            scope.spawn(|| query_all_the_time(&roster, Numbers(seed * 100 + 4)));
            scope.spawn(|| change_duties_all_the_time(&roster, Numbers(seed * 100 + 5)));
            reporters.into_iter().map(|reporter| reporter.join().expect("no panic")).collect()
        });
        // Half the fixes are stale now.
        let stale_before = Timestamp(STEPS as i64 - STEPS as i64 / 20);
        roster.sweep(stale_before);
        let expected = as_a_list(&roster, &sent, stale_before, base);
        let mut candidates = Vec::new();
        let tally = roster.nearest(&everybody(), &mut candidates);
        assert_eq!(candidates, expected);
        assert_eq!(tally.considered as usize, expected.len(), "nobody lingers and nobody is there twice");
    }
}

fn report_all_the_time(roster: &Roster, mut numbers: Numbers, thread: i64) -> Sent {
    let mut sent = vec![Vec::new(); RESPONDERS as usize];
    for step in 1..STEPS as i64 {
        let (responder, place) = (numbers.responder(), numbers.place());
        // No two threads use the same time, and every third report is late.
        let late = if step % 3 == 0 { numbers.below(200) as i64 } else { 0 };
        let at = Timestamp(((step - late) * 2 + thread).max(1));
        roster.report(responder, place, at);
        sent[responder.0 as usize].push((at, place));
        if step % 5_000 == 0 {
            roster.sweep(Timestamp(step - 5_000));
        }
    }
    sent
}

fn claim_all_the_time(roster: &Roster, holders: &[AtomicU64], mut numbers: Numbers, thread: u64) {
    let incident = IncidentId(thread);
    let mut candidates = Vec::new();
    for _ in 0..STEPS {
        let at = numbers.place();
        roster.nearest(&Query { at, limit: 1, ..everybody() }, &mut candidates);
        let Some(nearest) = candidates.first() else { continue };
        if roster.claim(nearest.responder, incident).is_err() {
            continue;
        }
        let holder = &holders[nearest.responder.0 as usize];
        assert_eq!(holder.swap(thread, Ordering::Relaxed), 0, "somebody else holds the same responder");
        assert_eq!(roster.availability(nearest.responder), Availability::Claimed(incident));
        assert_eq!(holder.swap(0, Ordering::Relaxed), thread);
        // Some stay claimed to the end of the test.
        if numbers.below(2_000) != 0 {
            assert!(roster.release(nearest.responder, incident));
        } else {
            holder.store(thread, Ordering::Relaxed);
        }
    }
}

fn query_all_the_time(roster: &Roster, mut numbers: Numbers) {
    let mut candidates = Vec::new();
    for _ in 0..STEPS / 4 {
        let skills = skills(numbers.below(3) as u32);
        let limit = [1, 8, usize::MAX][numbers.below(3) as usize];
        roster.nearest(&Query { at: numbers.place(), skills, limit, ..everybody() }, &mut candidates);
        assert!(candidates.is_sorted() && candidates.len() <= limit);
        let mut responders: Vec<_> = candidates.iter().map(|one| one.responder).collect();
        responders.sort_unstable();
        responders.dedup();
        assert_eq!(responders.len(), candidates.len(), "somebody is there twice");
        assert!(responders.iter().all(|one| self::skills(one.0).covers(skills)));
    }
}

fn change_duties_all_the_time(roster: &Roster, mut numbers: Numbers) {
    for _ in 0..STEPS {
        let duty = [Duty::OffDuty, Duty::OnBreak, Duty::OnDuty, Duty::OnDuty][numbers.below(4) as usize];
        roster.set_duty(numbers.responder(), duty);
    }
}

/// What a query for everybody should give, from the availability now and the fixes that were sent.
fn as_a_list(
    roster: &Roster,
    sent: &[Sent],
    stale_before: Timestamp,
    base: impl Fn(u32) -> Option<Place>,
) -> Vec<Candidate> {
    let mut list: Vec<Candidate> = (0..RESPONDERS)
        .filter(|responder| roster.availability(ResponderId(*responder)) == Availability::Available)
        .filter_map(|responder| {
            let fixes = sent.iter().flat_map(|sent| &sent[responder as usize]);
            let newest = fixes.max_by_key(|(at, _)| *at).filter(|(at, _)| *at >= stale_before);
            let (place, located) = match newest {
                Some((at, place)) => (*place, Located::Fix(*at)),
                None => (base(responder)?, Located::Base),
            };
            let distance = place.distance(here());
            Some(Candidate { distance, responder: ResponderId(responder), located })
        })
        .collect();
    list.sort_unstable();
    list
}

//! Every interleaving of a few threads on a roster of a few slots, two blocks of four cells and two seats a cell.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p roster --release --test loom -- --nocapture`. Where a story has too many
//! interleavings, it bounds how often a thread is switched against its will; almost all errors show with two.
#![cfg(loom)]

use std::sync::Arc;

use loom::thread;
use model::{CoordinateSystem, IncidentId, Metres, OrgUnitCode, Place, ResponderId, Skills, Timestamp};
use roster::{Availability, Duty, Member, Query, Reported, Roster, Size};

const FIRST: ResponderId = ResponderId(0);
const SECOND: ResponderId = ResponderId(1);
const FALL: IncidentId = IncidentId(1);
const SMOKE: IncidentId = IncidentId(2);

/// Tries `story` in every interleaving with so many switches at most, and says how many there were.
fn every_way(name: &'static str, switches: Option<usize>, story: impl Fn() + Sync + Send + 'static) {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let ways = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&ways);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = switches;
    builder.max_branches = 100_000;
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        story();
    });
    println!("{name}: {} interleavings", ways.load(Ordering::Relaxed));
}

fn here() -> Place {
    Place::new(33.60, 119.02, CoordinateSystem::Wgs84).expect("on the globe")
}

/// In another cell than [`here`], and another block: two columns on.
fn there() -> Place {
    here().offset(0.0, 800.0)
}

/// In another cell than [`here`], of the same block: there is one row of blocks.
fn beside() -> Place {
    here().offset(520.0, 0.0)
}

/// So many responders on duty, here.
fn roster(responders: u32) -> Arc<Roster> {
    let roster = Roster::new(Size { responders, cell: Size::DEFAULT_CELL });
    for responder in 0..responders {
        let member =
            Member { skills: Skills::from_bits(1 << responder), base: Some(here()), ..Member::default() };
        roster.enrol(ResponderId(responder), member).expect("there is room");
        roster.set_duty(ResponderId(responder), Duty::OnDuty);
    }
    Arc::new(roster)
}

fn found(roster: &Roster, skills: u16) -> Vec<(u32, u32)> {
    let mut candidates = Vec::new();
    let skills = Skills::from_bits(skills);
    let query = Query { at: here(), reach: Metres(5_000), skills, limit: 5, excluded: &[] };
    roster.nearest(&query, &mut candidates);
    candidates.iter().map(|one| (one.responder.0, one.distance.0)).collect()
}

/// Runs both at once on `roster`.
fn at_once<A: 'static, B>(
    roster: &Arc<Roster>,
    a: impl FnOnce(&Roster) -> A + 'static,
    b: impl FnOnce(&Roster) -> B,
) -> (A, B) {
    let shared = Arc::clone(roster);
    let other = thread::spawn(move || a(&shared));
    let b = b(roster);
    (other.join().expect("no panic"), b)
}

#[test]
fn one_of_two_claims_wins_and_the_seat_is_left() {
    every_way("claim and claim", None, || {
        let roster = roster(1);
        let (fall, smoke) = at_once(&roster, |r| r.claim(FIRST, FALL), |r| r.claim(FIRST, SMOKE));
        assert!(fall.is_ok() != smoke.is_ok());
        let winner = if fall.is_ok() { FALL } else { SMOKE };
        assert_eq!(roster.availability(FIRST), Availability::Claimed(winner));
        assert_eq!(fall.err().or(smoke.err()), Some(Availability::Claimed(winner)));
        assert_eq!(found(&roster, 0), []);
    });
}

#[test]
fn who_moves_while_being_claimed_and_released_is_found_at_the_new_place() {
    every_way("claim, release and report", Some(3), || {
        let roster = roster(1);
        let claim = |r: &Roster| {
            assert_eq!(r.claim(FIRST, FALL), Ok(()));
            assert!(r.release(FIRST, FALL));
        };
        let (_, reported) = at_once(&roster, claim, |r| r.report(FIRST, there(), Timestamp(1)));
        assert_eq!(reported, Reported::Newest);
        assert_eq!(found(&roster, 0), [(0, 800)]);
    });
}

#[test]
fn who_moves_within_the_block_while_being_claimed_and_released_is_found_at_the_new_place() {
    every_way("claim, release and report beside", Some(3), || {
        let roster = roster(1);
        let claim = |r: &Roster| r.claim(FIRST, FALL).is_ok() && r.release(FIRST, FALL);
        let (_, reported) = at_once(&roster, claim, |r| r.report(FIRST, beside(), Timestamp(1)));
        assert_eq!(reported, Reported::Newest);
        assert_eq!(found(&roster, 0), [(0, 520)]);
    });
}

#[test]
fn who_is_claimed_while_moving_does_not_linger() {
    every_way("claim and report", None, || {
        let roster = roster(1);
        at_once(&roster, |r| r.claim(FIRST, FALL), |r| r.report(FIRST, there(), Timestamp(1)))
            .0
            .expect("free");
        assert_eq!(found(&roster, 0), []);
        assert!(roster.release(FIRST, FALL));
        assert_eq!(found(&roster, 0), [(0, 800)]);
    });
}

#[test]
fn of_two_reports_the_newest_wins() {
    every_way("report and report", Some(3), || {
        let roster = roster(1);
        let report = |place, time| move |r: &Roster| r.report(FIRST, place, Timestamp(time));
        let (new, old) = at_once(&roster, report(there(), 2), report(here(), 1));
        assert_eq!(new, Reported::Newest);
        assert!(old == Reported::Newest || old == Reported::Outdated(Timestamp(2)));
        assert_eq!(found(&roster, 0), [(0, 800)]);
    });
}

#[test]
fn a_query_during_a_move_finds_the_one_who_moves_once() {
    // Towards the alert: a query looks there first, and last where the responder came from.
    every_way("query and report", Some(2), || {
        let roster = roster(1);
        roster.report(FIRST, there(), Timestamp(1));
        let (_, seen) = at_once(&roster, |r| r.report(FIRST, here(), Timestamp(2)), |r| found(r, 0));
        assert!(seen == [(0, 0)] || seen == [(0, 800)], "{seen:?}");
    });
}

#[test]
fn a_duty_that_ends_during_a_claim_ends_it_for_the_cells() {
    every_way("claim, release and duty", None, || {
        let roster = roster(1);
        let claim = |r: &Roster| r.claim(FIRST, FALL).is_ok() && r.release(FIRST, FALL);
        at_once(&roster, claim, |r| r.set_duty(FIRST, Duty::OffDuty));
        assert_eq!(roster.availability(FIRST), Availability::OffDuty);
        assert_eq!(found(&roster, 0), []);
    });
}

#[test]
fn a_sweep_and_a_report_agree_on_what_is_stale() {
    every_way("sweep and report", Some(3), || {
        let roster = roster(1);
        at_once(&roster, |r| r.sweep(Timestamp(5)), |r| r.report(FIRST, there(), Timestamp(4)));
        assert_eq!(found(&roster, 0), [(0, 0)], "at the base");
        at_once(&roster, |r| r.sweep(Timestamp(7)), |r| r.report(FIRST, there(), Timestamp(7)));
        assert_eq!(found(&roster, 0), [(0, 800)]);
    });
}

#[test]
fn a_cell_never_forgets_the_skill_of_whoever_enters_while_another_leaves() {
    every_way("leave and enter", None, || {
        let roster = roster(2);
        roster.set_duty(SECOND, Duty::OffDuty);
        at_once(&roster, |r| r.claim(FIRST, FALL), |r| r.set_duty(SECOND, Duty::OnDuty)).0.expect("free");
        assert_eq!(found(&roster, 0b10), [(1, 0)]);
        assert_eq!(found(&roster, 0b01), []);
    });
}

#[test]
fn whoever_finds_no_seat_in_the_cell_is_found_in_the_spill() {
    every_way("spill", Some(5), || {
        let roster = roster(4);
        let take = |responder| move |r: &Roster| r.claim(ResponderId(responder), FALL).expect("free");
        at_once(&roster, take(2), take(3));
        assert_eq!(found(&roster, 0), [(0, 0), (1, 0)]);
        let free = |responder| move |r: &Roster| r.release(ResponderId(responder), FALL);
        assert_eq!(at_once(&roster, free(2), free(3)), (true, true));
        assert_eq!(found(&roster, 0), [(0, 0), (1, 0), (2, 0), (3, 0)]);
    });
}

#[test]
fn the_last_to_leave_the_spill_does_not_hide_the_first_to_enter() {
    every_way("leave and enter the spill", Some(3), || {
        let roster = roster(4);
        let (third, fourth) = (ResponderId(2), ResponderId(3));
        roster.claim(fourth, FALL).expect("free");
        at_once(&roster, move |r| r.claim(third, FALL), move |r| r.release(fourth, FALL)).0.expect("free");
        assert_eq!(found(&roster, 0), [(0, 0), (1, 0), (3, 0)]);
    });
}

#[test]
fn a_query_during_a_claim_finds_the_next_nearest() {
    every_way("query and claim", Some(2), || {
        let roster = roster(2);
        let nearest = |r: &Roster| {
            let mut candidates = Vec::new();
            let (at, reach) = (here(), Metres(5_000));
            let query = Query { at, reach, skills: Skills::NONE, limit: 1, excluded: &[] };
            r.nearest(&query, &mut candidates);
            candidates.first().map(|one| one.responder)
        };
        let (_, seen) = at_once(&roster, |r| r.claim(FIRST, FALL), nearest);
        assert!(seen == Some(FIRST) || seen == Some(SECOND), "{seen:?}");
        assert_eq!(nearest(&roster), Some(SECOND));
    });
}

#[test]
fn a_block_is_not_passed_by_while_one_enters_and_another_leaves_it() {
    every_way("leave and enter a block, and query", Some(2), || {
        let roster = roster(2);
        roster.report(FIRST, there(), Timestamp(1));
        roster.claim(SECOND, FALL).expect("free");
        roster.release(SECOND, FALL);
        // The first comes over from the other block while the second is claimed.
        let come = |r: &Roster| r.report(FIRST, here(), Timestamp(2));
        let (_, seen) = at_once(&roster, come, |r| {
            r.claim(SECOND, SMOKE).expect("free");
            found(r, 0)
        });
        assert!(seen == [(0, 0)] || seen == [(0, 800)], "{seen:?}");
        assert_eq!((found(&roster, 0b01), found(&roster, 0b10)), (vec![(0, 0)], vec![]));
    });
}

#[test]
fn whoever_changes_skills_while_moving_is_found_by_the_new_ones() {
    every_way("report and enrol with another skill", Some(3), || {
        let roster = roster(1);
        let member = Member { skills: Skills::from_bits(0b100), base: Some(here()), ..Member::default() };
        let enrol = move |r: &Roster| r.enrol(FIRST, member).expect("there is room");
        at_once(&roster, enrol, |r| r.report(FIRST, there(), Timestamp(1)));
        assert_eq!((found(&roster, 0b100), found(&roster, 0b001)), (vec![(0, 800)], vec![]));
        roster.claim(FIRST, FALL).expect("free");
        assert_eq!(found(&roster, 0), []);
    });
}

#[test]
fn whoever_changes_town_while_being_claimed_and_released_is_counted_once() {
    every_way("claim, release and enrol for another town", Some(3), || {
        let roster = roster(1);
        let town = |number| OrgUnitCode::from_number(number).expect("nine digits");
        let (before, after) = (town(341_181_001), town(341_181_002));
        let enrol = move |r: &Roster, town| {
            let member = Member { base: Some(here()), org_unit: Some(town), ..Member::default() };
            r.enrol(FIRST, member).expect("there is room");
        };
        enrol(&roster, before);
        let claim = |r: &Roster| r.claim(FIRST, FALL).is_ok() && r.release(FIRST, FALL);
        let (served, ()) = at_once(&roster, claim, |r| enrol(r, after));
        assert!(served);
        assert_eq!((roster.free(), roster.free_in(before), roster.free_in(after)), (1, 0, 1));
        at_once(&roster, |r| r.claim(FIRST, FALL), |r| enrol(r, before)).0.expect("free");
        assert_eq!((roster.free(), roster.free_in(before), roster.free_in(after)), (0, 0, 0));
    });
}

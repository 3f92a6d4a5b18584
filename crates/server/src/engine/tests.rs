//! Does what is decided together stand together in the journal, and is everybody answered in order?

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
};

use dispatch::{IncidentEvent, RaiseAlert, Subject};
use journal::{Notice, Options, Sequence};
use model::{CoordinateSystem, Kind, OfferId, Place};
use roster::{Duty, Member, Size};

use super::*;
use crate::policies;

/// What an answer says of each command, and whether it is durable, in the order in which the answers came.
type Answers = Arc<Mutex<Vec<(usize, Vec<bool>, bool)>>>;

fn home() -> Place {
    Place::new(32.7, 119.0, CoordinateSystem::Wgs84).expect("on the globe")
}

fn works(folder: &Path) -> Works {
    let sink = |notice: Notice<'_, Settled>| {
        let Notice::Released(group) = notice else { return };
        for Reply { done, verdicts } in group.drain(..).flat_map(|released| released.token.replies) {
            done(Answer { verdicts, durable: true });
        }
    };
    let opened = Journal::open(folder, Options::default(), Sequence(0), |_, _| Ok(()), sink);
    let roster = Roster::new(Size::of(4, &[]));
    let member = Member { base: Some(home().offset(300.0, 0.0)), ..Member::default() };
    roster.enrol(ResponderId(0), member).expect("room");
    Works {
        state: State::default(),
        roster: Arc::new(roster),
        policy: Arc::new(ArcSwap::from_pointee(policies::read(None).expect("without fault"))),
        clock: Clock::start(),
        journal: Arc::new(opened.expect("opens").0),
    }
}

fn press(works: &Works, subject: Subject, raw: Option<Vec<u8>>) -> Command {
    Command::RaiseAlert(Box::new(RaiseAlert {
        subject,
        home: Some(home()),
        org_unit: None,
        at_risk: false,
        key: None,
        device: None,
        kind: Kind::Sos,
        source_id: None,
        topic: String::new(),
        device_time: None,
        received_at: works.clock.now(),
        place: None,
        detail: String::new(),
        raw,
        retained: false,
        exercise: false,
    }))
}

/// Has the engine do `jobs`, all of which wait when it looks, and returns the answers and the journal's records.
fn run(folder: &Path, works: Works, jobs: Vec<Vec<Command>>) -> (Answers, Vec<Vec<Event>>) {
    let answers = Answers::default();
    let (queue, waiting) = mpsc::channel(BATCH);
    for (number, commands) in jobs.into_iter().enumerate() {
        let answers = Arc::clone(&answers);
        let done: Done = Box::new(move |answer| {
            let granted = answer.verdicts.iter().map(Result::is_ok).collect();
            let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            answers.push((number, granted, answer.durable));
        });
        let job = Job { work: Work::Commands(commands), done };
        assert!(queue.try_send(job).is_ok(), "there is room");
    }
    let stop = CancellationToken::new();
    stop.cancel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let works = runtime.block_on(works.run(waiting, &Pulse::new(), &stop));
    let journal = Arc::into_inner(works.journal).expect("nobody else has it");
    journal.close().expect("flushed");
    let records = journal::read(folder).map(|record| {
        let (_, bytes) = record.expect("sound");
        wire::read_dispatch_record(&bytes).expect("ours").1
    });
    (answers, records.collect())
}

fn taken(answers: &Answers) -> Vec<(usize, Vec<bool>, bool)> {
    answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

#[test]
fn an_alert_its_incident_and_its_offers_stand_in_one_record_with_all_that_waited() {
    let folder = tempfile::tempdir().expect("a folder");
    let works = works(folder.path());
    let responder = ResponderId(0);
    let on_duty = Command::SetDuty { responder, duty: Duty::OnDuty };
    let pressed = press(&works, Subject::Call("1".to_owned()), None);
    let nonsense = Command::AcceptOffer { responder, offer: OfferId(99) };
    let jobs = vec![vec![on_duty, pressed], vec![nonsense.clone(), nonsense], Vec::new()];
    let (answers, records) = run(folder.path(), works, jobs);
    assert_eq!(taken(&answers), [(0, vec![true, true], true), (1, vec![false], true), (2, vec![], true)]);
    assert_eq!(records.len(), 2, "the policy, and the rest: {records:#?}");
    assert!(matches!(&records[0][..], [Event::PolicyReplaced { .. }]));
    assert!(matches!(&records[1][0], Event::DutyChanged { .. }));
    let asked = records[1].iter().any(|event| {
        let Event::Incident { event: IncidentEvent::WaveSent(wave), .. } = event else { return false };
        wave.chosen.iter().any(|chosen| chosen.responder == responder)
    });
    assert!(asked, "{:#?}", records[1]);
}

#[test]
fn who_becomes_free_is_asked_for_whoever_waits_in_the_same_record() {
    let folder = tempfile::tempdir().expect("a folder");
    let works = works(folder.path());
    let pressed = press(&works, Subject::Call("1".to_owned()), None);
    let comes = Command::SetDuty { responder: ResponderId(0), duty: Duty::OnDuty };
    let mut works = works;
    let mut pass = Pass::begin(works.clock.now());
    works.decide(pressed, &mut pass).unwrap_or_else(|why| panic!("{why}"));
    works.search_and_fire(&mut pass);
    works.keep(pass);
    assert_eq!(works.state.waiting(), 1, "nobody is there");
    let (_, records) = run(folder.path(), works, vec![vec![comes]]);
    let last = records.last().expect("a record");
    assert!(matches!(&last[0], Event::DutyChanged { .. }), "{last:#?}");
    let asked = |event: &Event| matches!(event, Event::Incident { event: IncidentEvent::WaveSent(_), .. });
    assert!(last.iter().any(asked), "{last:#?}");
}

#[test]
fn what_is_too_long_for_one_record_goes_into_several_and_everybody_is_answered_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let works = works(folder.path());
    let long =
        |number: usize| press(&works, Subject::Topic(number.to_string()), Some(vec![7; RECORD_BYTES / 2]));
    let jobs: Vec<_> = (0..8).map(|number| vec![long(number)]).collect();
    let (answers, records) = run(folder.path(), works, jobs);
    let order: Vec<_> = taken(&answers).into_iter().map(|(number, ..)| number).collect();
    assert_eq!(order, (0..8).collect::<Vec<_>>());
    assert!((4..=6).contains(&records.len()), "{}", records.len());
    let alerts =
        |event: &&Event| matches!(event, Event::Incident { event: IncidentEvent::AlertRaised(_), .. });
    assert_eq!(records.iter().flatten().filter(alerts).count(), 8);
}

//! Every record comes out of the feed once and in order, whatever did not fit into its queue.

use dispatch::IncidentEvent;
use journal::{Journal, Options, Sequence};
use model::IncidentId;

use super::*;

fn closed(incident: u64) -> Vec<Event> {
    vec![Event::Incident { incident: IncidentId(incident), event: IncidentEvent::Closed { operator: None } }]
}

fn news(sequence: u64, durable: bool) -> News {
    News { sequence, at: Timestamp(1), durable, read_back: false, events: closed(sequence) }
}

/// A journal with so many records, all of them durable and more to come.
fn journal(folder: &Path, records: u64) -> Journal<()> {
    let (journal, _) =
        Journal::open(folder, Options::default(), Sequence(0), |_, _| Ok(()), |_| {}).expect("a journal");
    for number in 1..=records {
        let record = wire::dispatch_record(Timestamp(1), &closed(number));
        journal.append(&record, ()).expect("appended");
    }
    while journal.durable().0 < records {
        std::thread::yield_now();
    }
    journal
}

async fn read(reader: &mut Reader, until: u64) -> Vec<u64> {
    let mut all = Vec::new();
    while all.last() != Some(&until) {
        let some = reader.next().await.expect("the feed goes on");
        for record in some {
            assert_eq!(record.events, closed(record.sequence), "its own events");
            all.push(record.sequence);
        }
    }
    all
}

#[tokio::test]
async fn what_does_not_fit_into_the_queue_is_read_from_the_journal() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = QUEUE as u64 + 500;
    let _writing = journal(folder.path(), head);
    let (feed, intake) = feed();
    let mut reader = Reader::new(intake, folder.path(), 0, 0);
    (1..=head - 100).for_each(|sequence| feed.tell(news(sequence, true)));
    reader.look_back();
    assert!(!reader.is_behind(), "first what is in the queue");
    let mut all = read(&mut reader, QUEUE as u64).await;
    // Some were missed in the middle, and then some came again.
    (head - 99..=head - 50).for_each(|sequence| feed.tell(news(sequence, true)));
    all.extend(read(&mut reader, head - 50).await);
    assert!(!reader.is_behind());
    // None comes after these.
    let full: Vec<u64> = (0..QUEUE as u64).collect();
    full.iter().for_each(|_| feed.tell(news(1, true)));
    (head - 49..=head).for_each(|sequence| feed.tell(news(sequence, true)));
    full.iter().for_each(|_| drop(reader.intake.queue.try_recv()));
    reader.look_back();
    all.extend(read(&mut reader, head).await);
    assert_eq!(all, (1..=head).collect::<Vec<_>>(), "each once and in order");
}

#[tokio::test]
async fn after_a_restart_it_goes_on_at_its_mark_and_then_with_what_comes() {
    let folder = tempfile::tempdir().expect("a folder");
    let _writing = journal(folder.path(), 300);
    let (feed, intake) = feed();
    let mut reader = Reader::new(intake, folder.path(), 120, 290);
    assert!(reader.is_behind());
    (291..=300).for_each(|sequence| feed.tell(news(sequence, true)));
    assert_eq!(read(&mut reader, 300).await, (121..=300).collect::<Vec<_>>());
    assert_eq!(reader.seen(), 300);
    drop(feed);
    assert!(reader.next().await.is_none(), "the journal is closed");
}

#[tokio::test]
async fn what_the_disk_refused_comes_out_and_moves_no_mark() {
    let folder = tempfile::tempdir().expect("a folder");
    let _writing = journal(folder.path(), 5);
    let (feed, intake) = feed();
    let mut reader = Reader::new(intake, folder.path(), 5, 5);
    feed.tell(news(6, false));
    feed.tell(news(7, false));
    assert_eq!(read(&mut reader, 7).await, [6, 7]);
    assert_eq!(reader.seen(), 5);
}

#[tokio::test]
async fn what_is_new_does_not_wait_for_a_long_way_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let head = 20 * AT_A_TIME as u64;
    let _writing = journal(folder.path(), head + 9);
    let (feed, intake) = feed();
    let mut reader = Reader::new(intake, folder.path(), 0, head);
    reader.in_order_for = Duration::ZERO;
    assert!(reader.is_behind() && !reader.keeps_order());
    let mut all = Vec::new();
    for new in [head + 1, head + 2, head + 5] {
        feed.tell(news(new, true));
        let some: Vec<u64> = reader.next().await.expect("more").iter().map(|one| one.sequence).collect();
        assert_eq!(some.first(), Some(&new), "it goes first");
        assert!(reader.seen() < head, "a crash reads the rest again");
        all.extend(some);
    }
    while reader.is_behind() {
        all.extend(reader.next().await.expect("more").iter().map(|one| one.sequence));
    }
    feed.tell(news(head + 4, true));
    feed.tell(news(head + 6, true));
    all.extend(read(&mut reader, head + 6).await);
    assert_eq!(reader.seen(), head + 6);
    all.sort_unstable();
    assert_eq!(all, (1..=head + 6).collect::<Vec<_>>(), "each once");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_long_way_back() {
    let folder = tempfile::tempdir().expect("a folder");
    let _writing = journal(folder.path(), 1000);
    let (feed, intake) = feed();
    let mut reader = Reader::new(intake, folder.path(), 0, 1000);
    reader.in_order_for = Duration::ZERO;
    let some = reader.next().await.expect("more");
    drop(feed);
    assert!(reader.next().await.is_none());
    assert_eq!(reader.seen(), some.len() as u64, "the next start goes on there");
}

#[tokio::test]
async fn what_cannot_be_read_just_now_is_read_later_and_what_is_new_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journals, away) = (folder.path().join("dispatch"), folder.path().join("away"));
    let _writing = journal(&journals, 110);
    let (feed, intake) = feed();
    std::fs::rename(&journals, &away).expect("gone");
    let mut reader = Reader::new(intake, &journals, 0, 100);
    reader.again_after = Duration::from_millis(1);
    let trouble = reader.trouble();
    assert!(reader.next().await.expect("the feed goes on").is_empty());
    assert!(trouble.load().as_deref().is_some_and(|told| told.contains("from record 1 on")), "it is told");
    for _ in 0..3 {
        assert!(reader.next().await.expect("the feed goes on").is_empty());
    }
    feed.tell(news(101, true));
    assert_eq!(read(&mut reader, 101).await, [101], "what is new goes on");
    assert_eq!(reader.seen(), 0);
    std::fs::rename(&away, &journals).expect("back");
    assert_eq!(read(&mut reader, 100).await, (1..=100).collect::<Vec<_>>(), "nothing is left out");
    assert!(trouble.load().is_none());
    assert_eq!((reader.seen(), reader.is_behind()), (101, false));
}

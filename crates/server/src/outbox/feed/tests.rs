//! Every record comes out of the feed once and in order, whatever did not fit into its queue.

use dispatch::IncidentEvent;
use journal::{Journal, Options, Sequence};
use model::IncidentId;

use super::*;

fn closed(incident: u64) -> Vec<Event> {
    vec![Event::Incident { incident: IncidentId(incident), event: IncidentEvent::Closed { operator: None } }]
}

fn news(sequence: u64, durable: bool) -> News {
    News { sequence, at: Timestamp(1), durable, events: closed(sequence) }
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

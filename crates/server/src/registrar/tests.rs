//! What becomes of a wish that the disk refuses, and of those that follow?

use journal::{Options, testing::FaultyDisk};
use model::OrgUnitCode;
use registry::NewOrgUnit;
use roster::Size;

use super::*;

fn county(code: &str, name: &str) -> Command {
    let code = OrgUnitCode::new(code).expect("a code");
    Command::CreateOrgUnit(NewOrgUnit { code, name: name.to_owned() })
}

#[test]
fn what_the_disk_refused_is_entered_when_it_recovers_and_nothing_is_decided_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = FaultyDisk::new();
    let recovered = Arc::new(Notify::new());
    let told = Arc::clone(&recovered);
    let options = Options { ballast_bytes: 0, ..Options::default() };
    let opened = Journal::open_on(
        Arc::new(disk.clone()),
        options,
        Sequence(0),
        |_, _| Ok(()),
        move |notice: Notice<'_, Flushed>| take(notice, &told),
    );
    let mut books = Books {
        state: Arc::default(),
        directory: Arc::default(),
        finder: Arc::default(),
        roster: Arc::new(Roster::new(Size::of(4, &[]))),
        store: Arc::new(Store::open(folder.path()).expect("opens")),
        clock: Clock::start(),
        journal: Arc::new(opened.expect("opens").0),
        recovered,
        unsettled: None,
    };
    disk.limit_space(Some(0));
    let refused = books.grant(county("341181", "天长市"), false).expect_err("refused");
    assert!(matches!(refused, Refused::NotDurable(_)), "{refused}");
    let waiting = books.grant(county("341181", "天长市"), false).expect_err("it may be there already");
    assert!(matches!(waiting, Refused::Waiting), "{waiting}");
    assert_eq!(books.state.read().expect("sound").org_units(None).count(), 0);

    disk.limit_space(None);
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(books.recovered.notified());
    books.settle().expect("settled");
    assert_eq!(books.state.read().expect("sound").org_units(None).count(), 1);
    let again = books.grant(county("341181", "天长市"), false).expect_err("refused");
    assert!(matches!(again, Refused::Rejected(_)), "{again}");
    books.grant(county("341182", "明光市"), false).expect("granted");
    assert_eq!(journal::verify_on(Arc::new(disk)).records, 2);
}

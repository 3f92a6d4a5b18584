//! Is the one found who is meant?

use model::{OrgUnitCode, Timestamp};
use registry::{Binding, Contact, Gender, Private, ResidentId};

use super::*;

fn elder(id: u64, name: &str, phone: &str, address: &str) -> Elder {
    Elder {
        id: ElderId(id),
        external_id: Private::from(Some(format!("XH-{id:03}"))),
        name: name.into(),
        resident_id: (id == 1).then(|| ResidentId::new("11010519491231002X").expect("an id")).into(),
        birth_date: Private::from(None),
        gender: Gender::default(),
        phone: phone.into(),
        address: address.into(),
        place: Private::from(None),
        org_unit: OrgUnitCode::new("999901").expect("a code"),
        categories: Vec::new(),
        contacts: vec![Contact {
            name: "女儿".into(),
            phone: format!("1390000{id:04}").as_str().into(),
            relation: String::new(),
            keyholder: false,
        }],
        medical_notes: "".into(),
        entry_notes: "".into(),
    }
}

fn finder() -> Finder {
    let finder = Finder::default();
    for elder in [
        elder(1, "陈桂英", "138 1111 2222", "永福东路 12 号"),
        elder(2, "单雄信", "+86 138-1111-3333", "陈家巷 3 号"),
        elder(3, "吕秀莲", "", "永福西路 7 号"),
        elder(4, "欧阳桂英", "0550-3021234", ""),
        elder(5, "吴和平", "", "幸福小区3-2-501"),
        elder(6, "曾广和", "(0550)302-9999", ""),
        elder(7, "阿依古丽·买买提", "", ""),
    ] {
        finder.fold(&Event::ElderCreated(elder));
    }
    finder.fold(&Event::DeviceBound(bound("wrist-77a", 3)));
    finder
}

fn bound(device: &str, elder: u64) -> Binding {
    let device = DeviceId::new(device).expect("an id");
    Binding { device, elder: ElderId(elder), from: Timestamp(0), until: None }
}

fn found(finder: &Finder, question: &str) -> Vec<u64> {
    finder.find(question, 10, |_| true).into_iter().map(|elder| elder.0).collect()
}

#[test]
fn by_name_in_characters_pinyin_and_initials() {
    let finder = finder();
    for (question, wanted) in [
        ("陈桂英", vec![1]),
        ("桂英", vec![1, 4]),
        ("陈", vec![1, 2]),
        ("chenguiying", vec![1]),
        ("Chen Gui Ying", vec![1]),
        ("guiying", vec![1, 4]),
        ("cgy", vec![1]),
        ("oygy", vec![4]),
        ("lvxiulian", vec![3]),
        ("lüxiu", vec![3]),
        ("shanxiong", vec![2]),
        ("danxiong", vec![2]),
        ("ｃｇｙ", vec![1]),
        ("wuheping", vec![5]),
        ("wu he ping", vec![5]),
        ("whp", vec![5]),
        ("zengguanghe", vec![6]),
        ("zgh", vec![6]),
        ("阿依古丽买买提", vec![7]),
        ("阿依古丽·买买提", vec![7]),
        ("ayigulimaimaiti", vec![7]),
        ("吴和平，", vec![5]),
    ] {
        assert_eq!(found(&finder, question), wanted, "{question}");
    }
}

#[test]
fn by_phone_number_address_and_device() {
    let finder = finder();
    for (question, wanted) in [
        ("13811112222", vec![1]),
        ("138 1111 2222", vec![1]),
        ("１３８-1111-3333", vec![2]),
        ("3333", vec![2]),
        ("13900000003", vec![3]),
        ("0550 3021234", vec![4]),
        ("xh-002", vec![2]),
        ("11010519491231002x", vec![1]),
        ("19491231", vec![1]),
        ("永福", vec![1, 3]),
        ("陈 永福", vec![1]),
        ("桂英 0550", vec![4]),
        ("wrist-77", vec![3]),
        ("77a", vec![3]),
        ("吕秀莲 77a", vec![3]),
        ("lvxiulian wrist", vec![3]),
        ("+86 138-1111-3333", vec![2]),
        ("+8613811113333", vec![2]),
        ("(0550)302-9999", vec![6]),
        ("0550 302 9999", vec![6]),
        ("3-2-501", vec![5]),
        ("幸福小区 3-2-501", vec![5]),
        ("xh002", vec![2]),
        ("110105491231002", vec![1]),
        ("", vec![]),
        (" - ", vec![]),
        ("\u{1f}", vec![]),
        ("nobody", vec![]),
    ] {
        assert_eq!(found(&finder, question), wanted, "{question}");
    }
}

#[test]
fn a_record_that_changes_is_found_as_it_is_now_and_a_device_where_it_is() {
    let finder = finder();
    finder.fold(&Event::ElderCreated(elder(1, "陈贵英", "", "")));
    assert_eq!(found(&finder, "陈桂英"), Vec::<u64>::new());
    assert_eq!(found(&finder, "陈贵英"), [1]);
    let device = DeviceId::new("wrist-77a").expect("an id");
    finder.fold(&Event::DeviceUnbound { device, elder: ElderId(3), until: Timestamp(1) });
    assert_eq!(found(&finder, "wrist"), Vec::<u64>::new());
    finder.fold(&Event::DeviceBound(bound("wrist-77a", 1)));
    assert_eq!(found(&finder, "wrist"), [1]);
}

#[test]
fn a_longer_page_begins_with_the_shorter_one() {
    let finder = Finder::default();
    for id in 0..3_000 {
        // Every seventh begins with it; all others have it inside.
        let name = if id % 7 == 0 { "桂英" } else { "陈桂英" };
        finder.fold(&Event::ElderCreated(elder(id, name, "", "")));
    }
    for question in ["桂英", "陈桂英", "g", "gy"] {
        let all = finder.find(question, MAX_FOUND, |_| true);
        assert_eq!(all.len(), MAX_FOUND, "{question}");
        for limit in [0, 1, 10, 50, 142, 143, 500, 999] {
            assert_eq!(finder.find(question, limit, |_| true), all[..limit], "{question}: {limit}");
        }
    }
}

#[test]
fn the_usual_reading_of_a_name_is_always_known() {
    use pinyin::ToPinyin as _;
    for name in ["吴和平", "曾广和", "单重行", "覃乐朝", "解万长", "盖都还得"] {
        let usual: String = name.to_pinyin().flatten().map(pinyin::Pinyin::plain).collect();
        assert!(readings(name).contains(&plain(&usual)), "{name}: {:?}", readings(name));
    }
}

#[test]
fn who_may_not_be_seen_is_not_found_and_a_page_is_full_when_it_is() {
    let finder = finder();
    let hidden = finder.find("桂英", 10, |elder| elder != ElderId(1));
    assert_eq!(hidden, [ElderId(4)]);
    assert_eq!(finder.find("桂英", 1, |_| true), [ElderId(1)]);
}

#[test]
fn a_name_with_many_readings_or_of_endless_length_stays_small() {
    let all = readings(&"单".repeat(100));
    assert!(all.len() <= 2 * READINGS + 1, "{}", all.len());
    assert!(readings("john o’neill").contains("johnoneill"));
    let finder = Finder::default();
    assert_eq!(found(&finder, &"永福路 ".repeat(1_000_000)), Vec::<u64>::new());
}

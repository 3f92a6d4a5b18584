//! The phone rings: how long until the operator sees who it may be, among a million elders?
//!
//! Prints, for each kind of question, how long the first page of 20 takes, and how much memory all takes.
//!
//! `cargo bench -p benches --bench search -- --elders 1000000`

use std::{
    env,
    time::{Duration, Instant},
};

use benches::usage;
use hdrhistogram::Histogram;
use model::{DeviceId, ElderId, OrgUnitCode, Timestamp};
use registry::{Binding, Elder, Event, Gender, Private};
use views::Finder;

const SURNAMES: [&str; 20] = [
    "王", "李", "张", "刘", "陈", "杨", "赵", "黄", "周", "吴", "徐", "孙", "胡", "朱", "高", "林", "何",
    "郭", "马", "单",
];
const GIVEN: [&str; 32] = [
    "桂", "英", "秀", "兰", "玉", "珍", "凤", "华", "建", "国", "志", "强", "淑", "芬", "德", "明", "永",
    "福", "春", "梅", "金", "生", "长", "发", "美", "琴", "素", "云", "爱", "莲", "文", "龙",
];
const PAGE: usize = 20;
const QUESTIONS: u64 = 200;

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let at = arguments.iter().position(|argument| argument == "--elders");
    let elders = at.and_then(|at| arguments.get(at + 1)?.parse().ok()).unwrap_or(1_000_000);
    let before = usage::resident_mib(std::process::id());
    let began = Instant::now();
    let finder = Finder::default();
    for number in 0..elders {
        finder.fold(&Event::ElderCreated(elder(number)));
        finder.fold(&Event::DeviceBound(Binding {
            device: DeviceId::new(&format!("wrist-{number:07}")).expect("an id"),
            elder: ElderId(number),
            from: Timestamp(0),
            until: None,
        }));
    }
    println!(
        "{elders} elders written in {:.1} s, {} MiB\n",
        began.elapsed().as_secs_f64(),
        usage::resident_mib(std::process::id()) - before
    );
    println!("{:<28} {:>9} {:>9} {:>9}", "a page of 20 by", "p50 µs", "p99 µs", "found");
    let mut all = Histogram::<u64>::new(3).expect("three digits");
    for (what, question) in QUERIES {
        let (mut taken, mut found) = (Histogram::<u64>::new(3).expect("three digits"), 0);
        for round in 0..QUESTIONS {
            let question = question(round.wrapping_mul(7_919) * 13 % elders);
            let began = Instant::now();
            found += finder.find(&question, PAGE, |_| true).len();
            let took = micros(began.elapsed());
            taken.record(took).expect("in range");
            all.record(took).expect("in range");
        }
        let mean = found as f64 / QUESTIONS as f64;
        println!(
            "{what:<28} {:>9} {:>9} {mean:>9.1}",
            taken.value_at_quantile(0.5),
            taken.value_at_quantile(0.99)
        );
    }
    println!("{:<28} {:>9} {:>9}", "all", all.value_at_quantile(0.5), all.value_at_quantile(0.99));
}

/// What is asked, and how the question is made from the number of an elder.
type Query = (&'static str, fn(u64) -> String);

const QUERIES: [Query; 14] = [
    ("full name", name),
    ("surname", |number| name(number).chars().take(1).collect()),
    ("given name", |number| name(number).chars().skip(1).collect()),
    ("initials", |number| ["wgy", "lxl", "zyz", "sgy"][number as usize % 4].to_owned()),
    ("pinyin", |number| ["wangguiying", "lixiu", "shanyu", "guiying"][number as usize % 4].to_owned()),
    ("phone", phone),
    ("last four digits", |number| phone(number)[7..].to_owned()),
    ("number elsewhere", |number| format!("C-{number}")),
    ("street and house", |number| format!("永福东路{}号", number % 5_000)),
    ("device", |number| format!("wrist-{number:07}")),
    ("name and street", |number| format!("{} 永福东路", name(number))),
    ("name and house", |number| format!("{} {}号", name(number), number % 5_000)),
    ("everybody's town, nobody", |_| "天长市石梁镇 zz".to_owned()),
    ("nobody", |number| format!("龘{number}")),
];

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn name(number: u64) -> String {
    let part =
        |list: &[&'static str], salt: u64| list[(number.wrapping_mul(salt) >> 7) as usize % list.len()];
    [part(&SURNAMES, 2_654_435_761), part(&GIVEN, 40_503), part(&GIVEN, 2_246_822_519)].concat()
}

fn phone(number: u64) -> String {
    format!("138{:08}", number.wrapping_mul(48_271) % 100_000_000)
}

fn elder(number: u64) -> Elder {
    Elder {
        id: ElderId(number),
        external_id: Private::from(Some(format!("C-{number}"))),
        name: name(number).as_str().into(),
        resident_id: None.into(),
        birth_date: Private::from(None),
        gender: Gender::default(),
        phone: phone(number).as_str().into(),
        address: format!("天长市石梁镇永福东路{}号{}室", number % 5_000, number / 5_000).as_str().into(),
        place: Private::from(None),
        org_unit: OrgUnitCode::new("341181").expect("a code"),
        categories: Vec::new(),
        contacts: Vec::new(),
        medical_notes: "".into(),
        entry_notes: "".into(),
    }
}

//! Report: how did the server do, in one table?

use std::{fmt::Write as _, time::Duration};

use console::{Alignment, pad_str};
use hdrhistogram::Histogram;

/// Longest latency that is told apart, in microseconds: ten minutes.
const LONGEST_US: u64 = 600_000_000;
/// Width of the first column, in columns of a terminal.
const NAME_WIDTH: usize = 34;
/// Width of each other column.
const FIGURE_WIDTH: usize = 11;

/// What became of all alerts.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    /// Each once, however often it was sent.
    pub(crate) sent: u64,
    /// Sent a second time on purpose, or after a lost connection.
    pub(crate) repeated: u64,
    /// Acknowledged by the front door: the server has promised to keep them.
    pub(crate) acked: u64,
    /// Seen at the hotline.
    pub(crate) received: u64,
    /// Seen by a responder.
    pub(crate) offered: u64,
    /// A responder goes.
    pub(crate) accepted: u64,
    /// Entered twice, which must not be.
    pub(crate) duplicates: u64,
    /// Acknowledged and never seen, which must not be.
    pub(crate) lost: u64,
    pub(crate) latencies: Latencies,
}

/// How long each part of the way took.
#[derive(Debug, Default)]
pub(crate) struct Latencies {
    pub(crate) publish_to_ack: Latency,
    pub(crate) publish_to_offer: Latency,
    pub(crate) offer_to_accepted: Latency,
    pub(crate) accept_call: Latency,
}

/// How long one thing took, each time.
#[derive(Debug)]
pub(crate) struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds and 3 digits are sound"))
    }
}

impl Latency {
    /// Counts one length, if there is one. A longer one than can be told apart counts as the longest.
    pub(crate) fn take(&mut self, length: Option<Duration>) {
        if let Some(length) = length {
            self.0.saturating_record(u64::try_from(length.as_micros()).unwrap_or(LONGEST_US));
        }
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.0.len()
    }
}

/// The language of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// 简体中文
    Zh,
    /// English
    En,
}

impl Language {
    /// The language of these variables of the environment, the first that says something.
    pub(crate) fn of_environment() -> Self {
        let set = ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().filter_map(|name| std::env::var(name).ok());
        let first = set.into_iter().find(|value| !value.is_empty());
        if first.is_some_and(|value| value.starts_with("zh")) { Self::Zh } else { Self::En }
    }
}

/// The words of the table.
struct Words {
    counts: [&'static str; 8],
    latency: &'static str,
    times: &'static str,
    latencies: [&'static str; 4],
}

const ENGLISH: Words = Words {
    counts: [
        "alerts sent",
        "repeated on purpose",
        "acked",
        "received",
        "offered",
        "accepted",
        "duplicates",
        "lost",
    ],
    latency: "latency",
    times: "count",
    latencies: ["publish → PUBACK", "publish → offer on a phone", "offer → accepted", "accept call → answer"],
};

const CHINESE: Words = Words {
    counts: ["已发报警", "故意重发", "已确认", "已接收", "已派单", "已接单", "重复", "丢失"],
    latency: "时延",
    times: "次数",
    latencies: ["发布 → PUBACK", "发布 → 派单到手机", "派单 → 接单", "接单请求 → 答复"],
};

/// The table, in aligned text.
pub(crate) fn table(summary: &Summary, language: Language) -> String {
    let words = match language {
        Language::Zh => &CHINESE,
        Language::En => &ENGLISH,
    };
    let Summary { sent, repeated, acked, received, offered, accepted, duplicates, lost, latencies } = summary;
    let counts = [sent, repeated, acked, received, offered, accepted, duplicates, lost];
    let mut text = String::new();
    for (name, count) in words.counts.iter().zip(counts) {
        line(&mut text, name, &[count.to_string()]);
    }
    text.push('\n');
    let headings = [words.times, "p50", "p99", "p99.9", "max"].map(str::to_owned);
    line(&mut text, words.latency, &headings);
    let Latencies { publish_to_ack, publish_to_offer, offer_to_accepted, accept_call } = latencies;
    let each = [publish_to_ack, publish_to_offer, offer_to_accepted, accept_call];
    for (name, latency) in words.latencies.iter().zip(each) {
        let at = |quantile: f64| match latency.count() {
            0 => "–".to_owned(),
            _ => duration(latency.0.value_at_quantile(quantile)),
        };
        let figures = [latency.count().to_string(), at(0.5), at(0.99), at(0.999), at(1.0)];
        line(&mut text, name, &figures);
    }
    text
}

fn line(text: &mut String, name: &str, figures: &[String]) {
    let mut written = pad_str(name, NAME_WIDTH, Alignment::Left, None).into_owned();
    for figure in figures {
        written.push_str(&pad_str(figure, FIGURE_WIDTH, Alignment::Right, None));
    }
    // Writing into memory does not fail.
    let _ = writeln!(text, "{written}");
}

/// Three digits and a unit.
fn duration(us: u64) -> String {
    let us = us as f64;
    match us {
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e4 => format!("{:.2} ms", us / 1e3),
        us if us < 1e5 => format!("{:.1} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us if us < 1e7 => format!("{:.2} s", us / 1e6),
        us if us < 1e8 => format!("{:.1} s", us / 1e6),
        us => format!("{:.0} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let mut summary =
            Summary { sent: 1200, repeated: 24, acked: 1200, received: 1200, ..Summary::default() };
        summary.offered = 1198;
        summary.accepted = 1150;
        for ms in 1..=100 {
            summary.latencies.publish_to_ack.take(Some(Duration::from_millis(ms)));
        }
        summary.latencies.publish_to_offer.take(Some(Duration::from_micros(850)));
        summary.latencies.offer_to_accepted.take(Some(Duration::from_secs(4000)));
        summary
    }

    #[test]
    fn the_table_is_aligned_in_english() {
        let expected = "\
alerts sent                              1200
repeated on purpose                        24
acked                                    1200
received                                 1200
offered                                  1198
accepted                                 1150
duplicates                                  0
lost                                        0

latency                                 count        p50        p99      p99.9        max
publish → PUBACK                          100    50.0 ms    99.0 ms     100 ms     100 ms
publish → offer on a phone                  1     850 µs     850 µs     850 µs     850 µs
offer → accepted                            1      600 s      600 s      600 s      600 s
accept call → answer                        0          –          –          –          –
";
        assert_eq!(table(&summary(), Language::En), expected);
    }

    #[test]
    fn a_chinese_character_takes_two_columns() {
        let chinese = table(&summary(), Language::Zh);
        let widths: Vec<_> = chinese.lines().map(console::measure_text_width).collect();
        let (counts, latencies) = (&widths[..8], &widths[9..]);
        assert!(counts.iter().all(|width| *width == NAME_WIDTH + FIGURE_WIDTH), "{chinese}");
        assert!(latencies.iter().all(|width| *width == NAME_WIDTH + 5 * FIGURE_WIDTH), "{chinese}");
    }
}

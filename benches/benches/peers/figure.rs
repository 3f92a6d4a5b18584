//! The figure: latency by rate, what is sustained, and what is lost, drawn as SVG without any library.

use std::fmt::Write as _;

use crate::Outcome;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 400.0;
const TOP: f64 = 70.0;
const BOTTOM: f64 = 330.0;
const COLOURS: [&str; 3] = ["#0f766e", "#d97706", "#7c3aed"];
/// The latency axis, in microseconds: a tenth of a millisecond to ten seconds.
const FASTEST: f64 = 100.0;
const SLOWEST: f64 = 10_000_000.0;

/// Draws all of it.
pub(crate) fn draw(outcomes: &[Outcome], rates: &[u32]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
         font-size=\"12\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n"
    );
    for (index, outcome) in outcomes.iter().enumerate() {
        let x = 40.0 + 300.0 * index as f64;
        bar(&mut svg, x, 18.0, 12.0, 12.0, COLOURS[index % COLOURS.len()]);
        text(&mut svg, x + 18.0, 28.0, "start", outcome.name);
    }
    latencies(&mut svg, outcomes, rates);
    bars(&mut svg, 480.0, outcomes, "alerts/s sustained 每秒可持续", |one| {
        (f64::from(one.sustained), one.sustained.to_string())
    });
    bars(&mut svg, 730.0, outcomes, "acked, then lost by kill -9 已确认而丢失", |one| {
        (one.lost as f64, format!("{} / {}", one.lost, one.acked))
    });
    svg + "</svg>\n"
}

fn latencies(svg: &mut String, outcomes: &[Outcome], rates: &[u32]) {
    let (left, right) = (60.0, 440.0);
    text(svg, left, 56.0, "start", "press → offer: p50 ●, p99 ○ 按下到派单");
    let y = |micros: f64| {
        let share = (micros.clamp(FASTEST, SLOWEST) / FASTEST).log10() / (SLOWEST / FASTEST).log10();
        BOTTOM - share * (BOTTOM - TOP)
    };
    for (micros, word) in
        [(1e2, "0.1 ms"), (1e3, "1 ms"), (1e4, "10 ms"), (1e5, "0.1 s"), (1e6, "1 s"), (1e7, "10 s")]
    {
        let at = y(micros);
        let _ = writeln!(svg, "<path d=\"M{left} {at:.1}H{right}\" stroke=\"#ddd\"/>");
        text(svg, left - 6.0, at + 4.0, "end", word);
    }
    let step = (right - left) / rates.len() as f64;
    for (column, rate) in rates.iter().enumerate() {
        let middle = left + step * (column as f64 + 0.5);
        text(svg, middle, BOTTOM + 20.0, "middle", &format!("{rate}/s"));
        for (index, outcome) in outcomes.iter().enumerate() {
            let x = middle + 26.0 * (index as f64 - (outcomes.len() as f64 - 1.0) / 2.0);
            let colour = COLOURS[index % COLOURS.len()];
            let Some(found) = outcome.rates.iter().find(|found| found.rate == *rate) else { continue };
            let (p50, p99) = (y(found.p50 as f64), y(found.p99 as f64));
            let _ = writeln!(
                svg,
                "<path d=\"M{x:.1} {p50:.1}V{p99:.1}\" stroke=\"{colour}\" stroke-width=\"2\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{p50:.1}\" r=\"5\" fill=\"{colour}\"/>\
                 <circle cx=\"{x:.1}\" cy=\"{p99:.1}\" r=\"4\" fill=\"#fff\" stroke=\"{colour}\" stroke-width=\"2\"/>"
            );
        }
    }
}

fn bars(
    svg: &mut String,
    left: f64,
    outcomes: &[Outcome],
    title: &str,
    value: impl Fn(&Outcome) -> (f64, String),
) {
    text(svg, left, 56.0, "start", title);
    let highest = outcomes.iter().map(|outcome| value(outcome).0).fold(1.0, f64::max);
    let _ = writeln!(svg, "<path d=\"M{left} {BOTTOM}h210\" stroke=\"#888\"/>");
    for (index, outcome) in outcomes.iter().enumerate() {
        let (number, word) = value(outcome);
        let height = number / highest * (BOTTOM - TOP - 20.0);
        let x = left + 10.0 + 70.0 * index as f64;
        bar(svg, x, BOTTOM - height, 50.0, height, COLOURS[index % COLOURS.len()]);
        text(svg, x + 25.0, BOTTOM - height - 6.0, "middle", &word);
    }
}

fn bar(svg: &mut String, x: f64, y: f64, width: f64, height: f64, colour: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
    );
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, words: &str) {
    let _ = writeln!(
        svg,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#333\">{words}</text>"
    );
}

//! `cargo run --release -p tests --bin siege -- KILLS ALERTS`: kills a server again and again under load.

use tests::siege::{Death, Siege, run};

#[tokio::main]
async fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<usize>().expect("a number"));
    let (kills, alerts) = (numbers.next().unwrap_or(100), numbers.next().unwrap_or(100_000));
    let config = "[watchdog]\nevery_s = 0\n[journal]\ncheckpoint_records = 2000\n".to_owned();
    // Each button presses fewer times than an incident shows alerts.
    let gateways = alerts / 1000 + 20;
    let outcome =
        run(&Siege { deaths: vec![Death::Kill; kills], alerts, gateways, helpers: 60, config }).await;
    print!("{outcome}");
    std::process::exit(i32::from(!outcome.is_clean()));
}

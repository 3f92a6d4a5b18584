//! Seeds: a few worlds in every run of the tests; the hundred thousand come after the release build.

use std::process::ExitCode;

use clap::Parser as _;
use sim::{
    cli::{Cli, run},
    compare, day, many, short,
    story::Story,
};

fn played(seed: u64) -> String {
    short::play(seed, short::STEPS, &mut Story::default())
        .map_or_else(|broken| broken, |outcome| outcome.to_string())
}

#[test]
fn two_hundred_worlds_break_no_rule() {
    let play = |seed: u64, story: &mut Story| {
        short::play(seed, short::STEPS, story).map(|outcome| outcome.to_string())
    };
    let failure = many::all(1, 200, 2, &play, &|_| {});
    assert_eq!(failure, Ok(()), "play it with: cargo run --release -p sim -- --seed N --print");
}

#[test]
fn a_day_of_a_county_breaks_no_rule() {
    let mut story = Story::default();
    let outcome = day::play(1, &mut story);
    assert!(outcome.as_ref().is_ok_and(|day| day.incidents > 100), "{outcome:?} in step {}", story.step);
}

#[test]
fn the_same_seed_writes_the_same_journal_and_another_seed_another() {
    for seed in 1..=6 {
        assert_eq!(played(seed), played(seed));
        assert_ne!(played(seed), played(seed + 1));
    }
    let day = || day::play(7, &mut Story::default());
    assert_eq!(day(), day());
}

#[test]
fn a_story_that_is_told_is_the_one_that_was_not() {
    let mut told = Story::told();
    let outcome = short::play(3, short::STEPS, &mut told).map(|outcome| outcome.to_string());
    assert_eq!(outcome, Ok(played(3)));
    assert!(told.lines.len() > 100);
}

#[test]
fn a_panic_of_the_core_is_a_failure_with_its_seed_and_step() {
    let play = |seed: u64, story: &mut Story| {
        story.step = 4;
        assert_ne!(seed, 12, "the bottom falls out");
        Ok(String::new())
    };
    let failure = many::all(1, 64, 2, &play, &|_| {}).expect_err("world 12 falls");
    assert_eq!((failure.seed, failure.step), (12, 4));
    assert!(failure.broken.contains("the bottom falls out"), "{failure:?}");
}

#[test]
fn assigning_together_is_never_worse_for_a_batch_of_one_and_better_for_many() {
    assert_eq!(compare::world(5, 1, 30, true), compare::world(5, 1, 30, false));
    let sum = |together| (1..=10).map(|seed| compare::world(seed, 20, 30, together).seconds).sum::<u64>();
    assert!(sum(true) < sum(false));
}

#[test]
fn the_command_line_says_which_worlds() {
    let cli = |words: &str| Cli::try_parse_from(words.split(' '));
    assert_eq!(
        cli("sim --seed 7 --steps 9 --print").map(|cli| (cli.seed, cli.steps, cli.print)).ok(),
        Some((Some(7), 9, true))
    );
    assert_eq!(
        cli("sim --seeds 100 --jobs 2").map(|cli| (cli.seeds, cli.from, cli.jobs)).ok(),
        Some((Some(100), 1, 2))
    );
    assert_eq!(cli("sim --days 2").map(|cli| cli.days).ok(), Some(Some(2)));
    for nonsense in ["sim", "sim --print", "sim --seed 1 --seeds 2", "sim --day", "sim --seeds many"] {
        assert!(cli(nonsense).is_err(), "{nonsense}");
    }
    let quick = cli("sim --seed 1 --steps 2").expect("it parses");
    assert_eq!(format!("{:?}", run(&quick)), format!("{:?}", ExitCode::SUCCESS));
}

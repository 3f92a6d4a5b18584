//! The command line: which worlds to play.

use std::process::ExitCode;

use clap::{ArgGroup, Parser};
use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    compare, day,
    many::{self, Failure, Play},
    short,
    story::Story,
};

/// Lines of the story that are shown of a world that fails.
const LAST_LINES: usize = 40;

const EXAMPLES: &str = "\
Examples:
  sim --seed 81                     play one world and say what it came to
  sim --seed 81 --print             and tell all of it
  sim --seed 81 --steps 12          only its first twelve steps
  sim --seeds 100000 --jobs 2       a hundred thousand worlds, until the first that fails
  sim --days 200                    two hundred days of a county
  sim --seed 3 --day                one of them
  sim --compare-assignment          what it is worth to assign a batch of incidents together";

/// Plays seeded worlds around the core of Anhu, in which everything goes wrong and nothing may be lost.
#[derive(Debug, Clone, Parser, PartialEq, Eq)]
#[command(name = "sim", after_help = EXAMPLES, group = ArgGroup::new("what").required(true))]
pub struct Cli {
    /// Play the world of this seed.
    #[arg(long, value_name = "N", group = "what")]
    pub seed: Option<u64>,
    /// Play so many worlds, one seed after the other.
    #[arg(long, value_name = "COUNT", group = "what")]
    pub seeds: Option<u64>,
    /// Play so many days of a county.
    #[arg(long, value_name = "COUNT", group = "what")]
    pub days: Option<u64>,
    /// Compare assigning a batch of incidents together with assigning them one by one.
    #[arg(long, group = "what")]
    pub compare_assignment: bool,
    /// The first seed of --seeds and --days.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub from: u64,
    /// Steps of each world.
    #[arg(long, value_name = "M", default_value_t = short::STEPS)]
    pub steps: u64,
    /// Threads; how many does not change what is found first by more than a few seeds.
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    pub jobs: usize,
    /// With --seed: a day of a county instead of a short world.
    #[arg(long, requires = "seed")]
    pub day: bool,
    /// With --seed: tell the whole story.
    #[arg(long, requires = "seed")]
    pub print: bool,
}

/// Does what `cli` asks for; says on standard output what came of it.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    let (steps, days) = (cli.steps, cli.day || cli.days.is_some());
    let play = move |seed: u64, story: &mut Story| {
        let outcome = if days { day::play(seed, story) } else { short::play(seed, steps, story) }?;
        Ok(outcome.to_string())
    };
    let again = |failure: &Failure| {
        let what = if days { "--day".to_owned() } else { format!("--steps {}", failure.step) };
        format!("cargo run --release -p sim -- --seed {} {what} --print", failure.seed)
    };
    if cli.compare_assignment {
        print!("{}", compare::table());
        return ExitCode::SUCCESS;
    }
    let played = match (cli.seed, cli.seeds.or(cli.days)) {
        (Some(seed), _) => one(seed, cli.print, &play),
        (None, Some(count)) => all(cli.from, count, cli.jobs, &play),
        (None, None) => Ok(()),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let lines = if cli.print { usize::MAX } else { LAST_LINES };
            println!("{}", report(&failure, lines, &again(&failure)));
            ExitCode::FAILURE
        }
    }
}

fn one(seed: u64, print: bool, play: Play<'_>) -> Result<(), Box<Failure>> {
    let (outcome, story) = many::one(seed, true, play)?;
    if print {
        println!("{}", story.lines.join("\n"));
    }
    println!("seed {seed}: {outcome}");
    Ok(())
}

fn all(from: u64, seeds: u64, jobs: usize, play: Play<'_>) -> Result<(), Box<Failure>> {
    let bar = ProgressBar::new(seeds);
    if let Ok(style) = ProgressStyle::with_template("{pos}/{len} worlds, {per_sec}, {eta} left {wide_bar}") {
        bar.set_style(style);
    }
    // Panics of a world are told once, at the end.
    std::panic::set_hook(Box::new(|_| {}));
    let played = many::all(from, seeds, jobs, play, &|done| bar.set_position(done));
    let took = bar.elapsed();
    bar.finish_and_clear();
    let failure = match played {
        Ok(()) => {
            println!("{seeds} worlds from seed {from}, no rule broken, in {:.1} s", took.as_secs_f64());
            return Ok(());
        }
        Err(failure) => failure,
    };
    // The same world once more, this time with somebody who tells it.
    Err(many::one(failure.seed, true, play).err().unwrap_or(failure))
}

fn report(failure: &Failure, lines: usize, again: &str) -> String {
    let Failure { seed, step, broken, story } = failure;
    let last = &story[story.len().saturating_sub(lines)..];
    format!(
        "{}\n\nseed {seed} breaks a rule in step {step}: {broken}\n\nplay it again: {again}",
        last.join("\n")
    )
}

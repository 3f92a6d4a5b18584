//! The `sim` program: plays worlds until one fails.

use std::process::ExitCode;

use clap::Parser as _;
use sim::cli::{Cli, run};

fn main() -> ExitCode {
    run(&Cli::parse())
}

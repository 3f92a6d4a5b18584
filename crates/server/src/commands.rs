//! The command line: one file for each command, one line here.

mod backup;
mod check_config;
mod demo;
mod devices;
mod export;
mod import;
mod journal;
mod restore;
mod serve;
mod simulate;
mod token;
mod users;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

/// Dispatch server for smart elderly care: devices raise alerts, the nearest helper is asked, nothing is lost.
#[derive(Debug, Parser)]
#[command(name = "anhu", version, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Demo(demo::Arguments),
    Simulate(simulate::Arguments),
    CheckConfig(check_config::Arguments),
    Token(token::Arguments),
    Import(import::Arguments),
    Export(export::Arguments),
    #[command(subcommand)]
    Users(users::Command),
    #[command(subcommand)]
    Devices(devices::Command),
    #[command(subcommand)]
    Journal(journal::Command),
    Backup(backup::Arguments),
    Restore(restore::Arguments),
    Completions(Completions),
}

/// Print completions for a shell
///
/// Example: anhu completions bash > /etc/bash_completion.d/anhu
#[derive(Debug, clap::Args)]
struct Completions {
    /// Which shell
    shell: clap_complete::Shell,
}

/// Reads the command line and does what it says.
pub(crate) fn run() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::CheckConfig(arguments) => check_config::run(&arguments),
        Command::Token(arguments) => token::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Users(command) => users::run(&command),
        Command::Devices(command) => devices::run(&command),
        Command::Journal(command) => journal::run(&command),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(&arguments),
        Command::Completions(Completions { shell }) => {
            clap_complete::generate(shell, &mut Arguments::command(), "anhu", &mut std::io::stdout());
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("anhu: {error:#}");
            ExitCode::FAILURE
        }
    }
}

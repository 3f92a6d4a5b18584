//! `anhu`: the dispatch server for smart elderly care.

mod client;
mod clock;
mod commands;
mod config;
mod county;
mod door;
mod engine;
mod gate;
mod http;
mod hub;
mod ingest;
mod keeper;
mod link;
mod metrics;
mod monitor;
mod node;
mod opening;
mod outbox;
mod outlet;
mod outside;
mod policies;
mod port;
mod presence;
mod registrar;
mod replica;
mod rpc;
mod serve;
mod simulate;
mod token;
mod trap;
mod watchdog;
mod workbook;

use std::process::ExitCode;

fn main() -> ExitCode {
    commands::run()
}

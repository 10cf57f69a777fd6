//! `munjigi`: the server and its operator's tools as one binary. One file for each command; what a
//! library could have is in a library.

mod apis;
mod banner;
mod cli;
mod clients;
mod completion;
mod config;
mod database;
mod dev;
mod environment;
mod keys;
mod listen;
mod logs;
mod man;
mod print;
mod roles;
mod secret_input;
mod serve;
mod settings;
mod stop;
mod tokens;
mod users;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::Cli;

/// Many short-lived values from many threads are what this allocator is good at. The libraries
/// leave the choice to whoever builds a program of them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.report(),
    }
}

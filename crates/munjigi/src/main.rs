//! `munjigi`: the server and its operator's tools as one binary. One file for each command; what a
//! library could have is in a library.

mod apis;
mod audit;
mod banner;
mod cli;
mod clients;
mod completion;
mod config;
mod database;
mod dev;
mod environment;
mod epoch;
mod keys;
mod listen;
mod logs;
mod man;
mod metrics;
mod print;
mod registration_tokens;
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
    refuse_huge_pages();
    match cli::run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stop) => stop.report(),
    }
}

/// The allocator asks for huge pages for all that it has, and most of each stays unused: 9 MiB of a
/// program that idles. The hashing threads allow them for their arenas, where they make a hash
/// cheaper. Being refused costs memory and nothing else.
#[cfg(target_os = "linux")]
fn refuse_huge_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "the allocator may use huge pages");
    }
}

#[cfg(not(target_os = "linux"))]
const fn refuse_huge_pages() {}

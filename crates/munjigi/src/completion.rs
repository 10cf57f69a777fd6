//! `munjigi completion`: what makes a shell complete commands. Made from the one tree of commands.

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::print;
use crate::stop::Stop;

/// `munjigi completion SHELL`
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// For which shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Does it.
pub fn run(args: &CompletionArgs) -> Result<(), Stop> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "munjigi", &mut script);
    print::text(&String::from_utf8_lossy(&script))
}

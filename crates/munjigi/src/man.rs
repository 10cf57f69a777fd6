//! `munjigi man`: manual pages in roff, made from the one tree of commands.

use clap::{Args, CommandFactory};
use clap_mangen::Man;

use crate::cli::Cli;
use crate::print;
use crate::stop::Stop;

/// `munjigi man [COMMAND]…`
#[derive(Debug, Args)]
pub struct ManArgs {
    /// The command whose page is wanted, such as `users create` [default: the program's own]
    command: Vec<String>,
}

/// Does it.
pub fn run(args: &ManArgs) -> Result<(), Stop> {
    let mut page = Cli::command();
    page.build();
    for word in &args.command {
        let found = page.find_subcommand(word).cloned();
        page = found.ok_or_else(|| Stop::usage(format!("there is no command `{word}` here")))?;
    }
    let mut roff = Vec::new();
    let rendered = Man::new(page).render(&mut roff);
    rendered.map_err(|error| Stop::file("manual page", &error))?;
    print::text(&String::from_utf8_lossy(&roff))
}

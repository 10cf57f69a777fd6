//! The tree of commands, and the way from the command line to the file that does it.

use std::future::Future;

use clap::{ColorChoice, Parser, Subcommand};
use munjigi_server::config::LogFormat;
use tokio::runtime::Builder;

use crate::print::Output;
use crate::stop::{Code, Stop};
use crate::{
    apis, audit, clients, completion, config, dev, epoch, keys, logs, man, registration_tokens,
    roles, serve, settings, tokens, users,
};

/// 문지기 Munjigi: people sign in, applications get standard tokens, APIs check them by themselves.
#[derive(Debug, Parser)]
#[command(
    name = "munjigi",
    version,
    color = ColorChoice::Never,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 denied, 5 conflict, \
                  6 a check failed, 7 database unreachable.\n\
                  Every command that opens a database works while a server runs on it.\n\
                  MUNJIGI_LOG filters the log on standard error, for example \
                  `MUNJIGI_LOG=info,munjigi_store=debug`."
)]
pub struct Cli {
    /// How the answer is written: for people, or as one line of JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Output::Table)]
    output: Output,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a server on this machine to try things with: demo users, demo clients, no settings
    Dev(dev::DevArgs),
    /// Run a server
    Serve(serve::ServeArgs),
    /// Check or show the configuration
    Config(config::ConfigArgs),
    /// Show or change what may change while a server runs
    Settings(settings::SettingsArgs),
    /// People: make, show, disable, give roles
    Users(users::UsersArgs),
    /// Clients: the programs that ask for tokens
    Clients(clients::ClientsArgs),
    /// Tokens by which clients may register themselves
    RegistrationTokens(registration_tokens::RegistrationTokensArgs),
    /// Roles: what people may do
    Roles(roles::RolesArgs),
    /// APIs: whom tokens are for
    Apis(apis::ApisArgs),
    /// Signing keys
    Keys(keys::KeysArgs),
    /// The audit trail: search it, export it, verify that nobody changed it
    Audit(audit::AuditArgs),
    /// The database: whether it was restored, and what that ended
    Database(epoch::EpochArgs),
    /// Look into tokens, and verify them without a server
    Tokens(tokens::TokensArgs),
    /// Print what makes a shell complete this program's commands
    Completion(completion::CompletionArgs),
    /// Print the manual page of this program, or of one of its commands
    Man(man::ManArgs),
}

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<(), Stop> {
    let output = cli.output;
    match cli.command {
        Command::Dev(args) => {
            logs::start(logs::SERVER, LogFormat::Text)?;
            on_all_cores(dev::run(args, output))
        }
        // How its log looks stands in its configuration.
        Command::Serve(args) => on_all_cores(serve::run(args)),
        other => {
            logs::start(logs::VERB, LogFormat::Text)?;
            verb(other, output)
        }
    }
}

fn verb(command: Command, output: Output) -> Result<(), Stop> {
    match command {
        Command::Config(args) => config::run(args, output),
        Command::Settings(args) => on_this_thread(settings::run(args, output)),
        Command::Users(args) => on_this_thread(users::run(args, output)),
        Command::Clients(args) => on_this_thread(clients::run(args, output)),
        Command::RegistrationTokens(args) => on_this_thread(registration_tokens::run(args, output)),
        Command::Roles(args) => on_this_thread(roles::run(args, output)),
        Command::Apis(args) => on_this_thread(apis::run(args, output)),
        Command::Keys(args) => on_this_thread(keys::run(args, output)),
        Command::Audit(args) => on_this_thread(audit::run(args, output)),
        Command::Database(args) => on_this_thread(epoch::run(args, output)),
        Command::Tokens(args) => on_this_thread(tokens::run(args, output)),
        Command::Completion(args) => completion::run(&args),
        Command::Man(args) => man::run(&args),
        Command::Dev(_) | Command::Serve(_) => Ok(()),
    }
}

fn on_this_thread(work: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| no_runtime(&error))?.block_on(work)
}

fn on_all_cores(work: impl Future<Output = Result<(), Stop>>) -> Result<(), Stop> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no_runtime(&error))?;
    let ended = runtime.block_on(work);
    // A key that is still being made must not hold the process.
    runtime.shutdown_background();
    ended
}

fn no_runtime(error: &std::io::Error) -> Stop {
    Stop::new(Code::Failed, format!("cannot start: {error}"))
}

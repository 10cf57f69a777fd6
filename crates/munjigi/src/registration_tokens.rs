//! `munjigi registration-tokens`: the tokens by which clients register themselves (RFC 7591 §3).

use clap::{Args, Subcommand};
use munjigi_core::oauth::registration_token::{MAX_REGISTRATIONS, MAX_TTL};
use munjigi_core::time::Span;
use munjigi_server::config::parse_span;
use munjigi_server::registry::{NewToken, parse_token_id, show_token, token_id};
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::stop::Stop;

/// `munjigi registration-tokens …`
#[derive(Debug, Args)]
pub struct RegistrationTokensArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List the tokens that are still good
    List,
    /// Make a token; it is printed here and never again
    Create {
        /// How many registrations it is good for
        #[arg(long, value_name = "NUMBER", default_value_t = 1,
              value_parser = clap::value_parser!(u32).range(1..=MAX_REGISTRATIONS.into()))]
        registrations: u32,

        /// How long it is good, such as `1h`; from 1m to 365d
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = ttl)]
        ttl: Span,
    },
    /// Take a token back; what was registered with it stays
    Delete {
        /// Its id, as `registration-tokens list` shows it
        #[arg(value_parser = parse_token_id)]
        id: [u8; 32],
    },
}

fn ttl(text: &str) -> Result<Span, &'static str> {
    let bounds = Span::from_minutes(1)..=MAX_TTL;
    parse_span(text).filter(|span| bounds.contains(span)).ok_or("is a time from 1m to 365d")
}

/// The order in which people read a token.
const ORDER: &[&str] =
    &["id", "registration_token", "registrations_left", "created_at", "expires_at"];

/// Does it.
pub async fn run(args: RegistrationTokensArgs, output: Output) -> Result<(), Stop> {
    let operator = args.database.open().await?;
    let done = match args.verb {
        Verb::List => {
            let tokens = operator.list_registration_tokens().await?;
            operator.close().await;
            let items: Vec<Value> = tokens.iter().map(show_token).collect();
            let columns = ["id", "registrations_left", "created_at", "expires_at"];
            return print::list(output, &columns, items, None);
        }
        Verb::Create { registrations, ttl } => {
            let new = NewToken { registrations: Some(registrations), ttl: Some(ttl) };
            operator.create_registration_token(new).await.map(|(token, secret)| {
                let mut shown = show_token(&token);
                if let Some(members) = shown.as_object_mut() {
                    members.insert("registration_token".to_owned(), secret.reveal().into());
                }
                shown
            })
        }
        Verb::Delete { id } => {
            let shown = json!({ "id": token_id(&id) });
            operator.delete_registration_token(id).await.map(|()| shown)
        }
    };
    operator.close().await;
    print::one(output, ORDER, &done?)
}

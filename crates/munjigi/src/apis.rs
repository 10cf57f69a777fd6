//! `munjigi apis`: whom tokens are for.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use munjigi_core::audit::Kind;
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Audience, parse_audience};
use munjigi_core::time::Span;
use munjigi_server::accounts::rfc3339;
use munjigi_server::api_sharing::{Sharing, show_secrets, tell_secret};
use munjigi_server::config::parse_span;
use munjigi_server::operate::apis::{ApiChange, NewApi};
use munjigi_server::operate::operator_event;
use munjigi_server::registry::{parse_name, show_api};
use munjigi_server::{Failure, Rotation};
use munjigi_token::Algorithm;
use serde_json::Value;

use crate::database::DatabaseArgs;
use crate::keys::{Sealing, opened};
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::{Code, Stop};

/// `munjigi apis …`
#[derive(Debug, Args)]
pub struct ApisArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List APIs; this server is one without being listed
    List,
    /// Show an API
    Show {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
    },
    /// Register an API
    Create(Create),
    /// Change an API: only what is said
    Update(Update),
    /// Disable an API: no token is issued for it from then on
    Disable {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
    },
    /// Enable a disabled API again
    Enable {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
    },
    /// List the secrets that an API shares with this server, without what they are
    Secrets {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
    },
    /// Give an API a secret, told once: its tokens are HS256 then, which whoever knows it can make
    ShareSecret(ShareSecret),
    /// Take the secrets of an API away: no token of theirs is taken any more
    UnshareSecret {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Delete an API: no token is issued for it any more
    Delete {
        /// The audience of its tokens
        #[arg(value_parser = parse_audience)]
        audience: Audience,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// The audience of its tokens: an absolute URI, usually the API's own
    #[arg(value_parser = parse_audience)]
    audience: Audience,

    /// What people call it [default: its audience]
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// How long its tokens live, such as `5m`; from 1s to 1h [default: the setting `access_ttl`]
    #[arg(long, value_name = "TIME", value_parser = access_ttl)]
    access_ttl: Option<Span>,

    /// What its tokens are signed with
    #[arg(long, value_name = "ALGORITHM", default_value = "ES256", value_parser = algorithm())]
    algorithm: Algorithm,

    /// The client as which it asks whether a token is good (RFC 7662)
    #[arg(long, value_name = "ID")]
    client_id: Option<ClientId>,
}

#[derive(Debug, Args)]
struct ShareSecret {
    /// The audience of its tokens
    #[arg(value_parser = parse_audience)]
    audience: Audience,

    /// Sign with it at once, not in a day: the API refuses tokens until it has it
    #[arg(long)]
    now: bool,

    #[command(flatten)]
    sealing: Sealing,
}

#[derive(Debug, Args)]
struct Update {
    /// The audience of its tokens, which stays
    #[arg(value_parser = parse_audience)]
    audience: Audience,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// What people call it
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// How long its tokens live, such as `5m`; from 1s to 1h
    #[arg(long, value_name = "TIME", value_parser = access_ttl)]
    access_ttl: Option<Span>,

    /// What its tokens are signed with
    #[arg(long, value_name = "ALGORITHM", value_parser = algorithm())]
    algorithm: Option<Algorithm>,

    /// The client as which it asks whether a token is good (RFC 7662)
    #[arg(long, value_name = "ID")]
    client_id: Option<ClientId>,
}

fn access_ttl(text: &str) -> Result<Span, &'static str> {
    let fits = |span: &Span| (Span::from_seconds(1)..=Span::from_hours(1)).contains(span);
    parse_span(text).filter(fits).ok_or("is a time from 1s to 1h, such as `5m`")
}

/// The algorithms that a server has a key for, or makes one for.
fn algorithm() -> impl TypedValueParser<Value = Algorithm> {
    let names = ["ES256", "RS256", "PS256", "EdDSA"];
    PossibleValuesParser::new(names).try_map(|name| name.parse::<Algorithm>())
}

/// The order in which people read an API.
const ORDER: &[&str] = &[
    "audience",
    "name",
    "access_ttl_seconds",
    "algorithm",
    "client_id",
    "created_at",
    "disabled_at",
];

/// Does it.
pub async fn run(args: ApisArgs, output: Output) -> Result<(), Stop> {
    if let Verb::ShareSecret(share) = &args.verb {
        return print::one(output, SECRET_ORDER, &shared(&args.database, share).await?);
    }
    let operator = args.database.open().await?;
    let api = match args.verb {
        Verb::List => {
            let items = operator.list_apis().await?.iter().map(show_api).collect();
            operator.close().await;
            let columns = ["audience", "name", "access_ttl_seconds", "algorithm", "disabled_at"];
            return print::list(output, &columns, items, None);
        }
        Verb::Secrets { audience } => {
            let secrets = operator.list_api_secrets(audience).await;
            let now = operator.now();
            operator.close().await;
            return print::list(output, SECRET_ORDER, show_secrets(&secrets?, now), None);
        }
        Verb::UnshareSecret { audience, yes } => {
            confirm(&format!("No token of the secrets of {audience} is taken any more."), yes)?;
            operator.unshare_secrets(audience).await
        }
        // Above, for it needs the key-encryption key.
        Verb::ShareSecret(ShareSecret { audience, .. }) => operator.find_api(audience).await,
        Verb::Show { audience } => operator.find_api(audience).await,
        Verb::Create(create) => {
            let Create { audience, name, access_ttl, algorithm, client_id } = create;
            let name = name.unwrap_or_else(|| audience.clone());
            operator.create_api(NewApi { audience, name, access_ttl, algorithm, client_id }).await
        }
        Verb::Update(Update { audience, change }) => {
            let Change { name, access_ttl, algorithm, client_id } = change;
            let change = ApiChange { name, access_ttl, algorithm, client_id };
            operator.update_api(audience, change).await
        }
        Verb::Disable { audience } => operator.disable_api(audience).await,
        Verb::Enable { audience } => operator.enable_api(audience).await,
        Verb::Delete { audience, yes } => {
            confirm(&format!("No token will be issued for {audience} any more."), yes)?;
            operator.delete_api(audience).await
        }
    };
    operator.close().await;
    print::one(output, ORDER, &show_api(&api?))
}

/// The order in which people read a shared secret.
const SECRET_ORDER: &[&str] =
    &["kid", "audience", "state", "created_at", "activates_at", "expires_at", "secret"];

async fn shared(database: &DatabaseArgs, share: &ShareSecret) -> Result<Value, Stop> {
    let app = opened(database, &share.sealing).await?;
    let rotation = if share.now { Rotation::AtOnce } else { Rotation::Scheduled };
    let event = operator_event(&app.clock, Kind::ApiSecretCreated).map_err(Failure::from)?;
    let written = app.share_secret(&share.audience, rotation, event).await;
    let now = app.clock.now();
    app.store.clone().close().await;
    let refuse = |why| Err(Stop::new(Code::Failed, why));
    match written? {
        (_, Sharing::NoApi) => refuse(format!("there is no API `{}`", share.audience)),
        (_, Sharing::UnderWay { until }) => {
            let until = until.map(rfc3339).unwrap_or_default();
            refuse(format!("two secrets are taken already, one of them until {until}"))
        }
        (secret, Sharing::Shared(stored)) => Ok(tell_secret(&secret, &stored, now)),
    }
}

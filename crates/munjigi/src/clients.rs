//! `munjigi clients`: the programs that ask for tokens.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};
use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::{Audience, parse_audience};
use munjigi_core::oauth::client::{AuthMethod, GrantType, Party, Pkce};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::secret::Secret;
use munjigi_server::operate::Operator;
use munjigi_server::operate::clients::{ClientChange, OldSecret};
use munjigi_server::registry::{Registration, parse_name, show_client};
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::Stop;

/// `munjigi clients …`
#[derive(Debug, Args)]
pub struct ClientsArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Register a client; its secret is told once and never again
    Create(Box<Create>),
    /// List clients
    List,
    /// Show a client
    Show(Which),
    /// Give a client a new secret, told once; the old one is taken for another day
    RotateSecret(RotateSecret),
    /// Change a client: only what is said; how it proves itself stays as it was registered
    Update(Box<Update>),
    /// Disable a client: it can do nothing from then on, and its tokens are dead
    Disable(Which),
    /// Enable a disabled client again
    Enable(Which),
    /// Delete a client with everything that people granted to it
    Delete(Delete),
}

#[derive(Debug, Args)]
struct Which {
    /// The client's id
    id: ClientId,
}

#[derive(Debug, Args)]
struct Create {
    /// What people see
    #[arg(long, value_parser = parse_name)]
    name: String,

    /// Its id [default: a random one]
    #[arg(long)]
    id: Option<ClientId>,

    /// What it may ask with; say it several times for several
    #[arg(long = "grant-type", value_name = "GRANT", required = true, value_parser = grant_type())]
    grant_types: Vec<GrantType>,

    /// Where authorization codes may be sent; say it several times for several
    #[arg(long = "redirect-uri", value_name = "URI", value_parser = RedirectUri::parse)]
    redirect_uris: Vec<RedirectUri>,

    /// How it proves itself; `none` for programs that cannot keep a secret
    #[arg(long, value_name = "METHOD", default_value = "client_secret_basic",
          value_parser = auth_method())]
    auth_method: AuthMethod,

    /// What it may ask for: names separated by spaces
    #[arg(long, value_name = "SCOPE", default_value = "")]
    scope: Scope,

    /// An API that its tokens are for; say it several times [default: this server's own]
    #[arg(long = "audience", value_name = "URI", value_parser = parse_audience)]
    audiences: Vec<Audience>,

    /// Whether its authorization requests carry a code challenge
    #[arg(long, default_value = "required", value_parser = pkce())]
    pkce: Pkce,

    /// What else is known of it: a JSON object of RFC 7591's members, as jwks_uri
    #[arg(long, value_name = "JSON", default_value = "{}", value_parser = metadata)]
    metadata: Metadata,

    /// It belongs to whoever runs this server: it may see passwords, and needs no consent
    #[arg(long)]
    first_party: bool,
}

#[derive(Debug, Args)]
struct Update {
    /// The client's id
    id: ClientId,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// What people see
    #[arg(long, value_parser = parse_name)]
    name: Option<String>,

    /// What it may ask with, instead of what it may; say it several times for several
    #[arg(long = "grant-type", value_name = "GRANT", value_parser = grant_type())]
    grant_types: Option<Vec<GrantType>>,

    /// Where authorization codes may be sent, instead of where they may; say it several times
    #[arg(long = "redirect-uri", value_name = "URI", value_parser = RedirectUri::parse)]
    redirect_uris: Option<Vec<RedirectUri>>,

    /// What it may ask for: names separated by spaces
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,

    /// An API that its tokens are for, instead of those that they are for; say it several times
    #[arg(long = "audience", value_name = "URI", value_parser = parse_audience)]
    audiences: Option<Vec<Audience>>,

    /// Whether its authorization requests carry a code challenge
    #[arg(long, value_parser = pkce())]
    pkce: Option<Pkce>,

    /// What else is known of it, in place of what was: a JSON object of RFC 7591's members
    #[arg(long, value_name = "JSON", value_parser = metadata)]
    metadata: Option<Metadata>,

    /// Whether it belongs to whoever runs this server
    #[arg(long, value_name = "YES")]
    first_party: Option<bool>,
}

impl Change {
    fn typed(self) -> ClientChange {
        ClientChange {
            name: self.name,
            grant_types: self.grant_types.map(|grants| grants.into_iter().collect()),
            redirect_uris: self.redirect_uris,
            scope: self.scope,
            audiences: self.audiences,
            pkce: self.pkce,
            metadata: self.metadata,
            party: self.first_party.map(|it| if it { Party::First } else { Party::Third }),
        }
    }
}

#[derive(Debug, Args)]
struct RotateSecret {
    /// The client's id
    id: ClientId,
    /// Refuse the old secret and the client's tokens at once: somebody else knows it
    #[arg(long)]
    now: bool,
}

#[derive(Debug, Args)]
struct Delete {
    /// The client's id
    id: ClientId,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

fn grant_type() -> impl TypedValueParser<Value = GrantType> {
    let names = GrantType::ALL.iter().map(|it| it.as_str());
    PossibleValuesParser::new(names).try_map(|text| GrantType::parse(&text).ok_or("unknown"))
}

fn auth_method() -> impl TypedValueParser<Value = AuthMethod> {
    let names = AuthMethod::ALL.iter().map(|it| it.as_str());
    PossibleValuesParser::new(names).try_map(|text| AuthMethod::parse(&text).ok_or("unknown"))
}

fn pkce() -> impl TypedValueParser<Value = Pkce> {
    let names = Pkce::ALL.iter().map(|it| it.as_str());
    PossibleValuesParser::new(names).try_map(|text| Pkce::parse(&text).ok_or("unknown"))
}

fn metadata(text: &str) -> Result<Metadata, String> {
    let members =
        munjigi_token::json::object(text.as_bytes()).map_err(|error| error.to_string())?;
    Metadata::parse(&members).map_err(|bad| bad.to_string())
}

/// The order in which people read a client.
const ORDER: &[&str] = &[
    "client_id",
    "client_secret",
    "name",
    "first_party",
    "token_endpoint_auth_method",
    "grant_types",
    "redirect_uris",
    "scope",
    "audiences",
    "pkce",
    "metadata",
    "origin",
    "created_at",
    "disabled_at",
];

/// Does it.
pub async fn run(args: ClientsArgs, output: Output) -> Result<(), Stop> {
    let operator = args.database.open().await?;
    let done = match args.verb {
        Verb::List => {
            let clients = operator.list_clients().await?;
            operator.close().await;
            let columns =
                ["client_id", "name", "first_party", "origin", "grant_types", "disabled_at"];
            return print::list(output, &columns, clients.iter().map(show_client).collect(), None);
        }
        verb => one(&operator, verb).await,
    };
    operator.close().await;
    print::one(output, ORDER, &done?)
}

async fn one(operator: &Operator, verb: Verb) -> Result<Value, Stop> {
    let client = match verb {
        Verb::Create(create) => return register(operator, *create).await,
        Verb::RotateSecret(RotateSecret { id, now }) => {
            let old = if now { OldSecret::EndsNow } else { OldSecret::Overlaps };
            let secret = operator.rotate_secret(id.clone(), old).await?;
            return Ok(json!({ "client_id": id, "client_secret": secret.reveal() }));
        }
        Verb::Delete(Delete { id, yes }) => {
            let client = operator.find_client(id.clone()).await?;
            confirm(&format!("This deletes {} and all its grants.", client.name), yes)?;
            operator.delete_client(id).await
        }
        Verb::Update(update) => operator.update_client(update.id, update.change.typed()).await,
        Verb::Disable(which) => operator.disable_client(which.id).await,
        Verb::Enable(which) => operator.enable_client(which.id).await,
        Verb::Show(which) => operator.find_client(which.id).await,
        Verb::List => return Ok(Value::Null),
    };
    Ok(show_client(&client?))
}

async fn register(operator: &Operator, create: Create) -> Result<Value, Stop> {
    let registration = Registration {
        id: create.id,
        name: create.name,
        auth_method: create.auth_method,
        grant_types: create.grant_types.into_iter().collect(),
        redirect_uris: create.redirect_uris,
        scope: create.scope,
        audiences: create.audiences,
        pkce: create.pkce,
        party: if create.first_party { Party::First } else { Party::Third },
        metadata: create.metadata,
    };
    let (client, secret) = operator.create_client(registration).await?;
    let mut shown = show_client(&client);
    if let Some(members) = shown.as_object_mut() {
        let secret = secret.as_ref().map(Secret::reveal);
        members.insert("client_secret".to_owned(), secret.into());
    }
    Ok(shown)
}

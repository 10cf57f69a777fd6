//! `munjigi users`: people.

use clap::{Args, Subcommand, ValueEnum};
use munjigi_core::access::RoleName;
use munjigi_core::account::user::User;
use munjigi_core::account::{DisplayName, Email, Locale, Username};
use munjigi_server::accounts::Profile;
use munjigi_server::operate::Operator;
use munjigi_server::operate::users::NewUser;
use munjigi_store::page::{Cursor, MAX_LIMIT, Page};
use munjigi_store::users::{AccountState, UserFilter, UserKey};
use serde_json::Value;

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::{PasswordArgs, confirm};
use crate::stop::Stop;

/// `munjigi users …`
#[derive(Debug, Args)]
pub struct UsersArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make an account
    Create(Create),
    /// List accounts, the oldest first
    List(List),
    /// Show an account
    Show(Whom),
    /// Disable an account: it can do nothing from then on, and its sessions and tokens end
    Disable(Whom),
    /// Enable a disabled account again
    Enable(Whom),
    /// End every session of an account, with its tokens; its owner may sign in again
    SignOut(Whom),
    /// Give roles, or take them away
    #[command(subcommand)]
    Roles(RolesVerb),
    /// Set a new password; whoever is signed in with the old one is signed out
    ResetPassword(ResetPassword),
    /// Delete an account with everything that hangs on it
    Delete(Delete),
}

#[derive(Debug, Args)]
struct Whom {
    /// An id, an e-mail address or a user name
    user: String,
}

#[derive(Debug, Args)]
struct Create {
    /// The e-mail address
    #[arg(long, value_parser = Email::parse)]
    email: Email,

    /// The name to sign in with, besides the address
    #[arg(long, value_parser = Username::parse)]
    username: Option<Username>,

    /// What the person wants to be called
    #[arg(long, value_parser = DisplayName::parse)]
    name: Option<DisplayName>,

    /// The language to speak to them in, such as `ko` or `en`
    #[arg(long, value_parser = Locale::parse)]
    locale: Option<Locale>,

    /// A role; say it several times for several [default: the setting `default_roles`]
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<RoleName>,

    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
struct List {
    /// Only those whose address or user name begins like this
    #[arg(long)]
    search: Option<String>,

    /// Only those with this role
    #[arg(long)]
    role: Option<RoleName>,

    /// Only those that can do something, or only those that cannot
    #[arg(long, value_enum)]
    state: Option<State>,

    /// How many at most
    #[arg(long, default_value_t = 100,
          value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_LIMIT)))]
    limit: u32,

    /// Where the last page ended, as it said
    #[arg(long, value_name = "CURSOR")]
    after: Option<Cursor<UserKey>>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum State {
    Enabled,
    Disabled,
}

#[derive(Debug, Subcommand)]
enum RolesVerb {
    /// Give roles
    Add(RolesOf),
    /// Take roles away; tokens that carry them die at once
    Remove(RolesOf),
}

#[derive(Debug, Args)]
struct RolesOf {
    /// An id, an e-mail address or a user name
    user: String,
    /// The roles
    #[arg(required = true)]
    roles: Vec<RoleName>,
}

#[derive(Debug, Args)]
struct ResetPassword {
    /// An id, an e-mail address or a user name
    user: String,
    #[command(flatten)]
    password: PasswordArgs,
}

#[derive(Debug, Args)]
struct Delete {
    /// An id, an e-mail address or a user name
    user: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The order in which people read an account.
const ORDER: &[&str] =
    &["id", "email", "email_verified", "username", "name", "roles", "created_at", "disabled_at"];

/// Does it.
pub async fn run(args: UsersArgs, output: Output) -> Result<(), Stop> {
    // Before the database is opened: who types a password need not wait for it, nor it for them.
    let password = match &args.verb {
        Verb::Create(create) => Some(create.password.read()?),
        Verb::ResetPassword(reset) => Some(reset.password.read()?),
        _ => None,
    };
    let operator = args.database.open().await?;
    let done = match (args.verb, password) {
        (Verb::List(list), _) => {
            let shown = list_users(&operator, list, output).await;
            operator.close().await;
            return shown;
        }
        (Verb::Show(whom), _) => show(&operator, &whom.user).await,
        (Verb::Create(create), Some(password)) => {
            let Create { email, username, name, locale, roles, .. } = create;
            let roles = Some(roles).filter(|roles| !roles.is_empty());
            let new = NewUser { email, username, name, locale, roles, password };
            operator.create_user(new).await.map(profile).map_err(Stop::from)
        }
        (Verb::ResetPassword(reset), Some(password)) => {
            let done = operator.reset_password(&reset.user, password).await;
            done.map(profile).map_err(Stop::from)
        }
        (verb, _) => change(&operator, verb).await,
    };
    operator.close().await;
    print::one(output, ORDER, &done?)
}

async fn change(operator: &Operator, verb: Verb) -> Result<Value, Stop> {
    let user = match verb {
        Verb::Disable(whom) => operator.disable_user(&whom.user).await,
        Verb::Enable(whom) => operator.enable_user(&whom.user).await,
        Verb::SignOut(whom) => operator.sign_out_user(&whom.user).await,
        Verb::Roles(RolesVerb::Add(of)) => operator.add_roles(&of.user, of.roles).await,
        Verb::Roles(RolesVerb::Remove(of)) => operator.remove_roles(&of.user, of.roles).await,
        Verb::Delete(delete) => {
            let (user, sessions) = operator.find_user(&delete.user).await?;
            let what = format!("This deletes {} and ends {sessions} sessions.", user.email);
            confirm(&what, delete.yes)?;
            operator.delete_user(&user.id.to_string()).await
        }
        Verb::Create(_) | Verb::List(_) | Verb::Show(_) | Verb::ResetPassword(_) => {
            return Err(Stop::usage("there is no password"));
        }
    };
    Ok(profile(user?))
}

async fn show(operator: &Operator, name: &str) -> Result<Value, Stop> {
    let (user, sessions) = operator.find_user(name).await?;
    let mut shown = profile(user);
    if let Some(members) = shown.as_object_mut() {
        members.insert("live_sessions".to_owned(), sessions.into());
    }
    Ok(shown)
}

async fn list_users(operator: &Operator, list: List, output: Output) -> Result<(), Stop> {
    let state = list.state.map(|state| match state {
        State::Enabled => AccountState::Enabled,
        State::Disabled => AccountState::Disabled,
    });
    let text = list.search.map(|text| text.to_lowercase());
    let filter = UserFilter { text, role: list.role, state };
    let page = Page { after: list.after, limit: list.limit };
    let listed = operator.list_users(page, filter).await?;
    let next = listed.next.map(|cursor| cursor.to_string());
    let items = listed.items.into_iter().map(profile).collect();
    let columns = ["id", "email", "username", "roles", "created_at", "disabled_at"];
    print::list(output, &columns, items, next)
}

/// As the admin API shows it.
fn profile(user: User) -> Value {
    serde_json::to_value(Profile::from(user)).unwrap_or_default()
}

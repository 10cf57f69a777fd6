//! `munjigi roles`: what people may do. Who has one is said by `munjigi users roles`.

use clap::{Args, Subcommand};
use munjigi_core::access::{Permission, RoleName};
use munjigi_core::oauth::scope::Scope;
use munjigi_server::operate::roles::{NewRole, RoleChange};
use munjigi_server::registry::show_role;

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::confirm;
use crate::stop::Stop;

/// `munjigi roles …`
#[derive(Debug, Args)]
pub struct RolesArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// List roles
    List,
    /// Show a role
    Show {
        /// Its name
        name: RoleName,
    },
    /// Make a role
    Create(Create),
    /// Change what a role carries: only what is said; tokens that would say too much are dead
    Update(Update),
    /// Disable a role: it carries nothing from then on, and tokens that name it are dead
    Disable {
        /// Its name
        name: RoleName,
    },
    /// Enable a disabled role again
    Enable {
        /// Its name
        name: RoleName,
    },
    /// Delete a role: whoever has it has it no longer
    Delete {
        /// Its name
        name: RoleName,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// Its name, as it stands in tokens
    name: RoleName,

    /// What it is for
    #[arg(long, default_value = "")]
    description: String,

    /// What its holders may do at this server, such as `users:read`; say it several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Vec<Permission>,

    /// Which scopes its holders may have in their tokens: names separated by spaces
    #[arg(long, value_name = "SCOPE", default_value = "")]
    scope: Scope,
}

#[derive(Debug, Args)]
struct Update {
    /// Its name
    name: RoleName,

    #[command(flatten)]
    change: Change,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Change {
    /// What it is for
    #[arg(long)]
    description: Option<String>,

    /// What its holders may do at this server, instead of what they may; say it several times
    #[arg(long = "permission", value_name = "PERMISSION")]
    permissions: Option<Vec<Permission>>,

    /// Nothing at this server is permitted by it any more
    #[arg(long, conflicts_with = "permissions")]
    no_permissions: bool,

    /// Which scopes its holders may have in their tokens, instead of those that they may
    #[arg(long, value_name = "SCOPE")]
    scope: Option<Scope>,
}

impl Change {
    fn typed(self) -> RoleChange {
        let none = self.no_permissions.then(Vec::new);
        RoleChange {
            description: self.description,
            permissions: self.permissions.or(none).map(|list| list.into_iter().collect()),
            scope: self.scope,
        }
    }
}

/// The order in which people read a role.
const ORDER: &[&str] =
    &["name", "description", "permissions", "scope", "created_at", "disabled_at"];

/// Does it.
pub async fn run(args: RolesArgs, output: Output) -> Result<(), Stop> {
    let operator = args.database.open().await?;
    let role = match args.verb {
        Verb::List => {
            let items = operator.list_roles().await?.iter().map(show_role).collect();
            operator.close().await;
            let columns = ["name", "description", "permissions", "scope", "disabled_at"];
            return print::list(output, &columns, items, None);
        }
        Verb::Show { name } => operator.find_role(name).await,
        Verb::Create(Create { name, description, permissions, scope }) => {
            let permissions = permissions.into_iter().collect();
            operator.create_role(NewRole { name, description, permissions, scope }).await
        }
        Verb::Update(Update { name, change }) => operator.update_role(name, change.typed()).await,
        Verb::Disable { name } => operator.disable_role(name).await,
        Verb::Enable { name } => operator.enable_role(name).await,
        Verb::Delete { name, yes } => {
            confirm(&format!("This takes the role `{name}` from everybody who has it."), yes)?;
            operator.delete_role(name).await
        }
    };
    operator.close().await;
    print::one(output, ORDER, &show_role(&role?))
}

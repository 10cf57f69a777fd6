//! What `munjigi dev` says when it is ready: where it is, whom one can sign in as, and a line that
//! works when it is pasted. Only what is still as it was made: nobody is sent to try a password
//! that was changed.

use std::net::SocketAddr;
use std::path::Path;

use munjigi_core::account::Email;
use munjigi_core::account::user::User;
use munjigi_core::oauth::client::{Client, GrantType, Party};
use munjigi_core::secret::Secret;
use munjigi_server::demo::{self, DemoUser};
use munjigi_server::{App, Failure};
use munjigi_store::{StoreError, users};
use serde_json::{Value, json};

use crate::print::table;
use crate::stop::Stop;

/// What there is.
pub struct There {
    issuer: String,
    metrics: Option<SocketAddr>,
    people: Vec<(DemoUser, User)>,
    clients: Vec<(Client, Option<Secret>)>,
}

/// Looks up what there is of the demo data.
pub async fn what_is_there(app: &App, metrics: Option<SocketAddr>) -> Result<There, Stop> {
    let look = |tx: &mut munjigi_store::ReadTx<'_>| {
        let mut people = Vec::new();
        for demo in demo::USERS {
            let Ok(email) = Email::parse(demo.email) else { continue };
            let user = users::find_by_email(tx, email.canonical())?;
            let usable =
                |user: &User| user.disabled_at.is_none() && user.password_changed_at.is_none();
            people.extend(user.filter(usable).map(|user| (*demo, user)));
        }
        Ok::<_, StoreError>(people)
    };
    let people = app.store.read(look).await.map_err(Failure::from)?;

    let (snapshot, now) = (app.snapshot_kept(), app.clock.now());
    let mut clients = Vec::new();
    for demo in demo::demo_clients(app)? {
        let Some(stored) = snapshot.clients.get(&demo.client.id) else { continue };
        let known = match &demo.secret {
            Some(secret) => stored.admits(secret.reveal(), now),
            None => stored.is_public(),
        };
        if known && !stored.is_disabled() {
            clients.push((Client::clone(stored), demo.secret));
        }
    }
    Ok(There { metrics, issuer: app.config.issuer.clone(), people, clients })
}

impl There {
    /// For programs.
    pub fn json(&self) -> Value {
        let people = self.people.iter().map(|(demo, user)| {
            json!({
                "email": user.email,
                "username": user.username,
                "password": demo.password,
                "roles": user.roles,
            })
        });
        let clients = self.clients.iter().map(|(client, secret)| {
            json!({
                "client_id": client.id,
                "client_secret": secret.as_ref().map(Secret::reveal),
                "grant_types": grant_types(client),
                "redirect_uris": client.redirect_uris,
                "first_party": client.party == Party::First,
                "scope": client.scope,
            })
        });
        json!({
            "issuer": self.issuer,
            "docs": format!("{}/docs", self.issuer),
            "openapi": format!("{}/openapi.json", self.issuer),
            "metrics": self.metrics_url(),
            "users": people.collect::<Vec<_>>(),
            "clients": clients.collect::<Vec<_>>(),
        })
    }

    /// For people. `data` is where everything is kept, if it is.
    pub fn text(&self, data: Option<&Path>) -> String {
        let issuer = &self.issuer;
        let kept = data.map_or_else(
            || "in memory, gone when this stops".to_owned(),
            |data| format!("{} (delete it to begin anew)", data.display()),
        );
        let mut out = format!(
            "문지기 Munjigi {version}\n\n\
             *** DEVELOPMENT MODE: this machine only. The passwords below are public. ***\n\
             *** Never put it where others can reach it; use `munjigi serve` there. ***\n\n",
            version = env!("CARGO_PKG_VERSION"),
        );
        let pages = [
            ["Issuer", issuer],
            ["Try it", &format!("{issuer}/docs")],
            ["OpenAPI", &format!("{issuer}/openapi.json")],
            ["Data", &kept],
        ];
        let metrics = self.metrics_url().map(|url| vec!["Metrics".to_owned(), url]);
        let pages = pages.map(|row| row.map(str::to_owned).to_vec()).into_iter().chain(metrics);
        out.push_str(&table(&pages.collect::<Vec<_>>()));
        out.push('\n');
        out.push_str(&self.people_text());
        out.push('\n');
        out.push_str(&self.clients_text());
        if let Some((demo, _)) = self.people.first() {
            out.push_str("\nPaste this: sign in, then ask who that is\n\n");
            out.push_str(&curl(issuer, demo));
        }
        out.push_str("\nCtrl-C stops it.\n");
        out
    }

    fn metrics_url(&self) -> Option<String> {
        self.metrics.map(|address| format!("http://{address}/metrics"))
    }

    fn people_text(&self) -> String {
        let heads = ["USER", "E-MAIL", "PASSWORD", "ROLES"].map(str::to_owned).to_vec();
        let rows = self.people.iter().map(|(demo, user)| {
            let roles: Vec<&str> = user.roles.iter().map(|role| role.as_str()).collect();
            let username = user.username.clone().unwrap_or_default();
            vec![username, user.email.clone(), demo.password.to_owned(), roles.join(" ")]
        });
        table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>())
    }

    fn clients_text(&self) -> String {
        let heads = ["CLIENT", "SECRET", "GRANT TYPES"].map(str::to_owned).to_vec();
        let rows = self.clients.iter().map(|(client, secret)| {
            let secret = secret.as_ref().map_or("(public)", Secret::reveal);
            vec![client.id.to_string(), secret.to_owned(), grant_types(client).join(" ")]
        });
        table(&std::iter::once(heads).chain(rows).collect::<Vec<_>>())
    }
}

fn grant_types(client: &Client) -> Vec<&'static str> {
    client.grant_types.iter().copied().map(GrantType::as_str).collect()
}

/// Two lines for any POSIX shell that need nothing but curl and sed.
fn curl(issuer: &str, demo: &DemoUser) -> String {
    let (username, password) = (demo.username, demo.password);
    format!(
        "TOKEN=$(curl -sS {issuer}/api/v1/users/signin -H 'Content-Type: application/json' \
         -d '{{\"username\":\"{username}\",\"password\":\"{password}\"}}' \
         | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\
         curl -sS {issuer}/api/v1/users/me -H \"Authorization: Bearer $TOKEN\"\n"
    )
}

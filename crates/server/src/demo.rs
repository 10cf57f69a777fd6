//! What `munjigi dev` finds when it starts for the first time: people and clients to try things
//! with. None of it exists in `serve`.

use std::collections::BTreeSet;

use munjigi_core::access::{Role, RoleName};
use munjigi_core::account::{Email, Password, Username};
use munjigi_core::audit::{Event, Kind};
use munjigi_core::oauth::api::Api;
use munjigi_core::oauth::client::{
    AuthMethod, Client, GrantType, Origin, Party, Pkce, SecretHash, hash_secret,
};
use munjigi_core::oauth::metadata::Metadata;
use munjigi_core::oauth::redirect_uri::RedirectUri;
use munjigi_core::secret::Secret;
use munjigi_core::time::Timestamp;
use munjigi_store::{
    Audit, Committed, StoreError, Tx, apis, clients, passwords, roles, settings, users,
};
use munjigi_token::{Algorithm, base64url};

use crate::accounts::{NewAccount, new_user};
use crate::app::App;
use crate::builtin::{ADMIN_SCOPE, REVOCATIONS_READ};
use crate::dev_walk::{CLIENT, REDIRECT};
use crate::failure::Failure;
use crate::random;
use crate::registry::{say_changes, show_client};
use crate::settings::MODE;
use crate::snapshot::SELF_AUDIENCE;

/// The API of `examples/planner`.
pub const PLANNER_AUDIENCE: &str = "http://localhost:8001";

/// Whom the planner is to this server when it follows what is revoked.
pub const PLANNER_CLIENT: &str = "planner";

/// Somebody to sign in as.
#[derive(Clone, Copy, Debug)]
pub struct DemoUser {
    /// The address.
    pub email: &'static str,
    /// The user name.
    pub username: &'static str,
    /// The password: public, which is why these people exist in `dev` alone.
    pub password: &'static str,
    /// What they are called.
    pub name: &'static str,
    /// The roles.
    pub roles: &'static [&'static str],
}

/// Everybody there is.
pub const USERS: &[DemoUser] = &[
    DemoUser {
        email: "minji@demo.local",
        username: "minji",
        password: "demo-minji",
        name: "김민지",
        roles: &["user"],
    },
    DemoUser {
        email: "jun@demo.local",
        username: "jun",
        password: "demo-jun",
        name: "이준",
        roles: &["user", "admin"],
    },
];

/// A client to try things with, as it is told.
#[derive(Clone, Debug)]
pub struct DemoClient {
    /// Its row.
    pub client: Client,
    /// Its secret in clear.
    pub secret: Option<Secret>,
}

const SCOPE: &str = "openid profile email roles offline_access events:read events:write";

/// Every client there is. The secrets follow from the server's own root secret, so that they can
/// be told at every start and stand nowhere.
pub fn demo_clients(app: &App) -> Result<Vec<DemoClient>, Failure> {
    use GrantType::{AuthorizationCode, ClientCredentials, Password, RefreshToken};
    let issuer = &app.config.issuer;
    let (swagger, home) = (format!("{issuer}{DOCS_REDIRECT}"), format!("{issuer}{REDIRECT}"));
    let spa = ["http://localhost:3000/callback", "http://localhost:5173/callback"];
    let web = ["http://localhost:3000/callback", "http://localhost:8080/callback"];
    let mut demo = vec![
        demo_client(
            app,
            "web",
            "Demo web application",
            &[AuthorizationCode, RefreshToken, ClientCredentials],
            &web,
        )?,
        demo_client(
            app,
            "spa",
            "Demo single-page application",
            &[AuthorizationCode, RefreshToken],
            &spa,
        )?,
        demo_client(
            app,
            "first-party",
            "Demo first-party application",
            &[Password, RefreshToken],
            &[],
        )?,
        demo_client(
            app,
            "swagger",
            "API documentation",
            &[AuthorizationCode, Password, RefreshToken],
            &[&swagger],
        )?,
        demo_client(app, PLANNER_CLIENT, "Demo API", &[ClientCredentials], &[])?,
        demo_client(app, CLIENT, "Development home", &[AuthorizationCode], &[&home])?,
    ];
    for DemoClient { client, secret } in &mut demo {
        match client.id.as_str() {
            "web" => *secret = Some(give_secret(app, client)),
            // The planner as a client of ours: all that it may is to follow what is revoked.
            PLANNER_CLIENT => {
                *secret = Some(give_secret(app, client));
                client.scope = REVOCATIONS_READ.parse().map_err(|_| Failure::Damaged("scope"))?;
                client.audiences = vec![SELF_AUDIENCE.to_owned()];
            }
            "first-party" | "swagger" => {
                client.party = Party::First;
                let admin = ADMIN_SCOPE.parse().map_err(|_| Failure::Damaged("scope"))?;
                client.scope = client.scope.with(&admin);
            }
            CLIENT => {
                client.party = Party::First;
                client.audiences = vec![SELF_AUDIENCE.to_owned()];
            }
            _ => {}
        }
    }
    Ok(demo)
}

/// Gives a client the secret that follows from the server's own.
fn give_secret(app: &App, client: &mut Client) -> Secret {
    let derived = app.snapshot().keys.derive(&format!("demo client {}", client.id));
    let text = format!("mj_cs_{}", base64url::encode(derived.as_slice()));
    let hash = hash_secret(&client.id, &text);
    client.auth_method = AuthMethod::ClientSecretBasic;
    client.secrets = vec![SecretHash { hash, expires_at: None }];
    Secret::new(text)
}

fn demo_client(
    app: &App,
    id: &str,
    name: &str,
    grant_types: &[GrantType],
    redirect_uris: &[&str],
) -> Result<DemoClient, Failure> {
    let damaged = |_| Failure::Damaged("demo redirect URI");
    let uris: Result<_, _> = redirect_uris.iter().map(|uri| RedirectUri::parse(uri)).collect();
    let client = Client {
        id: id.parse().map_err(|_| Failure::Damaged("demo client"))?,
        name: name.to_owned(),
        auth_method: AuthMethod::None,
        secrets: vec![],
        grant_types: grant_types.iter().copied().collect::<BTreeSet<_>>(),
        redirect_uris: uris.map_err(damaged)?,
        scope: SCOPE.parse().map_err(|_| Failure::Damaged("scope"))?,
        audiences: vec![SELF_AUDIENCE.to_owned(), PLANNER_AUDIENCE.to_owned()],
        pkce: Pkce::Required,
        party: Party::Third,
        created_at: app.clock.now(),
        disabled_at: None,
        metadata: Metadata::default(),
        origin: Origin::Made,
        used_at: None,
        refreshed_at: None,
        management_hash: None,
    };
    Ok(DemoClient { client, secret: None })
}

/// What stands under [`MODE`], as JSON.
const DEV: &str = "\"dev\"";

/// Where the pages under `/docs` take codes, below the issuer.
const DOCS_REDIRECT: &str = "/docs/oauth2-redirect.html";

/// The clients that live inside the server, with where they take codes, below the issuer.
const INSIDE: [(&str, &str); 2] = [("swagger", DOCS_REDIRECT), (CLIENT, REDIRECT)];

/// Lets the clients inside follow the issuer: `dev` may listen elsewhere than when its data was
/// made. Data that was made before it was marked as `dev`'s is marked now.
async fn follow_issuer(app: &App) -> Result<(), Failure> {
    let (now, marked) = (app.clock.now(), app.system_event(Kind::SettingChanged)?);
    let marked = marked.with("setting", MODE).with("to", "dev");
    let written = app.store.write(move |tx| {
        if settings::find(tx, MODE)?.is_some() {
            return Ok(Committed::nothing(()));
        }
        settings::put(tx, MODE, DEV, now)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(marked.clone()))))
    });
    written.await?;
    for DemoClient { client, .. } in demo_clients(app)? {
        let inside = INSIDE.iter().find(|(id, _)| *id == client.id.as_str());
        if let Some((_, redirect)) = inside {
            follow_with(app, client, redirect).await?;
        }
    }
    app.reload().await
}

/// Lets one client follow; data of before there was such a client gets it now.
async fn follow_with(app: &App, demo: Client, redirect: &'static str) -> Result<(), Failure> {
    let id = demo.id.clone();
    let created = app.system_event(Kind::ClientCreated)?.client(id.clone());
    let updated = app.system_event(Kind::ClientUpdated)?.client(id.clone());
    let written = app.store.write(move |tx| {
        let Some(client) = clients::find(tx, &id)? else {
            clients::insert(tx, &demo)?;
            return Ok(Committed::new((), Audit::Record(Box::new(created.clone()))));
        };
        if demo.redirect_uris.iter().all(|here| client.redirect_uris.contains(here)) {
            return Ok(Committed::nothing(()));
        }
        let before = show_client(&client);
        let others = client.redirect_uris.into_iter();
        // What somebody added by hand stays.
        let others = others.filter(|uri| !uri.as_str().ends_with(redirect));
        let redirect_uris = demo.redirect_uris.iter().cloned().chain(others).collect();
        let client = Client { redirect_uris, ..client };
        clients::update(tx, &client)?;
        let event = say_changes(updated.clone(), &before, &show_client(&client));
        Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(event))))
    });
    Ok(written.await?)
}

/// Writes the demo data into a database that has none yet.
pub async fn ensure(app: &App) -> Result<(), Failure> {
    if app.store.read(users::is_anybody).await? {
        return follow_issuer(app).await;
    }
    let now = app.clock.now();
    let mut people = Vec::new();
    for demo in USERS {
        people.push(person(app, demo, now).await?);
    }
    let clients: Vec<Client> = demo_clients(app)?.into_iter().map(|demo| demo.client).collect();
    let mut events = Vec::new();
    for (user, _) in &people {
        events.push(app.system_event(Kind::UserCreated)?.subject(user.id));
    }
    for client in &clients {
        events.push(app.system_event(Kind::ClientCreated)?.client(client.id.clone()));
    }
    events.push(app.system_event(Kind::ApiCreated)?.with("audience", PLANNER_AUDIENCE));
    let written = app.store.write(move |tx| {
        if users::is_anybody(tx)? {
            return Ok(Committed::nothing(()));
        }
        for (user, hash) in &people {
            users::insert(tx, user)?;
            passwords::put(tx, &user.id, hash, now)?;
        }
        write_rest(tx, &clients, now)?;
        let events: Vec<Event> = events.clone();
        Ok::<_, StoreError>(Committed::new((), Audit::Records(events)))
    });
    written.await?;
    app.reload().await
}

async fn person(
    app: &App,
    demo: &DemoUser,
    now: Timestamp,
) -> Result<(munjigi_core::account::user::User, String), Failure> {
    let damaged = || Failure::Damaged("demo user");
    let roles: Result<Vec<RoleName>, _> = demo.roles.iter().map(|role| role.parse()).collect();
    let account = NewAccount {
        email: Email::parse(demo.email).map_err(|_| damaged())?,
        username: Some(Username::parse(demo.username).map_err(|_| damaged())?),
        name: None,
        locale: None,
        roles: roles.map_err(|_| damaged())?,
    };
    let mut user = new_user(random::user_id()?, account, now);
    (user.name, user.email_verified_at) = (Some(demo.name.to_owned()), Some(now));
    let password = Password::parse(demo.password.to_owned()).map_err(|_| damaged())?;
    let hash = app.hashing.hash(password).await?;
    Ok((user, hash.to_string()))
}

fn write_rest(tx: &mut Tx<'_>, demo: &[Client], now: Timestamp) -> Result<(), StoreError> {
    for client in demo {
        clients::insert(tx, client)?;
    }
    let planner = Api {
        audience: PLANNER_AUDIENCE.to_owned(),
        name: "Planner".to_owned(),
        access_ttl: None,
        algorithm: Algorithm::Es256,
        client_id: demo.iter().find(|it| it.id.as_str() == "web").map(|it| it.id.clone()),
        created_at: now,
        disabled_at: None,
    };
    apis::insert(tx, &planner)?;
    // Everybody with an account may use the planner.
    if let Some(role) = roles::all(tx)?.into_iter().find(|role| role.name.as_str() == "user") {
        let events = "events:read events:write".parse().unwrap_or_default();
        roles::update(tx, &Role { scope: role.scope.with(&events), ..role })?;
    }
    settings::put(tx, MODE, DEV, now)?;
    settings::put(tx, "default_client", "\"first-party\"", now)
}

//! Who appears in the tests besides the demo people: roles, accounts and clients, made through the
//! admin API as an administrator would.

use http::Method;
use munjigi_core::account::user::{Session, User};
use munjigi_core::id::{GrantId, SessionId, UserId};
use munjigi_core::oauth::grant::Grant;
use munjigi_store::{Audit, Committed, StoreError, grants, passwords, sessions, settings, users};
use serde_json::{Value, json};

use crate::harness::{Answer, JUN, TestApp, Tokens, claims};

/// The password of everybody made here.
pub const PASSWORD: &str = "several-unlike-words";

impl TestApp {
    /// An access token of the demo administrator.
    pub async fn admin(&self) -> String {
        self.sign_in(JUN).await.access
    }

    /// Makes a role; `scope` is what its holders may have in tokens.
    pub async fn make_role(&self, admin: &str, name: &str, permissions: &[&str]) {
        let body = json!({"name": name, "permissions": permissions, "scope": "admin"});
        self.call(Method::POST, "/api/v1/admin/roles", admin, body).await.expect(201);
    }

    /// Makes an account with exactly these roles and [`PASSWORD`]; its id.
    pub async fn make_user(&self, admin: &str, name: &str, roles: &[&str]) -> String {
        let email = format!("{name}@cast.example");
        let body = json!({"email": email, "username": name, "password": PASSWORD, "roles": roles});
        let made = self.call(Method::POST, "/api/v1/admin/users", admin, body).await;
        made.expect(201).text("/id")
    }

    /// Makes an account with these roles and signs it in.
    pub async fn make_and_sign_in(&self, admin: &str, name: &str, roles: &[&str]) -> Tokens {
        self.make_user(admin, name, roles).await;
        self.sign_in((&format!("{name}@cast.example"), PASSWORD)).await
    }

    /// Makes a confidential client that may use its own credentials; its secret.
    pub async fn make_client(&self, admin: &str, id: &str, scope: &str) -> String {
        let body = json!({
            "client_id": id,
            "name": id,
            "grant_types": ["client_credentials"],
            "scope": scope,
        });
        let made = self.call(Method::POST, "/api/v1/admin/clients", admin, body).await;
        made.expect(201).text("/client_secret")
    }

    /// Makes a confidential first-party client that signs people in; its secret.
    pub async fn make_desk(&self, admin: &str, id: &str) -> String {
        let body = json!({
            "client_id": id,
            "name": id,
            "grant_types": ["password", "refresh_token"],
            "first_party": true,
            "scope": "openid profile email roles offline_access admin events:read",
            "audiences": ["urn:munjigi:self", "http://localhost:8001"],
        });
        let made = self.call(Method::POST, "/api/v1/admin/clients", admin, body).await;
        made.expect(201).text("/client_secret")
    }

    /// The answer to a request of a client for a token of its own.
    pub async fn own_token(&self, client: (&str, &str), scope: Option<&str>) -> Answer {
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(scope.map(|scope| ("scope", scope)));
        self.form_as(client, "/oauth2/token", &form).await
    }

    /// Signs somebody in through a client that proves itself.
    pub async fn sign_in_at(&self, client: (&str, &str), who: (&str, &str)) -> Tokens {
        let form = [("grant_type", "password"), ("username", who.0), ("password", who.1)];
        self.form_as(client, "/oauth2/token", &form).await.tokens()
    }

    /// What a client is told about a token.
    pub async fn introspect(&self, client: (&str, &str), token: &str) -> Value {
        let answer = self.form_as(client, "/oauth2/introspect", &[("token", token)]).await;
        answer.expect(200).json()
    }

    /// Writes a password hash that another system made.
    pub async fn import_hash(&self, user: &str, hash: &str) {
        let (id, hash, now) =
            (user.parse::<UserId>().unwrap(), hash.to_owned(), self.app.clock.now());
        let written = self.app.store.write(move |tx| {
            passwords::put(tx, &id, &hash, now)?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test imports a hash")))
        });
        written.await.unwrap();
    }

    /// The stored password hash of somebody.
    pub async fn stored_hash(&self, user: &str) -> String {
        let id = user.parse::<UserId>().unwrap();
        self.app.store.read(move |tx| passwords::find(tx, &id)).await.unwrap().unwrap()
    }

    /// The rows behind an access token.
    pub async fn rows_of(&self, token: &str) -> (User, Session, Grant) {
        let claims = claims(token);
        let text = |name: &str| claims[name].as_str().unwrap().to_owned();
        let user: UserId = text("sub").parse().unwrap();
        let (sid, gid): (SessionId, GrantId) =
            (text("sid").parse().unwrap(), text("gid").parse().unwrap());
        let look = self.app.store.read(move |tx| {
            let session = sessions::find(tx, &user, &sid)?.unwrap();
            let (grant, _) = grants::find(tx, &user, &gid)?.unwrap();
            Ok::<_, StoreError>((users::find(tx, &user)?.unwrap(), session, grant))
        });
        look.await.unwrap()
    }

    /// Signs somebody in who has no password, just like the owner of `token`.
    pub async fn sign_in_like(&self, user: &str, token: &str) -> Tokens {
        let user_id = user.parse::<UserId>().unwrap();
        let (_, session, grant) = self.rows_of(token).await;
        let session = Session { user_id, ..session };
        let grant = Grant { user_id, ..grant };
        let refresh = grant.token().seal(&self.app.snapshot().keys.refresh);
        let written = self.app.store.write(move |tx| {
            sessions::insert(tx, &session)?;
            grants::insert(tx, &grant)?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test signs somebody in")))
        });
        written.await.unwrap();
        self.refresh(refresh.reveal()).await.tokens()
    }

    /// Changes a setting, as the command line does.
    pub async fn set(&self, name: &'static str, value: &str) {
        let (value, now) = (json!(value).to_string(), self.app.clock.now());
        let written = self.app.store.write(move |tx| {
            settings::put(tx, name, &value, now)?;
            Ok::<_, StoreError>(Committed::new((), Audit::Routine("a test changes a setting")))
        });
        written.await.unwrap();
        self.app.catch_up().await.unwrap();
    }
}

/// The `sub` of a token.
pub fn subject(token: &str) -> String {
    claims(token)["sub"].as_str().unwrap().to_owned()
}

//! Who calls our own APIs: a genuine token (by our own verifier), and what it stands for today,
//! read in the same transaction as whatever is done.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use munjigi_core::access::{Caller, Decision, Object, authorize};
use munjigi_core::account::user::User;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::id::{ClientId, GrantId, SessionId, UserId};
use munjigi_core::oauth::client::{GrantType, Party};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::time::Timestamp;
use munjigi_store::{ReadTx, StoreError, grants};
use munjigi_verify::{Anyone, Refusal, Refused};

use crate::addresses::{self, Denied, Limit};
use crate::app::App;
use crate::attempts::record;
use crate::builtin::ADMIN_SCOPE;
use crate::context::{Context, Needed};
use crate::extract::dpop::{self, USED_BEFORE};
use crate::failure::Failure;
use crate::reply::problem::{Problem, Undone};

/// One sentence for every way in which a genuine token can be over.
const OVER: &str = "the token is no longer valid; sign in again";

/// How much of a path the audit trail is told.
const ASKED_CHARS: usize = 200;

/// Why a caller is not let in: by the verifier, or by us.
#[derive(Debug)]
pub enum Rejected {
    /// No token, or one that is no good: RFC 6750, in the verifier's own words.
    Token(Refused),
    /// A good token that is not enough.
    Problem(Problem),
}

impl From<Refused> for Rejected {
    fn from(refused: Refused) -> Self {
        Self::Token(refused)
    }
}

impl From<Problem> for Rejected {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

impl IntoResponse for Rejected {
    fn into_response(self) -> Response {
        match self {
            Self::Token(refused) => refused.into_response(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

/// Whoever has a good token and, if it is bound to a key, has shown that they have the key: once,
/// to whichever node (RFC 9449 §11.1).
pub struct Anybody(pub munjigi_verify::Caller);

impl FromRequestParts<App> for Anybody {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let context = Context::from_request_parts(parts, app).await?;
        let again = || context.event(Kind::DpopProofReused, Actor::Anonymous);
        let found = munjigi_verify::Caller::<Anyone>::from_request_parts(parts, app).await;
        if let Err(refused) = &found
            && *refused.refusal() == Refusal::ProofReplayed
        {
            // This very node has seen it before.
            let again = again().map_err(Problem::from)?.refused(USED_BEFORE);
            let counted = addresses::count(app, &context, Limit::Request).await;
            counted.map_err(Problem::from)?;
            record(app, again).await.map_err(Problem::from)?;
        }
        let caller = found?;
        if caller.jkt().is_some() {
            let again = again().map_err(Problem::from)?.refused(USED_BEFORE);
            let again = match bearer(&caller)? {
                Some(person) => again.subject(person.user_id),
                None => again,
            };
            let spent = dpop::spend_at_api(app, &context, parts, again).await;
            if !spent.map_err(Problem::from)? {
                return Err(Problem::unauthorized(USED_BEFORE).into());
            }
        }
        Ok(Self(caller))
    }
}

/// A person, as their token names them. What is true of them today, `load` tells.
#[derive(Clone, Debug)]
pub struct Bearer {
    /// The `sub`.
    pub user_id: UserId,
    /// The `gid`.
    pub grant_id: GrantId,
    /// The `sid`.
    pub session_id: SessionId,
}

/// A person who signed in, calling the account API.
pub struct SignedIn {
    /// Who.
    pub bearer: Bearer,
    /// The request around it.
    pub context: Context,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let context = Context::from_request_parts(parts, app).await?;
        let Anybody(caller) = Anybody::from_request_parts(parts, app).await?;
        let bearer = bearer(&caller)?;
        let person = || Problem::forbidden("this is for people; the token is a client's own");
        let bearer = bearer.ok_or_else(person)?;
        // Somebody else's client may know a person; it must not run their account.
        let client = app.snapshot_kept().clients.get(caller.client_id()).cloned();
        if client.is_none_or(|client| client.party != Party::First) {
            let detail = "the account API is for first-party clients";
            return Err(Problem::forbidden(detail).into());
        }
        Ok(Self { bearer, context })
    }
}

/// Somebody who calls the admin API: a person, or a client on its own behalf.
#[derive(Clone)]
pub struct Admin {
    who: Who,
    /// The method and the path, for the audit trail.
    asked: String,
    /// The request around it.
    pub context: Context,
}

#[derive(Clone)]
enum Who {
    Person(Bearer),
    Client(ClientId, Caller),
}

impl FromRequestParts<App> for Admin {
    type Rejection = Rejected;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Rejected> {
        let context = Context::from_request_parts(parts, app).await?;
        let Anybody(caller) = Anybody::from_request_parts(parts, app).await?;
        let who = match bearer(&caller)? {
            Some(bearer) => Who::Person(bearer),
            None => {
                let (id, caller) = client(app, &caller)?;
                Who::Client(id, caller)
            }
        };
        let asked = format!("{} {}", parts.method, parts.uri.path());
        let asked = asked.chars().take(ASKED_CHARS).collect();
        let admin = Self { who, asked, context };
        if !caller.has_scope(ADMIN_SCOPE) {
            let detail = "the token lacks the scope `admin`, which a role has to carry";
            return Err(admin.refused(app, Problem::forbidden(detail)).await.into());
        }
        admin.enter(app, parts.extensions.get::<Needed>().copied()).await?;
        Ok(admin)
    }
}

/// The person behind a token; none when it is a client's own (RFC 9068 §2.2: then `sub` is the
/// client).
pub fn bearer(caller: &munjigi_verify::Caller) -> Result<Option<Bearer>, Problem> {
    if caller.sub() == caller.client_id() {
        return Ok(None);
    }
    let unreadable = |_| Problem::unauthorized(OVER);
    let claim = |value: Option<&str>| value.unwrap_or_default().to_owned();
    Ok(Some(Bearer {
        user_id: caller.sub().parse().map_err(unreadable)?,
        grant_id: claim(caller.gid()).parse().map_err(unreadable)?,
        session_id: claim(caller.sid()).parse().map_err(unreadable)?,
    }))
}

/// The client behind a token that is its own. Its permissions are the scopes of its token that are
/// permissions: `users:read` and so on, as long as the client is enabled and still has them.
pub fn client(app: &App, caller: &munjigi_verify::Caller) -> Result<(ClientId, Caller), Problem> {
    let over = || Problem::unauthorized(OVER);
    let id: ClientId = caller.sub().parse().map_err(|_| over())?;
    let client = app.snapshot().clients.get(&id).cloned().ok_or_else(over)?;
    if client.is_disabled() || client.may_use(GrantType::ClientCredentials).is_err() {
        return Err(over());
    }
    let scope = client.scope.only(|name| caller.has_scope(name));
    let permissions = scope.names().filter_map(|name| name.parse().ok()).collect();
    Ok((id, Caller { user_id: None, permissions, scope }))
}

/// The person behind a token as they are now; `None` when the account is gone or disabled, or
/// what the token stood for was ended.
pub fn load(
    tx: &mut ReadTx<'_>,
    bearer: &Bearer,
    now: Timestamp,
) -> Result<Option<User>, StoreError> {
    Ok(load_with_grant(tx, bearer, now)?.map(|(_, user)| user))
}

/// The same with the grant that the token stands for.
pub fn load_with_grant(
    tx: &mut ReadTx<'_>,
    bearer: &Bearer,
    now: Timestamp,
) -> Result<Option<(Grant, User)>, StoreError> {
    let found = grants::find_with_user(tx, &bearer.user_id, &bearer.grant_id)?;
    let Some(grants::Found { grant, standing, user, .. }) = found else { return Ok(None) };
    let is_over = grant.revoked_at.is_some() || grant.dead(&standing, now).is_some();
    Ok(Some((grant, user)).filter(|_| !is_over))
}

/// The problem of a token that is genuine and over.
pub fn over() -> Problem {
    Problem::unauthorized(OVER)
}

impl Admin {
    /// The door: whoever may not do what the route is for learns nothing of what is behind it, not
    /// even whether their body is well formed. The permission is read once more in the transaction
    /// in which it is used.
    async fn enter(&self, app: &App, needed: Option<Needed>) -> Result<(), Problem> {
        let Some(Needed(permission)) = needed else {
            return Err(Failure::Damaged("a route that declares no permission").into());
        };
        let (app_in, admin) = (app.clone(), self.clone());
        let checked = app.store.read(move |tx| {
            admin.check(&app_in, tx, permission, Object::Collection)?;
            Ok::<_, Undone>(())
        });
        match checked.await.map_err(Problem::from) {
            Err(problem) if problem.status == StatusCode::FORBIDDEN => {
                Err(self.refused(app, problem).await)
            }
            checked => checked,
        }
    }

    /// Who it is, for the audit trail.
    pub fn actor(&self) -> Actor {
        match &self.who {
            Who::Person(bearer) => Actor::User(bearer.user_id),
            Who::Client(id, _) => Actor::Client(id.clone()),
        }
    }

    /// The same problem, after the audit trail was told that this caller asked for more than they
    /// may; another one when they did so too often, and the trail is told no more.
    pub async fn refused(&self, app: &App, problem: Problem) -> Problem {
        let told = async {
            let actor = self.actor();
            // Anybody who is signed in can cause any number of these.
            addresses::count_caller(app, &self.context, (Limit::Request, &actor)).await?;
            let event = self.context.event(Kind::AccessRefused, actor)?;
            let event = event.refused("not permitted").with("asked", &self.asked);
            record(app, event.with("missing", &problem.detail)).await?;
            Ok::<_, Denied>(())
        };
        match told.await {
            Ok(()) => problem,
            Err(denied) => denied.into(),
        }
    }

    /// What they may do today, read in the transaction in which they do it; `None` when what
    /// their token stood for is over.
    pub fn load(&self, app: &App, tx: &mut ReadTx<'_>) -> Result<Option<Caller>, StoreError> {
        match &self.who {
            Who::Client(_, caller) => Ok(Some(caller.clone())),
            Who::Person(bearer) => {
                let user = load(tx, bearer, self.context.now)?;
                Ok(user.map(|user| app.snapshot().caller(user.id, &user.roles)))
            }
        }
    }

    /// Checks one permission, in the transaction in which it is used.
    pub fn check(
        &self,
        app: &App,
        tx: &mut ReadTx<'_>,
        permission: &'static str,
        object: Object<'_>,
    ) -> Result<Caller, Undone> {
        let caller = self.load(app, tx)?.ok_or_else(over)?;
        munjigi_core::planted!("role_unchecked_on_one_route", {
            if self.asked == "GET /api/v1/admin/stats" {
                return Ok(caller);
            }
        });
        decided(authorize(&caller, permission, object))?;
        Ok(caller)
    }
}

/// A decision as a refusal.
pub fn decided(decision: Decision) -> Result<(), Problem> {
    match decision {
        Decision::Allow => Ok(()),
        Decision::Missing(name) => {
            Err(Problem::forbidden(format!("this needs the permission `{name}`")))
        }
        Decision::Beyond => {
            Err(Problem::forbidden("this reaches further than your own permissions do"))
        }
    }
}

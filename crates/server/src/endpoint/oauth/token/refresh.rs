//! The `refresh_token` grant (RFC 6749 §6): rotation that never logs out the innocent, and catches
//! the thief.

use std::collections::BTreeSet;
use std::sync::Arc;

use munjigi_core::account::user::User;
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::api::{Audience, Target};
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::dpop::Possession;
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::grant::{Circumstances, Grant, Lifetimes, Presented};
use munjigi_core::oauth::refresh::RefreshToken;
use munjigi_core::oauth::revocation::{self, Revocation};
use munjigi_core::oauth::scope::Scope;
use munjigi_core::secret::Secret;
use munjigi_core::time::Timestamp;
use munjigi_store::outbox::Parcel;
use munjigi_store::{Audit, Committed, StoreError, Tx, grants, outbox as sending, revocations};

use crate::addresses::Trail;
use crate::app::App;
use crate::context::Context;
use crate::endpoint::oauth::token::Asked;
use crate::id_token::IdToken;
use crate::issue::{self, TokenResponse, UserToken};
use crate::mail::{About, Link};
use crate::page::locale::Locale;
use crate::reply::oauth::OAuthError;
use crate::snapshot::Snapshot;
use crate::{mailed_link, outbox};

/// What a refresh comes to.
#[derive(Clone)]
enum Refreshed {
    With(Box<Renewed>),
    Stolen(Revocation),
    Refuse(OAuthRefusal),
}

/// What the new access token is made of.
#[derive(Clone)]
struct Renewed {
    grant: Grant,
    user: User,
    amr: String,
    scope: Scope,
    target: Target,
}

/// What the transaction needs besides the rows.
#[derive(Clone)]
struct Rotation {
    /// Seals the mail about a theft.
    app: App,
    snapshot: Arc<Snapshot>,
    asked_scope: Option<Scope>,
    asked_resources: Vec<Audience>,
    presented: RefreshToken,
    jkt: Option<String>,
    client: Client,
    lifetimes: Lifetimes,
    theft: Event,
    refused: Event,
    trail: Trail,
    ended: Revocation,
    now: Timestamp,
}

/// Answers a refresh. The client has proved who it is.
pub async fn refresh(
    app: &App,
    context: &Context,
    client: &Client,
    (token, asked, jkt, trail): (&Secret, Asked, Option<String>, Trail),
) -> Result<TokenResponse, OAuthError> {
    client.may_use(GrantType::RefreshToken)?;
    let (snapshot, now) = (app.snapshot_kept(), context.now);
    // A wrong MAC never reaches the database, nor the trail: anybody can make any number of them.
    let presented = RefreshToken::open(&snapshot.keys.refresh, token.reveal())?;
    let not_before = issue::floor_of(app, &presented.user_id, client);

    let theft = context.event(Kind::RefreshReused, Actor::Client(client.id.clone()))?;
    let refused = context.event(Kind::RefreshRefused, Actor::Client(client.id.clone()))?;
    let refused = refused.subject(presented.user_id).client(client.id.clone());
    let theft = theft.subject(presented.user_id).client(client.id.clone());
    let audience = |name: &String| issue::audience(app, &snapshot, name);
    let rotation = Rotation {
        app: app.clone(),
        snapshot: Arc::clone(&snapshot),
        asked_scope: parse_scope(asked.scope.as_deref())?,
        asked_resources: asked.resources.iter().map(audience).collect(),
        refused: refused.with("gid", presented.grant_id),
        theft: theft.with("gid", presented.grant_id).with("generation", presented.generation),
        trail,
        ended: Revocation::now(
            revocation::Kind::Grant,
            presented.grant_id,
            now,
            snapshot.longest_ttl(),
        ),
        lifetimes: snapshot.settings.lifetimes(),
        client: client.clone(),
        presented,
        jkt: jkt.clone(),
        now,
    };
    let outcome = app.store.write(move |tx| rotate(tx, &rotation)).await?;

    let Renewed { grant, user, amr, scope, target } = match outcome {
        Refreshed::With(renewed) => *renewed,
        Refreshed::Stolen(revocation) => {
            app.take_over(&revocation);
            outbox::wake(app);
            return Err(invalid_grant("refresh token was used before").into());
        }
        Refreshed::Refuse(refusal) => return Err(refusal.into()),
    };
    let scope = issue::granted_scope(&snapshot, &user, &scope);
    let token = UserToken { target: &target, scope: &scope, now, not_before, jkt: jkt.as_deref() };
    let response = issue::response(app, &snapshot, &user, &grant, token)?;
    // OpenID Connect Core §12.2: of the sign-in that the first one told of, without its nonce.
    let id_token = IdToken {
        client,
        user: &user,
        session_id: grant.session_id,
        amr: &amr,
        authenticated_at: grant.authenticated_at,
        nonce: None,
        scope: &scope,
        claims: grant.claims.as_ref(),
        access_token: &response.access_token,
        now,
    };
    let id_token = id_token.due(app, &snapshot)?;
    Ok(TokenResponse { id_token, ..response })
}

const fn invalid_grant(why: &'static str) -> OAuthRefusal {
    OAuthRefusal::new(ErrorCode::InvalidGrant, why)
}

/// One presentation of a refresh token, in one transaction.
fn rotate(tx: &mut Tx<'_>, rotation: &Rotation) -> Result<Committed<Refreshed>, StoreError> {
    let Rotation { presented, client, lifetimes, now, .. } = rotation;
    let refuse = |refusal: OAuthRefusal| {
        let event = rotation.refused.clone().refused(refusal.description);
        Ok(rotation.trail.refused(Refreshed::Refuse(refusal), event))
    };
    let unknown = invalid_grant("refresh token is unknown");
    // The row brings the state of its user and session along: a disabled user has no live grant.
    let found = grants::find_with_user(tx, &presented.user_id, &presented.grant_id)?;
    let Some(grants::Found { grant, standing, user, amr }) = found else {
        return refuse(unknown);
    };
    let around = Circumstances { client, standing, lifetimes: *lifetimes, now: *now };
    let meaning = grant.present(presented, &around);
    let jkt = rotation.jkt.as_deref();
    let possession = Possession::of_refresh(client, grant.dpop_jkt.as_deref()).admits(jkt);
    let renewed = match possession.and_then(|()| narrowed(rotation, &grant)) {
        Ok((scope, target)) => Renewed { grant, user, amr, scope, target },
        // The key is another one, or more is asked for than was granted, or than there is by now:
        // nothing is spent by it, but a theft stays a theft.
        Err(refusal) if meaning != Presented::Stolen => return refuse(refusal),
        Err(_) => return steal(tx, rotation, &user),
    };

    match meaning {
        Presented::Rotate => {
            let grant = bound(renewed.grant, rotation);
            let grant = grants::advance(tx, grant, lifetimes, *now)?;
            let with = Refreshed::With(Box::new(Renewed { grant, ..renewed }));
            Ok(Committed::new(with, Audit::Routine("a refresh token is rotated")))
        }
        // A lost reply or a second tab: the same successor again.
        Presented::ReplayOfLast => Ok(Committed::nothing(Refreshed::With(Box::new(renewed)))),
        Presented::Stolen => steal(tx, rotation, &renewed.user),
        Presented::Refuse(reason) => refuse(invalid_grant(reason)),
    }
}

/// RFC 9449 §5: the refresh token of a public client is bound to the key of the proof that came
/// with the request for it; one that was bound to none is from now on.
fn bound(grant: Grant, rotation: &Rotation) -> Grant {
    let is_new = grant.dpop_jkt.is_none() && rotation.client.is_public();
    let dpop_jkt = if is_new { rotation.jkt.clone() } else { grant.dpop_jkt };
    Grant { dpop_jkt, ..grant }
}

/// A copy exists: the grant dies, everywhere, its owner is told, and the trail says so. All of it
/// in the transaction that sees it, since whoever presents the copy may hang up.
fn steal(
    tx: &mut Tx<'_>,
    rotation: &Rotation,
    owner: &User,
) -> Result<Committed<Refreshed>, StoreError> {
    let Rotation { presented, ended, theft, now, .. } = rotation;
    if let Some(parcel) = notice(rotation, owner) {
        sending::insert(tx, &parcel)?;
    }
    grants::revoke(tx, &presented.user_id, &presented.grant_id, *now)?;
    let seq = revocations::announce(tx, ended)?;
    let stolen = Refreshed::Stolen(Revocation { seq, ..ended.clone() });
    Ok(Committed::new(stolen, Audit::Record(Box::new(theft.clone()))))
}

/// What the owner is told (RT-01 of the attack kit, ASVS 6.3.7). A mail that cannot be written
/// keeps no thief in.
fn notice(rotation: &Rotation, owner: &User) -> Option<Parcel> {
    let app = &rotation.app;
    let about = About::RefreshReused {
        client_name: rotation.client.name.clone(),
        at_millis: rotation.now.as_millis(),
        account: Link::to(&app.config, "/account/applications", &[]),
    };
    mailed_link::letter(app, owner, Locale::English, about).unwrap_or_else(|error| {
        tracing::error!(%error, "the owner of a stolen refresh token cannot be told");
        None
    })
}

fn parse_scope(asked: Option<&str>) -> Result<Option<Scope>, OAuthRefusal> {
    let malformed =
        OAuthRefusal::new(ErrorCode::InvalidScope, "the scope is malformed or too large");
    asked.map(|text| text.parse().map_err(|_| malformed)).transpose()
}

/// What the new access token may hold and whom it is for.
fn narrowed(rotation: &Rotation, grant: &Grant) -> Result<(Scope, Target), OAuthRefusal> {
    let scope = match &rotation.asked_scope {
        None => grant.scope.clone(),
        Some(asked) if asked.within(&grant.scope) => asked.clone(),
        // RFC 6749 §6: the scope "MUST NOT include any scope not originally granted".
        Some(_) => {
            let why = "the scope holds more than was granted";
            return Err(OAuthRefusal::new(ErrorCode::InvalidScope, why));
        }
    };
    // What was taken from the client since is not in its tokens any more.
    let scope = scope.common(&rotation.client.scope);
    let asked = &rotation.asked_resources;
    if asked.iter().any(|name| !grant.audiences.contains(name)) {
        // RFC 8707 §2.2: the resources have to be among those that were granted.
        let why = "the resource is not among those that were granted";
        return Err(OAuthRefusal::new(ErrorCode::InvalidTarget, why));
    }
    let audiences: Vec<Audience> = match asked.as_slice() {
        // An API that was deleted or disabled since is left out: it ends nobody's other sign-ins.
        [] => grant.audiences.iter().filter(|it| rotation.snapshot.is_live(it)).cloned().collect(),
        asked => asked.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect(),
    };
    Ok((scope, issue::target_of(&rotation.snapshot, &audiences, rotation.now)?))
}

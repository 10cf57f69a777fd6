//! Sign-in by password: for the account API and for the password grant alike, so that no check
//! stands on one path and is missing on the other.

use std::sync::Arc;
use std::time::Duration;

use munjigi_core::account::user::{Session, User};
use munjigi_core::account::{Email, Password, StoredHash, Username};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::client::{Client, GrantType};
use munjigi_core::oauth::dpop::Possession;
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::Timestamp;
use munjigi_store::{
    Audit, Committed, StoreError, Tx, grants, passwords, sessions, throttles, users,
};

use crate::addresses::{self, Denied, Limit};
use crate::app::App;
use crate::attempts::{
    Account, Counted, Ledger, count, give_back, is_at_home, record, wait_of_account,
};
use crate::clock;
use crate::context::Context;
use crate::failure::Failure;
use crate::issue::{self, TokenResponse, UserToken};
use crate::known_device::KnownDevice;
use crate::metrics::SignInOutcome;
use crate::outbox;
use crate::random;
use crate::reply::wait::Wait;
use crate::session_limit::SessionLimit;
use crate::snapshot::Snapshot;

/// A password, as one of the ways to prove who one is (RFC 8176 §2).
pub(crate) const PASSWORD: &str = "pwd";

/// After how long, or a multiple of it, a guess that is put off is answered: no hash hides what
/// there is to read and to write for an account and not for none (LG-02 of the attack kit).
const PUT_OFF_AFTER: Duration = Duration::from_millis(50);

/// What somebody typed to say who they are. It is not known yet whether there is such an account.
#[derive(Clone)]
pub enum Login {
    /// It has an `@`: an address. A user name cannot look like one.
    Email(Email),
    /// It has none: a user name.
    Username(Username),
    /// It can be nobody's; the same work is done for it all the same.
    Nobody(String),
}

impl Login {
    /// Reads what was typed.
    pub fn parse(text: &str) -> Self {
        if let Ok(username) = Username::parse(text) {
            return Self::Username(username);
        }
        let nobody = |_| Self::Nobody(text.chars().take(320).collect());
        Email::parse(text).map_or_else(nobody, Self::Email)
    }

    /// The form under which attempts at nobody's account are counted.
    pub fn canonical(&self) -> &str {
        match self {
            Self::Email(email) => email.canonical(),
            Self::Username(username) => username.canonical(),
            Self::Nobody(text) => text,
        }
    }

    /// Whether it is a name of this person.
    pub fn is_of(&self, user: &User) -> bool {
        match self {
            Self::Email(email) => email.canonical() == user.email_canonical,
            Self::Username(name) => Some(name.canonical()) == user.username_canonical.as_deref(),
            Self::Nobody(_) => false,
        }
    }
}

/// A request to sign in.
pub struct SignInRequest {
    /// Who they say they are.
    pub login: Login,
    /// What they typed as their password; `None` when it cannot be anybody's.
    pub password: Option<Password>,
    /// The client that they use.
    pub client: Arc<Client>,
    /// What the client asks for; its own scope when absent.
    pub scope: Option<String>,
    /// The APIs that it asks for; its own list when empty.
    pub resources: Vec<String>,
    /// With what they came.
    pub user_agent: Option<String>,
    /// The thumbprint of the key of the DPoP proof.
    pub jkt: Option<String>,
}

/// Why somebody was not signed in.
#[derive(Debug)]
pub enum SignInError {
    /// Anything about the person or the password: one answer for all causes.
    Refused,
    /// Too many attempts.
    Throttled(Wait),
    /// The client asked for something that it may not have.
    Client(OAuthRefusal),
    /// Something unforeseen.
    Failure(Failure),
}

impl<E: Into<Failure>> From<E> for SignInError {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl From<Denied> for SignInError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Throttled(wait) => Self::Throttled(wait),
            Denied::Failure(failure) => Self::Failure(failure),
        }
    }
}

/// What the client may have, decided before anything is said about the person.
struct Wanted {
    audiences: Vec<Audience>,
    scope: Scope,
}

/// A person who has shown the right password.
#[derive(Clone)]
pub(crate) struct Proved {
    /// Who.
    pub user: User,
    /// The hash that was right, and the one to replace it with.
    rehash: Option<(String, String)>,
    /// Where the guess was counted.
    ledger: Ledger,
}

impl Proved {
    /// Writes what goes with a sign-in: the ledger is cleared, and an old hash brought up to date.
    /// It is too late when the account was disabled, deleted, given up or given another password
    /// while the hash was computed: then nothing may be written.
    pub fn write(&self, tx: &mut Tx<'_>, now: Timestamp) -> Result<Written, StoreError> {
        let still = users::find(tx, &self.user.id)?;
        let changed = |user: &User| {
            user.password_changed_at != self.user.password_changed_at
                || user.deletion_due_at != self.user.deletion_due_at
        };
        if still.is_none_or(|user| user.disabled_at.is_some() || changed(&user)) {
            return Ok(Written::TooLate);
        }
        throttles::clear(tx, self.ledger.hash())?;
        if let Some((old, new)) = &self.rehash {
            // Guarded by the old hash: a password that was changed meanwhile stays changed.
            let replaced = passwords::replace(tx, &self.user.id, old, new, now)?;
            return Ok(Written::Done { rehashed: replaced });
        }
        Ok(Written::Done { rehashed: false })
    }

    /// The event of a renewed hash, if it is to be renewed.
    pub fn rehash_event(&self, context: &Context) -> Result<Option<Event>, random::NoRandomness> {
        if self.rehash.is_none() {
            return Ok(None);
        }
        let event = context.event(Kind::PasswordRehashed, Actor::System)?;
        Ok(Some(event.subject(self.user.id)))
    }
}

/// What came of writing that somebody has proved who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It stands, and so may the sign-in.
    Done {
        /// Whether the hash was replaced, too.
        rehashed: bool,
    },
    /// The account is not what it was any more.
    TooLate,
}

/// Everything that a sign-in writes, made before the transaction.
#[derive(Clone)]
struct Opening {
    session: Session,
    grant: Grant,
    proved: Proved,
    event: Event,
    rehash_event: Option<Event>,
    limit: SessionLimit,
}

/// Signs somebody in, or refuses with one answer for all causes.
pub async fn sign_in(
    app: &App,
    context: &Context,
    request: SignInRequest,
) -> Result<TokenResponse, SignInError> {
    // product.md (b): passwords are for first-party clients that were given them by name.
    request.client.may_use(GrantType::Password).map_err(SignInError::Client)?;
    let possession = Possession::of_client(&request.client).admits(request.jkt.as_deref());
    possession.map_err(SignInError::Client)?;
    let snapshot = app.snapshot_kept();
    let wanted = wanted(app, &snapshot, &request).map_err(SignInError::Client)?;
    issue::target_of(&snapshot, &wanted.audiences, context.now).map_err(SignInError::Client)?;

    let presented = Presented {
        login: &request.login,
        password: request.password.clone(),
        client: Some(&request.client),
        device: None,
    };
    let proved = prove(app, context, presented).await?;

    let user = proved.user.clone();
    if user.is_leaving() {
        // Only on a page they can take that back; the guess was a right one, and is none.
        give_back(app, proved.ledger).await?;
        let refused =
            refusal(context, Some(&request.client), Some(&user), "the account is given up")?;
        record(app, refused).await?;
        return Err(SignInError::Refused);
    }
    // While the hash was computed, another node may have ended the client, an API or a role.
    app.be_current().await?;
    let snapshot = app.snapshot_kept();
    if snapshot.clients.get(&request.client.id).is_none_or(|client| client.is_disabled()) {
        give_back(app, proved.ledger).await?;
        let why = "the client has ended";
        return Err(SignInError::Client(OAuthRefusal::new(ErrorCode::UnauthorizedClient, why)));
    }
    let target = issue::target_of(&snapshot, &wanted.audiences, context.now);
    let target = target.map_err(SignInError::Client)?;
    let not_before = issue::floor_of(app, &user.id, &request.client);
    let limit = SessionLimit::of(app, context)?;
    let opening = opening(context, &snapshot, &request, (proved, limit), wanted)?;
    let grant = opening.grant.clone();
    if !open(app, opening).await? {
        return Err(SignInError::Refused);
    }

    let now = context.now;
    let asked = UserToken {
        target: &target,
        scope: &grant.scope,
        now,
        not_before,
        jkt: grant.dpop_jkt.as_deref(),
    };
    Ok(issue::response(app, &snapshot, &user, &grant, asked)?)
}

fn wanted(app: &App, snapshot: &Snapshot, request: &SignInRequest) -> Result<Wanted, OAuthRefusal> {
    let resources = request.resources.iter().map(String::as_str);
    let audiences = issue::audiences(app, snapshot, &request.client, resources)?;
    let scope = Scope::asked(request.scope.as_deref(), &request.client.scope)?;
    Ok(Wanted { audiences, scope })
}

fn refusal(
    context: &Context,
    client: Option<&Client>,
    subject: Option<&User>,
    reason: &'static str,
) -> Result<Event, random::NoRandomness> {
    let event = context.event(Kind::SignInRefused, Actor::Anonymous)?.refused(reason);
    let event = match client {
        Some(client) => event.client(client.id.clone()),
        None => event,
    };
    Ok(match subject {
        Some(user) => event.subject(user.id),
        None => event,
    })
}

/// A person's name and password, as they were presented.
pub(crate) struct Presented<'p> {
    /// Who they say they are.
    pub login: &'p Login,
    /// What they typed as their password; `None` when it cannot be anybody's.
    pub password: Option<Password>,
    /// The client whose form it is; `None` for our own pages.
    pub client: Option<&'p Client>,
    /// The device, if it is known.
    pub device: Option<&'p KnownDevice>,
}

/// Lets one guess be made, and says whether it was right. Every refusal is audited; whoever is
/// proved still has to be written down ([`Proved::write`]), which clears the ledger.
pub(crate) async fn prove(
    app: &App,
    context: &Context,
    presented: Presented<'_>,
) -> Result<Proved, SignInError> {
    let Presented { login, password, client, device } = presented;
    if let Err(denied) = addresses::look(app, context, Limit::Password)
        && !is_at_home(app, login, device).await?
    {
        app.metrics.signed_in(SignInOutcome::Throttled);
        return Err(denied.into());
    }
    let began = clock::stopwatch();
    let throttled = refusal(context, client, None, "too many attempts")?;
    let counted = count(app, context, (login, device), throttled).await;
    if !matches!(counted, Ok(Counted::Go { .. })) {
        clock::even_out(began, PUT_OFF_AFTER).await;
    }
    let (account, ledger) = match counted? {
        Counted::Go { account, ledger } => (account, ledger),
        Counted::Throttled { until, ledger, .. } => {
            app.metrics.signed_in(SignInOutcome::Throttled);
            return Err(SignInError::Throttled(wait_of_account(app, &ledger, until)));
        }
    };
    let subject = account.as_ref().map(|account| account.user.clone());
    match examine(app, account, password).await {
        Ok(Some((user, rehash))) => {
            app.metrics.signed_in(SignInOutcome::Proved);
            Ok(Proved { user, rehash, ledger })
        }
        Ok(None) => {
            app.metrics.signed_in(SignInOutcome::Refused);
            addresses::count_guess(app, context, &ledger).await?;
            record(app, refusal(context, client, subject.as_ref(), "wrong credentials")?).await?;
            Err(SignInError::Refused)
        }
        Err(failure) => {
            app.metrics.signed_in(SignInOutcome::Failed);
            // Nobody looked at the guess: it was none.
            give_back(app, ledger).await?;
            Err(failure.into())
        }
    }
}

/// Checks the password. Whatever the reason for a no, the same work was done for it: an account
/// that does not exist, is disabled or has no password costs one hash like any other.
async fn examine(
    app: &App,
    account: Option<Box<Account>>,
    password: Option<Password>,
) -> Result<Option<(User, Option<(String, String)>)>, Failure> {
    let (user, stored_text) = account.map_or((None, None), |it| (Some(it.user), it.hash));
    munjigi_core::planted!("password_not_compared", return Ok(user.map(|user| (user, None))));
    let user = user.filter(|user| user.disabled_at.is_none());
    munjigi_core::planted!(
        "dummy_hash_skipped",
        if user.is_none() {
            return Ok(None);
        }
    );
    let stored = match &stored_text {
        Some(text) if user.is_some() => {
            Some(StoredHash::parse(text).map_err(|_| Failure::Damaged("password hash"))?)
        }
        _ => None,
    };
    let outdated = stored.as_ref().is_some_and(|hash| hash.needs_rehash(&app.hashing.params()));
    let Some(password) = password else {
        app.hashing.verify(None, None).await?;
        return Ok(None);
    };
    let equal = app.hashing.verify(Some(password.clone()), stored).await?;
    let (true, Some(user), Some(old)) = (equal, user, stored_text) else { return Ok(None) };

    let rehash = match outdated {
        true => Some((old, app.hashing.hash(password).await?.to_string())),
        false => None,
    };
    Ok(Some((user, rehash)))
}

fn opening(
    context: &Context,
    snapshot: &Snapshot,
    request: &SignInRequest,
    (proved, limit): (Proved, SessionLimit),
    wanted: Wanted,
) -> Result<Opening, Failure> {
    let (now, settings) = (context.now, &snapshot.settings);
    let user = &proved.user;
    let expires_at = now.plus(settings.refresh_ttl);
    let session = Session {
        user_id: user.id,
        id: random::session_id(now)?,
        authenticated_at: now,
        created_at: now,
        used_at: now,
        expires_at,
        ended_at: None,
        address: context.address,
        user_agent: request.user_agent.clone(),
        amr: PASSWORD.to_owned(),
        browser: None,
    };
    let grant = Grant {
        user_id: user.id,
        id: random::grant_id(now)?,
        client_id: request.client.id.clone(),
        session_id: session.id,
        scope: issue::granted_scope(snapshot, user, &wanted.scope),
        audiences: wanted.audiences,
        generation: 1,
        nonce: random::bytes()?,
        authenticated_at: now,
        created_at: now,
        rotated_at: None,
        idle_expires_at: now.plus(settings.refresh_idle_ttl).min(expires_at),
        expires_at,
        revoked_at: None,
        claims: None,
        dpop_jkt: request.jkt.clone(),
    };
    let event = context.event(Kind::SignedIn, Actor::User(user.id))?;
    let event = event.subject(user.id).client(grant.client_id.clone());
    let event = event.with("sid", session.id).with("gid", grant.id).with("method", "password");
    let rehash_event = proved.rehash_event(context)?;
    Ok(Opening { session, grant, proved, event, rehash_event, limit })
}

/// Writes the sign-in. `false` when the account was disabled, deleted or given another password
/// while the hash was computed.
async fn open(app: &App, opening: Opening) -> Result<bool, Failure> {
    let written = app.store.write(move |tx| {
        let Opening { session, grant, proved, event, rehash_event, limit } = &opening;
        let Written::Done { rehashed } = proved.write(tx, session.created_at)? else {
            return Ok(Committed::nothing(None));
        };
        sessions::insert(tx, session)?;
        grants::insert(tx, grant)?;
        let room = limit.make_room(tx, &session.user_id, &session.id)?;
        let events = [event.clone()].into_iter().chain(room.event);
        let events = events.chain(rehash_event.clone().filter(|_| rehashed)).collect();
        let done = Committed::new(Some(room.revocations), Audit::Records(events));
        Ok::<_, StoreError>(done)
    });
    let Some(revocations) = written.await? else { return Ok(false) };
    revocations.iter().for_each(|revocation| app.take_over(revocation));
    outbox::wake(app);
    Ok(true)
}

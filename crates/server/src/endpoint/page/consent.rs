//! `/consent`: a person lets an application in, or not (OpenID Connect Core §3.1.2.4). What they
//! said is remembered; what follows from it, `/oauth2/authorize` decides.

use axum::extract::State;
use http::StatusCode;
use munjigi_core::audit::{Actor, Kind};
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::authorization::AuthorizationRequest;
use munjigi_core::oauth::client::{Client, GrantType, Origin};
use munjigi_core::oauth::consent::Consent;
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oauth::registration::is_this_machine;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::secret::keyed_hash;
use munjigi_core::time::Span;
use munjigi_store::{Audit, Committed, StoreError, consents};
use munjigi_token::base64url;
use url::Url;

use crate::app::App;
use crate::asking::{Asking, disclosed};
use crate::attempts::record;
use crate::browser::{Browser, Visitor};
use crate::context::Context;
use crate::documents;
use crate::endpoint::page::{OnTheWay, Visit};
use crate::failure::Failure;
use crate::page::consent::{Asked, Consent as ConsentPage};
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};
use crate::reply::authorization as answer;
use crate::snapshot::SELF_AUDIENCE;

/// Who is asked, and for what.
struct Question {
    frame: Frame,
    asking: Asking,
    visitor: Visitor,
    scope: Scope,
    audiences: Vec<Audience>,
}

/// `GET /consent`.
pub async fn ask(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    match question(&app, &context, (browser, frame), &way).await {
        Ok(question) => question.page(&app, way.sealed().unwrap_or_default()),
        Err(page) => *page,
    }
}

/// `POST /consent`: `action` is `allow`, `deny` or `switch`.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let question = match question(&app, &context, (browser, form.frame), &way).await {
        Ok(question) => question,
        Err(page) => return *page,
    };
    let frame = question.frame.clone();
    let done = match form.fields.find("action") {
        Some("allow") if form.fields.find("shown") != Some(&question.shown()) => {
            // What would be allowed is no longer what was shown: look again.
            return question.page(&app, way.sealed().unwrap_or_default());
        }
        Some("allow") => allow(&app, &context, &question).await.map(|()| way.onward(&frame)),
        Some("deny") => deny(&app, &context, &question).await,
        Some("switch") => Ok(Page::see_other(&frame.path_with("/login", "flow", way.sealed()))),
        _ => return frame.refuse(Reason::Unreadable),
    };
    done.unwrap_or_else(|failure| frame.broken(failure))
}

/// What is asked; without somebody who is signed in, the way goes back.
async fn question(
    app: &App,
    context: &Context,
    (browser, frame): (Browser, Frame),
    way: &OnTheWay,
) -> Result<Question, Box<Page>> {
    let flow = way.open(app, &browser, context).map_err(|it| Box::new(frame.refuse(it)))?;
    let Some(flow) = flow else { return Err(Box::new(frame.refuse(Reason::FlowExpired))) };
    let asking = Asking::read(app, context, &frame, &flow).await?;
    let frame = frame.preferring(flow.find("ui_locales"));
    let onward = || Box::new(way.onward(&frame));
    let Some(visitor) = browser.visitor else { return Err(onward()) };
    let request: &AuthorizationRequest = asking.request.as_ref().map_err(|_| onward())?;
    let audiences = asking.audiences(app, request).map_err(|_| onward())?;
    let scope = disclosed(app, Some(&visitor), &request.disclosed());
    Ok(Question { frame, asking, visitor, scope, audiences })
}

impl Question {
    fn page(&self, app: &App, flow: &str) -> Page {
        let snapshot = app.snapshot_kept();
        let client: &Client = &self.asking.client;
        let scopes: Vec<&str> = self.scope.names().collect();
        let own = |name: &&Audience| name.as_str() != SELF_AUDIENCE && **name != app.config.issuer;
        let names = self.audiences.iter().filter(own).filter_map(|it| snapshot.apis.get(it));
        let apis: Vec<&str> = names.map(|api| api.name.as_str()).collect();
        let url = Url::parse(&self.asking.destination.redirect_uri).ok();
        let publisher = documents::host_of(client);
        let is_unverified = client.origin != Origin::Made;
        let asked = Asked {
            client: &client.name,
            host: url.as_ref().and_then(|url| url.host_str()),
            publisher: publisher.as_deref(),
            is_local: is_unverified && is_this_machine(&self.asking.destination.redirect_uri),
            is_unverified,
            scopes: &scopes,
            apis: &apis,
            lasting: self.lasting(snapshot.settings.refresh_ttl),
            shown: &self.shown(),
        };
        let account = self.visitor.user.name.as_deref().unwrap_or(&self.visitor.user.email);
        let page = ConsentPage::new(self.frame.clone(), flow, account, asked);
        // Chromium holds `form-action` against the redirects that follow a form.
        page.reply(StatusCode::OK).leading_to(&self.asking.destination.redirect_uri)
    }

    /// Stands for who is asked, who asks, where the answer goes, and for what. A client can change
    /// what it says of itself between the page and the click; the form says which one was seen.
    fn shown(&self) -> String {
        const DOMAIN: &[u8; 32] = b"munjigi consent shown, version 1";
        let client = &self.asking.client;
        let audiences = self.audiences.join("\n");
        base64url::encode(keyed_hash(
            DOMAIN,
            &[
                self.visitor.user.id.as_bytes(),
                client.id.as_str().as_bytes(),
                client.name.as_bytes(),
                self.asking.destination.redirect_uri.as_bytes(),
                self.scope.to_string().as_bytes(),
                audiences.as_bytes(),
            ],
        ))
    }

    /// How long it may come back without the person.
    fn lasting(&self, refresh_ttl: Span) -> Option<Span> {
        let may = self.asking.client.may_use(GrantType::RefreshToken).is_ok();
        may.then_some(refresh_ttl)
    }
}

async fn allow(app: &App, context: &Context, question: &Question) -> Result<(), Failure> {
    documents::keep(app, context, &question.asking.client, None).await?;
    let (user_id, now) = (question.visitor.user.id, context.now);
    let client_id = question.asking.client.id.clone();
    let (scope, audiences) = (question.scope.clone(), question.audiences.clone());
    let event = context.event(Kind::ConsentGranted, Actor::User(user_id))?;
    let event = event.subject(user_id).client(client_id.clone()).with("scope", &scope);

    let written = app.store.write(move |tx| {
        let before = consents::find(tx, &user_id, &client_id)?;
        let nothing = || Consent {
            user_id,
            client_id: client_id.clone(),
            scope: Scope::empty(),
            audiences: Vec::new(),
            granted_at: now,
        };
        let consent = before.unwrap_or_else(nothing).widened(&scope, &audiences, now);
        consents::put(tx, &consent)?;
        Ok::<_, StoreError>(Committed::new((), Audit::Record(Box::new(event.clone()))))
    });
    Ok(written.await?)
}

async fn deny(app: &App, context: &Context, question: &Question) -> Result<Page, Failure> {
    let user_id = question.visitor.user.id;
    let event = context.event(Kind::ConsentRefused, Actor::User(user_id))?.refused("the person");
    let event = event.subject(user_id).client(question.asking.client.id.clone());
    record(app, event).await?;
    let refusal = OAuthRefusal::new(ErrorCode::AccessDenied, "the person did not allow it");
    let (frame, issuer) = (question.frame.clone(), &app.config.issuer);
    Ok(answer::refusal(frame, issuer, &question.asking.destination, refusal))
}

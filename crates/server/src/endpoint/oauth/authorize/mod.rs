//! `/oauth2/authorize` (RFC 6749 §4.1.1, OpenID Connect Core §3.1.2): the only dispatcher. It looks
//! at the request and at who is signed in, and sends the person to the one page that is needed
//! next, or back to the client. No page decides what comes after it.

mod arriving;
mod issue_code;

use axum::body::Bytes;
use axum::extract::{FromRequest, RawQuery, Request, State};
use munjigi_core::oauth::authorization::{Decision, LoginReason, SignedIn, Surroundings, decide};
use munjigi_core::oauth::error::{ErrorCode, OAuthRefusal};
use munjigi_core::oidc::acr::Acr;
use url::form_urlencoded;

use crate::app::App;
use crate::asking::{Asking, consent_of, disclosed};
use crate::browser::{Browser, MARK_TTL, Visitor};
use crate::context::Context;
use crate::extract::read_body;
use crate::flow::{AUTHORIZE, Flow};
use crate::id_token;
use crate::page::cookies::Cookie;
use crate::page::failed::Reason;
use crate::page::frame::Frame;
use crate::page::reply::Page;
use crate::reply::authorization as answer;
use arriving::Arrived;

/// `GET`: an authorization request, or one that comes back from a page with its `flow`.
pub async fn get(
    State(app): State<App>,
    context: Context,
    browser: Browser,
    frame: Frame,
    RawQuery(query): RawQuery,
) -> Page {
    let query = query.unwrap_or_default();
    let arrived = match Arrived::read(&app, &browser, &context, &query).await {
        Ok(arrived) => arrived,
        Err(reason) => return frame.refuse(reason),
    };
    let Arrived { flow, mark, refusal } = arrived;
    if let Some(onward) = flow.onward() {
        return Page::see_other(&frame.path(&onward));
    }
    let page = match refusal {
        Some(refusal) => refuse(&app, &context, frame, &flow, refusal).await,
        None => dispatch(&app, &context, &browser, frame, &flow).await,
    };
    let page = page.unwrap_or_else(|page| *page);
    match mark {
        // Ties what follows to this browser.
        Some(mark) => page.store(Cookie::Browser, mark.reveal(), Some(MARK_TTL)),
        None => page,
    }
}

/// `POST` (OpenID Connect Core §3.1.2.1): the same request in a form. A form of another site comes
/// without our cookies, so that the browser is sent on to say the same by GET.
pub async fn post(State(app): State<App>, frame: Frame, request: Request) -> Page {
    let Ok(body) = Bytes::from_request(limited(request).await, &app).await else {
        return frame.refuse(Reason::Request);
    };
    if body.len() > munjigi_core::oauth::parameters::MAX_PARAMETERS_BYTES {
        return frame.refuse(Reason::Request);
    }
    let pairs = form_urlencoded::parse(&body);
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    Page::see_other(&format!("{}?{query}", frame.path(AUTHORIZE)))
}

/// The request with its body read in the bounds of every body; empty when it is no form.
async fn limited(request: Request) -> Request {
    let (parts, body) = request.into_parts();
    let bytes = read_body(body).await.unwrap_or_default();
    Request::from_parts(parts, bytes.into())
}

/// Tells the client of a request that goes no further.
async fn refuse(
    app: &App,
    context: &Context,
    frame: Frame,
    flow: &Flow,
    refusal: OAuthRefusal,
) -> Result<Page, Box<Page>> {
    let asking = Asking::read(app, context, &frame, flow).await?;
    Ok(answer::refusal(frame, &app.config.issuer, &asking.destination, refusal))
}

/// What comes next. The page of a dead end is an error, so that every step can leave early.
async fn dispatch(
    app: &App,
    context: &Context,
    browser: &Browser,
    frame: Frame,
    flow: &Flow,
) -> Result<Page, Box<Page>> {
    let asking = Asking::read(app, context, &frame, flow).await?;
    let frame = frame.preferring(flow.find("ui_locales"));
    let refuse = |refusal| {
        let issuer = &app.config.issuer;
        answer::refusal(frame.clone(), issuer, &asking.destination, refusal)
    };
    let request = asking.request.as_ref().map_err(|refusal| Box::new(refuse(*refusal)))?;
    let audiences = asking.audiences(app, request).map_err(|refusal| Box::new(refuse(refusal)))?;
    let hint_subject = match &request.id_token_hint {
        None => None,
        Some(hint) => Some(id_token::hinted(app, hint).ok_or_else(|| {
            let why = "id_token_hint is no ID token of this server";
            Box::new(refuse(OAuthRefusal::new(ErrorCode::InvalidRequest, why)))
        })?),
    };
    let visitor = browser.visitor.as_ref();
    let consent = match visitor {
        None => None,
        Some(visitor) => consent_of(app, visitor, &asking)
            .await
            .map_err(|failure| Box::new(frame.broken(failure)))?,
    };
    let scope = disclosed(app, visitor, &request.disclosed());
    let session = visitor.map(signed_in);
    let decision = decide(
        request,
        &Surroundings {
            client: &asking.client,
            destination: &asking.destination,
            session: session.as_ref(),
            consent: consent.as_ref(),
            scope: &scope,
            audiences: &audiences,
            selected: flow.selected,
            hint_subject: hint_subject.map(|hint| hint.user_id),
            began_at: flow.created_at(),
            now: context.now,
        },
    );

    match (decision, visitor) {
        (Decision::Issue, Some(visitor)) => {
            let pushed = flow.pushed;
            let wanted = issue_code::Wanted { asking: &asking, request, audiences, pushed };
            Ok(issue_code::issue(app, context, &frame, (visitor, wanted)).await)
        }
        (Decision::Refuse(refusal), _) => Ok(refuse(refusal)),
        (Decision::Consent(_), _) => on_to(app, &frame, flow, "/consent"),
        (Decision::Login(LoginReason::Asked | LoginReason::TooLongAgo), Some(_)) => {
            on_to(app, &frame, flow, "/login/again")
        }
        (Decision::SelectAccount, Some(_)) => on_to(app, &frame, flow, "/login/select"),
        (Decision::Login(_) | Decision::SelectAccount | Decision::Issue, _) => {
            on_to(app, &frame, flow, "/login")
        }
    }
}

/// A visitor as the rules see them.
fn signed_in(visitor: &Visitor) -> SignedIn {
    SignedIn {
        user_id: visitor.user.id,
        session_id: visitor.session.id,
        authenticated_at: visitor.session.authenticated_at,
        acr: Acr::Password,
    }
}

fn on_to(app: &App, frame: &Frame, flow: &Flow, path: &str) -> Result<Page, Box<Page>> {
    let sealed = flow.seal(&app.snapshot_kept().keys);
    let sealed = sealed.map_err(|failure| Box::new(frame.broken(failure)))?;
    Ok(Page::see_other(&frame.path_with(path, "flow", Some(&sealed))))
}

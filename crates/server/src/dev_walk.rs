//! The walk of the first page in `munjigi dev`: a client like any other (OpenID Connect Core §3.1),
//! which happens to live inside the server. It asks the same routes as everybody, over HTTP that
//! never leaves the process, and must know nothing that another client would not. What it remembers
//! is kept in memory. In `serve` there is none of it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use munjigi_core::secret::{Secret, constant_time_eq, sha256};
use munjigi_token::base64url;
use serde_json::Value;
use tower::ServiceExt;
use url::form_urlencoded::Serializer;

use crate::app::App;
use crate::page::dev::{ApiCall, Walk};
use crate::random::{self, NoRandomness};
use crate::router::router;

/// The client of the walk.
pub const CLIENT: &str = "home";

/// Where it takes codes, below the issuer.
pub const REDIRECT: &str = "/dev/callback";

/// What it asks for.
const SCOPE: &str = "openid profile email roles";

/// The protected call.
const CALL: &str = "/api/v1/users/me";

/// How many walks are remembered; whoever comes later lets the oldest be forgotten.
const KEPT: usize = 100;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 64 * 1024;

/// A sign-in that was asked for and has not come back.
pub struct Asked {
    state: Secret,
    verifier: Secret,
}

struct Kept {
    mark: [u8; 32],
    asked: Option<Asked>,
    walk: Walk,
}

/// The walks of every browser, by the mark that its cookie holds.
#[derive(Default)]
pub struct Walks(Mutex<VecDeque<Kept>>);

impl Walks {
    /// How far the walk of a browser is.
    pub fn find(&self, mark: &str) -> Option<Walk> {
        let mark = sha256(mark.as_bytes());
        self.lock().iter().find(|kept| kept.mark == mark).map(|kept| kept.walk.clone())
    }

    /// Begins a walk: the mark for the browser, and the authorization request.
    pub fn begin(&self, issuer: &str, ui_locales: &str) -> Result<(Secret, String), NoRandomness> {
        let (mark, state) = (random::secret("mj_dw_")?, random::secret("")?);
        let verifier = random::secret("")?;
        // RFC 7636 §4.2: S256.
        let challenge = base64url::encode(sha256(verifier.reveal().as_bytes()));
        let query = Serializer::new(String::new())
            .append_pair("client_id", CLIENT)
            .append_pair("redirect_uri", &format!("{issuer}{REDIRECT}"))
            .append_pair("response_type", "code")
            .append_pair("scope", SCOPE)
            .append_pair("state", state.reveal())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256")
            .append_pair("prompt", "select_account")
            .append_pair("ui_locales", ui_locales)
            .finish();
        let asked = Some(Asked { state, verifier });
        let kept = Kept { mark: sha256(mark.reveal().as_bytes()), asked, walk: Walk::default() };
        let mut walks = self.lock();
        if walks.len() >= KEPT {
            walks.pop_front();
        }
        walks.push_back(kept);
        Ok((mark, format!("{issuer}/oauth2/authorize?{query}")))
    }

    /// Takes the sign-in out that this answer is for: `state` is right for this browser, once
    /// (RFC 6749 §10.12), and the answer is of this server (RFC 9207 §2.4).
    pub fn take_asked(&self, mark: &str, state: &str) -> Option<Asked> {
        let mark = sha256(mark.as_bytes());
        let mut walks = self.lock();
        let kept = walks.iter_mut().find(|kept| kept.mark == mark)?;
        let expected = kept.asked.as_ref()?.state.reveal();
        constant_time_eq(expected.as_bytes(), state.as_bytes()).then(|| kept.asked.take())?
    }

    /// Remembers how far a walk is by now; one that was forgotten stays so.
    pub fn put(&self, mark: &str, walk: Walk) {
        let mark = sha256(mark.as_bytes());
        if let Some(kept) = self.lock().iter_mut().find(|kept| kept.mark == mark) {
            kept.walk = walk;
        }
    }

    /// Forgets a walk.
    pub fn forget(&self, mark: &str) {
        let mark = sha256(mark.as_bytes());
        self.lock().retain(|kept| kept.mark != mark);
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Redeems a code (RFC 6749 §4.1.3); the access token.
pub async fn redeem(app: &App, asked: &Asked, code: &str) -> Option<String> {
    let redirect_uri = format!("{}{REDIRECT}", app.config.issuer);
    let parameters = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code),
        ("redirect_uri", &redirect_uri),
        ("code_verifier", asked.verifier.reveal()),
    ];
    let answer = ask(app, form("/oauth2/token", &parameters)?).await?;
    let Value::String(token) = answer.json()?.get_mut("access_token")?.take() else { return None };
    Some(token)
}

/// Calls the protected API with a token (RFC 6750 §2.1).
pub async fn call(app: &App, token: &str) -> Option<ApiCall> {
    let request = Request::get(CALL).header(AUTHORIZATION, format!("Bearer {token}"));
    let answer = ask(app, request.body(Body::empty()).ok()?).await?;
    let body = answer.json().and_then(|json| serde_json::to_string_pretty(&json).ok());
    Some(ApiCall {
        request: format!("{} {CALL}", Method::GET),
        status: answer.status.to_string(),
        body: body.unwrap_or_default(),
    })
}

/// Gives a token back (RFC 7009 §2.1); whether the server said so.
pub async fn revoke(app: &App, token: &str) -> bool {
    let parameters = [("client_id", CLIENT), ("token", token)];
    let Some(request) = form("/oauth2/revoke", &parameters) else { return false };
    ask(app, request).await.is_some_and(|answer| answer.status == StatusCode::OK)
}

struct Answer {
    status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

fn form(path: &str, parameters: &[(&str, &str)]) -> Option<Request<Body>> {
    let body = Serializer::new(String::new()).extend_pairs(parameters).finish();
    let request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    request.body(Body::from(body)).ok()
}

/// Asks this server as a client from elsewhere asks it.
async fn ask(app: &App, request: Request<Body>) -> Option<Answer> {
    let Ok(response) = router(app).oneshot(request).await;
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER).await.ok()?.to_vec();
    Some(Answer { status: parts.status, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state_of(request: &str) -> String {
        let url = url::Url::parse(request).unwrap();
        let mut pairs = url.query_pairs();
        pairs.find(|(name, _)| name == "state").unwrap().1.into_owned()
    }

    #[test]
    fn an_answer_is_taken_once_and_in_its_own_browser_alone() {
        let walks = Walks::default();
        let (mine, request) = walks.begin("http://localhost:8000", "ko").unwrap();
        let (other, _) = walks.begin("http://localhost:8000", "ko").unwrap();
        let state = state_of(&request);
        assert!(walks.take_asked(other.reveal(), &state).is_none());
        assert!(walks.take_asked(mine.reveal(), "another").is_none());
        assert!(walks.take_asked(mine.reveal(), &state).is_some());
        assert!(walks.take_asked(mine.reveal(), &state).is_none());
    }

    #[test]
    fn the_oldest_walk_is_forgotten_first() {
        let walks = Walks::default();
        let (first, _) = walks.begin("http://localhost:8000", "ko").unwrap();
        let (second, _) = walks.begin("http://localhost:8000", "ko").unwrap();
        for _ in 2..=KEPT {
            walks.begin("http://localhost:8000", "ko").unwrap();
        }
        assert!(walks.find(first.reveal()).is_none());
        assert!(walks.find(second.reveal()).is_some());
        walks.forget(second.reveal());
        assert!(walks.find(second.reveal()).is_none());
    }
}

//! Asks an issuer for its revocations, `/api/v1/revocations`, as a client that may (RFC 6749 §4.4).
//! It must not log a token or a secret, and it does not decide what to do about an answer.

use std::fmt;
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;

use crate::builder::BuildError;
use crate::clock::Clock;
use crate::keys::{FetchError, is_usable_issuer, new_client, read_whole};

/// The scope that the feed needs.
const SCOPE: &str = "revocations:read";
/// How long an answer may take, beyond the time that was asked for.
const PATIENCE: Duration = Duration::from_secs(5);
/// A token is renewed this much before it ends, in milliseconds.
const RENEW_AHEAD_MILLIS: i64 = 15_000;
/// How long a cursor or a key may be.
const LONGEST_TEXT: usize = 1_024;

/// The client that this API is to its issuer.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub client_id: String,
    pub client_secret: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// A part of the feed.
#[derive(Deserialize)]
pub(crate) struct Page {
    pub entries: Vec<Entry>,
    pub cursor: String,
    pub more: bool,
}

/// A revocation as it is told; times in Unix seconds.
#[derive(Deserialize)]
pub(crate) struct Entry {
    pub kind: String,
    pub key: String,
    pub not_before: i64,
    pub until: i64,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: i64,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    /// The cursor leads nowhere: begin without one.
    #[error("the issuer does not know the cursor any more")]
    Gone,
    /// Too much is going on there.
    #[error("the issuer is busy")]
    Busy { retry_after: Option<Duration> },
    /// The client may not, or is not who it says.
    #[error("the issuer refuses this client (status {0}); does it have the scope {SCOPE}?")]
    Refused(u16),
    #[error("the answer is not a page of the feed")]
    Malformed,
    #[error(transparent)]
    Fetch(#[from] FetchError),
}

impl From<reqwest::Error> for AskError {
    fn from(error: reqwest::Error) -> Self {
        Self::Fetch(error.into())
    }
}

/// An issuer whose feed is followed.
pub(crate) struct Source {
    issuer: String,
    credentials: Credentials,
    http: reqwest::Client,
    clock: Clock,
    token: Option<Token>,
}

struct Token {
    text: String,
    /// Unix milliseconds.
    until: i64,
}

impl Source {
    pub fn new(issuer: &str, credentials: Credentials, clock: Clock) -> Result<Self, BuildError> {
        if !is_usable_issuer(issuer) {
            return Err(BuildError::Issuer);
        }
        let http = new_client().map_err(|_| BuildError::HttpClient)?;
        let issuer = issuer.trim_end_matches('/').to_owned();
        Ok(Self { issuer, credentials, http, clock, token: None })
    }

    /// The part of the feed behind a cursor, or the first one; waits up to `wait` for one that is
    /// not empty.
    pub async fn ask(&mut self, cursor: Option<&str>, wait: Duration) -> Result<Page, AskError> {
        let had_token = self.token.is_some();
        match self.ask_once(cursor, wait).await {
            // The token is over before its time: this very client was signed out, or its key was
            // withdrawn. Another one may do.
            Err(AskError::Refused(401)) if had_token => {
                self.token = None;
                self.ask_once(cursor, wait).await
            }
            outcome => outcome,
        }
    }

    async fn ask_once(&mut self, cursor: Option<&str>, wait: Duration) -> Result<Page, AskError> {
        let token = self.token().await?.to_owned();
        let mut url = format!("{}/api/v1/revocations?wait={}", self.issuer, wait.as_secs());
        if let Some(cursor) = cursor {
            url = format!("{url}&cursor={}", encoded(cursor));
        }
        let request = self.http.get(&url).bearer_auth(token).timeout(wait + PATIENCE);
        let response = request.header("accept", "application/json").send().await?;
        let body = match response.status() {
            StatusCode::OK => read_whole(response, &url).await?,
            status => {
                if status == StatusCode::UNAUTHORIZED {
                    self.token = None;
                }
                return Err(refusal(&response));
            }
        };
        let page: Page = serde_json::from_slice(&body).map_err(|_| AskError::Malformed)?;
        let is_short = |text: &str| text.len() <= LONGEST_TEXT;
        let is_sane = page.entries.iter().all(|entry| is_short(&entry.key));
        if is_sane && is_short(&page.cursor) { Ok(page) } else { Err(AskError::Malformed) }
    }

    async fn token(&mut self) -> Result<&str, AskError> {
        let now = self.clock.unix_millis();
        let is_fresh = self.token.as_ref().is_some_and(|token| now < token.until);
        if !is_fresh {
            self.token = Some(self.new_token(now).await?);
        }
        self.token.as_ref().map(|token| token.text.as_str()).ok_or(AskError::Malformed)
    }

    async fn new_token(&self, now: i64) -> Result<Token, AskError> {
        let url = format!("{}/oauth2/token", self.issuer);
        let Credentials { client_id, client_secret } = &self.credentials;
        let form = format!(
            "grant_type=client_credentials&scope={}&resource={}",
            encoded(SCOPE),
            encoded(&self.issuer)
        );
        // RFC 6749 §2.3.1: both are encoded as in a form before they are put together.
        let request =
            self.http.post(&url).basic_auth(encoded(client_id), Some(encoded(client_secret)));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.body(form).send().await?;
        if response.status() != StatusCode::OK {
            return Err(refusal(&response));
        }
        let body = read_whole(response, &url).await?;
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| AskError::Malformed)?;
        let millis = answer.expires_in.saturating_mul(1_000).saturating_sub(RENEW_AHEAD_MILLIS);
        Ok(Token { text: answer.access_token, until: now.saturating_add(millis) })
    }
}

fn refusal(response: &reqwest::Response) -> AskError {
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    match response.status() {
        StatusCode::GONE => AskError::Gone,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            let seconds = retry_after.and_then(|text| text.parse().ok());
            AskError::Busy { retry_after: seconds.map(Duration::from_secs) }
        }
        status if status.is_client_error() => AskError::Refused(status.as_u16()),
        status => {
            let (url, status) = (response.url().path().to_owned(), status.as_u16());
            AskError::Fetch(FetchError::Status { url, status })
        }
    }
}

/// As a value in a form or a query: everything but RFC 3986's unreserved characters is escaped.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let digits = [byte >> 4, byte & 15].map(|it| char::from_digit(u32::from(it), 16));
            out.push('%');
            out.extend(digits.iter().flatten().map(char::to_ascii_uppercase));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_one_value() {
        assert_eq!(encoded("a b&c=d+ë/:~"), "a%20b%26c%3Dd%2B%C3%AB%2F%3A~");
    }

    #[test]
    fn a_secret_is_not_printed() {
        let (client_id, client_secret) = ("api".to_owned(), "s3cret".to_owned());
        let text = format!("{:?}", Credentials { client_id, client_secret });
        assert!(text.contains("api") && !text.contains("s3cret"), "{text}");
    }
}

//! Browsers in which somebody signed up. Whoever follows the mailed link in the same one chose the
//! password themselves, and needs to show nothing else; a link that is followed elsewhere proves
//! the address, and says nothing about who chose the password. The cookie opens nothing by itself,
//! and is the same for an address that was taken.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use munjigi_core::account::link::Purpose;
use munjigi_core::id::UserId;
use munjigi_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::page::cookies::Cookie;
use crate::page::reply::Page;
use crate::sealed_text;

const PLACE: &str = "signed up in this browser";

/// An account that was asked for in a browser.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedUp {
    user_id: UserId,
    expires_at: i64,
}

/// What a browser has asked for, if it did lately.
pub struct Asked(pub Option<SignedUp>);

impl FromRequestParts<App> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let text = Cookie::SignedUp.read(&parts.headers);
        let (snapshot, now) = (app.snapshot_kept(), app.clock.now());
        Ok(Self(text.and_then(|text| SignedUp::open(&snapshot.keys, text, now))))
    }
}

impl SignedUp {
    /// Somebody asks for this account now; good for as long as the link that is mailed for it.
    pub fn now(user_id: UserId, now: Timestamp) -> Self {
        Self { user_id, expires_at: now.plus(Purpose::Verify.ttl()).as_millis() }
    }

    /// Whether it was this account.
    pub fn is_of(&self, user_id: &UserId) -> bool {
        self.user_id == *user_id
    }

    /// The answer that brings the cookie to the browser.
    pub fn give(&self, keys: &KeyRing, page: Page) -> Result<Page, Failure> {
        let text = sealed_text::seal(keys, PLACE, self)?;
        Ok(page.store(Cookie::SignedUp, &text, Some(Purpose::Verify.ttl())))
    }

    fn open(keys: &KeyRing, text: &str, now: Timestamp) -> Option<Self> {
        let asked: Self = sealed_text::open(keys, PLACE, text)?;
        (now.as_millis() < asked.expires_at).then_some(asked)
    }
}

//! Devices that somebody has signed in with before ("device cookies", OWASP). Guesses from such a
//! device are counted apart, so that nobody can keep a person out by guessing at their password
//! from elsewhere (LG-07). The cookie proves nothing else: it opens no session, and no password is
//! taken for right because of it.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use http::request::Parts;
use munjigi_core::account::user::User;
use munjigi_core::id::UserId;
use munjigi_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::page::cookies::Cookie;
use crate::page::reply::Page;
use crate::random;
use crate::sealed_text;

/// How long a device is known after a sign-in.
const TTL: Span = Span::from_days(90);

const PLACE: &str = "known device";

/// A device, and whose it is. One browser is known for the account that signed in with it last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownDevice {
    user_id: UserId,
    id: [u8; 16],
    /// The password that was right then, by the time since when it is the password: whoever knew an
    /// older one is no better known than anybody.
    password_changed_at: i64,
    expires_at: i64,
}

/// The device that a request comes from, if it is known.
pub struct Device(pub Option<KnownDevice>);

impl FromRequestParts<App> for Device {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let text = Cookie::Device.read(&parts.headers);
        let (snapshot, now) = (app.snapshot_kept(), app.clock.now());
        Ok(Self(text.and_then(|text| KnownDevice::open(&snapshot.keys, text, now))))
    }
}

impl KnownDevice {
    /// The device with which somebody has signed in now; the one of before, if it is theirs.
    pub fn signed_in(
        before: Option<Self>,
        user: &User,
        now: Timestamp,
    ) -> Result<Self, random::NoRandomness> {
        let id = match before.filter(|before| before.belongs_to(user)) {
            Some(before) => before.id,
            None => random::bytes()?,
        };
        Ok(Self {
            user_id: user.id,
            id,
            password_changed_at: changed_at(user),
            expires_at: now.plus(TTL).as_millis(),
        })
    }

    /// Whose it is, if their password is still the one of then.
    pub const fn owner(&self) -> &UserId {
        &self.user_id
    }

    /// Whether it is known for this person, as they are now.
    pub fn belongs_to(&self, user: &User) -> bool {
        self.user_id == user.id && self.password_changed_at == changed_at(user)
    }

    /// What its guesses are counted under.
    pub fn id(&self) -> &[u8] {
        &self.id
    }

    /// The answer that brings the cookie to the browser.
    pub fn give(&self, keys: &KeyRing, page: Page) -> Result<Page, Failure> {
        let text = sealed_text::seal(keys, PLACE, self)?;
        Ok(page.store(Cookie::Device, &text, Some(TTL)))
    }

    fn open(keys: &KeyRing, text: &str, now: Timestamp) -> Option<Self> {
        let device: Self = sealed_text::open(keys, PLACE, text)?;
        (now.as_millis() < device.expires_at).then_some(device)
    }
}

fn changed_at(user: &User) -> i64 {
    user.password_changed_at.map_or(0, Timestamp::as_millis)
}

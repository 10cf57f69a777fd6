//! The way of an authorization request through the pages: the request, sealed, travels in the
//! address while its person signs in and consents. Nothing is written for a stranger, and a way
//! that was begun in one browser cannot be finished in another (RFC 9700 §4.8, hydra#770).

use munjigi_core::id::SessionId;
use munjigi_core::secret::constant_time_eq;
use munjigi_core::time::{Span, Timestamp};
use munjigi_token::base64url;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::page::failed::Reason;
use crate::seal::{EncryptionKey, SealError};

/// Where authorization requests come, and come back to from the pages: below the issuer.
pub const AUTHORIZE: &str = "/oauth2/authorize";

/// How long a person may take.
pub const FLOW_TTL: Span = Span::from_hours(1);

/// The longest sealed flow that is looked at, in bytes: the largest request, as JSON in base64url.
const MAX_SEALED_BYTES: usize = 24 * 1024;

/// An authorization request on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The parameters as they came; they are checked again at every step, since what they name may
    /// have changed.
    pub parameters: Vec<(String, String)>,
    /// When it began, in Unix milliseconds: what is younger was done for it.
    created_at: i64,
    /// The hash of the cookie of the browser in which it began.
    browser: [u8; 32],
    /// The session that its person chose to go on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<SessionId>,
    /// The hash of the reference that it was pushed under.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<[u8; 32]>,
}

/// Why a flow cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FlowError {
    /// It was not sealed here, or was changed.
    #[error("the flow does not open")]
    Unreadable,
    /// Its person took too long.
    #[error("the flow has expired")]
    Expired,
    /// It began in another browser.
    #[error("the flow began in another browser")]
    OtherBrowser,
}

impl From<FlowError> for Reason {
    fn from(error: FlowError) -> Self {
        match error {
            FlowError::Unreadable => Self::Request,
            FlowError::Expired => Self::FlowExpired,
            FlowError::OtherBrowser => Self::OtherBrowser,
        }
    }
}

impl Flow {
    /// A flow that begins now, in the browser with this cookie.
    pub fn begin(
        parameters: Vec<(String, String)>,
        browser: [u8; 32],
        pushed: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Self {
        Self { parameters, created_at: now.as_millis(), browser, selected: None, pushed }
    }

    /// When it began.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }

    /// A parameter of the request.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// As it stands in an address: base64url of what only this server opens.
    pub fn seal(&self, keys: &KeyRing) -> Result<String, Failure> {
        let plain = serde_json::to_vec(self).map_err(|_| Failure::Damaged("flow"))?;
        let sealed = key(keys).and_then(|key| key.seal(PLACE, &plain));
        Ok(base64url::encode(&sealed.map_err(crate::keys::KeyError::from)?))
    }

    /// Opens a flow that came with a request of the browser with this cookie.
    pub fn open(
        keys: &KeyRing,
        sealed: &str,
        browser: Option<[u8; 32]>,
        now: Timestamp,
    ) -> Result<Self, FlowError> {
        if sealed.len() > MAX_SEALED_BYTES {
            return Err(FlowError::Unreadable);
        }
        let sealed = base64url::decode(sealed).map_err(|_| FlowError::Unreadable)?;
        let plain = key(keys).and_then(|key| key.open(PLACE, &sealed));
        let plain = plain.map_err(|_| FlowError::Unreadable)?;
        let flow: Self = serde_json::from_slice(&plain).map_err(|_| FlowError::Unreadable)?;
        if now >= flow.created_at().plus(FLOW_TTL) {
            return Err(FlowError::Expired);
        }
        if !browser.is_some_and(|browser| constant_time_eq(&browser, &flow.browser)) {
            return Err(FlowError::OtherBrowser);
        }
        Ok(flow)
    }
}

const PLACE: &str = "flow";

fn key(keys: &KeyRing) -> Result<EncryptionKey, SealError> {
    EncryptionKey::from_bytes(&keys.derive(PLACE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::generate_root;

    fn keys() -> KeyRing {
        let kek = EncryptionKey::from_bytes(&[7; 32]).unwrap();
        let root = generate_root(&kek, Timestamp::from_millis(0)).unwrap();
        KeyRing::open(&[root], &kek).unwrap()
    }

    fn flow() -> Flow {
        let parameters = vec![("client_id".to_owned(), "web".to_owned())];
        Flow::begin(parameters, [1; 32], None, Timestamp::from_seconds(100))
    }

    #[test]
    fn a_flow_comes_back_as_it_went() {
        let (keys, now) = (keys(), Timestamp::from_seconds(200));
        let sealed = flow().seal(&keys).unwrap();
        assert_eq!(Flow::open(&keys, &sealed, Some([1; 32]), now), Ok(flow()));
    }

    /// SS-03 of the attack kit.
    #[test]
    fn a_flow_does_not_go_on_in_another_browser_or_too_late_or_changed() {
        let (keys, now) = (keys(), Timestamp::from_seconds(200));
        let sealed = flow().seal(&keys).unwrap();
        let open = |sealed: &str, browser, now| Flow::open(&keys, sealed, browser, now);
        assert_eq!(open(&sealed, Some([2; 32]), now), Err(FlowError::OtherBrowser));
        assert_eq!(open(&sealed, None, now), Err(FlowError::OtherBrowser));
        let late = Timestamp::from_seconds(100).plus(FLOW_TTL);
        assert_eq!(open(&sealed, Some([1; 32]), late), Err(FlowError::Expired));
        let other = tests::keys();
        assert_eq!(Flow::open(&other, &sealed, Some([1; 32]), now), Err(FlowError::Unreadable));
        for bad in ["", "x", &sealed[1..], &"A".repeat(30_000)] {
            assert_eq!(open(bad, Some([1; 32]), now), Err(FlowError::Unreadable));
        }
    }
}

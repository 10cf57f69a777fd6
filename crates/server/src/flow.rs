//! The way of an authorization request through the pages: the request, sealed, travels in the
//! address while its person signs in and consents. Nothing is written for a stranger, and a way
//! that was begun in one browser cannot be finished in another (RFC 9700 §4.8, hydra#770).

use munjigi_core::id::SessionId;
use munjigi_core::secret::constant_time_eq;
use munjigi_core::time::{Span, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use url::form_urlencoded::Serializer;

use crate::failure::Failure;
use crate::keys::KeyRing;
use crate::page::failed::Reason;
use crate::sealed_text;

/// Where authorization requests come, and come back to from the pages: below the issuer.
pub const AUTHORIZE: &str = "/oauth2/authorize";

/// Where devices are let in (RFC 8628 §3.3): below the issuer.
pub const DEVICE: &str = "/device";

/// How long a person may take.
pub const FLOW_TTL: Span = Span::from_hours(1);

/// The longest sealed flow that is looked at, in bytes: the largest request, as JSON in base64url.
const MAX_SEALED_BYTES: usize = 24 * 1024;

/// What a person signs in for. The pages on the way need not know: each sends them back to
/// `/oauth2/authorize`, which does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Errand {
    /// To let an application in that asked at `/oauth2/authorize`.
    #[default]
    Authorize,
    /// To let a device in, at `/device`. No address of anybody else's can stand in its place.
    Device,
}

/// An authorization request on its way; or the way to a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flow {
    /// The parameters as they came; they are checked again at every step, since what they name may
    /// have changed.
    pub parameters: Vec<(String, String)>,
    /// What for.
    #[serde(default)]
    errand: Errand,
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
        let (errand, created_at) = (Errand::Authorize, now.as_millis());
        Self { parameters, errand, created_at, browser, selected: None, pushed }
    }

    /// The way to `/device`, which has these parameters when it is reached.
    pub fn to_device(parameters: Vec<(String, String)>, browser: [u8; 32], now: Timestamp) -> Self {
        Self { errand: Errand::Device, ..Self::begin(parameters, browser, None, now) }
    }

    /// Where it goes on, below the issuer, when it is not about an authorization request.
    pub fn onward(&self) -> Option<String> {
        match self.errand {
            Errand::Authorize => None,
            Errand::Device if self.parameters.is_empty() => Some(DEVICE.to_owned()),
            Errand::Device => {
                let mut query = Serializer::new(String::new());
                let query = query.extend_pairs(&self.parameters).finish();
                Some(format!("{DEVICE}?{query}"))
            }
        }
    }

    /// When it began.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(self.created_at)
    }

    /// A parameter of the request.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The same, if it was begun after everything before was ended.
    pub fn begun_after(self, ended: Option<Timestamp>) -> Result<Self, FlowError> {
        match ended.is_some_and(|ended| self.created_at() <= ended) {
            true => Err(FlowError::Expired),
            false => Ok(self),
        }
    }

    /// As it stands in an address: base64url of what only this server opens.
    pub fn seal(&self, keys: &KeyRing) -> Result<String, Failure> {
        sealed_text::seal(keys, PLACE, self)
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
        let opened = sealed_text::open::<Self>(keys, PLACE, sealed);
        let flow = opened.ok_or(FlowError::Unreadable)?;
        if now >= flow.created_at().plus(FLOW_TTL) {
            return Err(FlowError::Expired);
        }
        munjigi_core::planted!("flow_in_any_browser", return Ok(flow));
        if !browser.is_some_and(|browser| constant_time_eq(&browser, &flow.browser)) {
            return Err(FlowError::OtherBrowser);
        }
        Ok(flow)
    }
}

const PLACE: &str = "flow";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::generate_root;
    use crate::seal::EncryptionKey;

    fn keys() -> KeyRing {
        let kek = EncryptionKey::from_bytes(&[7; 32]).unwrap();
        let root = generate_root(&kek, Timestamp::from_millis(0)).unwrap();
        KeyRing::open(&[root], &kek, Timestamp::from_millis(0), None).unwrap()
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

    #[test]
    fn the_way_to_a_device_leads_to_our_own_page_alone() {
        let (keys, now) = (keys(), Timestamp::from_seconds(100));
        let kept = vec![("user_code".to_owned(), "WDJB-MJHT".to_owned())];
        let sealed = Flow::to_device(kept, [1; 32], now).seal(&keys).unwrap();
        let flow = Flow::open(&keys, &sealed, Some([1; 32]), now).unwrap();
        assert_eq!(flow.onward().as_deref(), Some("/device?user_code=WDJB-MJHT"));
        let bare = Flow::to_device(vec![], [1; 32], now);
        assert_eq!(bare.onward().as_deref(), Some("/device"));
        assert_eq!(tests::flow().onward(), None);
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

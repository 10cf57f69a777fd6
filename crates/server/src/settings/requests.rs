//! The settings about how clients make their requests: pushed beforehand (RFC 9126), and with what
//! proofs (RFC 9449).

use munjigi_core::oauth::dpop::NoncePolicy;

/// What is asked of the requests of every client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSettings {
    /// Whether every authorization request has to be pushed (RFC 9126 §5).
    pub require_pushed: bool,
    /// Whether DPoP proofs have to repeat a nonce of ours.
    pub dpop_nonce: NoncePolicy,
}

impl RequestSettings {
    /// Requests may come by the browser, and no proof was made long ago.
    pub(super) fn defaults() -> Self {
        Self { require_pushed: false, dpop_nonce: NoncePolicy::Required }
    }

    /// Takes one setting over; false when it is none of these.
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<bool, ()> {
        match (name, text) {
            ("require_pushed_authorization_requests", "on") => self.require_pushed = true,
            ("require_pushed_authorization_requests", "off") => self.require_pushed = false,
            ("dpop_nonce", "required") => self.dpop_nonce = NoncePolicy::Required,
            ("dpop_nonce", "optional") => self.dpop_nonce = NoncePolicy::Optional,
            ("require_pushed_authorization_requests" | "dpop_nonce", _) => return Err(()),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// A setting's value as people write it.
    pub(super) fn show(&self, name: &str) -> Option<String> {
        let shown = match name {
            "require_pushed_authorization_requests" if self.require_pushed => "on",
            "require_pushed_authorization_requests" => "off",
            "dpop_nonce" => match self.dpop_nonce {
                NoncePolicy::Required => "required",
                NoncePolicy::Optional => "optional",
            },
            _ => return None,
        };
        Some(shown.to_owned())
    }
}

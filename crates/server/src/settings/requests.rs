//! The settings about how requests are made: pushed beforehand (RFC 9126), with what proofs
//! (RFC 9449), and how many of an address may be refused.

use munjigi_core::oauth::dpop::NoncePolicy;

/// What is asked of the requests of every client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestSettings {
    /// Whether every authorization request has to be pushed (RFC 9126 §5).
    pub require_pushed: bool,
    /// Whether DPoP proofs have to repeat a nonce of ours.
    pub dpop_nonce: NoncePolicy,
    /// How many requests of an address may be refused in a minute, of each kind; any number, if
    /// there is none.
    pub address_budget: Option<u32>,
}

/// How many requests of an address may be refused in a minute, unless somebody says otherwise.
pub(crate) const ADDRESS_BUDGET: u32 = 30;
/// The most that can be allowed.
const MOST_OF_AN_ADDRESS: u32 = 1_000;

impl RequestSettings {
    /// Requests may come by the browser, and no proof was made long ago.
    pub(super) fn defaults() -> Self {
        Self {
            require_pushed: false,
            dpop_nonce: NoncePolicy::Required,
            address_budget: Some(ADDRESS_BUDGET),
        }
    }

    /// Takes one setting over; false when it is none of these.
    pub(super) fn apply(&mut self, name: &str, text: &str) -> Result<bool, ()> {
        match (name, text) {
            ("require_pushed_authorization_requests", "on") => self.require_pushed = true,
            ("require_pushed_authorization_requests", "off") => self.require_pushed = false,
            ("dpop_nonce", "required") => self.dpop_nonce = NoncePolicy::Required,
            ("dpop_nonce", "optional") => self.dpop_nonce = NoncePolicy::Optional,
            ("address_budget", "off") => self.address_budget = None,
            ("address_budget", number) => {
                let number = number.parse().ok();
                let number = number.filter(|it| (1..=MOST_OF_AN_ADDRESS).contains(it));
                self.address_budget = Some(number.ok_or(())?);
            }
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
            "address_budget" => {
                let number = self.address_budget.map(|number| number.to_string());
                return Some(number.unwrap_or_else(|| "off".to_owned()));
            }
            _ => return None,
        };
        Some(shown.to_owned())
    }
}

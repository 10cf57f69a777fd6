//! Pushed authorization requests (RFC 9126): what a client said beforehand, and who may refer to
//! it.

use crate::id::ClientId;
use crate::oauth::parameters::Parameters;
use crate::time::{Span, Timestamp};

/// How long a reference may wait for the browser: RFC 9126 §2.2 speaks of 5 to 600 seconds, FAPI
/// 2.0 §5.3.2.2 of less than 600.
pub const PUSHED_TTL: Span = Span::from_seconds(60);

/// A request that was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedRequest {
    /// The hash of its reference.
    pub hash: [u8; 32],
    /// The client that pushed it, which has proved who it is as far as it can.
    pub client_id: ClientId,
    /// What it asks for, without what proved the client.
    pub parameters: Parameters,
    /// The thumbprint of the key of the DPoP proof that came with it (RFC 9449 §10.1).
    pub dpop_jkt: Option<String>,
    /// When it came.
    pub created_at: Timestamp,
    /// When it is too late to refer to it.
    pub expires_at: Timestamp,
    /// When a code was issued for it.
    pub spent_at: Option<Timestamp>,
}

impl PushedRequest {
    /// Whether this client may refer to it now; the sentence says why not. A person may load the
    /// page again (RFC 9126 §4, §7.3), so it is spent by the code and not by the first look at it.
    pub fn refer(&self, client_id: &ClientId, now: Timestamp) -> Result<(), &'static str> {
        // RFC 9126 §4: the reference is bound to the client that it was given to.
        if self.client_id != *client_id {
            return Err("request_uri was given to another client");
        }
        if self.spent_at.is_some() {
            return Err("request_uri was used before");
        }
        if now >= self.expires_at {
            return Err("request_uri has expired");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_reference_is_good_for_its_client_for_a_while_and_for_one_code() {
        let shop: ClientId = "shop".parse().unwrap();
        let pushed = PushedRequest {
            hash: [1; 32],
            client_id: shop.clone(),
            parameters: Parameters::default(),
            dpop_jkt: None,
            created_at: at(0),
            expires_at: at(0).plus(PUSHED_TTL),
            spent_at: None,
        };
        assert_eq!(pushed.refer(&shop, at(59)), Ok(()));
        assert_eq!(pushed.refer(&shop, at(60)), Err("request_uri has expired"));
        assert!(pushed.refer(&"other".parse().unwrap(), at(1)).is_err());
        let spent = PushedRequest { spent_at: Some(at(1)), ..pushed };
        assert_eq!(spent.refer(&shop, at(2)), Err("request_uri was used before"));
    }
}

//! What may be seen once, by every node: the `jti` of DPoP proofs (RFC 9449 §11.1) and of client
//! assertions (RFC 7523 §3), and pushed requests that had their code. Kinds are kept apart, so that
//! none can use up another's.

use munjigi_core::time::Timestamp;

use crate::{Result, Tx, params};

/// What kind of thing is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A DPoP proof.
    DpopProof,
    /// A client assertion.
    ClientAssertion,
    /// A pushed request, whose row is forgotten sooner than the last way that began with it ends.
    PushedRequest,
}

impl Kind {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DpopProof => "dpop_proof",
            Self::ClientAssertion => "client_assertion",
            Self::PushedRequest => "pushed_request",
        }
    }
}

/// Sees something; false when it was seen before. Of many who show the same at once one is told
/// that it was them. Nobody has to remember it after `expires_at`, when the thing itself is dead.
pub fn spend_once(
    tx: &mut Tx<'_>,
    kind: Kind,
    key: &[u8; 32],
    expires_at: Timestamp,
) -> Result<bool> {
    // The key decides, and not a row that was looked for before: there is none to look for.
    let seen = tx.rows(
        "INSERT INTO replay (kind, key, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (kind, key) DO NOTHING RETURNING expires_at",
        params![kind.as_str(), key, expires_at],
    )?;
    Ok(!seen.is_empty())
}

/// Forgets what expired before `before`, at most `limit`; how many.
pub fn forget_expired(tx: &mut Tx<'_>, before: Timestamp, limit: u32) -> Result<u64> {
    tx.exec(
        "DELETE FROM replay WHERE (kind, key) IN (
             SELECT old.kind, old.key FROM replay old WHERE old.expires_at < $1
             ORDER BY old.expires_at LIMIT $2)",
        params![before, limit],
    )
}

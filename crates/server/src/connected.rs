//! The applications that have access to an account: those that its person allowed something, and
//! those that hold a grant without having been asked about, such as our own.

use munjigi_core::id::{ClientId, UserId};
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::consent::Consent;
use munjigi_core::oauth::grant::Grant;
use munjigi_core::oauth::scope::Scope;
use munjigi_core::time::Timestamp;
use munjigi_store::{ReadTx, StoreError, consents, grants};

/// An application that has access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connected {
    /// Its client.
    pub client_id: ClientId,
    /// What it may.
    pub scope: Scope,
    /// At which APIs.
    pub audiences: Vec<Audience>,
    /// Since when.
    pub granted_at: Timestamp,
    /// When a live grant of it was last used.
    pub used_at: Option<Timestamp>,
}

/// Every one, those with a consent first.
pub fn list(
    tx: &mut ReadTx<'_>,
    user_id: &UserId,
    now: Timestamp,
) -> Result<Vec<Connected>, StoreError> {
    let consents = consents::list(tx, user_id)?;
    let mut found: Vec<_> = consents.into_iter().map(Connected::from).collect();
    for grant in grants::list_live(tx, user_id, now, grants::MAX_LISTED)? {
        match found.iter_mut().find(|it| it.client_id == grant.client_id) {
            Some(known) => known.add(&grant),
            None => found.push(grant.into()),
        }
    }
    Ok(found)
}

impl Connected {
    fn add(&mut self, grant: &Grant) {
        self.scope = self.scope.clone().with(&grant.scope);
        self.audiences.extend(grant.audiences.iter().cloned());
        self.audiences.sort_unstable();
        self.audiences.dedup();
        self.granted_at = self.granted_at.min(grant.created_at);
        self.used_at = self.used_at.max(Some(last_used(grant)));
    }
}

impl From<Consent> for Connected {
    fn from(consent: Consent) -> Self {
        let Consent { client_id, scope, audiences, granted_at, .. } = consent;
        Self { client_id, scope, audiences, granted_at, used_at: None }
    }
}

impl From<Grant> for Connected {
    fn from(grant: Grant) -> Self {
        let used_at = Some(last_used(&grant));
        let Grant { client_id, scope, audiences, created_at, .. } = grant;
        Self { client_id, scope, audiences, granted_at: created_at, used_at }
    }
}

fn last_used(grant: &Grant) -> Timestamp {
    grant.rotated_at.unwrap_or(grant.created_at)
}

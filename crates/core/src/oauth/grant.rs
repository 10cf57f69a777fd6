//! Grants: one row each, whose refresh tokens are numbered. Rotation, replay and theft (RFC 6749
//! §6, RFC 9700 §4.14.2).

use crate::id::{ClientId, GrantId, SessionId, UserId};
use crate::oauth::api::Audience;
use crate::oauth::client::Client;
use crate::oauth::refresh::{Generation, RefreshToken};
use crate::oauth::scope::Scope;
use crate::oidc::claims_request::ClaimsRequest;
use crate::secret::constant_time_eq;
use crate::time::{Span, Timestamp};

/// What a person granted to a client, and how far its refresh tokens have come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is.
    pub user_id: UserId,
    /// Its id, the `gid` of its access tokens.
    pub id: GrantId,
    /// The client that it was given to.
    pub client_id: ClientId,
    /// The sign-in that it came from, the `sid` of its access tokens.
    pub session_id: SessionId,
    /// What was granted.
    pub scope: Scope,
    /// The APIs it is good for.
    pub audiences: Vec<Audience>,
    /// The number of the one refresh token that is current.
    pub generation: Generation,
    /// What the row knows and its tokens repeat.
    pub nonce: [u8; 16],
    /// When its owner had proved who they are when it was given: the `auth_time` of its tokens,
    /// which stays as it is (OpenID Connect Core §12.2, RFC 9068 §2.2.1).
    pub authenticated_at: Timestamp,
    /// When it was given.
    pub created_at: Timestamp,
    /// When its refresh token was last rotated.
    pub rotated_at: Option<Timestamp>,
    /// When it dies of not being used.
    pub idle_expires_at: Timestamp,
    /// When it dies in any case.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// The claims that were asked for one by one, for UserInfo and for further ID tokens.
    pub claims: Option<ClaimsRequest>,
    /// The thumbprint of the key that its tokens are bound to (RFC 9449 §6).
    pub dpop_jkt: Option<String>,
}

/// What the row's surroundings say, read in the same transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Since when its owner is disabled.
    pub user_disabled_at: Option<Timestamp>,
    /// When its owner last changed the password.
    pub password_changed_at: Option<Timestamp>,
    /// When the session ended.
    pub session_ended_at: Option<Timestamp>,
    /// When its owner last proved in the session who they are, and so kept what came from it.
    pub session_kept_at: Option<Timestamp>,
}

/// The lives of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// How long it lives without being used.
    pub idle_ttl: Span,
    /// How long a public client may present the previous token again.
    pub replay_window: Span,
}

/// By whom, when and in what surroundings a refresh token is presented.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The client, which has proved who it is.
    pub client: &'a Client,
    /// How the grant stands.
    pub standing: Standing,
    /// The lives of grants.
    pub lifetimes: Lifetimes,
    /// When.
    pub now: Timestamp,
}

/// What a presented refresh token means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presented {
    /// It is the current one: move on to the next.
    Rotate,
    /// It is the previous one, and the current one is unused: a lost reply or a second tab. The
    /// answer is the current one again; there is never a second branch.
    ReplayOfLast,
    /// It was used before: a copy exists. The grant has to die.
    Stolen,
    /// It is no good, and nothing changes; the sentence is for the caller.
    Refuse(&'static str),
}

impl Grant {
    /// What it means that `token` is presented in these circumstances.
    pub fn present(&self, token: &RefreshToken, around: &Circumstances<'_>) -> Presented {
        if !constant_time_eq(&self.nonce, &token.nonce) {
            return Presented::Refuse("refresh token is unknown");
        }
        // RFC 6749 §6: "the refresh token is bound to the client to which it was issued". Checked
        // before everything that changes something: a stranger cannot end somebody's grant.
        if self.client_id != around.client.id {
            return Presented::Refuse("refresh token was issued to another client");
        }
        if self.revoked_at.is_some() {
            return Presented::Refuse("refresh token was revoked");
        }
        if let Some(reason) = self.dead(&around.standing, around.now) {
            return Presented::Refuse(reason);
        }
        self.meaning_of(token.generation, around)
    }

    fn meaning_of(&self, generation: Generation, around: &Circumstances<'_>) -> Presented {
        if generation == self.generation {
            return Presented::Rotate;
        }
        if generation > self.generation {
            // We never issued it, or the database was set back: no thief, but no good either.
            return Presented::Refuse("refresh token is unknown");
        }
        let is_last = generation == self.generation.saturating_sub(1);
        // product.md, defaults: 30 s for public clients; for clients that prove themselves as long
        // as the successor is unused, which it is: its use would have moved the generation on.
        let window = around.lifetimes.replay_window;
        let in_window = self.rotated_at.is_some_and(|at| around.now < at.plus(window));
        if is_last && (in_window || !around.client.is_public()) {
            return Presented::ReplayOfLast;
        }
        munjigi_token::planted!("theft_overlooked", return Presented::ReplayOfLast);
        // RFC 9700 §4.14.2: a second use of a rotated token means that a copy exists.
        Presented::Stolen
    }

    /// Why it can no longer be used by anybody, whatever token is presented.
    pub fn dead(&self, standing: &Standing, now: Timestamp) -> Option<&'static str> {
        if now >= self.expires_at || now >= self.idle_expires_at {
            return Some("refresh token has expired");
        }
        let is_disabled = standing.user_disabled_at.is_some();
        if munjigi_token::planted!("disabled_user_refreshes" => false, is_disabled) {
            return Some("refresh token was revoked");
        }
        if standing.session_ended_at.is_some() {
            return Some("the session has ended");
        }
        let proved_at = standing.session_kept_at.max(Some(self.authenticated_at));
        if standing.password_changed_at > proved_at {
            return Some("the password was changed since");
        }
        None
    }

    /// The same grant, one generation on.
    #[must_use]
    pub fn advanced(mut self, lifetimes: &Lifetimes, now: Timestamp) -> Self {
        self.generation = self.generation.saturating_add(1);
        self.rotated_at = Some(now);
        self.idle_expires_at = now.plus(lifetimes.idle_ttl).min(self.expires_at);
        self
    }

    /// Its current refresh token.
    pub fn token(&self) -> RefreshToken {
        RefreshToken {
            user_id: self.user_id,
            grant_id: self.id,
            generation: self.generation,
            nonce: self.nonce,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::oauth::client::{AuthMethod, GrantType, Origin, Party, Pkce};
    use crate::oauth::metadata::Metadata;

    const LIVES: Lifetimes =
        Lifetimes { idle_ttl: Span::from_days(30), replay_window: Span::from_seconds(30) };
    const GOOD: Standing = Standing {
        user_disabled_at: None,
        password_changed_at: None,
        session_ended_at: None,
        session_kept_at: None,
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn client(auth_method: AuthMethod) -> Client {
        Client {
            id: "shop".parse().unwrap(),
            name: "Shop".into(),
            auth_method,
            secrets: vec![],
            grant_types: BTreeSet::from([GrantType::RefreshToken]),
            redirect_uris: vec![],
            scope: Scope::empty(),
            audiences: vec![],
            pkce: Pkce::Required,
            party: Party::First,
            created_at: at(0),
            disabled_at: None,
            metadata: Metadata::default(),
            origin: Origin::Made,
            used_at: None,
            refreshed_at: None,
            management_hash: None,
        }
    }

    fn grant() -> Grant {
        Grant {
            user_id: UserId::from_random([1; 16]),
            id: GrantId::from_parts(at(100), [2; 10]),
            client_id: "shop".parse().unwrap(),
            session_id: SessionId::from_parts(at(100), [3; 10]),
            scope: Scope::empty(),
            audiences: vec![],
            generation: 1,
            nonce: [4; 16],
            authenticated_at: at(100),
            created_at: at(100),
            rotated_at: None,
            idle_expires_at: at(100).plus(LIVES.idle_ttl),
            expires_at: at(100).plus(Span::from_days(90)),
            revoked_at: None,
            claims: None,
            dpop_jkt: None,
        }
    }

    fn public() -> Client {
        client(AuthMethod::None)
    }

    fn around(client: &Client, now: Timestamp) -> Circumstances<'_> {
        Circumstances { client, standing: GOOD, lifetimes: LIVES, now }
    }

    #[test]
    fn the_current_token_rotates() {
        let grant = grant();
        let meaning = grant.present(&grant.token(), &around(&public(), at(101)));
        assert_eq!(meaning, Presented::Rotate);
    }

    #[test]
    fn the_last_token_is_answered_again_for_thirty_seconds_to_a_public_client() {
        let first = grant().token();
        let grant = grant().advanced(&LIVES, at(200));
        let present = |now| grant.present(&first, &around(&public(), at(now)));
        assert_eq!(present(229), Presented::ReplayOfLast);
        assert_eq!(present(230), Presented::Stolen);
    }

    #[test]
    fn a_client_that_proves_itself_may_repeat_as_long_as_the_successor_is_unused() {
        let shop = client(AuthMethod::ClientSecretBasic);
        let first = grant().token();
        let second = grant().advanced(&LIVES, at(200));
        let day_later = at(200).plus(Span::from_days(1));
        let meaning = second.present(&first, &around(&shop, day_later));
        assert_eq!(meaning, Presented::ReplayOfLast);

        let third = second.advanced(&LIVES, at(201));
        assert_eq!(third.present(&first, &around(&shop, at(202))), Presented::Stolen);
    }

    #[test]
    fn another_client_cannot_end_the_grant_with_an_old_token() {
        let mut other = public();
        other.id = "other".parse().unwrap();
        let first = grant().token();
        let third = grant().advanced(&LIVES, at(200)).advanced(&LIVES, at(300));
        let meaning = third.present(&first, &around(&other, at(400)));
        assert!(matches!(meaning, Presented::Refuse(_)));
    }

    #[test]
    fn a_token_with_another_nonce_or_from_the_future_changes_nothing() {
        let grant = grant();
        let mut forged = grant.token();
        forged.nonce = [9; 16];
        let mut future = grant.token();
        future.generation = 2;
        for token in [forged, future] {
            let meaning = grant.present(&token, &around(&public(), at(101)));
            assert!(matches!(meaning, Presented::Refuse(_)));
        }
    }

    /// RT-06 of the attack kit.
    #[test]
    fn nothing_lives_on_after_its_user_session_or_password() {
        let grant = grant();
        for standing in [
            Standing { user_disabled_at: Some(at(1)), ..GOOD },
            Standing { session_ended_at: Some(at(1)), ..GOOD },
            Standing { password_changed_at: Some(at(101)), ..GOOD },
        ] {
            let meaning = grant
                .present(&grant.token(), &Circumstances { standing, ..around(&public(), at(102)) });
            assert!(matches!(meaning, Presented::Refuse(_)), "{standing:?}");
        }
        let before = Standing { password_changed_at: Some(at(100)), ..GOOD };
        let kept =
            Standing { password_changed_at: Some(at(101)), session_kept_at: Some(at(101)), ..GOOD };
        for standing in [before, kept] {
            let meaning = grant
                .present(&grant.token(), &Circumstances { standing, ..around(&public(), at(102)) });
            assert_eq!(meaning, Presented::Rotate);
        }
    }

    #[test]
    fn a_grant_dies_of_disuse_and_of_age() {
        let young = grant();
        let idle = young.idle_expires_at;
        assert!(matches!(
            young.present(&young.token(), &around(&public(), idle)),
            Presented::Refuse("refresh token has expired")
        ));
        let used = grant().advanced(&LIVES, grant().expires_at.minus(Span::from_seconds(1)));
        assert_eq!(used.idle_expires_at, used.expires_at);
    }
}

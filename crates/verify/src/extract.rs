//! The axum extractors: the caller of a request, with what it must bring in the type.
//! They read what [`AuthLayer`](crate::AuthLayer) found out and never verify anything again.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::{IntoResponse, Response};
use http::request::Parts;

use crate::bearer::request_id;
use crate::layer::Checked;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::requirement::{Requirement, any_role, scope};

/// What a [`Caller`] must bring, as a type. Made by [`scopes!`](crate::scopes) and
/// [`roles!`](crate::roles).
pub trait Required {
    /// Scopes, all of them.
    const SCOPES: &'static [&'static str] = &[];
    /// Roles, one of them; empty for none in particular.
    const ROLES: &'static [&'static str] = &[];

    /// The same as a value.
    fn requirement() -> Requirement {
        let scopes = scope(&Self::SCOPES.join(" "));
        if Self::ROLES.is_empty() {
            return scopes;
        }
        scopes.and(any_role(Self::ROLES.iter().copied()))
    }

    /// Whether the caller brings it.
    fn check(principal: &Principal) -> Result<(), Refusal> {
        let has_scopes = Self::SCOPES.iter().all(|scope| principal.has_scope(scope));
        let has_role =
            Self::ROLES.is_empty() || Self::ROLES.iter().any(|role| principal.has_role(role));
        if has_scopes && has_role {
            return Ok(());
        }
        Self::requirement().check(principal)
    }
}

/// Nothing but a valid token.
#[derive(Clone, Copy, Debug)]
pub enum Anyone {}

impl Required for Anyone {}

/// Names sets of scopes, for use as [`Caller<Name>`](crate::Caller).
///
/// ```
/// munjigi_verify::scopes! {
///     /// May add events.
///     pub EventsWrite = "events:write";
///     pub EventsSync = "events:read", "events:write";
/// }
/// # async fn add(me: munjigi_verify::Caller<EventsWrite>) {}
/// ```
#[macro_export]
macro_rules! scopes {
    ($($(#[$doc:meta])* $seen:vis $name:ident = $($scope:literal),+ $(,)?);+ $(;)?) => {
        $(
            $(#[$doc])*
            #[doc = concat!("Requires the scopes", $(" `", $scope, "`",)+ ".")]
            #[derive(Clone, Copy, Debug)]
            $seen enum $name {}

            impl $crate::Required for $name {
                const SCOPES: &'static [&'static str] = &[$($scope),+];
            }
        )+
    };
}

/// Names sets of roles of which a caller must have one, for use as
/// [`Caller<Name>`](crate::Caller).
///
/// ```
/// munjigi_verify::roles! {
///     pub Admin = "admin";
///     pub Staff = "manager", "admin";
/// }
/// # async fn stats(me: munjigi_verify::Caller<Admin>) {}
/// ```
#[macro_export]
macro_rules! roles {
    ($($(#[$doc:meta])* $seen:vis $name:ident = $($role:literal),+ $(,)?);+ $(;)?) => {
        $(
            $(#[$doc])*
            #[doc = concat!("Requires one of the roles", $(" `", $role, "`",)+ ".")]
            #[derive(Clone, Copy, Debug)]
            $seen enum $name {}

            impl $crate::Required for $name {
                const ROLES: &'static [&'static str] = &[$($role),+];
            }
        )+
    };
}

/// The verified caller of a request, with what `R` requires.
///
/// `Option<Caller>` is `None` for a request without credentials; a bad token is refused all the
/// same, so that a client learns that it has expired.
pub struct Caller<R = Anyone> {
    principal: Arc<Principal>,
    required: PhantomData<fn() -> R>,
}

/// The caller where signing in is optional.
pub type MaybeCaller = Option<Caller>;

impl<R> Caller<R> {
    /// The principal, to keep.
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The principal, to keep.
    pub fn into_principal(self) -> Arc<Principal> {
        self.principal
    }
}

impl<R> Deref for Caller<R> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.principal
    }
}

impl<R> Clone for Caller<R> {
    fn clone(&self) -> Self {
        Self { principal: Arc::clone(&self.principal), required: PhantomData }
    }
}

impl<R> fmt::Debug for Caller<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Caller").field(&self.principal).finish()
    }
}

/// A refusal with its answer, which knows where it was given.
#[derive(Debug)]
pub struct Refused {
    refusal: Refusal,
    answer: Box<Response>,
}

impl Refused {
    /// Why.
    pub fn refusal(&self) -> &Refusal {
        &self.refusal
    }

    fn at(parts: &Parts, refusal: Refusal) -> Self {
        let request_id = request_id(parts);
        let checked = parts.extensions.get::<Checked>();
        let answer = match checked {
            Some(checked) => checked.answer(&refusal, request_id.as_deref()),
            None => refusal.answer(None, request_id.as_deref()),
        };
        Self { refusal, answer: Box::new(answer) }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        *self.answer
    }
}

impl<R: Required> Caller<R> {
    fn of(parts: &Parts) -> Result<Self, Refusal> {
        let Some(checked) = parts.extensions.get::<Checked>() else {
            tracing::error!(path = parts.uri.path(), "a guarded route has no AuthLayer above it");
            return Err(Refusal::NoVerifier);
        };
        let principal = checked.outcome.clone()?;
        R::check(&principal)?;
        Ok(Self { principal, required: PhantomData })
    }
}

impl<S: Sync, R: Required> FromRequestParts<S> for Caller<R> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        Self::of(parts).map_err(|refusal| Refused::at(parts, refusal))
    }
}

impl<S: Sync, R: Required> OptionalFromRequestParts<S> for Caller<R> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Refused> {
        match Self::of(parts) {
            Ok(caller) => Ok(Some(caller)),
            Err(Refusal::NoCredentials) => Ok(None),
            Err(refusal) => Err(Refused::at(parts, refusal)),
        }
    }
}

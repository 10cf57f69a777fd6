//! The tower layers: one verifies a request's token once, one asks something of the caller.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::response::Response;
use http::Request;
use http::request::Parts;
use tower::{Layer, Service};

use crate::bearer::{request_id_of, token};
use crate::possession::Around;
use crate::principal::Principal;
use crate::refusal::Refusal;
use crate::requirement::Requirement;
use crate::verifier::Verifier;

/// What the layer found out about a request, for everything below it.
#[derive(Clone)]
pub(crate) struct Checked {
    pub verifier: Verifier,
    pub outcome: Result<Arc<Principal>, Refusal>,
}

impl Checked {
    /// The answer to a request that is refused.
    pub fn answer(&self, refusal: &Refusal, request_id: Option<&str>) -> Response {
        let mode = self.verifier.dpop();
        refusal.answer_in(mode, self.verifier.resource_metadata(), request_id)
    }
}

/// Verifies the token of each request once and keeps the outcome with the request.
///
/// It refuses nothing itself, so that public routes may stand below it: `Caller`, `Option<Caller>`
/// and [`RequireLayer`] do. A verified caller is also put into the request's extensions as
/// `Arc<Principal>`.
#[derive(Clone, Debug)]
pub struct AuthLayer {
    verifier: Verifier,
}

/// Refuses requests whose caller does not bring what is required.
///
/// Below an [`AuthLayer`] it takes that one's outcome; by itself it verifies the token.
#[derive(Clone, Debug)]
pub struct RequireLayer {
    verifier: Verifier,
    requirement: Arc<Requirement>,
}

impl AuthLayer {
    pub(crate) fn new(verifier: Verifier) -> Self {
        Self { verifier }
    }
}

impl RequireLayer {
    pub(crate) fn new(verifier: Verifier, requirement: Requirement) -> Self {
        Self { verifier, requirement: Arc::new(requirement) }
    }
}

impl<S> Layer<S> for AuthLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, verifier: self.verifier.clone(), requirement: None }
    }
}

impl<S> Layer<S> for RequireLayer {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        let requirement = Some(Arc::clone(&self.requirement));
        Guarded { inner, verifier: self.verifier.clone(), requirement }
    }
}

/// What stands below an [`AuthLayer`] or a [`RequireLayer`].
#[derive(Clone)]
pub struct Guarded<S> {
    inner: S,
    verifier: Verifier,
    requirement: Option<Arc<Requirement>>,
}

impl<S> fmt::Debug for Guarded<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("requirement", &self.requirement).finish_non_exhaustive()
    }
}

impl<S, B> Service<Request<B>> for Guarded<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The one that was polled ready is used; its clone takes its place.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        let (verifier, requirement) = (self.verifier.clone(), self.requirement.clone());
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            check(&verifier, &mut parts).await;
            let refused = requirement.and_then(|requirement| {
                let checked = parts.extensions.get::<Checked>()?;
                let refusal = match &checked.outcome {
                    Ok(principal) => requirement.check(principal).err()?,
                    Err(refusal) => refusal.clone(),
                };
                let request_id = request_id_of(&parts.headers, &parts.extensions);
                Some(checked.answer(&refusal, request_id.as_deref()))
            });
            match refused {
                Some(answer) => Ok(answer),
                None => inner.call(Request::from_parts(parts, body)).await,
            }
        })
    }
}

/// Verifies the token, unless a layer above has.
async fn check(verifier: &Verifier, parts: &mut Parts) {
    let extensions = &mut parts.extensions;
    let is_checked =
        extensions.get::<Checked>().is_some_and(|checked| checked.verifier.is_same(verifier));
    if is_checked {
        return;
    }
    let around = Around { method: &parts.method, uri: &parts.uri, headers: &parts.headers };
    let outcome = match token(around.headers, around.uri, verifier.dpop()) {
        Ok(presented) => verifier.verify_presented(&presented, around).await,
        Err(refusal) => Err(refusal),
    };
    match &outcome {
        Ok(principal) => {
            extensions.insert(Arc::clone(principal));
        }
        Err(refusal) => {
            // The outcome of an outer layer with another verifier does not hold here.
            extensions.remove::<Arc<Principal>>();
            tracing::debug!(code = refusal.code(), "no verified caller");
        }
    }
    extensions.insert(Checked { verifier: verifier.clone(), outcome });
}

//! What stands below the path of an issuer, for a proxy that leaves the path where it is. It
//! decides nothing: the same routes answer.

use std::convert::Infallible;
use std::task::{self, Poll};

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::future::RouteFuture;
use http::Uri;
use http::uri::PathAndQuery;
use tower::Service;

/// The routes, asked for with a path in front.
#[derive(Clone)]
pub(super) struct Below {
    path: String,
    routes: Router,
}

impl Below {
    /// The routes below `path`, which begins with a slash and does not end with one.
    pub(super) fn new(path: &str, routes: Router) -> Self {
        Self { path: path.to_owned(), routes }
    }
}

impl Service<Request> for Below {
    type Response = Response;
    type Error = Infallible;
    type Future = RouteFuture<Infallible>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request>::poll_ready(&mut self.routes, cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        if let Some(uri) = without(&self.path, request.uri()) {
            *request.uri_mut() = uri;
        }
        self.routes.call(request)
    }
}

/// The address without the path in front; `None` where it stands not in front.
fn without(path: &str, uri: &Uri) -> Option<Uri> {
    let rest = uri.path_and_query()?.as_str().strip_prefix(path)?;
    let rest = match rest.chars().next() {
        Some('/') => rest.to_owned(),
        None | Some('?') => format!("/{rest}"),
        Some(_) => return None,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(rest.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_path_in_front_is_taken_away() {
        let rest = |uri: &str| without("/auth", &uri.parse().unwrap()).map(|it| it.to_string());
        assert_eq!(rest("/auth/login?a=/auth").as_deref(), Some("/login?a=/auth"));
        assert_eq!(rest("/auth?x").as_deref(), Some("/?x"));
        assert_eq!(rest("/auth").as_deref(), Some("/"));
        for other in ["/", "/author", "/a/auth/login", "/AUTH/login"] {
            assert_eq!(rest(other), None, "{other}");
        }
    }
}

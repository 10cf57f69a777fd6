//! Protected resource metadata (RFC 9728): tells a client whom this API trusts. Public.

use axum::Router;
use axum::routing::get;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use serde::Serialize;

use crate::url::path_of;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The document, prebuilt, and its path.
pub(crate) struct ResourceMetadata {
    path: String,
    document: String,
}

/// RFC 9728 §2.
#[derive(Serialize)]
struct Document<'a> {
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    scopes_supported: &'a [String],
    bearer_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_name: Option<&'a str>,
}

impl ResourceMetadata {
    pub fn new(audience: &str, issuer: &str, name: Option<&str>, scopes: &[String]) -> Self {
        let document = Document {
            resource: audience,
            authorization_servers: [issuer],
            scopes_supported: scopes,
            bearer_methods_supported: ["header"],
            resource_name: name,
        };
        // RFC 9728 §3.1: the path of the resource follows the well-known one.
        let path = format!("{WELL_KNOWN}{}", path_of(audience));
        Self { path, document: serde_json::to_string(&document).unwrap_or_default() }
    }

    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let document = self.document.clone();
        let headers = [
            (CONTENT_TYPE, "application/json"),
            (CACHE_CONTROL, "public, max-age=300"),
            // Read by clients that live in browsers, before they have any token.
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        ];
        Router::new().route(&self.path, get(async move || (headers, document)))
    }
}

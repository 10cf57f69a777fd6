//! OAuth 2.1: clients, scopes, APIs, grants and refresh tokens, as values and rules.

pub mod api;
pub mod client;
pub mod error;
pub mod grant;
pub mod redirect_uri;
pub mod refresh;
pub mod revocation;
pub mod scope;

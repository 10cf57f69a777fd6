//! The OAuth 2.1 and OpenID Connect endpoints.

pub mod introspect;
pub mod revoke;
pub mod token;
pub mod userinfo;

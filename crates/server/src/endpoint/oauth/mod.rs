//! The OAuth 2.1 and OpenID Connect endpoints.

pub mod authorize;
pub mod device_authorization;
pub mod introspect;
pub mod logout;
pub mod par;
pub mod register;
pub mod revoke;
pub mod token;
pub mod userinfo;

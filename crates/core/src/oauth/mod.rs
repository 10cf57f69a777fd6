//! OAuth 2.1: clients, scopes, APIs, requests, codes, grants and tokens, as values and rules.

pub mod api;
pub mod assertion;
pub mod authorization;
pub mod client;
pub mod code;
pub mod consent;
pub mod device;
pub mod dpop;
pub mod error;
pub mod grant;
pub mod metadata;
pub mod parameters;
pub mod pkce;
pub mod pushed;
pub mod redirect_uri;
pub mod refresh;
pub mod registration;
pub mod registration_token;
pub mod revocation;
pub mod scope;
pub mod ticket;

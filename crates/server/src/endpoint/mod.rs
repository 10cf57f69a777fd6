//! One file per endpoint, in five stations: parse, load, decide, write, reply.

pub mod api;
pub mod dev;
pub mod docs;
pub mod forward_auth;
pub mod health;
pub mod metadata;
pub mod metrics;
pub mod oauth;
pub mod page;

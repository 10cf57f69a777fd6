//! Fuzz targets: everything of Munjigi that reads what a stranger wrote, one file each. A target
//! panics when what it reads is not what it says it is; that it does not crash is the least of it.
//! It must not read a file, a clock or the network: the same bytes are the same answer everywhere.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    reason = "an oracle: whatever is not as it should be ends the run"
)]

mod entropy;
pub mod mutation;
mod target;

use target::{
    bundle, checkpoint, claims, claims_request, config, cookie, cursor, dpop, email, form, json,
    jwk, jwt, leaf, merkle, outbound, phc, proof, redirect, registration, scope, ticket, tile,
    username,
};

/// One target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which its corpus and its dictionary have too.
    pub name: &'static str,
    /// Reads bytes, and panics where a rule does not hold.
    pub run: fn(&[u8]),
}

/// Every target.
pub const TARGETS: [Target; 24] = [
    Target { name: "bundle", run: bundle::run },
    Target { name: "checkpoint", run: checkpoint::run },
    Target { name: "claims", run: claims::run },
    Target { name: "claims_request", run: claims_request::run },
    Target { name: "config", run: config::run },
    Target { name: "cookie", run: cookie::run },
    Target { name: "cursor", run: cursor::run },
    Target { name: "dpop", run: dpop::run },
    Target { name: "email", run: email::run },
    Target { name: "form", run: form::run },
    Target { name: "json", run: json::run },
    Target { name: "jwk", run: jwk::run },
    Target { name: "jwt", run: jwt::run },
    Target { name: "leaf", run: leaf::run },
    Target { name: "merkle", run: merkle::run },
    Target { name: "outbound", run: outbound::run },
    Target { name: "phc", run: phc::run },
    Target { name: "proof", run: proof::run },
    Target { name: "redirect", run: redirect::run },
    Target { name: "registration", run: registration::run },
    Target { name: "scope", run: scope::run },
    Target { name: "ticket", run: ticket::run },
    Target { name: "tile", run: tile::run },
    Target { name: "username", run: username::run },
];

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

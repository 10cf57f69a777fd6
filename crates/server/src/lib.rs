//! Munjigi's HTTP server: an axum router over the rules of `munjigi-core` and the tables of
//! `munjigi-store`. It can be served by itself or mounted inside another axum application.
//!
//! ```no_run
//! # async fn mount() -> Result<(), Box<dyn std::error::Error>> {
//! use munjigi_server::{App, Clock, ConfigFile, Mode, router};
//!
//! let file = ConfigFile::parse(&std::fs::read_to_string("munjigi.toml")?, &Default::default());
//! let config = file.and_then(|file| file.check(Mode::Serve)).map_err(|it| format!("{it:?}"))?;
//! let app = App::start(config, Clock::system()).await?;
//! let mine: axum::Router = axum::Router::new().nest("/auth", router(&app));
//! # Ok(())
//! # }
//! ```

mod account_deletion;
pub mod accounts;
mod addresses;
pub mod anchors;
mod api_secret;
pub mod api_sharing;
mod app;
mod asking;
mod attempts;
pub mod audit_keeping;
mod audit_key;
pub mod audit_leaf;
mod browser;
pub mod builtin;
mod claim_words;
mod client_keys;
mod clock;
pub mod config;
mod connected;
mod context;
mod cross_origin;
mod current;
pub mod demo;
mod dev_walk;
mod documents;
mod email_change;
mod ending;
pub mod endpoint;
mod epoch;
mod export;
mod extract;
mod failure;
mod feed;
pub mod fetch;
mod first_keys;
mod flow;
mod hashing;
mod hosts;
mod id_token;
mod issue;
pub mod jobs;
mod key_rotation;
pub mod keys;
mod known_device;
mod leaving;
pub mod mail;
mod mailed_link;
pub mod metrics;
mod opening;
pub mod operate;
pub mod outbox;
pub mod page;
mod password_change;
mod profile_change;
mod proof;
pub mod random;
mod readiness;
mod recovery;
mod registration;
pub mod registry;
mod reply;
mod resealing;
mod router;
pub mod seal;
mod sealed_text;
mod searches;
pub mod sequencer;
pub mod serve;
mod session_limit;
pub mod settings;
mod sign_in;
mod sign_up;
mod signed_up;
mod snapshot;
pub mod tls;

pub use app::{App, Inner, WeakApp};
pub use clock::Clock;
pub use config::{Config, ConfigFile, Mistake, Mode};
pub use context::{Current, current};
pub use extract::form::Form;
pub use failure::Failure;
pub use hashing::{Hashing, HashingError};
pub use key_rotation::{Rotation, Withdrawn};
pub use resealing::Resealed;
pub use router::{Route, page_routes, router, routes};
pub use seal::EncryptionKey;
pub use snapshot::SELF_AUDIENCE;

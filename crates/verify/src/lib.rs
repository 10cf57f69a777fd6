//! Munjigi for resource servers: verifies access tokens (RFC 9068), answers as RFC 6750 says, and
//! tells clients whom the API trusts (RFC 9728). It must not know the server behind the tokens.
//!
//! ```no_run
//! # #[cfg(feature = "remote")]
//! # fn app() -> Result<axum::Router, munjigi_verify::BuildError> {
//! use axum::{Router, routing::get};
//! use munjigi_verify::{Caller, Verifier, role, scopes};
//!
//! scopes! { pub OrdersRead = "orders:read" }
//!
//! let verifier = Verifier::builder("http://localhost:8000", "orders-api").build()?;
//! let app = Router::new()
//!     .route("/orders", get(orders))
//!     .route("/admin/stats", get(stats).route_layer(verifier.require(role("admin"))))
//!     .layer(verifier.layer()) // verifies once, keeps the caller with the request
//!     .merge(verifier.metadata_router()); // public, because merged after the layer
//!
//! async fn orders(me: Caller<OrdersRead>) -> String {
//!     format!("orders of {}", me.sub())
//! }
//! async fn stats() -> &'static str {
//!     "all is well"
//! }
//! # Ok(app)
//! # }
//! ```
//!
//! In tests, `testing::Issuer` (feature `testing`) makes tokens without a network.

mod bearer;
mod builder;
mod cache;
mod clock;
mod extract;
mod feed;
mod keys;
mod layer;
mod metadata;
mod possession;
mod principal;
mod refusal;
mod requirement;
mod revocation;
mod status;
#[cfg(feature = "testing")]
pub mod testing;
mod url;
mod verifier;

pub use bearer::RequestId;
pub use builder::{BuildError, Builder};
pub use clock::Clock;
pub use extract::{Anyone, Caller, MaybeCaller, Refused, Required};
pub use feed::Revocations;
pub use layer::{AuthLayer, Guarded, RequireLayer};
pub use possession::Dpop;
pub use principal::Principal;
pub use refusal::Refusal;
pub use requirement::{Requirement, any_role, permission, role, scope};
pub use revocation::{RevocationKind, RevocationSet};
pub use verifier::{Status, Verifier};

/// The crate of the tokens themselves: its types stand in this one's interface.
pub use munjigi_token as token;

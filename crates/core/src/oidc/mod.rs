//! OpenID Connect: what is said about a person, to whom, and how they sign out.

pub mod acr;
pub mod at_hash;
pub mod claim_profile;
pub mod claims;
pub mod claims_request;
pub mod logout;

//! The JSON APIs: accounts for everybody, administration for those who may, the revocation
//! feed for APIs.

pub mod admin;
pub mod revocations;
pub mod users;

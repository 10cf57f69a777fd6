//! The JSON APIs: accounts for everybody, administration for those who may.

pub mod admin;
pub mod users;

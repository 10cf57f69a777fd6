//! The targets, each with what has to hold beside not crashing.

pub mod bundle;
pub mod checkpoint;
pub mod claims;
pub mod claims_request;
pub mod config;
pub mod cookie;
pub mod cursor;
pub mod dpop;
pub mod email;
pub mod form;
pub mod json;
pub mod jwk;
pub mod jwt;
pub mod leaf;
pub mod merkle;
pub mod outbound;
pub mod phc;
pub mod proof;
pub mod redirect;
pub mod registration;
pub mod scope;
pub mod ticket;
pub mod tile;
pub mod username;

//! Munjigi's rules as values and functions: nothing here reads a clock, draws a random number, or
//! does any input or output. What it needs of those is passed in.

pub mod access;
pub mod account;
pub mod audit;
pub mod epoch;
pub mod id;
pub mod oauth;
pub mod oidc;
pub mod secret;
pub mod time;

#[doc(hidden)]
pub use munjigi_token::planted;

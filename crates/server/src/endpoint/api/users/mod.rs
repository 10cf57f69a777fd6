//! `/api/v1/users/…`: signing up, in and out, and one's own account.

pub mod me;
pub mod password;
pub mod sessions;
pub mod sign_in;
pub mod sign_out;
pub mod sign_up;

//! Accounts: who a person is and how they prove it.

pub mod attempts;
mod blocklist;
pub mod budget;
pub mod email;
pub mod hash;
pub mod link;
pub mod password;
pub mod policy;
pub mod profile;
pub mod profile_claims;
mod unicode;
pub mod user;
pub mod username;

pub use attempts::{Attempt, Attempts, Taken};
pub use email::{Email, EmailError};
pub use hash::{Argon2Params, Argon2idHash, BcryptHash, StoredHash, StoredHashError};
pub use password::{Password, PasswordRefusal};
pub use policy::Weakness;
pub use profile::{DisplayName, DisplayNameError, Locale, LocaleError};
pub use profile_claims::{BadClaim, Profile, ProfileClaim};
pub use username::{Username, UsernameError};

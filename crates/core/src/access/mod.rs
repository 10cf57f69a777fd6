//! What a caller may do: roles, permissions and the one function that decides.

mod decide;
mod permission;
mod role;

pub use decide::{Caller, Carried, Decision, Object, authorize};
pub use permission::{Permission, PermissionError, Permissions};
pub use role::{Role, RoleName, RoleNameError, grantable};

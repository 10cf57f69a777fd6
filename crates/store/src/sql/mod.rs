//! The executor: serializable closures over SQLite and PostgreSQL, one SQL text for both. The only
//! place that names a database driver; it knows no table but its own `migration`.

mod error;
mod faults;
mod job;
mod options;
mod postgres;
mod queue;
mod sqlite;
mod standing;
mod statistics;
mod store;
mod tx;
mod value;

#[cfg(feature = "testing")]
pub use faults::Faults;
#[cfg(feature = "testing")]
pub(crate) use postgres::{run_batch, run_migrations};

pub use error::{Result, StoreError};
pub use options::{DatabaseUrl, DatabaseUrlError, StoreOptions};
pub use sqlite::Beside;
pub use standing::Standing;
pub use statistics::Statistics;
pub use store::Store;
pub use tx::{Audit, Committed, ReadTx, Tx};
pub use value::{FromValue, Row, ToValue, Value};

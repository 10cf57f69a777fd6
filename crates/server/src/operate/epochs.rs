//! The lives of the rows, as an operator sees them, and says what cannot be seen.

use munjigi_store::epochs::{self, Epoch};

use super::{OperateError, Operator};
use crate::epoch::{Scope, settle_by_hand};

/// What an operator says of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// It was restored from a backup, or may lack something for another reason.
    Restored,
    /// It was moved, upgraded or promoted, and everything is in it.
    Intact,
}

impl Operator {
    /// The present epoch; nothing before a server was started.
    pub async fn epoch(&self) -> Result<Option<Epoch>, OperateError> {
        self.read(|tx| Ok(epochs::find(tx)?)).await
    }

    /// Begins the next epoch by what an operator says. Nothing where the database is one that no
    /// server can tell from another.
    pub async fn begin_epoch(&self, said: Said) -> Result<Option<Epoch>, OperateError> {
        let scope = match said {
            Said::Restored => Scope::Everything,
            Said::Intact => Scope::Nothing,
        };
        Ok(settle_by_hand(&self.store, &self.clock, scope).await?)
    }
}

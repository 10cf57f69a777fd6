//! Faults on purpose, for tests (cargo feature `testing`; without it nothing here does anything):
//! the n-th thing that is asked of a store from now on fails, as if the database went away at that
//! moment. Counted are each statement, each end of a closure (what it did is undone), and each
//! answer after a commit (it stands, and its caller is told that it failed).

#[cfg(feature = "testing")]
pub use on_purpose::Faults;

#[cfg(feature = "testing")]
mod on_purpose {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use crate::sql::error::{Result, StoreError};

    /// Nothing is going to fail.
    const NEVER: i64 = i64::MAX / 2;

    /// The faults of one store. A clone is the same.
    #[derive(Clone, Debug)]
    pub struct Faults(Arc<AtomicI64>);

    impl Faults {
        /// Nothing is to fail yet.
        pub(crate) fn none() -> Self {
            Self(Arc::new(AtomicI64::new(NEVER)))
        }

        /// Lets the n-th thing fail, counted from one; everything after it succeeds.
        pub fn fail_at(&self, n: u32) {
            self.0.store(n.into(), Ordering::SeqCst);
        }

        /// Lets nothing fail any more; whether it had come to the fault.
        pub fn stop(&self) -> bool {
            self.0.swap(NEVER, Ordering::SeqCst) <= 0
        }

        /// Counts one thing, which fails if it is the one.
        pub(crate) fn strike(&self) -> Result<()> {
            match self.0.fetch_sub(1, Ordering::SeqCst) {
                1 => Err(StoreError::Unavailable("a fault on purpose".to_owned())),
                _ => Ok(()),
            }
        }
    }
}

/// No faults.
#[cfg(not(feature = "testing"))]
#[derive(Clone, Debug)]
pub(crate) struct Faults;

#[cfg(not(feature = "testing"))]
impl Faults {
    pub(crate) const fn none() -> Self {
        Self
    }

    /// Nothing fails on purpose.
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) const fn strike(&self) -> super::error::Result<()> {
        Ok(())
    }
}

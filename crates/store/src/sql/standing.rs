//! Which database this is, as far as it can tell: what does not change while it lives, and changes
//! when it is replaced, restored to a point in time, or a standby is promoted in its place.

/// What a database says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name, to be compared by [`munjigi_core::epoch::kinship`].
    pub identity: String,
    /// Whether a commit that was confirmed is on another machine, too.
    pub is_synchronous: bool,
}

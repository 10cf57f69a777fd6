//! How many sessions somebody may have at once: one more ends the oldest, so that what nobody ends
//! does not pile up for ever, and a list of sessions can be read.

use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_core::id::{SessionId, UserId};
use munjigi_core::oauth::revocation::Revocation;
use munjigi_store::{StoreError, Tx, sessions};

use crate::app::App;
use crate::context::Context;
use crate::ending::Ending;
use crate::random::NoRandomness;

/// The limit, at the moment of a sign-in.
#[derive(Clone)]
pub struct SessionLimit {
    most: u32,
    ending: Ending,
    event: Event,
}

/// What made room for a session.
#[derive(Clone, Default)]
pub struct Room {
    /// What every node has to know.
    pub revocations: Vec<Revocation>,
    /// For the audit trail.
    pub event: Option<Event>,
}

impl SessionLimit {
    /// The limit in force.
    pub fn of(app: &App, context: &Context) -> Result<Self, NoRandomness> {
        let most = app.snapshot().settings.session_limit;
        let event = context.event(Kind::SessionEnded, Actor::System)?;
        Ok(Self { most, ending: app.ending(), event })
    }

    /// Makes room for a session that was written in this transaction: the oldest others end.
    pub fn make_room(
        &self,
        tx: &mut Tx<'_>,
        user_id: &UserId,
        new: &SessionId,
    ) -> Result<Room, StoreError> {
        let kept = self.most.saturating_sub(1);
        let beyond = sessions::list_beyond(tx, (user_id, new), kept, self.ending.now())?;
        if beyond.is_empty() {
            return Ok(Room::default());
        }
        let mut revocations = Vec::with_capacity(beyond.len());
        for id in &beyond {
            revocations.extend(self.ending.session(tx, user_id, id)?);
        }
        let event = self.event.clone().subject(*user_id);
        let event = event.with("reason", "too many sessions").with("sids", &beyond);
        Ok(Room { revocations, event: Some(event) })
    }
}

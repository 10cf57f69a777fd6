//! When this node's sequencer looks: twice a second for as long as the server runs, and once more
//! when it ends in good order, so that the signed tree covers everything that was acknowledged. Two
//! looks of a node never go on side by side.

use std::time::Duration;

use tokio::sync::Mutex;

use super::{Looked, Sequencer};
use crate::anchors::Anchoring;
use crate::app::App;
use crate::failure::Failure;

/// How often a node looks for events without a place.
const EVERY: Duration = Duration::from_millis(500);

/// The sequencer of this node, held by whoever looks.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Option<Sequencer>>);

/// Begins to look, until the app is dropped.
pub fn start(app: &App) {
    let (weak, mut anchoring) = (app.downgrade(), Anchoring::default());
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Some(app) = weak.upgrade() else { return };
            match look(&app).await {
                Ok(Looked::Done { .. }) => anchoring.begin(&app).await,
                Ok(Looked::Elsewhere | Looked::Refused(_)) => {}
                Err(error) => {
                    tracing::warn!(%error, "the audit trail does not go on; trying again");
                }
            }
        }
    });
}

async fn look(app: &App) -> Result<Looked, Failure> {
    let mut held = app.turns.0.lock().await;
    sequencer(&mut held, app)?.run(app).await
}

/// The last look of a node that ends: after the last request was answered.
pub(crate) async fn last(app: &App) -> Result<Looked, Failure> {
    let mut held = app.turns.0.lock().await;
    sequencer(&mut held, app)?.run_last(app).await
}

fn sequencer<'h>(held: &'h mut Option<Sequencer>, app: &App) -> Result<&'h mut Sequencer, Failure> {
    match held {
        Some(sequencer) => Ok(sequencer),
        None => Ok(held.insert(Sequencer::new(app)?)),
    }
}

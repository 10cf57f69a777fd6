//! One's own present password, asked for once more before something that cannot be undone, by the
//! account API and the pages alike. A stolen access token or an unwatched browser must not become a
//! way to guess it: one ledger for all guesses.

use munjigi_core::account::user::User;
use munjigi_core::account::{Password, StoredHash};
use munjigi_core::audit::{Actor, Kind};

use crate::addresses;
use crate::app::App;
use crate::attempts::{Counted, Ledger, count_account, give_back, record, wait_of_account};
use crate::context::Context;
use crate::failure::Failure;
use crate::sign_in::SignInError;

/// The present password was right.
#[derive(Clone)]
pub struct Proof {
    /// The stored hash that it was right for.
    pub hash: Option<String>,
    /// Where the guess was counted; to be cleared, or given back.
    pub ledger: Ledger,
}

/// Checks the present password; `None` when it is another one, which is then in the audit trail as
/// `wrong`.
pub async fn prove(
    app: &App,
    context: &Context,
    user: &User,
    guess: Option<Password>,
    wrong: &'static str,
) -> Result<Option<Proof>, SignInError> {
    let refused = context.event(Kind::SignInRefused, Actor::User(user.id))?.subject(user.id);
    let throttled = refused.clone().refused("too many attempts");
    let (hash, ledger) = match count_account(app, context, user, throttled).await? {
        Counted::Go { account, ledger } => (account.and_then(|it| it.hash), ledger),
        Counted::Throttled { until, ledger, .. } => {
            return Err(SignInError::Throttled(wait_of_account(app, &ledger, until)));
        }
    };
    match is_right(app, guess, hash.as_deref()).await {
        Ok(true) => Ok(Some(Proof { hash, ledger })),
        Ok(false) => {
            addresses::count_guess(app, context, &ledger).await?;
            record(app, refused.refused(wrong)).await?;
            Ok(None)
        }
        Err(failure) => {
            // Nobody looked at the guess: it was none.
            give_back(app, ledger).await?;
            Err(failure.into())
        }
    }
}

async fn is_right(
    app: &App,
    guess: Option<Password>,
    stored: Option<&str>,
) -> Result<bool, Failure> {
    let stored = stored.map(StoredHash::parse).transpose();
    let stored = stored.map_err(|_| Failure::Damaged("password hash"))?;
    Ok(app.hashing.verify(guess, stored).await?)
}

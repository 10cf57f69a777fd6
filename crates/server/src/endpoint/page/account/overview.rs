//! `/account`: what there is, with the way to each page.

use axum::extract::State;
use http::StatusCode;
use munjigi_store::{StoreError, sessions};

use crate::app::App;
use crate::connected;
use crate::endpoint::page::account::{Here, Told, owner};
use crate::failure::Failure;
use crate::page::account::{AccountOverview, Overview};
use crate::page::frame::Frame;
use crate::page::reply::{Page, View};

/// `GET /account`.
pub async fn show(State(app): State<App>, here: Here, frame: Frame, Told(notice): Told) -> Page {
    match counts(&app, &here).await {
        Ok((sessions, applications)) => {
            let user = &here.visitor.user;
            let overview = Overview {
                username: user.username.as_deref(),
                is_verified: user.email_verified_at.is_some(),
                has_mail: app.mail.is_on(),
                signed_in_at: &frame.moment(here.visitor.session.authenticated_at),
                sessions,
                applications,
            };
            let page = AccountOverview::new(frame.clone(), owner(user), overview, notice);
            page.reply(StatusCode::OK)
        }
        Err(failure) => frame.broken(failure),
    }
}

/// How many sessions there are, and how many applications.
async fn counts(app: &App, here: &Here) -> Result<(i64, i64), Failure> {
    let (user_id, now) = (here.user_id(), here.context.now);
    let counted = app.store.read(move |tx| {
        let sessions = sessions::list_live(tx, &user_id, now, sessions::MAX_LISTED)?.len();
        let applications = connected::list(tx, &user_id, now)?.len();
        Ok::<_, StoreError>((sessions, applications))
    });
    let (sessions, applications) = counted.await?;
    let number = |many: usize| i64::try_from(many).unwrap_or(i64::MAX);
    Ok((number(sessions), number(applications)))
}

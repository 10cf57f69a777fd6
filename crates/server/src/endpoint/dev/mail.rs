//! The mailbox of `munjigi dev`: what would have been sent, for people and for tests. In `serve`
//! none of these routes exists.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use munjigi_core::time::Timestamp;
use serde_json::json;

use crate::accounts::rfc3339;
use crate::app::App;
use crate::extract::path::Path;
use crate::mail::{Mailbox, Received};
use crate::page::dev::{DevMail, DevMailSeen, DevMailbox};
use crate::page::failed::{FailedPage, Reason};
use crate::page::frame::Frame;
use crate::page::locale::Locale;
use crate::page::moment::Moment;
use crate::page::reply::View;
use crate::reply;

/// `GET /dev/mail`: the mails, the newest first.
pub async fn list(State(app): State<App>, frame: Frame) -> Response {
    let received = received(&app);
    let mails = received.iter().map(|mail| seen(mail, frame.locale)).collect();
    DevMailbox::new(frame, mails).reply(StatusCode::OK).into_response()
}

/// `GET /dev/mail/{id}`: one mail.
pub async fn show(State(app): State<App>, frame: Frame, Path(id): Path<String>) -> Response {
    let received = received(&app);
    let Some(mail) = received.iter().find(|mail| mail.id == id) else {
        let missing = FailedPage::new(frame, Reason::NotFound);
        return missing.reply(StatusCode::NOT_FOUND).into_response();
    };
    let seen = seen(mail, frame.locale);
    DevMail::new(frame, seen, &mail.letter.text).reply(StatusCode::OK).into_response()
}

/// `GET /dev/mail.json`: the same for programs.
pub async fn json(State(app): State<App>) -> Response {
    let messages: Vec<_> = received(&app)
        .iter()
        .map(|mail| {
            json!({
                "id": mail.id,
                "to": mail.to,
                "subject": mail.letter.subject,
                "text": mail.letter.text,
                "html": mail.letter.html,
                "sent_at": rfc3339(mail.sent_at),
                "links": mail.letter.links,
            })
        })
        .collect();
    reply::json(StatusCode::OK, &json!({ "messages": messages }))
}

/// `DELETE /dev/mail.json`: an empty mailbox.
pub async fn clear(State(app): State<App>) -> Response {
    if let Some(mailbox) = app.mail.mailbox() {
        mailbox.clear();
    }
    reply::nothing()
}

fn received(app: &App) -> Vec<Received> {
    app.mail.mailbox().map(Mailbox::list).unwrap_or_default()
}

fn seen(mail: &Received, locale: Locale) -> DevMailSeen<'_> {
    let at: Timestamp = mail.sent_at;
    DevMailSeen {
        id: mail.id.clone(),
        to: &mail.to,
        subject: &mail.letter.subject,
        at: Moment::new(locale, at),
    }
}

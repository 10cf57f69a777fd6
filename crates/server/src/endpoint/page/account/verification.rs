//! `/account/email/verify`: one more mail with a link that proves the address.

use axum::extract::State;
use munjigi_core::account::Email;
use munjigi_core::account::link::Purpose;
use munjigi_core::audit::{Actor, Kind};
use munjigi_store::{Audit, Committed, StoreError};

use crate::app::App;
use crate::attempts::Ledger;
use crate::endpoint::page::account::{Here, done, to_login};
use crate::failure::Failure;
use crate::mail::About;
use crate::mailed_link::{MailedLink, Wanted, may_mail};
use crate::outbox;
use crate::page::account::Notice;
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::locale::Locale;
use crate::page::reply::Page;

/// What came of asking for the mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// It is on its way.
    Mailed,
    /// The address is proved already.
    Needless,
    /// There were too many mails to this address.
    TooMany,
    /// This browser holds its session no longer, or the address is another one by now.
    Over,
}

/// `POST /account/email/verify`: `action` is `verify`.
pub async fn send(State(app): State<App>, here: Here, form: PageForm) -> Page {
    let PageForm { fields, frame } = form;
    if !app.mail.is_on() {
        return frame.refuse(Reason::SwitchedOff);
    }
    if fields.find("action") != Some("verify") {
        return frame.refuse(Reason::Unreadable);
    }
    match ask(&app, &here, frame.locale).await {
        Ok(Asked::Mailed) => done(&frame, "/account", Notice::VerificationMailed),
        Ok(Asked::Needless) => to_overview(&frame),
        Ok(Asked::TooMany) => frame.refuse(Reason::TooMany),
        Ok(Asked::Over) => to_login(&frame),
        Err(failure) => frame.broken(failure),
    }
}

fn to_overview(frame: &Frame) -> Page {
    Page::see_other(&frame.path("/account"))
}

async fn ask(app: &App, here: &Here, locale: Locale) -> Result<Asked, Failure> {
    let (visitor, now) = (here.visitor.clone(), here.context.now);
    let user = &visitor.user;
    let email = Email::parse(&user.email).map_err(|_| Failure::Damaged("email"))?;
    let ledger = Ledger::of_mails(&app.snapshot_kept().keys, &email);
    let wanted = Wanted::own(Purpose::Verify, "/verify", user);
    let about = |link, valid_seconds| About::Verify { link, valid_seconds };
    let mailed = MailedLink::new(app, user, &wanted, locale, about)?;
    let event = here.context.event(Kind::VerificationRequested, Actor::User(user.id))?;
    let event = event.subject(user.id);
    let written = app.store.write(move |tx| {
        let Some(user) = visitor.load(tx, now)?.filter(|it| it.email == mailed.link.email) else {
            return Ok(Committed::nothing(Asked::Over));
        };
        if user.email_verified_at.is_some() {
            return Ok(Committed::nothing(Asked::Needless));
        }
        if !may_mail(tx, &ledger, now)? {
            let refused = event.clone().refused("too many mails");
            return Ok(Committed::new(Asked::TooMany, Audit::Record(Box::new(refused))));
        }
        mailed.write(tx)?;
        let audit = Audit::Record(Box::new(event.clone()));
        Ok::<_, StoreError>(Committed::new(Asked::Mailed, audit))
    });
    let asked = written.await?;
    outbox::wake(app);
    Ok(asked)
}

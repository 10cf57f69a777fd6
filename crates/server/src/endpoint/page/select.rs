//! `/login/select`: as whom a person goes on, when the application asks (`prompt=select_account`,
//! OpenID Connect Core §3.1.2.1). The choice stands in the flow, sealed anew; what follows from it,
//! `/oauth2/authorize` decides.

use axum::extract::State;
use http::StatusCode;

use crate::app::App;
use crate::browser::{Browser, Visitor};
use crate::context::Context;
use crate::endpoint::page::{Here, OnTheWay, Visit};
use crate::flow::{AUTHORIZE, Flow};
use crate::page::failed::Reason;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::login::{LoginSelect, Present};
use crate::page::reply::{Page, View};

/// A choice that can be made: on the way, by somebody who is signed in.
struct Choice {
    here: Here,
    flow: Flow,
    visitor: Visitor,
}

/// `GET /login/select`.
pub async fn ask(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    match choice(&app, &context, browser, (frame, way)) {
        Ok(choice) => choice.page(&app),
        Err(page) => *page,
    }
}

/// `POST /login/select`: `action` is `continue` or `other`.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let choice = match choice(&app, &context, browser, (form.frame, way)) {
        Ok(choice) => choice,
        Err(page) => return *page,
    };
    let frame = choice.here.frame.clone();
    match form.fields.find("action") {
        Some("continue") => choice.go_on(&app, form.fields.find("session")),
        Some("other") => {
            Page::see_other(&frame.path_with("/login", "flow", choice.here.way.sealed()))
        }
        _ => frame.refuse(Reason::Unreadable),
    }
}

/// Without a flow or somebody who is signed in there is nothing to choose: the way goes back.
fn choice(
    app: &App,
    context: &Context,
    browser: Browser,
    on: (Frame, OnTheWay),
) -> Result<Choice, Box<Page>> {
    let mut here = Here::find(app, context, &browser, on)?;
    match (here.flow.take(), browser.visitor) {
        (Some(flow), Some(visitor)) => Ok(Choice { here, flow, visitor }),
        _ => Err(Box::new(here.way.onward(&here.frame))),
    }
}

impl Choice {
    fn page(&self, app: &App) -> Page {
        let session = self.visitor.session.id.to_string();
        let user = &self.visitor.user;
        let present = Present { name: user.name.as_deref(), email: &user.email, session: &session };
        let (frame, to) = (self.here.frame.clone(), self.here.destination(app));
        LoginSelect::new(frame, to, present).reply(StatusCode::OK)
    }

    /// Goes on as who was seen on the page; asks again when somebody else is there by now.
    fn go_on(mut self, app: &App, seen: Option<&str>) -> Page {
        let session = self.visitor.session.id;
        if seen != Some(session.to_string().as_str()) {
            return self.page(app);
        }
        self.flow.selected = Some(session);
        let frame = &self.here.frame;
        match self.flow.seal(&app.snapshot_kept().keys) {
            Ok(sealed) => Page::see_other(&frame.path_with(AUTHORIZE, "flow", Some(&sealed))),
            Err(failure) => frame.broken(failure),
        }
    }
}

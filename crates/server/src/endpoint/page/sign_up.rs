//! `/signup`: a person makes an account. Where mail is sent, the answer is the same for a free
//! address and a taken one (LG-01 of the attack kit).

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::user::User;
use munjigi_core::account::{DisplayName, Email, Locale, Password, Username};
use munjigi_core::audit::{Actor, Kind};

use crate::accounts::{AccountError, NewAccount, check_password};
use crate::addresses::{self, Limit};
use crate::app::App;
use crate::attempts::record;
use crate::context::Context;
use crate::endpoint::page::{Here, Visit};
use crate::failure::Failure;
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::page::sign_up::{SignUp, TypedAccount};
use crate::settings::Registration;
use crate::sign_up::{self, Told};
use crate::signed_up::SignedUp;

/// `GET /signup`.
pub async fn form(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    frame: Frame,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    if app.snapshot().settings.registration == Registration::Closed {
        return here.frame.refuse(Reason::SwitchedOff);
    }
    let hint = here.flow.as_ref().and_then(|flow| flow.find("login_hint"));
    let email = hint.filter(|hint| hint.contains('@')).unwrap_or_default();
    let typed = TypedAccount { email, ..TypedAccount::default() };
    SignUp::new(here.frame.clone(), here.destination(&app), typed, vec![]).reply(StatusCode::OK)
}

/// `POST /signup`: `email`, `password`, `username` and `name`.
pub async fn send(
    State(app): State<App>,
    Visit { context, browser, way }: Visit,
    form: PageForm,
) -> Page {
    let here = match Here::find(&app, &context, &browser, (form.frame, way)) {
        Ok(here) => here,
        Err(page) => return *page,
    };
    let frame = here.frame.clone();
    if app.snapshot().settings.registration == Registration::Closed {
        return closed(&app, &context, &frame).await;
    }
    let find = |name| form.fields.find(name);
    let typed = TypedAccount {
        email: find("email").unwrap_or_default(),
        username: find("username").unwrap_or_default(),
        name: find("name").unwrap_or_default(),
    };
    let complain = |complaints| {
        let page = SignUp::new(frame.clone(), here.destination(&app), typed, complaints);
        page.reply(StatusCode::UNPROCESSABLE_ENTITY)
    };
    let asked = match Asked::read(&frame, typed, find("password")) {
        Ok(asked) => asked,
        Err(complaints) => return complain(complaints),
    };
    if let Err(denied) = addresses::count(&app, &context, Limit::SignUp).await {
        return frame.put_off(denied);
    }
    match asked.make(&app, &context, &here).await {
        Ok(user) if app.mail.is_on() => {
            let done = Done::SignUpMailed { email: typed.email };
            let page = OutcomePage::new(frame.clone(), done, here.way.sealed());
            let page = if app.mail.mailbox().is_some() { page.with_mailbox() } else { page };
            let asked = SignedUp::now(user.id, context.now);
            let given = asked.give(&app.snapshot_kept().keys, page.reply(StatusCode::OK));
            given.unwrap_or_else(|failure| frame.broken(failure))
        }
        Ok(_) => Page::see_other(&frame.path_with("/login", "flow", here.way.sealed())),
        Err(AccountError::UsernameTaken) => complain(vec![Complaint::username_taken(&frame)]),
        Err(AccountError::EmailTaken) => complain(vec![Complaint::about(
            &frame,
            "email",
            "This address has an account already.",
            "이미 계정이 있는 주소예요.",
        )]),
        Err(AccountError::UnknownRole) => frame.broken(Failure::Damaged("default roles")),
        Err(AccountError::Failure(failure)) => frame.broken(failure),
    }
}

async fn closed(app: &App, context: &Context, frame: &Frame) -> Page {
    if let Err(denied) = addresses::count(app, context, Limit::SignUp).await {
        return frame.put_off(denied);
    }
    let refused = match context.event(Kind::SignUpRefused, Actor::Anonymous) {
        Ok(event) => record(app, event.refused("registration is closed")).await,
        Err(error) => Err(error.into()),
    };
    match refused {
        Ok(()) => frame.refuse(Reason::SwitchedOff),
        Err(failure) => frame.broken(failure),
    }
}

/// What somebody asks for.
struct Asked {
    email: Email,
    password: Password,
    username: Option<Username>,
    name: Option<DisplayName>,
}

impl Asked {
    /// Reads the form, or says everything that is wrong with it.
    fn read(
        frame: &Frame,
        typed: TypedAccount<'_>,
        password: Option<&str>,
    ) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let mut note = |field, english: String, korean: String| {
            complaints.push(Complaint::about(frame, field, english, korean));
        };
        let email = Email::parse(typed.email)
            .map_err(|it| note("email", it.to_string(), it.korean().to_owned()))
            .ok();
        let password = Password::parse(password.unwrap_or_default().to_owned())
            .map_err(|it| note("password", it.to_string(), it.korean().to_owned()))
            .ok();
        let username = Some(typed.username).filter(|it| !it.is_empty()).map(Username::parse);
        let username = username
            .transpose()
            .map_err(|it| note("username", it.to_string(), it.korean().to_owned()))
            .ok();
        let name = Some(typed.name).filter(|it| !it.is_empty()).map(DisplayName::parse);
        let name = name
            .transpose()
            .map_err(|it| note("name", it.to_string(), it.korean().to_owned()))
            .ok();
        if let (Some(email), Some(password), Some(username)) = (&email, &password, &username) {
            let username = username.as_ref().map(Username::as_str);
            if let Err(weak) = check_password(password, email, username) {
                note("password", weak.to_string(), weak.korean());
            }
        }
        match (email, password, username, name) {
            (Some(email), Some(password), Some(username), Some(name)) if complaints.is_empty() => {
                Ok(Self { email, password, username, name })
            }
            _ => Err(complaints),
        }
    }

    async fn make(self, app: &App, context: &Context, here: &Here) -> Result<User, AccountError> {
        let Self { email, password, username, name } = self;
        let account = NewAccount {
            email,
            username,
            name,
            locale: Locale::parse(here.frame.lang()).ok(),
            roles: app.snapshot().settings.default_roles.clone(),
        };
        let (locale, flow) = (here.frame.locale, here.way.sealed());
        let told = Told::on_page(app);
        sign_up::SignUp { account, password, locale, flow, told }.make(app, context).await
    }
}

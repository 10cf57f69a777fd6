//! `/signup`: a person makes an account. Where mail is sent, the answer is the same for a free
//! address and a taken one: what is to be told is told in a mail to whoever reads that address
//! (LG-01 of the attack kit).

use axum::extract::State;
use http::StatusCode;
use munjigi_core::account::link::Purpose;
use munjigi_core::account::user::User;
use munjigi_core::account::{DisplayName, Email, Locale, Password, StoredHash, Username};
use munjigi_core::audit::{Actor, Event, Kind};
use munjigi_store::outbox::Parcel;
use munjigi_store::{Audit, Committed, StoreError, Tx, outbox as sending, passwords, users};

use crate::accounts::{AccountError, NewAccount, check_password, create, new_user};
use crate::app::App;
use crate::attempts::{Ledger, record};
use crate::context::Context;
use crate::endpoint::page::{Here, Visit};
use crate::failure::Failure;
use crate::mail::{About, Link};
use crate::mailed_link::{self, MailedLink, may_mail};
use crate::outbox;
use crate::page::failed::Reason;
use crate::page::field::Complaint;
use crate::page::form::PageForm;
use crate::page::frame::Frame;
use crate::page::outcome::{Done, OutcomePage};
use crate::page::reply::{Page, View};
use crate::page::sign_up::{SignUp, TypedAccount};
use crate::random;
use crate::settings::Registration;

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
    match asked.make(&app, &context, &frame).await {
        Ok(Made::Mailed) => {
            let done = Done::SignUpMailed { email: typed.email };
            let page = OutcomePage::new(frame, done, here.way.sealed());
            let page = if app.mail.mailbox().is_some() { page.with_mailbox() } else { page };
            page.reply(StatusCode::OK)
        }
        Ok(Made::Account) => Page::see_other(&frame.path_with("/login", "flow", here.way.sealed())),
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

/// What became of it.
enum Made {
    /// A mail is on its way, to whoever reads that address.
    Mailed,
    /// The account is there: no mail is sent here.
    Account,
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

    async fn make(self, app: &App, context: &Context, frame: &Frame) -> Result<Made, AccountError> {
        let Self { email, password, username, name } = self;
        // Hashed before anybody looks whether the address is free: both take as long.
        let hash = app.hashing.hash(password).await.map_err(Failure::from)?;
        let account = NewAccount {
            email: email.clone(),
            username,
            name,
            locale: Locale::parse(frame.lang()).ok(),
            roles: app.snapshot().settings.default_roles.clone(),
        };
        let user_id = random::user_id().map_err(Failure::from)?;
        let user = new_user(user_id, account, context.now);
        let event = context.event(Kind::UserCreated, Actor::User(user.id));
        let event = event.map_err(Failure::from)?;
        let refused = context.event(Kind::SignUpRefused, Actor::Anonymous);
        let refused = refused.map_err(Failure::from)?;
        if !app.mail.is_on() {
            return alone(app, (user, hash), event, refused).await;
        }
        let event = event.subject(user.id).with("roles", &user.roles);
        let mailed = Mailed::new(app, (user, hash), &email, frame, [event, refused]).await?;
        mailed.write(app).await
    }
}

/// Makes an account where no mail is sent.
async fn alone(
    app: &App,
    (user, hash): (User, StoredHash),
    event: Event,
    refused: Event,
) -> Result<Made, AccountError> {
    let made = create(app, user, hash, event).await;
    let why = match &made {
        Err(AccountError::EmailTaken) => Some("the address is taken"),
        Err(AccountError::UsernameTaken) => Some("the user name is taken"),
        _ => None,
    };
    if let Some(why) = why {
        record(app, refused.refused(why)).await?;
    }
    made.map(|_| Made::Account)
}

/// A sign-up whose answer is a mail.
struct Mailed {
    user: User,
    hash: String,
    /// For a free address.
    verify: MailedLink,
    /// For a taken one: whose it is, and what they are told.
    exists: Option<Parcel>,
    ledger: Ledger,
    created: Event,
    refused: Event,
}

impl Mailed {
    async fn new(
        app: &App,
        (user, hash): (User, StoredHash),
        email: &Email,
        frame: &Frame,
        [created, refused]: [Event; 2],
    ) -> Result<Self, Failure> {
        let canonical = email.canonical().to_owned();
        let owner = app.store.read(move |tx| users::find_by_email(tx, &canonical)).await?;
        let about = About::AccountExists {
            sign_in: Link::to(&app.config, "/login", &[]),
            recover: Link::to(&app.config, "/recover", &[]),
        };
        // Written for a free address too, should somebody take it in this very moment.
        let reader = owner.as_ref().unwrap_or(&user);
        let exists = mailed_link::letter(app, reader, frame.locale, about)?;
        let about = |link, valid_seconds| About::Verify { link, valid_seconds };
        let place = (Purpose::Verify, "/verify");
        let verify = MailedLink::new(app, &user, place, frame.locale, about)?;
        let ledger = mailed_link::mail_ledger(app, email);
        Ok(Self { user, hash: hash.to_string(), verify, exists, ledger, created, refused })
    }

    async fn write(self, app: &App) -> Result<Made, AccountError> {
        let refused = self.refused.clone();
        let written = app.store.write(move |tx| self.write_in(tx));
        let is_free = written.await.map_err(Failure::from)?;
        if !is_free {
            record(app, refused.refused("the user name is taken")).await?;
            return Err(AccountError::UsernameTaken);
        }
        outbox::wake(app);
        Ok(Made::Mailed)
    }

    /// False when the user name is somebody's, which is said whether the address is free or not.
    fn write_in(&self, tx: &mut Tx<'_>) -> Result<Committed<bool>, StoreError> {
        let (user, now) = (&self.user, self.user.created_at);
        let username = user.username_canonical.as_deref();
        let taken = username.map(|name| users::find_by_username(tx, name)).transpose()?.flatten();
        if taken.is_some() {
            return Ok(Committed::nothing(false));
        }
        let may = may_mail(tx, &self.ledger, now)?;
        if let Some(owner) = users::find_by_email(tx, &user.email_canonical)? {
            if let Some(parcel) = self.exists.as_ref().filter(|_| may) {
                sending::insert(tx, parcel)?;
            }
            let event = self.refused.clone().refused("the address is taken").subject(owner.id);
            return Ok(Committed::new(true, Audit::Record(Box::new(event))));
        }
        users::insert(tx, user)?;
        passwords::put(tx, &user.id, &self.hash, now)?;
        self.verify.write(tx)?;
        Ok(Committed::new(true, Audit::Record(Box::new(self.created.clone()))))
    }
}

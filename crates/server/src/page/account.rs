//! The pages of one's own account. Each change is a form of its own; what is sensitive asks for the
//! current password.

mod menu;

use askama::Template;

use crate::page::agent;
use crate::page::consent::{initial, permissions};
use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::moment::Moment;
use crate::page::reply::views;

use menu::Place;
pub use menu::{Menu, MenuEntry, Notice, Owner};

/// `/account`: what there is, with the way to each page.
#[derive(Clone, Debug, Template)]
#[template(path = "account_overview.html")]
pub struct AccountOverview {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// The user name, if there is one.
    pub username: Option<String>,
    /// The address, if there is one.
    pub email: Option<String>,
    /// Whether the address is verified.
    pub is_verified: bool,
    /// Where a mail is asked for that verifies it (`POST`), when it is not verified and mail works.
    pub verify: Option<String>,
    /// When the person signed in here.
    pub signed_in_at: Moment,
    /// How many sessions are open.
    pub sessions: String,
    /// How many applications have access.
    pub applications: String,
}

/// What the overview tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overview<'o> {
    /// The user name, if there is one.
    pub username: Option<&'o str>,
    /// Whether the address is verified.
    pub is_verified: bool,
    /// Whether mail works here.
    pub has_mail: bool,
    /// When the person signed in here.
    pub signed_in_at: &'o Moment,
    /// How many sessions are open.
    pub sessions: i64,
    /// How many applications have access.
    pub applications: i64,
}

impl AccountOverview {
    /// The page.
    pub fn new(
        frame: Frame,
        owner: Owner<'_>,
        overview: Overview<'_>,
        notice: Option<Notice>,
    ) -> Self {
        let is_unverified = owner.email.is_some() && !overview.is_verified && overview.has_mail;
        Self {
            menu: Menu::new(&frame, owner, Place::Overview, notice),
            username: overview.username.map(str::to_owned),
            email: owner.email.map(str::to_owned),
            is_verified: overview.is_verified,
            verify: is_unverified.then(|| frame.path("/account/email/verify")),
            signed_in_at: overview.signed_in_at.clone(),
            sessions: frame.locale.count("overview-sessions", overview.sessions),
            applications: frame.locale.count("overview-applications", overview.applications),
            frame,
        }
    }
}

/// A page with one form: `/account/profile` (sends `name`, `username`), `/account/email` (`email`,
/// `current_password`), `/account/password` (`current_password`, `password`).
#[derive(Clone, Debug, Template)]
#[template(path = "account_form.html")]
pub struct AccountForm {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// The title of the page.
    pub title: String,
    /// What the form does.
    pub sentence: String,
    /// The account's name for password managers, where a password is changed.
    pub known_as: Option<String>,
    /// The form.
    pub form: FormView,
    /// What stands on the button.
    pub button: String,
}

impl AccountForm {
    /// `/account/profile`, with what is stored or was typed.
    pub fn profile(
        frame: Frame,
        owner: Owner<'_>,
        typed: ProfileTyped<'_>,
        complaints: Vec<Complaint>,
        notice: Option<Notice>,
    ) -> Self {
        let hint = frame.text("field-username-hint");
        let fields = vec![
            Field::name(&frame).value(typed.name).optional(),
            Field::username(&frame).value(typed.username).optional().hint(hint),
        ];
        let form = FormView::new(frame.path("/account/profile"), fields, complaints);
        Self {
            menu: Menu::new(&frame, owner, Place::Profile, notice),
            title: frame.text("account-profile"),
            sentence: frame.text("profile-text"),
            known_as: None,
            form,
            button: frame.text("save"),
            frame,
        }
    }

    /// `/account/email`, with the new address that was typed.
    pub fn email(frame: Frame, owner: Owner<'_>, typed: &str, complaints: Vec<Complaint>) -> Self {
        let sentence = match owner.email {
            Some(email) => frame.text_with("email-text", "email", email),
            None => frame.text("email-none"),
        };
        let fields = vec![
            Field::email(&frame, "field-new-email").value(typed),
            Field::current_password(&frame, "current_password", "field-current-password"),
        ];
        let form = FormView::new(frame.path("/account/email"), fields, complaints);
        Self {
            menu: Menu::new(&frame, owner, Place::Email, None),
            title: frame.text("account-email"),
            sentence,
            known_as: None,
            form,
            button: frame.text("email-button"),
            frame,
        }
    }

    /// `/account/password`.
    pub fn password(
        frame: Frame,
        owner: Owner<'_>,
        complaints: Vec<Complaint>,
        notice: Option<Notice>,
    ) -> Self {
        let fields = vec![
            Field::current_password(&frame, "current_password", "field-current-password"),
            Field::new_password(&frame, "password", "field-new-password"),
        ];
        let form = FormView::new(frame.path("/account/password"), fields, complaints);
        Self {
            menu: Menu::new(&frame, owner, Place::Password, notice),
            title: frame.text("account-password"),
            sentence: frame.text("password-text"),
            known_as: Some(owner.email.unwrap_or(owner.shown).to_owned()),
            form,
            button: frame.text("password-button"),
            frame,
        }
    }
}

/// What is stored or was typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProfileTyped<'t> {
    /// `name`.
    pub name: &'t str,
    /// `username`.
    pub username: &'t str,
}

/// A session, as its owner recognises it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    /// The id of the session.
    pub id: String,
    /// The device.
    pub device: String,
    /// The place: the address that it was last used from.
    pub place: String,
    /// When its person signed in.
    pub opened_at: Moment,
    /// When it was last used.
    pub used_at: Moment,
    /// Whether it is this one.
    pub is_current: bool,
    /// The applications that it signed in to.
    pub applications: String,
}

/// A session, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSeen<'s> {
    /// The id of the session.
    pub id: String,
    /// The `User-Agent` that it was opened with.
    pub user_agent: Option<&'s str>,
    /// The address that it was last used from.
    pub address: Option<&'s str>,
    /// When its person signed in.
    pub opened_at: Moment,
    /// When it was last used.
    pub used_at: Moment,
    /// Whether it is this one.
    pub is_current: bool,
    /// The names of the applications that it signed in to.
    pub applications: Vec<String>,
}

/// `/account/sessions`: sends `action=end` and `session` (the id), or `action=end-others`, to
/// `/account/sessions`.
#[derive(Clone, Debug, Template)]
#[template(path = "account_sessions.html")]
pub struct AccountSessions {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// Where the forms go.
    pub action: String,
    /// The sessions, this one first.
    pub sessions: Vec<SessionRow>,
    /// Whether there are others than this one.
    pub has_others: bool,
}

impl AccountSessions {
    /// The page.
    pub fn new(
        frame: Frame,
        owner: Owner<'_>,
        mut sessions: Vec<SessionSeen<'_>>,
        notice: Option<Notice>,
    ) -> Self {
        sessions.sort_by_key(|session| !session.is_current);
        let rows: Vec<_> = sessions.into_iter().map(|it| SessionRow::new(&frame, it)).collect();
        Self {
            menu: Menu::new(&frame, owner, Place::Sessions, notice),
            action: frame.path("/account/sessions"),
            has_others: rows.iter().any(|row| !row.is_current),
            sessions: rows,
            frame,
        }
    }
}

impl SessionRow {
    fn new(frame: &Frame, seen: SessionSeen<'_>) -> Self {
        let device = seen.user_agent.and_then(agent::describe);
        Self {
            id: seen.id,
            device: device.unwrap_or_else(|| frame.text("unknown-device")),
            place: seen.address.map_or_else(|| frame.text("unknown"), str::to_owned),
            opened_at: seen.opened_at,
            used_at: seen.used_at,
            is_current: seen.is_current,
            applications: seen.applications.join(", "),
        }
    }
}

/// An application that has access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationRow {
    /// The id of the client.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// The first letter of it.
    pub initial: String,
    /// What it may, a sentence each.
    pub permissions: Vec<String>,
    /// Since when.
    pub granted_at: Moment,
    /// When it last used it, if it did.
    pub used_at: Option<Moment>,
}

/// An application that has access, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplicationSeen<'a> {
    /// The id of the client.
    pub client_id: String,
    /// Its name.
    pub name: String,
    /// The scopes.
    pub scopes: Vec<&'a str>,
    /// The names of the APIs.
    pub apis: Vec<&'a str>,
    /// Since when.
    pub granted_at: Moment,
    /// When it last used it, if it did.
    pub used_at: Option<Moment>,
}

/// `/account/applications`: sends `client_id` and `action=remove` to `/account/applications`.
#[derive(Clone, Debug, Template)]
#[template(path = "account_applications.html")]
pub struct AccountApplications {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// Where the forms go.
    pub action: String,
    /// The applications.
    pub applications: Vec<ApplicationRow>,
}

impl AccountApplications {
    /// The page.
    pub fn new(
        frame: Frame,
        owner: Owner<'_>,
        applications: Vec<ApplicationSeen<'_>>,
        notice: Option<Notice>,
    ) -> Self {
        let row = |seen: ApplicationSeen<'_>| ApplicationRow {
            initial: initial(&seen.name),
            permissions: permissions(&frame, &seen.scopes, &seen.apis),
            client_id: seen.client_id,
            name: seen.name,
            granted_at: seen.granted_at,
            used_at: seen.used_at,
        };
        let applications = applications.into_iter().map(row).collect();
        Self {
            menu: Menu::new(&frame, owner, Place::Applications, notice),
            action: frame.path("/account/applications"),
            applications,
            frame,
        }
    }
}

/// `/account/data`: a copy of everything (`POST /account/data/export`), and the way to giving the
/// account up.
#[derive(Clone, Debug, Template)]
#[template(path = "account_data.html")]
pub struct AccountData {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// Where the copy is asked for.
    pub export: String,
    /// Where the account is given up.
    pub delete: String,
}

impl AccountData {
    /// The page.
    pub fn new(frame: Frame, owner: Owner<'_>) -> Self {
        Self {
            menu: Menu::new(&frame, owner, Place::Data, None),
            export: frame.path("/account/data/export"),
            delete: frame.path("/account/delete"),
            frame,
        }
    }
}

/// `/account/delete`: sends `current_password` and `action=delete` to `/account/delete`. (Taking it
/// back is [`crate::page::confirm::Question::KeepAccount`].)
#[derive(Clone, Debug, Template)]
#[template(path = "account_delete.html")]
pub struct AccountDelete {
    /// What stands around it.
    pub frame: Frame,
    /// The menu.
    pub menu: Menu,
    /// How long it can be taken back.
    pub grace: String,
    /// The form.
    pub form: FormView,
    /// The way out.
    pub leave: String,
}

impl AccountDelete {
    /// The page; `grace_days` is how long it can be taken back.
    pub fn new(
        frame: Frame,
        owner: Owner<'_>,
        grace_days: i64,
        complaints: Vec<Complaint>,
    ) -> Self {
        let label = "field-current-password";
        let fields = vec![Field::current_password(&frame, "current_password", label)];
        Self {
            menu: Menu::new(&frame, owner, Place::Data, None),
            grace: frame.locale.count("delete-grace", grace_days),
            form: FormView::new(frame.path("/account/delete"), fields, complaints),
            leave: frame.path("/account/data"),
            frame,
        }
    }
}

views!(
    AccountOverview,
    AccountForm,
    AccountSessions,
    AccountApplications,
    AccountData,
    AccountDelete,
);

//! Writes a mail out: subject, text and HTML in the reader's language. Values go through the texts'
//! own cleaning (no control characters, no marks that turn a sentence around) and are escaped in
//! HTML.

use askama::Template;
use jiff::Timestamp as Instant;

use super::{About, Device, Link};
use crate::page::locale::Locale;

/// A mail as it is read.
#[derive(Clone, Debug)]
pub struct Letter {
    /// The subject.
    pub subject: String,
    /// The language tag.
    pub lang: &'static str,
    /// For readers without HTML, and for tests.
    pub text: String,
    /// For everybody else.
    pub html: String,
    /// The links in it, in order.
    pub links: Vec<String>,
}

/// What a mail says, before it is laid out.
#[derive(Default)]
struct Draft {
    subject: String,
    paragraphs: Vec<String>,
    facts: Vec<Fact>,
    actions: Vec<Action>,
    notes: Vec<String>,
}

struct Fact {
    label: String,
    value: String,
}

struct Action {
    label: String,
    link: String,
}

#[derive(Template)]
#[template(path = "mail/letter.txt", escape = "none")]
struct Text<'a> {
    paragraphs: &'a [String],
    facts: &'a [Fact],
    actions: &'a [Action],
    notes: &'a [String],
    footer: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    lang: &'a str,
    subject: &'a str,
    heading: &'a str,
    paragraphs: &'a [String],
    facts: &'a [Fact],
    actions: &'a [Action],
    notes: &'a [String],
    footer: &'a str,
}

/// Writes what there is to tell, in the name of `service`, the host of the issuer.
pub(super) fn write(about: &About, locale: Locale, service: &str) -> Letter {
    let writer = Writer { locale, service };
    let draft = writer.draft(about);
    let footer = locale.text_with("mail-footer", "service", service);
    let heading = draft.subject.clone();
    let subject = format!("[{service}] {heading}");
    let text = Text {
        paragraphs: &draft.paragraphs,
        facts: &draft.facts,
        actions: &draft.actions,
        notes: &draft.notes,
        footer: &footer,
    };
    let html = Html {
        lang: locale.tag(),
        subject: &subject,
        heading: &heading,
        paragraphs: &draft.paragraphs,
        facts: &draft.facts,
        actions: &draft.actions,
        notes: &draft.notes,
        footer: &footer,
    };
    // Rendering into memory does not fail; a letter without text would show up in every test.
    let (text, html) = (text.render().unwrap_or_default(), html.render().unwrap_or_default());
    let links = draft.actions.iter().map(|action| action.link.clone()).collect();
    Letter { subject, lang: locale.tag(), text, html, links }
}

struct Writer<'a> {
    locale: Locale,
    service: &'a str,
}

impl Writer<'_> {
    fn draft(&self, about: &About) -> Draft {
        match about {
            About::Verify { link, valid_seconds } => Draft {
                subject: self.text("mail-verify-subject"),
                paragraphs: vec![self.of_service("mail-verify-body")],
                actions: vec![self.action("mail-verify-action", link)],
                notes: vec![self.valid(*valid_seconds), self.text("mail-not-you-ignore")],
                ..Draft::default()
            },
            About::AccountExists { sign_in, recover } => Draft {
                subject: self.text("mail-exists-subject"),
                paragraphs: vec![self.of_service("mail-exists-body")],
                actions: vec![
                    self.action("mail-exists-sign-in", sign_in),
                    self.action("mail-exists-recover", recover),
                ],
                notes: vec![self.text("mail-not-you-ignore")],
                ..Draft::default()
            },
            About::Recover { link, valid_seconds } => Draft {
                subject: self.text("mail-recover-subject"),
                paragraphs: vec![self.of_service("mail-recover-body")],
                actions: vec![self.action("mail-recover-action", link)],
                notes: vec![self.valid(*valid_seconds), self.text("mail-recover-not-you")],
                ..Draft::default()
            },
            About::ConfirmNewEmail { .. }
            | About::ConfirmOldEmail { .. }
            | About::EmailChanged { .. } => self.email(about),
            About::PasswordChanged { .. }
            | About::SignedIn { .. }
            | About::RefreshReused { .. }
            | About::DeletionPlanned { .. } => self.notice(about),
        }
    }

    /// What concerns the change of an address.
    fn email(&self, about: &About) -> Draft {
        let new_email = |address: &str| vec![self.fact("mail-new-email", address)];
        match about {
            About::ConfirmNewEmail { link, valid_seconds } => Draft {
                subject: self.text("mail-new-email-subject"),
                paragraphs: vec![self.of_service("mail-new-email-body")],
                actions: vec![self.action("mail-new-email-action", link)],
                notes: vec![self.valid(*valid_seconds), self.text("mail-not-you-ignore")],
                ..Draft::default()
            },
            About::ConfirmOldEmail { new_email: address, link, valid_seconds } => Draft {
                subject: self.text("mail-old-email-subject"),
                paragraphs: vec![self.of_service("mail-old-email-body")],
                facts: new_email(address),
                actions: vec![self.action("mail-old-email-action", link)],
                notes: vec![self.valid(*valid_seconds), self.text("mail-old-email-not-you")],
            },
            About::EmailChanged { new_email: address, undo, valid_seconds } => Draft {
                subject: self.text("mail-email-changed-subject"),
                paragraphs: vec![self.of_service("mail-email-changed-body")],
                facts: new_email(address),
                actions: vec![self.action("mail-email-changed-action", undo)],
                notes: vec![self.valid(*valid_seconds), self.text("mail-you-nothing-to-do")],
            },
            _ => Draft::default(),
        }
    }

    /// What happened to an account.
    fn notice(&self, about: &About) -> Draft {
        match about {
            About::PasswordChanged { at_millis, device, recover } => Draft {
                subject: self.text("mail-password-subject"),
                paragraphs: vec![self.of_service("mail-password-body")],
                facts: self.circumstances(*at_millis, device),
                actions: vec![self.action("mail-password-action", recover)],
                notes: vec![self.text("mail-you-nothing-to-do")],
            },
            About::SignedIn { at_millis, device, account } => Draft {
                subject: self.text("mail-signed-in-subject"),
                paragraphs: vec![self.of_service("mail-signed-in-body")],
                facts: self.circumstances(*at_millis, device),
                actions: vec![self.action("mail-signed-in-action", account)],
                notes: vec![self.text("mail-you-nothing-to-do")],
            },
            About::RefreshReused { client_name, at_millis, account } => Draft {
                subject: self.text("mail-reused-subject"),
                paragraphs: vec![self.of_service("mail-reused-body")],
                facts: vec![
                    self.fact("mail-application", client_name),
                    self.fact("mail-time", &moment(*at_millis)),
                ],
                actions: vec![self.action("mail-reused-action", account)],
                notes: vec![self.text("mail-reused-note")],
            },
            About::DeletionPlanned { on_millis, account } => Draft {
                subject: self.text("mail-deletion-subject"),
                paragraphs: vec![self.of_service("mail-deletion-body")],
                facts: vec![self.fact("mail-deletion-time", &moment(*on_millis))],
                actions: vec![self.action("mail-deletion-action", account)],
                notes: vec![self.text("mail-deletion-note")],
            },
            _ => Draft::default(),
        }
    }

    fn text(&self, id: &str) -> String {
        self.locale.text(id)
    }

    fn of_service(&self, id: &str) -> String {
        self.locale.text_with(id, "service", self.service)
    }

    fn action(&self, id: &str, link: &Link) -> Action {
        Action { label: self.locale.text(id), link: link.reveal().to_owned() }
    }

    fn fact(&self, id: &str, value: &str) -> Fact {
        Fact { label: self.locale.text(id), value: crate::page::texts::plain(value) }
    }

    fn circumstances(&self, at_millis: i64, device: &Device) -> Vec<Fact> {
        let mut facts = vec![self.fact("mail-time", &moment(at_millis))];
        facts.extend(device.name.as_deref().map(|name| self.fact("mail-device", name)));
        facts.extend(device.address.as_deref().map(|it| self.fact("mail-address", it)));
        facts
    }

    /// How long a link works, in the largest unit that it is a whole number of.
    fn valid(&self, seconds: i64) -> String {
        match seconds {
            days if days >= 172_800 && days % 86_400 == 0 => {
                self.locale.count("mail-valid-days", days / 86_400)
            }
            hours if hours >= 3_600 && hours % 3_600 == 0 => {
                self.locale.count("mail-valid-hours", hours / 3_600)
            }
            other => self.locale.count("mail-valid-minutes", other / 60),
        }
    }
}

/// A moment to the minute, in UTC: where the reader is, nobody told us.
fn moment(millis: i64) -> String {
    let instant = Instant::from_millisecond(millis).ok();
    instant.map_or_else(String::new, |it| it.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

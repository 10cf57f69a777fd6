//! Every page with made-up people, in both languages: tests hold what is true of all of them, and
//! `MUNJIGI_GALLERY` names a directory that they are written to, to be looked at.

#![allow(clippy::indexing_slicing, reason = "tests")]

use std::path::Path;

use askama::Template;
use munjigi_core::time::{Span, Timestamp};
use munjigi_token::base64url;

use crate::page::account::{
    AccountApplications, AccountData, AccountDelete, AccountForm, AccountOverview, AccountSessions,
    ApplicationSeen, Notice, Overview, Owner, ProfileTyped, SessionSeen,
};
use crate::page::assets::Asset;
use crate::page::confirm::{ConfirmPage, Question};
use crate::page::consent::{Asked, Consent};
use crate::page::dev::{ApiCall, DemoPerson, DevHome, DevMail, DevMailSeen, DevMailbox, Walk};
use crate::page::device::{DeviceAsked, DeviceCode, DeviceConfirm, Requester};
use crate::page::failed::{FailedPage, Reason};
use crate::page::field::Complaint;
use crate::page::form_post::FormPost;
use crate::page::frame::Frame;
use crate::page::locale::Locale;
use crate::page::login::{Destination, LoginIdentifier, LoginPassword, LoginSelect, Present};
use crate::page::outcome::{Done, OutcomePage};
use crate::page::recover::{NewPassword, Recover};
use crate::page::redirect_difference::RedirectDifference;
use crate::page::sign_out::SignedOut;
use crate::page::sign_up::{SignUp, TypedAccount};
use crate::page::verify::VerifyElsewhere;

/// Names of a page and its HTML.
type Shown = Vec<(String, String)>;

const CHROME: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                      Gecko) Chrome/140.0 Safari/537.36";

/// What people and applications call themselves in the gallery; all of it may be hostile.
struct Cast<'c> {
    frame: Frame,
    name: &'c str,
    email: &'c str,
    client: &'c str,
}

impl Cast<'_> {
    fn frame(&self) -> Frame {
        self.frame.clone()
    }

    fn to(&self) -> Destination<'_> {
        let client = Some(self.client);
        Destination { flow: Some("c2VhbGVk"), client, has_sign_up: true, has_recovery: true }
    }

    fn owner(&self) -> Owner<'_> {
        Owner { shown: self.name, email: Some(self.email) }
    }

    fn at(&self) -> crate::page::moment::Moment {
        self.frame.moment(Timestamp::from_seconds(1_795_253_280))
    }
}

fn all(cast: &Cast<'_>) -> Shown {
    let mut shown = Shown::new();
    signing_in(cast, &mut shown);
    questions(cast, &mut shown);
    asked(cast, &mut shown);
    account(cast, &mut shown);
    endings(cast, &mut shown);
    development(cast, &mut shown);
    shown
}

fn add(shown: &mut Shown, name: &str, page: &impl Template) {
    shown.push((name.to_owned(), page.render().unwrap()));
}

fn signing_in(cast: &Cast<'_>, shown: &mut Shown) {
    let frame = cast.frame();
    let typed = TypedAccount { email: cast.email, username: "mj", name: cast.name };
    let taken = vec![
        Complaint::username_taken(&frame),
        Complaint::about(&frame, "password", "This password is too short.", "너무 짧아요."),
    ];
    let wrong = vec![Complaint::wrong_credentials(&frame)];
    let name = cast.email;
    add(shown, "login", &LoginIdentifier::new(cast.frame(), cast.to(), "", vec![]));
    let missing = vec![Complaint::missing(&frame, "username")];
    add(shown, "login-missing", &LoginIdentifier::new(cast.frame(), cast.to(), name, missing));
    add(shown, "login-password", &LoginPassword::new(cast.frame(), cast.to(), name, vec![]));
    add(shown, "login-wrong", &LoginPassword::new(cast.frame(), cast.to(), name, wrong));
    add(shown, "login-again", &LoginPassword::again(cast.frame(), cast.to(), name, vec![]));
    let present = Present { name: Some(cast.name), email: cast.email, session: "019a" };
    add(shown, "login-select", &LoginSelect::new(cast.frame(), cast.to(), present));
    let empty = TypedAccount::default();
    add(shown, "sign-up", &SignUp::new(cast.frame(), cast.to(), empty, vec![]));
    add(shown, "sign-up-wrong", &SignUp::new(cast.frame(), cast.to(), typed, taken));
    add(shown, "recover", &Recover::new(cast.frame(), Some("f"), "", vec![]));
    add(shown, "new-password", &NewPassword::new(cast.frame(), "mj_ml_x", name, vec![]));
    let link = ("mj_ml_x", name, Some("f"));
    add(shown, "verify-elsewhere", &VerifyElsewhere::new(cast.frame(), link, vec![]));
    let other = vec![Complaint::other_password(&frame)];
    add(shown, "verify-elsewhere-wrong", &VerifyElsewhere::new(cast.frame(), link, other));
}

fn questions(cast: &Cast<'_>, shown: &mut Shown) {
    let (ticket, email, at) = ("mj_ml_x", cast.email, cast.at());
    for (name, question) in [
        ("verify", Question::VerifyEmail { ticket, email, flow: Some("f") }),
        ("change-email", Question::ChangeEmail { ticket, email }),
        ("undo-email", Question::UndoEmailChange { ticket, email }),
        ("sign-out", Question::SignOut { client: Some(cast.client), request: Some("r") }),
        ("sign-out-self", Question::SignOut { client: None, request: None }),
        ("keep", Question::KeepAccount { due: &at, flow: None }),
    ] {
        add(shown, name, &ConfirmPage::new(cast.frame(), question));
    }
    for (name, done) in [
        ("done-sign-up", Done::SignUpMailed { email }),
        ("done-verified", Done::EmailVerified),
        ("done-verified-elsewhere", Done::EmailVerifiedElsewhere),
        ("done-recovery", Done::RecoveryMailed { email }),
        ("done-password", Done::PasswordSet),
        ("done-device", Done::DeviceAllowed),
        ("done-device-denied", Done::DeviceDenied),
        ("done-change", Done::EmailChangeMailed { email }),
        ("done-change-half", Done::EmailChangeHalf),
        ("done-change-sign-in", Done::EmailChangeSignIn),
        ("done-changed", Done::EmailChanged { email }),
        ("done-undone", Done::EmailChangeUndone { email }),
        ("done-deletion", Done::DeletionScheduled { due: &at }),
        ("done-kept", Done::AccountKept),
    ] {
        add(shown, name, &OutcomePage::new(cast.frame(), done, Some("f")).with_mailbox());
    }
}

fn asked(cast: &Cast<'_>, shown: &mut Shown) {
    let scopes = ["openid", "profile", "email", "offline_access", cast.client];
    let known = ["openid", "profile", "email", "address", "phone", "groups", "roles"];
    let apis = [cast.client];
    let asked = Asked {
        client: cast.client,
        host: Some("planner.example"),
        publisher: Some("apps.example"),
        is_local: true,
        is_unverified: true,
        scopes: &scopes,
        apis: &apis,
        lasting: Some(Span::from_days(30)),
        shown: "",
    };
    add(shown, "consent", &Consent::new(cast.frame(), "f", cast.email, asked));
    let plain = Asked {
        host: None,
        publisher: None,
        is_local: false,
        is_unverified: false,
        lasting: None,
        scopes: &known,
        ..asked
    };
    add(shown, "consent-plain", &Consent::new(cast.frame(), "f", cast.email, plain));

    let unknown = vec![Complaint::unknown_user_code(&cast.frame)];
    add(shown, "device", &DeviceCode::new(cast.frame(), "", vec![]));
    add(shown, "device-wrong", &DeviceCode::new(cast.frame(), cast.client, unknown));
    let at = cast.at();
    let (address, user_agent) = (Some("203.0.113.7"), Some(cast.client));
    let requester = Requester { address, user_agent, at: Some(&at) };
    let device = DeviceAsked {
        user_code: "WDJB-MJHT",
        client: cast.client,
        publisher: Some("apps.example"),
        is_unverified: true,
        scopes: &scopes,
        apis: &[],
        requester,
    };
    add(shown, "device-confirm", &DeviceConfirm::new(cast.frame(), cast.email, device));
}

fn account(cast: &Cast<'_>, shown: &mut Shown) {
    let (owner, at, frame) = (cast.owner(), cast.at(), cast.frame());
    let overview = Overview {
        username: Some(cast.name),
        is_verified: false,
        has_mail: true,
        signed_in_at: &at,
        sessions: 2,
        applications: 1,
    };
    let stored = Some(Notice::ProfileStored);
    let page = AccountOverview::new(cast.frame(), owner, overview, None);
    add(shown, "account", &page);
    let typed = ProfileTyped { name: cast.name, username: cast.client };
    let page = AccountForm::profile(cast.frame(), owner, typed, vec![], stored);
    add(shown, "account-profile", &page);
    let wrong = vec![Complaint::wrong_password(&frame, "current_password")];
    let page = AccountForm::email(cast.frame(), owner, cast.email, wrong.clone());
    add(shown, "account-email", &page);
    let page = AccountForm::password(cast.frame(), owner, vec![], None);
    add(shown, "account-password", &page);
    let session = |is_current, user_agent| SessionSeen {
        id: "019a".to_owned(),
        user_agent,
        address: Some("203.0.113.7"),
        opened_at: cast.at(),
        used_at: cast.at(),
        is_current,
        applications: vec![cast.client.to_owned()],
    };
    let sessions = vec![session(false, Some(cast.client)), session(true, Some(CHROME))];
    let page = AccountSessions::new(cast.frame(), owner, sessions, Some(Notice::SessionEnded));
    add(shown, "account-sessions", &page);
    let application = ApplicationSeen {
        client_id: cast.client.to_owned(),
        name: cast.client.to_owned(),
        scopes: vec!["openid", "email"],
        apis: vec![],
        granted_at: cast.at(),
        used_at: Some(cast.at()),
    };
    let page = AccountApplications::new(cast.frame(), owner, vec![application], None);
    add(shown, "account-applications", &page);
    add(shown, "account-none", &AccountApplications::new(cast.frame(), owner, vec![], None));
    add(shown, "account-data", &AccountData::new(cast.frame(), owner));
    add(shown, "account-delete", &AccountDelete::new(cast.frame(), owner, 14, wrong));
}

fn endings(cast: &Cast<'_>, shown: &mut Shown) {
    for reason in [
        Reason::NotFound,
        Reason::UnknownClient,
        Reason::RedirectUri,
        Reason::Request,
        Reason::FlowExpired,
        Reason::OtherBrowser,
        Reason::OtherSite,
        Reason::Unreadable,
        Reason::LinkSpent,
        Reason::Disabled,
        Reason::SwitchedOff,
        Reason::TooMany,
        Reason::Busy,
        Reason::Internal,
    ] {
        let id = munjigi_core::id::RequestId::from_parts(Timestamp::from_seconds(1), [7; 10]);
        let mut frame = cast.frame();
        frame.request_id = Some(id);
        add(shown, &format!("failed-{reason:?}"), &FailedPage::new(frame, reason));
    }
    let registered = ["http://localhost:3000/callback".to_owned(), cast.client.to_owned()];
    let received = format!("http://127.0.0.1:3000/callback/?{}", cast.client);
    let difference = RedirectDifference::new(&cast.frame, cast.client, &received, &registered);
    let failed = FailedPage::new(cast.frame(), Reason::RedirectUri).showing(difference);
    add(shown, "failed-difference", &failed);
    let frames = vec!["https://app.example/out?iss=x&sid=y".to_owned()];
    let back = Some((cast.client, "https://app.example/?state=a&b"));
    add(shown, "signed-out", &SignedOut::new(cast.frame(), frames, back));
    add(shown, "signed-out-self", &SignedOut::new(cast.frame(), vec![], None));
    let parameters = [("code", "mj_ac_x"), ("state", cast.client)];
    add(shown, "form-post", &FormPost::new(cast.frame(), "https://app.example/cb", &parameters));
}

fn development(cast: &Cast<'_>, shown: &mut Shown) {
    let part = |json: String| base64url::encode(json.as_bytes());
    let header = part(r#"{"alg":"ES256","kid":"k1","typ":"at+jwt"}"#.to_owned());
    let name = serde_json::to_string(cast.client).unwrap();
    let payload = part(format!(
        r#"{{"iss":"http://localhost:8000","sub":"u","aud":{name},"exp":1,"roles":["admin"]}}"#
    ));
    let call = |status: &str| ApiCall {
        request: "GET /api/v1/users/me".to_owned(),
        status: status.to_owned(),
        body: format!("{{\n  \"name\": {name}\n}}"),
    };
    let people = || {
        vec![DemoPerson {
            username: cast.name.to_owned(),
            password: "correct horse battery staple".to_owned(),
            roles: "admin".to_owned(),
        }]
    };
    let walk = Walk {
        access_token: Some(format!("{header}.{payload}.c2lnbmF0dXJl")),
        call: Some(call("200 OK")),
        is_revoked: true,
        refused: Some(call("401 Unauthorized")),
    };
    let issuer = "http://localhost:8000";
    let first = DevHome::new(cast.frame(), issuer, people(), Walk::default());
    add(shown, "dev-home", &first);
    add(shown, "dev-walked", &DevHome::new(cast.frame(), issuer, people(), walk));
    let mail = || DevMailSeen {
        id: "019a".to_owned(),
        to: cast.email,
        subject: cast.client,
        at: cast.at(),
    };
    add(shown, "dev-mailbox", &DevMailbox::new(cast.frame(), vec![mail(), mail()]));
    add(shown, "dev-mailbox-empty", &DevMailbox::new(cast.frame(), vec![]));
    let text = format!("{}\n\nhttp://localhost:8000/verify?ticket=mj_ml_x\n", cast.client);
    add(shown, "dev-mail", &DevMail::new(cast.frame(), mail(), &text));
}

fn cast<'c>(locale: Locale, name: &'c str, email: &'c str, client: &'c str) -> Cast<'c> {
    Cast { frame: Frame::new("http://localhost:8000", locale), name, email, client }
}

fn friendly(locale: Locale) -> Shown {
    all(&cast(locale, locale.pick("Minji Kim", "김민지"), "minji@example.com", "Planner"))
}

/// WB-02 of the attack kit.
#[test]
fn a_name_is_text_wherever_it_stands() {
    for evil in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' autofocus onfocus=alert(1) x='",
        "</title><svg/onload=alert(1)>",
        "{{7*7}}${7*7}",
        "</textarea><iframe src=\"javascript:alert(1)\">",
    ] {
        for (name, html) in Locale::ALL.iter().flat_map(|it| all(&cast(*it, evil, evil, evil))) {
            is_text_only(&name, evil, &html);
        }
    }
}

fn is_text_only(name: &str, evil: &str, html: &str) {
    assert!(!html.contains(evil) || evil.starts_with('{'), "{name}: {evil}");
    for mark in ["<script>", "<img src=x", "<svg", "<iframe src=\"java", "' autofocus onfocus"] {
        assert!(!html.contains(mark), "{name}: {mark}");
    }
    assert!(!html.contains("49$49") && !html.contains("{49}"), "{name}");
}

/// The policy forbids both, so that they would not work.
#[test]
fn no_page_has_a_script_or_a_style_in_it() {
    for (name, html) in Locale::ALL.into_iter().flat_map(friendly) {
        assert!(!html.contains(" style=") && !html.contains("<style"), "{name}");
        assert!(!html.contains(" onclick=") && !html.contains("javascript:"), "{name}");
        let scripts = html.matches("<script").count();
        assert_eq!(scripts, html.matches("<script src=\"/assets/onward-").count(), "{name}");
    }
}

/// WCAG 2.2: 1.3.1, 2.4.1, 2.4.2, 3.1.1, 3.3.2, 4.1.2.
#[test]
fn every_page_says_what_it_is_and_every_input_what_it_wants() {
    for locale in Locale::ALL {
        for (name, html) in friendly(locale) {
            assert!(html.starts_with("<!doctype html>"), "{name}");
            assert!(html.contains(&format!("<html lang=\"{}\">", locale.tag())), "{name}");
            let title = html.split("<title>").nth(1).unwrap().split('<').next().unwrap();
            assert!(title.len() > 12 && !title.starts_with(' '), "{name}: {title}");
            assert_eq!(html.matches("<h1>").count(), 1, "{name}");
            assert_eq!(html.matches("<main ").count(), 1, "{name}");
            assert!(
                html.contains("href=\"#main\"") && html.contains("<main id=\"main\""),
                "{name}"
            );
            for input in html.split("<input ").skip(1).map(|it| it.split('>').next().unwrap()) {
                is_labelled(&name, &html, input);
            }
            assert!(html.matches(" autofocus").count() <= 1, "{name}: two things have the focus");
        }
    }
}

fn is_labelled(name: &str, html: &str, input: &str) {
    let attribute = |key: &str| {
        let rest = input.split(&format!("{key}=\"")).nth(1)?;
        rest.split('"').next()
    };
    if attribute("type") == Some("hidden") || attribute("aria-hidden") == Some("true") {
        return;
    }
    let id = attribute("id").unwrap();
    assert!(html.contains(&format!("<label for=\"{id}\">")), "{name}: {id} has no label");
    assert!(attribute("autocomplete").is_some(), "{name}: {id} has no autocomplete");
    for described in attribute("aria-describedby").unwrap_or_default().split_whitespace() {
        assert!(html.contains(&format!(" id=\"{described}\"")), "{name}: {described}");
    }
    if attribute("type") == Some("password") {
        assert_eq!(attribute("value"), Some(""), "{name}: a password went into a page");
    }
}

/// What went wrong is announced, has the focus, and leads to its input.
#[test]
fn what_is_wrong_is_told_first_and_beside_its_input() {
    let pages = friendly(Locale::English);
    let html = &pages.iter().find(|(name, _)| name == "sign-up-wrong").unwrap().1;
    assert!(html.contains("role=\"alert\" tabindex=\"-1\" autofocus"));
    assert!(html.contains("<a href=\"#password\">This password is too short.</a>"));
    assert!(html.contains("aria-describedby=\"password-error password-hint\""));
    assert!(html.contains("value=\"minji@example.com\""), "what was typed is kept");
}

#[test]
fn allow_and_deny_are_the_same_kind_of_button_beside_each_other() {
    for (name, html) in friendly(Locale::English) {
        let pair = html.split("<div class=\"pair\">").nth(1);
        let Some(pair) = pair.map(|it| it.split("</div>").next().unwrap()) else { continue };
        assert_eq!(pair.matches("<button ").count(), 2, "{name}");
        assert!(pair.contains("value=\"deny\"") && pair.contains("value=\"allow\""), "{name}");
    }
}

/// A phone on a slow line loads this once.
#[test]
fn a_page_with_all_that_it_loads_is_below_50_kilobytes() {
    let assets = [Asset::Style, Asset::Script, Asset::Logo].map(|asset| asset.text().len());
    let assets: usize = assets.iter().sum();
    for (name, html) in Locale::ALL.into_iter().flat_map(friendly) {
        assert!(html.len() + assets < 50_000, "{name}: {}", html.len() + assets);
    }
}

/// Contrast of WCAG 2.2: 1.4.3 for text, 1.4.11 for the edges of inputs.
#[test]
fn every_pair_of_colours_can_be_read_in_light_and_dark() {
    let css = Asset::Style.text();
    let (light, dark) = css.split_once("prefers-color-scheme: dark").unwrap();
    for (theme, text) in [("light", light), ("dark", dark)] {
        let colour = |name: &str| {
            let value = text.split(&format!("--{name}: #")).nth(1).unwrap();
            luminance(&value[..6])
        };
        for (front, back, least) in [
            ("text", "ground", 4.5),
            ("text", "card", 4.5),
            ("text", "tint", 4.5),
            ("quiet", "ground", 4.5),
            ("quiet", "card", 4.5),
            ("accent", "card", 4.5),
            ("accent", "tint", 4.5),
            ("accent", "ground", 4.5),
            ("on-accent", "accent", 4.5),
            ("on-accent", "accent-strong", 4.5),
            ("danger", "card", 4.5),
            ("danger", "danger-tint", 4.5),
            ("caution", "caution-tint", 4.5),
            ("edge", "card", 3.0),
        ] {
            let (one, other) = (colour(front), colour(back));
            let contrast = (one.max(other) + 0.05) / (one.min(other) + 0.05);
            assert!(contrast >= least, "{theme}: {front} on {back} has {contrast:.2}");
        }
    }
}

fn luminance(hex: &str) -> f64 {
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

/// Run with `MUNJIGI_GALLERY=<directory>`, then open its files in a browser.
#[test]
fn the_gallery_can_be_looked_at() {
    let Some(directory) = option_env!("MUNJIGI_GALLERY").map(Path::new) else { return };
    for locale in Locale::ALL {
        std::fs::create_dir_all(directory.join(locale.tag())).unwrap();
        for (name, html) in friendly(locale) {
            let html = html.replace("\"/assets/", "\"../assets/");
            std::fs::write(directory.join(locale.tag()).join(format!("{name}.html")), html)
                .unwrap();
        }
    }
    std::fs::create_dir_all(directory.join("assets")).unwrap();
    for asset in [Asset::Style, Asset::Script, Asset::Logo] {
        std::fs::write(directory.join("assets").join(asset.name()), asset.text()).unwrap();
    }
}

//! Letting a device in that has no keyboard (RFC 8628 §3.3): the code that it shows, then who asks,
//! for what and from where, and a button (§5.4: a person must be able to see that somebody else is
//! trying to get in).

use askama::Template;

use crate::page::agent;
use crate::page::consent::{initial, permissions};
use crate::page::field::{Complaint, Field, FormView};
use crate::page::frame::Frame;
use crate::page::moment::Moment;
use crate::page::reply::views;

/// `/device`: sends `user_code` to `/device`.
#[derive(Clone, Debug, Template)]
#[template(path = "device_code.html")]
pub struct DeviceCode {
    /// What stands around it.
    pub frame: Frame,
    /// The form.
    pub form: FormView,
}

/// Who asks for what from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceAsked<'a> {
    /// The code, as the device shows it.
    pub user_code: &'a str,
    /// The name of the application.
    pub client: &'a str,
    /// The host of the document that the application is known by.
    pub publisher: Option<&'a str>,
    /// Whether nobody here looked at the application.
    pub is_unverified: bool,
    /// The scopes.
    pub scopes: &'a [&'a str],
    /// The names of the APIs that it wants to call.
    pub apis: &'a [&'a str],
    /// The requester.
    pub requester: Requester<'a>,
}

/// What is known about whoever began it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requester<'a> {
    /// The address that the device asked from.
    pub address: Option<&'a str>,
    /// The `User-Agent` of the device.
    pub user_agent: Option<&'a str>,
    /// When.
    pub at: Option<&'a Moment>,
}

/// `/device`, second step: sends `user_code` (hidden) and `action=allow` or `action=deny` to
/// `/device`.
#[derive(Clone, Debug, Template)]
#[template(path = "device_confirm.html")]
pub struct DeviceConfirm {
    /// What stands around it.
    pub frame: Frame,
    /// The code, as the device shows it.
    pub user_code: String,
    /// The name of the application.
    pub client: String,
    /// The first letter of its name.
    pub initial: String,
    /// The host of its document.
    pub publisher: Option<String>,
    /// Whether nobody here looked at the application.
    pub is_unverified: bool,
    /// What it asks for, a sentence each.
    pub permissions: Vec<String>,
    /// The address that the device asked from.
    pub address: String,
    /// What kind of device it says it is.
    pub device: String,
    /// When it asked.
    pub at: Moment,
    /// As whom the person answers.
    pub account: String,
    /// Where the form goes.
    pub action: String,
}

views!(DeviceCode, DeviceConfirm);

impl DeviceCode {
    /// The page; `typed` is the code that came with `verification_uri_complete`, or before.
    pub fn new(mut frame: Frame, typed: &str, complaints: Vec<Complaint>) -> Self {
        frame.keep("user_code", Some(typed).filter(|typed| !typed.is_empty()));
        let fields = vec![Field::user_code(&frame).value(typed).focused()];
        Self { form: FormView::new(frame.path("/device"), fields, complaints), frame }
    }
}

impl DeviceConfirm {
    /// The page; `account` is the name or the address of who is signed in.
    pub fn new(mut frame: Frame, account: &str, asked: DeviceAsked<'_>) -> Self {
        // In another language the page begins anew: what is asked is only shown after a form.
        frame.keep("user_code", Some(asked.user_code));
        let unknown = || frame.text("unknown");
        let device = asked.requester.user_agent.and_then(agent::describe);
        Self {
            user_code: asked.user_code.to_owned(),
            client: asked.client.to_owned(),
            initial: initial(asked.client),
            publisher: asked.publisher.map(str::to_owned),
            is_unverified: asked.is_unverified,
            permissions: Self::permissions(&frame, &asked),
            address: asked.requester.address.map_or_else(unknown, str::to_owned),
            device: device.unwrap_or_else(unknown),
            at: asked.requester.at.cloned().unwrap_or_default(),
            account: account.to_owned(),
            action: frame.path("/device"),
            frame,
        }
    }

    /// A sentence for each scope and API. Tokens without any still say who somebody is, so that
    /// nobody is asked for nothing (DV-01 of the attack kit).
    fn permissions(frame: &Frame, asked: &DeviceAsked<'_>) -> Vec<String> {
        let permissions = permissions(frame, asked.scopes, asked.apis);
        if permissions.is_empty() { vec![frame.text("scope-openid")] } else { permissions }
    }
}

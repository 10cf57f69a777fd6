//! What an authorization request asks for, as far as it can be told without knowing who is there.
//! Whatever is wrong with client or redirect URI is a page here, never a redirect.

use std::sync::Arc;

use munjigi_core::id::ClientId;
use munjigi_core::oauth::api::Audience;
use munjigi_core::oauth::authorization::{
    AuthorizationRequest, Channel, Destination, PageError, Terms, client_id, destination, request,
};
use munjigi_core::oauth::client::Client;
use munjigi_core::oauth::consent::Consent;
use munjigi_core::oauth::error::OAuthRefusal;
use munjigi_core::oauth::parameters::Parameters;
use munjigi_core::oauth::scope::Scope;
use munjigi_store::consents;

use crate::app::App;
use crate::browser::Visitor;
use crate::config::Mode;
use crate::context::Context;
use crate::documents::{find_client, find_known};
use crate::failure::Failure;
use crate::flow::Flow;
use crate::issue;
use crate::page::failed::{FailedPage, Reason};
use crate::page::frame::Frame;
use crate::page::redirect_difference::RedirectDifference;
use crate::page::reply::{Page, View};
use crate::snapshot::Snapshot;

/// A request whose answer has somewhere to go.
pub struct Asking {
    /// Who asks.
    pub client: Arc<Client>,
    /// Where the answer goes.
    pub destination: Destination,
    /// For what; a refusal is for the client.
    pub request: Result<AuthorizationRequest, OAuthRefusal>,
}

impl Asking {
    /// Reads the request of a flow.
    pub async fn read(
        app: &App,
        context: &Context,
        frame: &Frame,
        flow: &Flow,
    ) -> Result<Self, Box<Page>> {
        let refuse = |error: PageError| Box::new(frame.refuse(reason(error)));
        let parameters =
            Parameters::new(flow.parameters.clone()).map_err(|error| refuse(error.into()))?;
        let id = client_id(&parameters).map_err(refuse)?;
        let client = find_client(app, &id, context.address).await;
        let client = client.map_err(|failure| Box::new(frame.broken(failure)))?;
        let client = client.ok_or_else(|| refuse(PageError::UnknownClient))?;
        let destination = destination(&parameters, &client).map_err(|error| {
            Box::new(explained(app, frame, (error, &client, flow.find("redirect_uri"))))
        })?;
        let channel = if flow.pushed.is_some() { Channel::Pushed } else { Channel::Front };
        let request = request(&parameters, &client, &terms(&app.snapshot(), &client, channel));
        Ok(Self { client, destination, request })
    }

    /// The APIs that tokens would be for.
    pub fn audiences(
        &self,
        app: &App,
        request: &AuthorizationRequest,
    ) -> Result<Vec<Audience>, OAuthRefusal> {
        let snapshot = app.snapshot_kept();
        let resources = request.resources.iter().map(String::as_str);
        issue::audiences(app, &snapshot, &self.client, resources)
    }
}

/// What of a scope this person may let a client have; all of it while nobody is there.
pub fn disclosed(app: &App, visitor: Option<&Visitor>, asked: &Scope) -> Scope {
    match visitor {
        None => asked.clone(),
        Some(visitor) => issue::granted_scope(&app.snapshot(), &visitor.user, asked),
    }
}

/// What this person allowed the client before.
pub async fn consent_of(
    app: &App,
    visitor: &Visitor,
    asking: &Asking,
) -> Result<Option<Consent>, Failure> {
    let (user_id, client_id) = (visitor.user.id, asking.client.id.clone());
    Ok(app.store.read(move |tx| consents::find(tx, &user_id, &client_id)).await?)
}

/// The client behind a flow, for the pages on the way.
pub fn client_of(app: &App, flow: &Flow) -> Option<Arc<Client>> {
    let id: ClientId = flow.find("client_id")?.parse().ok()?;
    find_known(app, &id)
}

/// What the client registered about its own requests, and how this one came.
pub fn terms<'c>(snapshot: &Snapshot, client: &'c Client, channel: Channel) -> Terms<'c> {
    let metadata = &client.metadata;
    // RFC 9126 §5 and §6: for every client, or for this one.
    let is_required =
        snapshot.settings.requests.require_pushed || metadata.require_pushed_authorization_requests;
    Terms {
        channel,
        required_channel: if is_required { Channel::Pushed } else { Channel::Front },
        default_max_age: metadata.default_max_age,
        default_acr_values: &metadata.default_acr_values,
        response_modes: &metadata.response_modes,
    }
}

fn reason(error: PageError) -> Reason {
    match error {
        PageError::TooLarge => Reason::Request,
        PageError::ClientId | PageError::UnknownClient => Reason::UnknownClient,
        PageError::RedirectUri | PageError::UnknownRedirectUri => Reason::RedirectUri,
    }
}

/// The page; in `dev` with the exact difference between what came and what is registered.
fn explained(
    app: &App,
    frame: &Frame,
    (error, client, received): (PageError, &Client, Option<&str>),
) -> Page {
    let reason = reason(error);
    let page = FailedPage::new(frame.clone(), reason);
    let page = match received {
        Some(received) if app.config.mode == Mode::Dev => {
            let registered: Vec<String> =
                client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect();
            let id = client.id.as_str();
            page.showing(RedirectDifference::new(frame, id, received, &registered))
        }
        _ => page,
    };
    page.reply(reason.status())
}

//! `/docs` and `/openapi.json`: Swagger UI, served from the binary without a network.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use utoipa_swagger_ui::Config as SwaggerConfig;
use utoipa_swagger_ui::oauth::Config as OAuthConfig;

use crate::app::App;
use crate::config::Mode;
use crate::extract::path::Path;
use crate::reply;
use crate::reply::problem::Problem;

/// The document, written by hand: the contract comes first. A test holds it to the routes.
pub const OPENAPI: &str = include_str!("../../assets/openapi.json");

/// In the document, where this server's own address belongs.
const ISSUER: &str = "{issuer}";

/// Swagger UI writes styles into its own elements; everything else stays forbidden.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
     img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The document with this server's own address, made once: it is large, and clients that read
/// slowly would each hold a copy.
#[derive(Default)]
pub struct OpenApi(OnceLock<Bytes>);

impl OpenApi {
    fn of(&self, issuer: &str) -> Bytes {
        self.0.get_or_init(|| OPENAPI.replace(ISSUER, issuer).into()).clone()
    }
}

/// `GET /openapi.json`.
pub async fn openapi(State(app): State<App>) -> Response {
    let document = app.openapi.of(&app.config.issuer);
    let mut response = reply::raw(StatusCode::OK, "application/json", document);
    let anywhere = HeaderValue::from_static("*");
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, anywhere);
    response
}

/// `GET /docs`: to the page itself, whose links are relative.
pub async fn index(State(app): State<App>) -> Response {
    Redirect::to(&format!("{}/docs/", app.config.issuer)).into_response()
}

/// `GET /docs/`.
pub async fn page(State(app): State<App>) -> Result<Response, Problem> {
    serve(&app, "index.html")
}

/// `GET /docs/…`: the page's files.
pub async fn file(State(app): State<App>, Path(path): Path<String>) -> Result<Response, Problem> {
    serve(&app, &path)
}

fn serve(app: &App, path: &str) -> Result<Response, Problem> {
    let document = format!("{}/openapi.json", app.config.issuer);
    let config = match app.config.mode {
        Mode::Serve => SwaggerConfig::from(document),
        Mode::Dev => {
            let client = OAuthConfig::new().client_id("swagger");
            let client = client.use_pkce_with_authorization_code_grant(true);
            let back = format!("{}/docs/oauth2-redirect.html", app.config.issuer);
            SwaggerConfig::with_oauth_config([document], client).oauth2_redirect_url(back)
        }
    };
    let served = utoipa_swagger_ui::serve(path, Arc::new(config.try_it_out_enabled(true)));

    let file = served.ok().flatten().ok_or_else(|| Problem::not_found("page"))?;
    // Not a copy for each client.
    let bytes = match file.bytes {
        Cow::Borrowed(bytes) => Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    let mut response = Response::new(bytes.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, POLICY);
    if let Ok(content_type) = HeaderValue::from_str(&file.content_type) {
        headers.insert(CONTENT_TYPE, content_type);
    }
    Ok(response)
}

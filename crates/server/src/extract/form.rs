//! Forms of the OAuth endpoints (RFC 6749 §3.2, appendix B).

use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use munjigi_core::oauth::error::ErrorCode;
use munjigi_core::secret::Secret;

use crate::extract::{BodyError, read_body};
use crate::reply::oauth::OAuthError;

/// How many parameters a form may have.
pub const MAX_PARAMETERS: usize = 64;

/// The parameters of a form. Those without a value count as absent (RFC 6749 §3.1).
pub struct Form(Vec<(String, Secret)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OAuthError> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let is_form = content_type.is_some_and(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        });
        if !is_form {
            let why = "the body is to be sent as application/x-www-form-urlencoded";
            return Err(OAuthError::new(ErrorCode::InvalidRequest, why)
                .status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
        }
        let bytes = read_body(request.into_body()).await?;
        Self::parse(&bytes)
    }
}

impl From<BodyError> for OAuthError {
    fn from(error: BodyError) -> Self {
        let invalid = |why| Self::new(ErrorCode::InvalidRequest, why);
        match error {
            BodyError::TooLarge => {
                invalid("a body has at most 65536 bytes").status(StatusCode::PAYLOAD_TOO_LARGE)
            }
            BodyError::TooSlow => {
                invalid("the body took too long").status(StatusCode::REQUEST_TIMEOUT)
            }
            BodyError::Broken => invalid("the body did not arrive whole"),
        }
    }
}

impl Form {
    /// Parses a form; a parameter that comes twice is refused (RFC 6749 §3.2), but for `resource`,
    /// which may (RFC 8707 §2).
    pub fn parse(bytes: &[u8]) -> Result<Self, OAuthError> {
        let invalid = |why| OAuthError::new(ErrorCode::InvalidRequest, why);
        if !is_well_encoded(bytes) {
            return Err(invalid("the form is not well encoded"));
        }
        let mut parameters: Vec<(String, Secret)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            if parameters.len() >= MAX_PARAMETERS {
                return Err(invalid("a form has at most 64 parameters"));
            }
            let repeated = parameters.iter().any(|(other, _)| *other == name);
            if repeated && name != "resource" {
                return Err(invalid("a parameter stands there more than once"));
            }
            parameters.push((name.into_owned(), Secret::new(value.into_owned())));
        }
        parameters.retain(|(_, value)| !value.reveal().is_empty());
        Ok(Self(parameters))
    }

    /// A parameter that may be absent.
    pub fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.reveal())
    }

    /// Every value of a parameter.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(other, _)| other == name).map(|(_, value)| value.reveal())
    }

    /// A parameter that has to be there.
    pub fn required(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.find(name).ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, missing))
    }
}

/// Whether the bytes decode to UTF-8 and every `%` is followed by two hexadecimal digits: the
/// decoder would pass anything else on changed.
fn is_well_encoded(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        let Some([_, high, low, ..]) = rest.get(at..) else { return false };
        if !high.is_ascii_hexdigit() || !low.is_ascii_hexdigit() {
            return false;
        }
        rest = rest.get(at.saturating_add(3)..).unwrap_or_default();
    }
    let decoded: Vec<u8> = url::form_urlencoded::parse(bytes)
        .flat_map(|(name, value)| [name.into_owned(), value.into_owned()])
        .flat_map(String::into_bytes)
        .collect();
    // The decoder writes U+FFFD for what is not UTF-8.
    let replaced = decoded.windows(3).any(|window| window == "\u{fffd}".as_bytes());
    let sent = bytes.windows(9).any(|window| window.eq_ignore_ascii_case(b"%ef%bf%bd"));
    std::str::from_utf8(bytes).is_ok() && (!replaced || sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_parameters_count_as_absent() {
        let form = Form::parse(b"scope=&username=minji&x").unwrap();
        assert_eq!(form.find("scope"), None);
        assert_eq!(form.find("username"), Some("minji"));
    }

    /// RU-06 of the attack kit.
    #[test]
    fn duplicate_parameters_are_refused_and_resources_are_not() {
        assert!(Form::parse(b"scope=a&scope=b").is_err());
        assert!(Form::parse(b"scope=&scope=").is_err());
        let form = Form::parse(b"resource=a:b&resource=c:d").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a:b", "c:d"]);
    }

    #[test]
    fn bad_encodings_and_too_many_parameters_are_refused() {
        for bad in [&b"a=%f"[..], b"a=%zz", b"a=%ff", b"a=\xff", b"%"] {
            assert!(Form::parse(bad).is_err(), "{bad:?}");
        }
        let many: Vec<_> = (0..65).map(|number| format!("p{number}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
        assert!(Form::parse("a=%ED%95%9C+글".as_bytes()).is_ok());
    }
}

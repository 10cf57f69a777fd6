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
        let mut parameters: Vec<(String, Secret)> = Vec::new();
        for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if parameters.len() >= MAX_PARAMETERS {
                return Err(invalid("a form has at most 64 parameters"));
            }
            let (name, value) = split_at_byte(pair, b'=').unwrap_or((pair, b""));
            let unreadable = || invalid("the form is not well encoded");
            let name = decoded(name).ok_or_else(unreadable)?;
            let value = Secret::new(decoded(value).ok_or_else(unreadable)?);
            let repeated = parameters.iter().any(|(other, _)| *other == name);
            if repeated && name != "resource" {
                return Err(invalid("a parameter stands there more than once"));
            }
            parameters.push((name, value));
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

    /// Takes out a parameter that has to be there, and that is secret.
    pub fn take(&mut self, name: &str, missing: &'static str) -> Result<Secret, OAuthError> {
        let at = self.0.iter().position(|(other, _)| other == name);
        let taken = at.map(|at| self.0.swap_remove(at).1);
        taken.ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, missing))
    }

    /// Takes out all those whose names are wanted, in the order in which they came.
    pub fn take_all(&mut self, is_wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let taken = self.0.extract_if(.., |(name, _)| is_wanted(name));
        taken.map(|(name, value)| (name, value.reveal().to_owned())).collect()
    }

    /// A parameter that has to be there.
    pub fn required(&self, name: &str, missing: &'static str) -> Result<&str, OAuthError> {
        self.find(name).ok_or_else(|| OAuthError::new(ErrorCode::InvalidRequest, missing))
    }
}

/// One name or value, decoded (RFC 6749 appendix B): `+` is a space, `%` stands before two
/// hexadecimal digits. `None` for anything else and for what is not UTF-8: repaired text might
/// name something that nobody sent.
fn decoded(text: &[u8]) -> Option<String> {
    // As much room as it can need, so that a secret leaves no copy behind where it grew.
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        let (before, special) = rest.split_at_checked(at)?;
        plain.extend_from_slice(before);
        rest = match special {
            [b'%', high, low, after @ ..] => {
                plain.push(hex_digit(*high)? << 4 | hex_digit(*low)?);
                after
            }
            [b'+', after @ ..] => {
                plain.push(b' ');
                after
            }
            _ => return None,
        };
    }
    plain.extend_from_slice(rest);
    String::from_utf8(plain).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn split_at_byte(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    let (before, after) = bytes.split_at_checked(at)?;
    Some((before, after.get(1..)?))
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
        // What is broken is not forgiven because a replacement character stands beside it.
        assert!(Form::parse(b"a=%EF%BF%BD&b=%ff").is_err());
        let many: Vec<_> = (0..65).map(|number| format!("p{number}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
        assert!(Form::parse("a=%ED%95%9C+글".as_bytes()).is_ok());
    }

    #[test]
    fn names_and_values_are_decoded_like_a_browser_encodes_them() {
        let form = Form::parse("%61+b=c%2b+d%3D%26=e&&글=%ed%95%9C&=x".as_bytes()).unwrap();
        assert_eq!(form.find("a b"), Some("c+ d=&=e"));
        assert_eq!(form.find("글"), Some("한"));
        assert_eq!(form.find(""), Some("x"));
    }
}

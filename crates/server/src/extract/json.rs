//! JSON bodies: read strictly, member by member, so that a refusal names all that is wrong.

use axum::extract::{FromRequest, Request};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde_json::{Map, Value};

use crate::extract::{BodyError, read_body};
use crate::reply::problem::{MemberError, Problem};

/// A body that is made of the members of a JSON object.
pub trait FromMembers: Sized {
    /// Takes the members out. `None` only when an error was noted.
    fn read(members: &mut Members) -> Option<Self>;
}

/// A typed JSON body.
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: FromMembers> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let is_json = content_type.is_some_and(|text| {
            let essence = text.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/json")
        });
        // LG-10 of the attack kit, CVE-2021-32677: a cross-site form can send text/plain.
        if !is_json {
            let detail = "the body is to be sent as application/json";
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "unsupported_media_type",
                detail,
            ));
        }
        let bytes = read_body(request.into_body()).await.map_err(Problem::from)?;
        parse(&bytes).map(Self)
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge => Self::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                "a body has at most 65536 bytes",
            ),
            BodyError::TooSlow => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "too_slow", "the body took too long")
            }
            BodyError::Broken => {
                Self::new(StatusCode::BAD_REQUEST, "broken", "the body did not arrive whole")
            }
        }
    }
}

/// Parses a body. Malformed JSON, duplicate members and too much depth are 400; members that are
/// unknown, missing or wrong are 422, all of them named.
pub fn parse<T: FromMembers>(bytes: &[u8]) -> Result<T, Problem> {
    let object = munjigi_token::json::object(bytes).map_err(|error| {
        let detail = format!("the body is not a JSON object that can be read: {error}");
        Problem::new(StatusCode::BAD_REQUEST, "malformed_json", detail)
    })?;
    let mut members = Members { object, errors: Vec::new() };
    let read = T::read(&mut members);
    members.note_unknown();
    match read {
        Some(value) if members.errors.is_empty() => Ok(value),
        _ => Err(Problem::members(members.errors)),
    }
}

/// The members of a body that were not taken yet, and what was wrong with those that were.
pub struct Members {
    object: Map<String, Value>,
    errors: Vec<MemberError>,
}

impl Members {
    /// A text that has to be there.
    pub fn required<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match self.object.remove(name) {
            Some(value) => self.text(name, &value, parse),
            None => {
                self.note(name, "missing", "is missing");
                None
            }
        }
    }

    /// A text that may be absent or null. The outer option is `None` when an error was noted.
    pub fn optional<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match self.object.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => self.text(name, &value, parse).map(Some),
        }
    }

    /// A text that may be absent (nothing changes), null (it is taken away) or there.
    pub fn change<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Change<T>> {
        match self.object.remove(name) {
            None => Some(Change::Keep),
            Some(Value::Null) => Some(Change::Clear),
            Some(value) => self.text(name, &value, parse).map(Change::Set),
        }
    }

    /// A list of texts that may be absent.
    pub fn list<T, E: ToString>(
        &mut self,
        name: &str,
        most: usize,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Option<Vec<T>>> {
        let items = match self.object.remove(name) {
            None | Some(Value::Null) => return Some(None),
            Some(Value::Array(items)) => items,
            Some(_) => {
                self.note(name, "wrong_type", "is a list of texts");
                return None;
            }
        };
        if items.len() > most {
            self.note(name, "too_many", &format!("has at most {most} entries"));
            return None;
        }
        let parsed: Vec<Option<T>> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.text(&format!("{name}/{index}"), item, &parse))
            .collect();
        parsed.into_iter().collect::<Option<Vec<T>>>().map(Some)
    }

    /// A whole number within bounds that may be absent.
    pub fn number(&mut self, name: &str, least: i64, most: i64) -> Option<Option<i64>> {
        match self.object.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(value) => match value.as_i64().filter(|it| (least..=most).contains(it)) {
                Some(number) => Some(Some(number)),
                None => {
                    let detail = format!("is a whole number from {least} to {most}");
                    self.note(name, "wrong_number", &detail);
                    None
                }
            },
        }
    }

    /// A yes or no that may be absent.
    pub fn flag(&mut self, name: &str) -> Option<Option<bool>> {
        match self.object.remove(name) {
            None | Some(Value::Null) => Some(None),
            Some(Value::Bool(flag)) => Some(Some(flag)),
            Some(_) => {
                self.note(name, "wrong_type", "is true or false");
                None
            }
        }
    }

    /// An object that may be absent.
    pub fn object<T, E: ToString>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&Map<String, Value>) -> Result<T, E>,
    ) -> Option<Option<T>> {
        let object = match self.object.remove(name) {
            None | Some(Value::Null) => return Some(None),
            Some(Value::Object(object)) => object,
            Some(_) => {
                self.note(name, "wrong_type", "is an object");
                return None;
            }
        };
        match parse(&object) {
            Ok(parsed) => Some(Some(parsed)),
            Err(error) => {
                self.note(name, "invalid", &error.to_string());
                None
            }
        }
    }

    /// Notes that something is wrong with a member.
    pub fn note(&mut self, name: &str, code: &'static str, detail: &str) {
        self.errors.push(MemberError { pointer: pointer(name), code, detail: detail.to_owned() });
    }

    fn text<T, E: ToString>(
        &mut self,
        name: &str,
        value: &Value,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let Some(text) = value.as_str() else {
            self.note(name, "wrong_type", "is a text");
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.note(name, "invalid", &error.to_string());
                None
            }
        }
    }

    fn note_unknown(&mut self) {
        let unknown: Vec<String> = self.object.keys().take(16).cloned().collect();
        for name in unknown {
            let shown: String = name.chars().take(64).collect();
            self.note(&escaped(&shown), "unknown", "is not expected here");
        }
    }
}

/// What a PATCH says about a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<T> {
    /// Nothing: it stays.
    Keep,
    /// It is taken away.
    Clear,
    /// It becomes this.
    Set(T),
}

/// RFC 6901 §3: `~` and `/` inside a member's name are written `~0` and `~1`.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn pointer(name: &str) -> String {
    format!("/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Sample {
        name: String,
        age: Option<i64>,
        tags: Option<Vec<String>>,
    }

    impl FromMembers for Sample {
        fn read(members: &mut Members) -> Option<Self> {
            let text = |text: &str| Ok::<_, String>(text.to_owned());
            let name = members.required("name", text);
            let age = members.number("age", 0, 150);
            let tags = members.list("tags", 2, text);
            Some(Self { name: name?, age: age?, tags: tags? })
        }
    }

    fn pointers(body: &str) -> Vec<(String, &'static str)> {
        let problem = parse::<Sample>(body.as_bytes()).unwrap_err();
        problem.errors.into_iter().map(|error| (error.pointer, error.code)).collect()
    }

    #[test]
    fn a_good_body_is_read() {
        let sample: Sample = parse(br#"{"name":"x","age":3,"tags":["a"]}"#).unwrap();
        assert_eq!((sample.name.as_str(), sample.age), ("x", Some(3)));
        assert_eq!(sample.tags, Some(vec!["a".to_owned()]));
    }

    #[test]
    fn everything_that_is_wrong_is_named_at_once() {
        let found = pointers(r#"{"age":"3","tags":["a",1],"x/y":1}"#);
        let expected = [
            ("/name", "missing"),
            ("/age", "wrong_number"),
            ("/tags/1", "wrong_type"),
            ("/x~1y", "unknown"),
        ];
        assert_eq!(found, expected.map(|(pointer, code)| (pointer.to_owned(), code)));
    }

    #[test]
    fn malformed_duplicate_and_deep_bodies_are_bad_requests() {
        let deep = format!("{{\"name\":{}1{}}}", "[".repeat(99), "]".repeat(99));
        for body in ["", "[]", "{", r#"{"name":"a","name":"b"}"#, &deep, "{} x"] {
            let problem = parse::<Sample>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.status, StatusCode::BAD_REQUEST, "{body}");
        }
    }
}

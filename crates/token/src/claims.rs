//! The claims of a JWT (RFC 7519 §4), of an access token (RFC 9068 §2.2) and of an ID token, typed.
//! A claim of the wrong type is an error, never a claim that is absent (CVE-2026-25537).

use std::borrow::Cow;
use std::fmt;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{self, Reader, Record};
use crate::{Error, MAX_NUMERIC_DATE};

/// What a token says. Times are in Unix seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims {
    /// The issuer.
    pub iss: Option<String>,
    /// Whom it is about.
    pub sub: Option<String>,
    /// For whom it is: one string or an array of them on the wire.
    pub aud: Vec<String>,
    /// When it ends.
    pub exp: Option<i64>,
    /// When it was issued.
    pub iat: Option<i64>,
    /// When it begins.
    pub nbf: Option<i64>,
    /// Its own id.
    pub jti: Option<String>,
    /// The client that it was issued to (RFC 8693 §4.3).
    pub client_id: Option<String>,
    /// The session.
    pub sid: Option<String>,
    /// The grant.
    pub gid: Option<String>,
    /// How strongly the person signed in.
    pub acr: Option<String>,
    /// When the person signed in.
    pub auth_time: Option<i64>,
    /// By which methods the person signed in (RFC 8176).
    pub amr: Vec<String>,
    /// The roles (RFC 9068 §2.2.3.1).
    pub roles: Vec<String>,
    /// The groups (RFC 9068 §2.2.3.1).
    pub groups: Vec<String>,
    /// The permissions at this API.
    pub permissions: Vec<String>,
    /// What the client may do.
    pub scope: Scopes,
    /// The key that the token is bound to (RFC 7800 §3.1).
    pub cnf: Option<Confirmation>,
    /// Every other claim.
    pub extra: Map<String, Value>,
}

impl Claims {
    /// Reads a payload.
    ///
    /// Errors: those of [`json::object`], and [`Error::ClaimType`] for the first claim of the wrong
    /// type. A time is an integer, or a number without a fraction, from 0 to
    /// [`MAX_NUMERIC_DATE`].
    pub fn parse(payload: &[u8]) -> Result<Self, Error> {
        json::record(payload)
    }
}

/// The key that a token is bound to (RFC 7800 §3.1). One that is bound in a way that is not known
/// here has no `jkt`, and is bound nevertheless.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confirmation {
    /// The thumbprint of the key (RFC 9449 §6.1).
    pub jkt: Option<String>,
    /// Every other way.
    pub extra: Map<String, Value>,
}

/// The scopes of a token: one string with spaces on the wire (RFC 8693 §4.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<String>);

impl Scopes {
    /// Reads them; spaces separate, and nothing else does.
    pub fn parse(text: &str) -> Self {
        text.split(' ').filter(|scope| !scope.is_empty()).collect()
    }

    /// Whether this scope is among them.
    pub fn has(&self, scope: &str) -> bool {
        self.0.iter().any(|one| one == scope)
    }

    /// Each of them.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'s> FromIterator<&'s str> for Scopes {
    fn from_iter<I: IntoIterator<Item = &'s str>>(scopes: I) -> Self {
        Self(scopes.into_iter().map(str::to_owned).collect())
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(" "))
    }
}

impl Record for Claims {
    fn field(name: &str) -> Option<(u32, &'static str)> {
        // A match is a few comparisons of numbers; a search in a list is a call for each.
        Some(match name {
            "iss" => (0, "iss"),
            "sub" => (1, "sub"),
            "aud" => (2, "aud"),
            "exp" => (3, "exp"),
            "iat" => (4, "iat"),
            "nbf" => (5, "nbf"),
            "jti" => (6, "jti"),
            "client_id" => (7, "client_id"),
            "scope" => (8, "scope"),
            "sid" => (9, "sid"),
            "gid" => (10, "gid"),
            "acr" => (11, "acr"),
            "auth_time" => (12, "auth_time"),
            "amr" => (13, "amr"),
            "roles" => (14, "roles"),
            "groups" => (15, "groups"),
            "permissions" => (16, "permissions"),
            "cnf" => (17, "cnf"),
            _ => return None,
        })
    }

    fn read(&mut self, claim: &'static str, reader: &mut Reader<'_>) -> Result<(), Error> {
        let is_right = match claim {
            "exp" | "iat" | "nbf" | "auth_time" => {
                let date = reader.number_as_written()?.and_then(numeric_date);
                self.put_date(claim, date)
            }
            "scope" => {
                let text = reader.text()?;
                text.map(|text| self.scope = Scopes::parse(&text))
            }
            "amr" | "roles" | "groups" | "permissions" | "aud" | "cnf" => {
                self.put(claim, reader.value()?)
            }
            _ => self.put_text(claim, reader.text()?.map(Cow::into_owned)),
        };
        if is_right.is_none() {
            reader.note(Error::ClaimType { claim });
        }
        Ok(())
    }

    fn rest(&mut self) -> &mut Map<String, Value> {
        &mut self.extra
    }
}

impl Claims {
    fn put_date(&mut self, claim: &str, date: Option<i64>) -> Option<()> {
        let place = match claim {
            "exp" => &mut self.exp,
            "iat" => &mut self.iat,
            "nbf" => &mut self.nbf,
            _ => &mut self.auth_time,
        };
        *place = date;
        date.map(drop)
    }

    fn put_text(&mut self, claim: &str, text: Option<String>) -> Option<()> {
        let is_right = text.is_some();
        let place = match claim {
            "iss" => &mut self.iss,
            "sub" => &mut self.sub,
            "jti" => &mut self.jti,
            "client_id" => &mut self.client_id,
            "sid" => &mut self.sid,
            "gid" => &mut self.gid,
            _ => &mut self.acr,
        };
        *place = text;
        is_right.then_some(())
    }

    /// `None` if the value is not of the claim's type.
    fn put(&mut self, claim: &str, value: Value) -> Option<()> {
        match claim {
            // RFC 7519 §4.1.3: an array, or one string where there is one.
            "aud" => match value {
                Value::String(one) => self.aud = vec![one],
                many => self.aud = texts(many)?,
            },
            "amr" => self.amr = texts(value)?,
            "roles" => self.roles = texts(value)?,
            "groups" => self.groups = texts(value)?,
            "permissions" => self.permissions = texts(value)?,
            _ => self.cnf = Some(Confirmation::from_value(value)?),
        }
        Some(())
    }
}

impl Confirmation {
    fn from_value(value: Value) -> Option<Self> {
        let Value::Object(mut extra) = value else { return None };
        let jkt = match extra.remove("jkt") {
            Some(jkt) => Some(text(jkt)?),
            None => None,
        };
        Some(Self { jkt, extra })
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn texts(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(entries) => entries.into_iter().map(text).collect(),
        _ => None,
    }
}

/// RFC 7519 §2, NumericDate: a JSON number of seconds. `None` for a fraction, and for what no
/// calendar holds.
fn numeric_date(number: &str) -> Option<i64> {
    let date = match number.parse::<i64>() {
        Ok(date) => date,
        Err(_) => whole(number.parse().ok()?)?,
    };
    (0..=MAX_NUMERIC_DATE).contains(&date).then_some(date)
}

#[expect(clippy::as_conversions, reason = "whole and below 2^53: nothing is lost")]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && (0.0..=MAX_NUMERIC_DATE as f64).contains(&number))
        .then_some(number as i64)
}

impl Serialize for Claims {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        let strings = [
            ("iss", &self.iss),
            ("sub", &self.sub),
            ("jti", &self.jti),
            ("client_id", &self.client_id),
            ("sid", &self.sid),
            ("gid", &self.gid),
            ("acr", &self.acr),
        ];
        for (name, value) in strings {
            if let Some(value) = value {
                members.serialize_entry(name, value)?;
            }
        }
        match self.aud.as_slice() {
            [] => {}
            [one] => members.serialize_entry("aud", one)?,
            many => members.serialize_entry("aud", many)?,
        }
        let dates = [
            ("exp", self.exp),
            ("iat", self.iat),
            ("nbf", self.nbf),
            ("auth_time", self.auth_time),
        ];
        for (name, value) in dates {
            if let Some(value) = value {
                members.serialize_entry(name, &value)?;
            }
        }
        let lists = [
            ("amr", &self.amr),
            ("roles", &self.roles),
            ("groups", &self.groups),
            ("permissions", &self.permissions),
        ];
        for (name, value) in lists.into_iter().filter(|(_, value)| !value.is_empty()) {
            members.serialize_entry(name, value)?;
        }
        if !self.scope.is_empty() {
            members.serialize_entry("scope", &self.scope)?;
        }
        if let Some(cnf) = &self.cnf {
            members.serialize_entry("cnf", cnf)?;
        }
        for (name, value) in &self.extra {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut members = serializer.serialize_map(None)?;
        if let Some(jkt) = &self.jkt {
            members.serialize_entry("jkt", jkt)?;
        }
        for (name, value) in &self.extra {
            members.serialize_entry(name, value)?;
        }
        members.end()
    }
}

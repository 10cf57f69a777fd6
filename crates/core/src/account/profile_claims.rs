//! Further claims that a person makes about themselves (OpenID Connect Core §5.1, §5.1.1): each is
//! a text within its limits. Nothing here is proved, and nothing here is ever an identifier.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use thiserror::Error;

use super::profile::DisplayName;
use super::unicode::is_bidi_control;
use crate::oauth::client::wire_enum;
use crate::oauth::metadata::WebUri;

/// The longest line or address, in characters, and the longest part of a postal address.
const MAX_ADDRESS_CHARS: usize = 500;
/// The longest name of a time zone, in bytes.
const MAX_ZONE_BYTES: usize = 64;

wire_enum! {
    /// What can be said.
    ProfileClaim {
        /// First names.
        GivenName = "given_name",
        /// Last names.
        FamilyName = "family_name",
        /// Names in between.
        MiddleName = "middle_name",
        /// What friends say.
        Nickname = "nickname",
        /// The address of a picture.
        Picture = "picture",
        /// The address of a page.
        Website = "website",
        /// In their own words.
        Gender = "gender",
        /// A date, or a year (ISO 8601); the year 0000 for who keeps it to themselves.
        Birthdate = "birthdate",
        /// The name of a time zone, as in `Asia/Seoul`.
        Zoneinfo = "zoneinfo",
        /// A telephone number in the international form (E.164).
        PhoneNumber = "phone_number",
        /// The whole postal address as it is written on a letter.
        Formatted = "formatted",
        /// Street and number; may have several lines.
        StreetAddress = "street_address",
        /// Town.
        Locality = "locality",
        /// State or province.
        Region = "region",
        /// Postal code.
        PostalCode = "postal_code",
        /// Country.
        Country = "country",
    }
}

impl ProfileClaim {
    /// Whether it is a part of `address` (OpenID Connect Core §5.1.1).
    pub const fn is_of_address(self) -> bool {
        matches!(
            self,
            Self::Formatted
                | Self::StreetAddress
                | Self::Locality
                | Self::Region
                | Self::PostalCode
                | Self::Country
        )
    }

    /// The text as it is kept; `None` when it is not what this claim is.
    fn read(self, text: &str) -> Option<String> {
        match self {
            Self::GivenName | Self::FamilyName | Self::MiddleName | Self::Nickname => line(text),
            Self::Gender | Self::Locality | Self::Region | Self::PostalCode | Self::Country => {
                line(text)
            }
            Self::Picture | Self::Website => WebUri::parse(text).map(|_| text.to_owned()),
            Self::Birthdate => is_birthdate(text).then(|| text.to_owned()),
            Self::Zoneinfo => is_zone(text).then(|| text.to_owned()),
            Self::PhoneNumber => phone_number(text),
            Self::Formatted | Self::StreetAddress => lines(text),
        }
    }
}

/// A claim that is not what it has to be. It repeats nothing of what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{0} cannot be taken like this")]
pub struct BadClaim(&'static str);

impl BadClaim {
    /// Which one, as on the wire.
    pub const fn claim(self) -> &'static str {
        self.0
    }
}

/// What a person says about themselves beyond name, address and language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile(BTreeMap<ProfileClaim, String>);

impl Profile {
    /// Reads claims by their names, those of the postal address within `address`. `null` and the
    /// empty text say nothing; names that are not known are ignored.
    pub fn parse(claims: &Map<String, Value>) -> Result<Self, BadClaim> {
        let nothing = Map::new();
        let address = match claims.get("address") {
            None | Some(Value::Null) => &nothing,
            Some(Value::Object(address)) => address,
            Some(_) => return Err(BadClaim("address")),
        };
        let mut profile = Self::default();
        for claim in ProfileClaim::ALL {
            let of = if claim.is_of_address() { address } else { claims };
            match of.get(claim.as_str()) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => profile.set(*claim, text)?,
                Some(_) => return Err(BadClaim(claim.as_str())),
            }
        }
        Ok(profile)
    }

    /// What is said under this claim.
    pub fn text(&self, claim: ProfileClaim) -> Option<&str> {
        self.0.get(&claim).map(String::as_str)
    }

    /// Says something, or nothing any more by an empty text.
    pub fn set(&mut self, claim: ProfileClaim, text: &str) -> Result<(), BadClaim> {
        if text.is_empty() {
            self.0.remove(&claim);
            return Ok(());
        }
        let text = claim.read(text).ok_or(BadClaim(claim.as_str()))?;
        self.0.insert(claim, text);
        Ok(())
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The claims by their names, as [`Profile::parse`] reads them.
    pub fn claims(&self) -> Map<String, Value> {
        let (mut claims, mut address) = (Map::new(), Map::new());
        for (claim, text) in &self.0 {
            let of = if claim.is_of_address() { &mut address } else { &mut claims };
            of.insert(claim.as_str().to_owned(), text.as_str().into());
        }
        if !address.is_empty() {
            claims.insert("address".to_owned(), address.into());
        }
        claims
    }
}

impl Serialize for Profile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.claims().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Profile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let claims = Map::deserialize(deserializer)?;
        Self::parse(&claims).map_err(serde::de::Error::custom)
    }
}

/// One line, as of names to show: no character that cannot be seen or turns text around.
fn line(text: &str) -> Option<String> {
    DisplayName::parse(text).ok().map(|name| name.as_str().to_owned())
}

/// Lines, none of which turns text around. OpenID Connect Core §5.1.1: they are separated by LF or
/// by CR LF; browsers send the second.
fn lines(text: &str) -> Option<String> {
    let text = text.replace("\r\n", "\n");
    let refused = |c: char| (c.is_control() && c != '\n') || is_bidi_control(c);
    let fits = text.chars().count() <= MAX_ADDRESS_CHARS && !text.contains(refused);
    (fits && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// OpenID Connect Core §5.1: ISO 8601-1 `YYYY-MM-DD`, or `YYYY` alone.
fn is_birthdate(text: &str) -> bool {
    let digits = |part: &str, length: usize| {
        let whole = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        if whole { part.parse::<u32>().ok() } else { None }
    };
    let parts: Vec<&str> = text.split('-').collect();
    match parts.as_slice() {
        [year] => digits(year, 4).is_some(),
        [year, month, day] => match (digits(year, 4), digits(month, 2), digits(day, 2)) {
            (Some(year), Some(month), Some(day)) => (1..=days_of(year, month)).contains(&day),
            _ => false,
        },
        _ => false,
    }
}

/// How many days a month has; none where there is no such month. The year 0000, which says
/// nothing, has a 29th of February.
fn days_of(year: u32, month: u32) -> u32 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

/// A name of the IANA time zone database by its shape; whether there is such a zone is not looked
/// at.
fn is_zone(text: &str) -> bool {
    let part = |part: &str| {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-".contains(&byte);
        !part.is_empty() && part.bytes().all(known)
    };
    text.len() <= MAX_ZONE_BYTES && text.split('/').all(part)
}

/// E.164: a plus sign and 7 to 15 digits, the first of them not zero. What people put in between is
/// left out.
fn phone_number(text: &str) -> Option<String> {
    if text.len() > 40 {
        return None;
    }
    let bare: String =
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '(' | ')' | '\u{A0}')).collect();
    let digits = bare.strip_prefix('+')?;
    let whole = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    (whole && (7..=15).contains(&digits.len())).then_some(bare)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(claims: Value) -> Result<Profile, BadClaim> {
        Profile::parse(claims.as_object().unwrap())
    }

    fn full() -> Value {
        json!({
            "given_name": "민지", "family_name": "김", "middle_name": "M.", "nickname": "MJ 🙂",
            "picture": "https://a.example/p.png", "website": "https://minji.example/",
            "gender": "여성", "birthdate": "2000-02-29", "zoneinfo": "Asia/Seoul",
            "phone_number": "+821012345678",
            "address": {
                "formatted": "1 Road\nSeoul", "street_address": "1 Road", "locality": "서울",
                "region": "Seoul", "postal_code": "04524", "country": "KR",
            },
        })
    }

    #[test]
    fn what_is_said_is_read_back() {
        let profile = parse(full()).unwrap();
        assert_eq!(serde_json::to_value(&profile).unwrap(), full());
        assert_eq!(serde_json::from_value::<Profile>(full()).unwrap(), profile);
        assert_eq!(profile.text(ProfileClaim::Locality), Some("서울"));
        assert_eq!(profile.0.len(), ProfileClaim::ALL.len());
        assert_eq!(serde_json::to_string(&Profile::default()).unwrap(), "{}");
    }

    #[test]
    fn an_empty_text_takes_back_what_was_said() {
        let mut profile = parse(full()).unwrap();
        for claim in ProfileClaim::ALL {
            profile.set(*claim, "").unwrap();
        }
        assert!(profile.is_empty());
        assert!(
            parse(json!({"given_name": null, "address": null, "sub": "x"})).unwrap().is_empty()
        );
    }

    #[test]
    fn a_claim_of_another_kind_is_refused_by_its_name() {
        for (claim, bad) in [
            ("given_name", json!("a\nb")),
            ("given_name", json!("\u{202E}a")),
            ("nickname", json!("a".repeat(201))),
            ("gender", json!(7)),
            ("picture", json!("javascript:alert(1)")),
            ("picture", json!("http://a.example/")),
            ("website", json!("minji.example")),
            ("birthdate", json!("29.2.2000")),
            ("birthdate", json!("2001-02-29")),
            ("birthdate", json!("2001-13-01")),
            ("birthdate", json!("2001-1-01")),
            ("zoneinfo", json!("Asia//Seoul")),
            ("zoneinfo", json!("../etc")),
            ("phone_number", json!("010-1234-5678")),
            ("phone_number", json!("+8210123456789012")),
            ("phone_number", json!("+82 ten")),
            ("address", json!("Seoul")),
        ] {
            assert_eq!(parse(json!({ claim: bad })).unwrap_err().claim(), claim, "{bad}");
        }
        for bad in [json!("a\tb"), json!("a\u{2067}"), json!("x".repeat(501)), json!([])] {
            let error = parse(json!({"address": {"street_address": bad}})).unwrap_err();
            assert_eq!(error.claim(), "street_address");
        }
    }

    #[test]
    fn the_year_may_be_kept_secret_and_numbers_may_be_written_as_people_write_them() {
        let mut profile = Profile::default();
        for good in ["0000-02-29", "1999", "1900-02-28"] {
            assert_eq!(profile.set(ProfileClaim::Birthdate, good), Ok(()), "{good}");
        }
        assert!(profile.set(ProfileClaim::Birthdate, "1900-02-29").is_err());
        profile.set(ProfileClaim::PhoneNumber, "+1 (425) 555-1212").unwrap();
        assert_eq!(profile.text(ProfileClaim::PhoneNumber), Some("+14255551212"));
        profile.set(ProfileClaim::StreetAddress, "1 Road\r\nFloor 2\r\n").unwrap();
        assert_eq!(profile.text(ProfileClaim::StreetAddress), Some("1 Road\nFloor 2"));
    }

    /// A claim here has a scope that carries it, or nobody would ever be told.
    #[test]
    fn every_claim_has_a_scope() {
        for claim in parse(full()).unwrap().claims().keys() {
            assert!(crate::oidc::claims::scope_of(claim).is_some(), "{claim}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_answered_and_what_is_taken_is_taken_again(text in any::<String>()) {
            for claim in ProfileClaim::ALL {
                if let Some(kept) = claim.read(&text) {
                    prop_assert_eq!(claim.read(&kept), Some(kept.clone()));
                }
            }
        }
    }
}

//! JSON (RFC 8259), strictly: every name once at every depth (RFC 7515 §4, RFC 7519 §4), nothing
//! after the end, nested at most [`MAX_DEPTH`] deep. It must not repair anything.
//!
//! A reader of our own, because a general one takes the last of two members, rounds numbers, and
//! changes with features that another crate may switch on. Tests hold it equal to `serde_json`.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::Error;

/// How deep arrays and objects may be nested.
pub const MAX_DEPTH: usize = 32;

/// Reads one JSON object.
///
/// Errors: [`Error::BadJson`], [`Error::DuplicateMember`], [`Error::TooDeep`]. The size of `bytes`
/// is for the caller to bound. A number beyond what a double holds is refused (RFC 8259 §6).
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Error> {
    record(bytes)
}

/// An object whose members are read into fields.
pub(crate) trait Record: Default {
    /// Which field this member is, counted from 0 to 31, and its name.
    fn field(name: &str) -> Option<(u32, &'static str)>;

    /// Reads the value of a field.
    fn read(&mut self, field: &'static str, reader: &mut Reader<'_>) -> Result<(), Error>;

    /// Every other member.
    fn rest(&mut self) -> &mut Map<String, Value>;
}

impl Record for Map<String, Value> {
    fn field(_: &str) -> Option<(u32, &'static str)> {
        None
    }

    fn read(&mut self, _: &'static str, _: &mut Reader<'_>) -> Result<(), Error> {
        Ok(())
    }

    fn rest(&mut self) -> &mut Self {
        self
    }
}

/// Reads one JSON object into its record.
pub(crate) fn record<R: Record>(bytes: &[u8]) -> Result<R, Error> {
    // RFC 8259 §8.1: UTF-8, without a byte order mark, which is no JSON.
    let text = std::str::from_utf8(bytes).map_err(|_| Error::BadJson)?;
    let mut reader = Reader { text, depth: 0, noted: None };
    reader.skip_space();
    let record = reader.record()?;
    if !reader.text.is_empty() {
        return Err(Error::BadJson);
    }
    reader.noted.map_or(Ok(record), Err)
}

/// What was not read yet. White space is skipped after each token, never before.
pub(crate) struct Reader<'t> {
    text: &'t str,
    depth: usize,
    /// The first wrong value. Reading goes on, so that text which is no JSON is called that.
    noted: Option<Error>,
}

impl<'t> Reader<'t> {
    /// Remembers a value of the wrong type.
    pub fn note(&mut self, error: Error) {
        self.noted.get_or_insert(error);
    }

    /// Reads any value.
    pub fn value(&mut self) -> Result<Value, Error> {
        match self.text.as_bytes().first() {
            Some(b'"') => Ok(Value::String(self.string()?.into_owned())),
            Some(b'{') => Ok(Value::Object(self.record()?)),
            Some(b'[') => self.array(),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(b'n') => self.literal("null", Value::Null),
            _ => number(self.number_text()?),
        }
    }

    /// Reads a value that should be a string. `None` if it is another value.
    pub fn text(&mut self) -> Result<Option<Cow<'t, str>>, Error> {
        match self.text.as_bytes().first() {
            Some(b'"') => self.string().map(Some),
            _ => self.value().map(|_| None),
        }
    }

    /// Reads a value that should be a number: as it is written, before anything rounds it. `None`
    /// if it is another value.
    pub fn number_as_written(&mut self) -> Result<Option<&'t str>, Error> {
        match self.text.as_bytes().first() {
            Some(b'-' | b'0'..=b'9') => self.number_text().map(Some),
            _ => self.value().map(|_| None),
        }
    }

    fn record<R: Record>(&mut self) -> Result<R, Error> {
        let mut record = R::default();
        let mut seen = 0_u32;
        self.enter('{')?;
        let mut is_over = self.takes('}');
        while !is_over {
            let name = self.string()?;
            self.expect(':')?;
            match R::field(&name) {
                Some((index, field)) => {
                    let bit = 1_u32.checked_shl(index).unwrap_or(0);
                    if crate::planted!("repeated_claim_taken" => false, seen & bit != 0) {
                        return Err(Error::DuplicateMember);
                    }
                    seen |= bit;
                    record.read(field, self)?;
                }
                None => {
                    let value = self.value()?;
                    if record.rest().insert(name.into_owned(), value).is_some() {
                        return Err(Error::DuplicateMember);
                    }
                }
            }
            is_over = self.is_over('}')?;
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(record)
    }

    fn array(&mut self) -> Result<Value, Error> {
        let mut entries = Vec::new();
        self.enter('[')?;
        let mut is_over = self.takes(']');
        while !is_over {
            entries.push(self.value()?);
            is_over = self.is_over(']')?;
        }
        self.depth = self.depth.saturating_sub(1);
        Ok(Value::Array(entries))
    }

    fn enter(&mut self, bracket: char) -> Result<(), Error> {
        self.expect(bracket)?;
        self.depth = self.depth.saturating_add(1);
        if self.depth > MAX_DEPTH { Err(Error::TooDeep) } else { Ok(()) }
    }

    /// After an entry: the end, or a comma and another one.
    fn is_over(&mut self, bracket: char) -> Result<bool, Error> {
        if self.takes(bracket) {
            return Ok(true);
        }
        self.expect(',').map(|()| false)
    }

    fn expect(&mut self, c: char) -> Result<(), Error> {
        if self.takes(c) { Ok(()) } else { Err(Error::BadJson) }
    }

    fn takes(&mut self, c: char) -> bool {
        let Some(rest) = self.text.strip_prefix(c) else { return false };
        self.text = rest;
        self.skip_space();
        true
    }

    fn literal(&mut self, word: &str, value: Value) -> Result<Value, Error> {
        self.text = self.text.strip_prefix(word).ok_or(Error::BadJson)?;
        self.skip_space();
        Ok(value)
    }

    fn skip_space(&mut self) {
        // Nobody who signs writes any.
        if !matches!(self.text.as_bytes().first(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            return;
        }
        self.text = self.text.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    /// Takes so many bytes, which end between two characters.
    fn take(&mut self, bytes: usize) -> Result<&'t str, Error> {
        let (taken, rest) = self.text.split_at_checked(bytes).ok_or(Error::BadJson)?;
        self.text = rest;
        Ok(taken)
    }

    /// RFC 8259 §7. Text without escapes is not copied.
    fn string(&mut self) -> Result<Cow<'t, str>, Error> {
        self.text = self.text.strip_prefix('"').ok_or(Error::BadJson)?;
        let plain = self.plain_text()?;
        if self.takes('"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            text.push(self.escape()?);
            text.push_str(self.plain_text()?);
            if self.takes('"') {
                return Ok(Cow::Owned(text));
            }
        }
    }

    /// Up to a quotation mark or an escape. Control characters have to be escaped.
    fn plain_text(&mut self) -> Result<&'t str, Error> {
        let end = plain_len(self.text.as_bytes()).ok_or(Error::BadJson)?;
        self.take(end)
    }

    fn escape(&mut self) -> Result<char, Error> {
        self.text = self.text.strip_prefix('\\').ok_or(Error::BadJson)?;
        match self.take(1)? {
            "\"" => Ok('"'),
            "\\" => Ok('\\'),
            "/" => Ok('/'),
            "b" => Ok('\u{8}'),
            "f" => Ok('\u{c}'),
            "n" => Ok('\n'),
            "r" => Ok('\r'),
            "t" => Ok('\t'),
            "u" => self.code_point(),
            _ => Err(Error::BadJson),
        }
    }

    /// RFC 8259 §7: four hexadecimal digits; beyond the first plane a pair of them. Half a pair is
    /// no character (RFC 8259 §8.2).
    fn code_point(&mut self) -> Result<char, Error> {
        let first = self.code_unit()?;
        let units = if matches!(first, 0xd800..=0xdbff) {
            self.text = self.text.strip_prefix("\\u").ok_or(Error::BadJson)?;
            [first, self.code_unit()?]
        } else {
            // NUL ends nothing here: it only fills the second place and is not read.
            [first, 0]
        };
        let mut decoded = char::decode_utf16(units);
        decoded.next().and_then(Result::ok).ok_or(Error::BadJson)
    }

    fn code_unit(&mut self) -> Result<u16, Error> {
        let digits = self.take(4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(Error::BadJson);
        }
        u16::from_str_radix(digits, 16).map_err(|_| Error::BadJson)
    }

    /// RFC 8259 §6.
    fn number_text(&mut self) -> Result<&'t str, Error> {
        let bytes = self.text.as_bytes();
        let digits = |from: usize| {
            let rest = bytes.get(from..).unwrap_or_default();
            rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
        };
        let is = |at: usize, allowed: &[u8]| bytes.get(at).is_some_and(|b| allowed.contains(b));

        let start = usize::from(is(0, b"-"));
        let whole = digits(start);
        if whole == 0 || (whole > 1 && is(start, b"0")) {
            return Err(Error::BadJson);
        }
        let mut end = start.saturating_add(whole);
        if is(end, b".") {
            let fraction = digits(end.saturating_add(1));
            if fraction == 0 {
                return Err(Error::BadJson);
            }
            end = end.saturating_add(1).saturating_add(fraction);
        }
        if is(end, b"eE") {
            let sign = usize::from(is(end.saturating_add(1), b"+-"));
            let exponent = digits(end.saturating_add(1).saturating_add(sign));
            if exponent == 0 {
                return Err(Error::BadJson);
            }
            end = end.saturating_add(1).saturating_add(sign).saturating_add(exponent);
        }
        let number = self.take(end)?;
        self.skip_space();
        Ok(number)
    }
}

/// How many bytes come before the first quotation mark, backslash or control character.
fn plain_len(bytes: &[u8]) -> Option<usize> {
    let ends = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1f);
    let (words, rest) = bytes.as_chunks::<8>();
    let mut len = 0_usize;
    for word in words {
        if holds_end(u64::from_le_bytes(*word)) {
            return word.iter().position(ends).map(|at| len.saturating_add(at));
        }
        len = len.saturating_add(8);
    }
    rest.iter().position(ends).map(|at| len.saturating_add(at))
}

/// Whether one of eight bytes ends plain text; all of them looked at together.
fn holds_end(word: u64) -> bool {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    // The high bit of each byte that is below `limit` (up to 0x80) is set. One above such a byte
    // may be set too, so that this says whether, not where.
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES.wrapping_mul(limit)) & !word & HIGH;
    let equal = |byte: u8| below(word ^ ONES.wrapping_mul(u64::from(byte)), 1);
    below(word, 0x20) | equal(b'"') | equal(b'\\') != 0
}

/// An integer where 64 bits hold it, else a double.
fn number(text: &str) -> Result<Value, Error> {
    if let Ok(positive) = text.parse::<u64>() {
        return Ok(Value::from(positive));
    }
    // -0 is not 0.
    if let Some(negative) = text.parse::<i64>().ok().filter(|number| *number != 0) {
        return Ok(Value::from(negative));
    }
    let double = text.parse().ok().and_then(Number::from_f64);
    double.map(Value::Number).ok_or(Error::BadJson)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(depth: usize) -> String {
        let inner = depth.checked_sub(1).unwrap();
        format!("{{\"a\":{}{}}}", "[".repeat(inner), "]".repeat(inner))
    }

    #[test]
    fn an_object_is_read_as_it_is_written() {
        let text = r#" {"a":[1,-2,3.5,"é",true,null,{"b":{}}],"c":{"a":1}} "#;
        let plain: Map<String, Value> = serde_json::from_str(text).unwrap();
        assert_eq!(object(text.as_bytes()), Ok(plain));
    }

    #[test]
    fn eight_bytes_at_a_time_end_where_single_bytes_do() {
        for byte in 0..=u8::MAX {
            for at in 0..24 {
                let mut bytes = [b'a'; 24];
                bytes[at] = byte;
                let slow = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f));
                assert_eq!(plain_len(&bytes), slow, "{byte} at {at}");
            }
        }
        assert_eq!(plain_len("é\u{7f}\u{80}ÿ다라마바\"".as_bytes()), Some(19));
    }

    #[test]
    fn a_name_comes_once_at_every_depth() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"x":{"a":1,"a":1}}"#,
            r#"{"x":[[{"a":1,"b":2,"a":3}]]}"#,
        ] {
            assert_eq!(object(text.as_bytes()), Err(Error::DuplicateMember), "{text}");
        }
        assert!(object(br#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(object(nested(MAX_DEPTH + 1).as_bytes()), Err(Error::TooDeep));
        assert_eq!(object(nested(10_000).as_bytes()), Err(Error::TooDeep));
        assert!(object("[".repeat(10_000).as_bytes()).is_err());
    }

    #[test]
    fn what_is_not_exactly_one_object_is_refused() {
        let cases: [&[u8]; 15] = [
            b"",
            b" ",
            b"[]",
            b"null",
            b"1",
            b"\"a\"",
            b"{}x",
            b"{} {}",
            b"{\"a\":1,}",
            b"{'a':1}",
            b"\xef\xbb\xbf{}",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":NaN}",
            b"{\"a\":1e309}",
        ];
        for text in cases {
            assert_eq!(object(text), Err(Error::BadJson), "{:?}", String::from_utf8_lossy(text));
        }
    }
}

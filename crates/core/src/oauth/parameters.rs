//! The parameters of a request as they came (RFC 6749 §3.1): empty ones are absent, unknown ones
//! ignored, repeated ones refused. It must not choose between two values of one name.

use thiserror::Error;

/// The most parameters that are looked at.
pub const MAX_PARAMETERS: usize = 64;
/// How long they may be together, names included, in bytes.
pub const MAX_PARAMETERS_BYTES: usize = 8_192;

/// Names and values, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// More or longer parameters than are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a request has at most 64 parameters and 8192 bytes of them")]
pub struct TooLarge;

/// A parameter that came twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a parameter is repeated")]
pub struct Repeated;

impl Parameters {
    /// Takes the decoded pairs of a form or a query.
    pub fn new(pairs: Vec<(String, String)>) -> Result<Self, TooLarge> {
        let bytes: usize =
            pairs.iter().map(|(name, value)| name.len().saturating_add(value.len())).sum();
        if pairs.len() > MAX_PARAMETERS || bytes > MAX_PARAMETERS_BYTES {
            return Err(TooLarge);
        }
        Ok(Self(pairs))
    }

    /// The one value of a name. RFC 6749 §3.1: "Parameters sent without a value MUST be treated as
    /// if they were omitted", and "MUST NOT be included more than once".
    pub fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut values = self.written(name);
        let value = values.next();
        // RU-06 of the attack kit: `scope[]=a` is how some parsers write a repeated `scope`.
        let as_array = |(written, _): &(String, String)| {
            written.strip_prefix(name).is_some_and(|rest| rest.starts_with('['))
        };
        if values.next().is_some() || self.0.iter().any(as_array) {
            return Err(Repeated);
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// Every value of a name that may be repeated (RFC 8707 §2).
    pub fn all<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p str> {
        self.written(name).filter(|value| !value.is_empty())
    }

    /// Whether any name comes twice, but for those that may, known or not.
    pub fn any_repeated(&self, but: &[&str]) -> bool {
        let mut names: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| !but.contains(name));
        names.sort_unstable();
        names.windows(2).any(|two| matches!(two, [first, second] if first == second))
    }

    /// The pairs as they came.
    pub fn pairs(&self) -> &[(String, String)] {
        &self.0
    }

    fn written<'p>(&'p self, name: &str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(written, _)| written == name).map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(pairs: &[(&str, &str)]) -> Parameters {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Parameters::new(pairs.iter().map(owned).collect()).unwrap()
    }

    #[test]
    fn an_empty_value_is_none() {
        let parameters = parameters(&[("state", ""), ("nonce", "n")]);
        assert_eq!(parameters.one("state"), Ok(None));
        assert_eq!(parameters.one("nonce"), Ok(Some("n")));
        assert_eq!(parameters.one("scope"), Ok(None));
    }

    /// RU-06 of the attack kit.
    #[test]
    fn a_repeated_name_has_no_value_even_if_they_agree() {
        for pairs in [
            [("scope", "a"), ("scope", "a")],
            [("scope", ""), ("scope", "a")],
            [("scope", "a"), ("scope[]", "b")],
            [("scope[0]", "a"), ("nonce", "b")],
        ] {
            assert_eq!(parameters(&pairs).one("scope"), Err(Repeated), "{pairs:?}");
        }
        let unknown = parameters(&[("x", "1"), ("y", "1"), ("x", "2")]);
        assert!(unknown.any_repeated(&[]));
        assert!(!unknown.any_repeated(&["x"]));
        assert_eq!(unknown.all("x").collect::<Vec<_>>(), ["1", "2"]);
    }

    /// DS-02 of the attack kit.
    #[test]
    fn too_many_or_too_long_ones_are_refused() {
        let pair = |value: &str| ("x".to_owned(), value.to_owned());
        assert!(Parameters::new(vec![pair(""); MAX_PARAMETERS]).is_ok());
        assert_eq!(Parameters::new(vec![pair(""); MAX_PARAMETERS + 1]), Err(TooLarge));
        assert_eq!(Parameters::new(vec![pair(&"x".repeat(MAX_PARAMETERS_BYTES))]), Err(TooLarge));
    }
}

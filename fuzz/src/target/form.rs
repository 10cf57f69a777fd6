//! Forms (RFC 6749 appendix B): read as the URL standard reads them, or not at all; and everything
//! that a browser would write is read.

use std::collections::HashSet;

use munjigi_server::Form;
use url::form_urlencoded;

const MAX_PARAMETERS: usize = 64;

pub fn run(bytes: &[u8]) {
    let theirs: Vec<(String, String)> = form_urlencoded::parse(bytes).into_owned().collect();
    if let Ok(mut form) = Form::parse(bytes) {
        assert!(theirs.len() <= MAX_PARAMETERS, "more parameters than are looked at");
        assert_eq!(form.take_all(|_| true), filled(&theirs), "read otherwise");
    }

    let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(&theirs).finish();
    let mut names = HashSet::new();
    let is_once = |(name, _): &(String, String)| name == "resource" || names.insert(name.clone());
    if theirs.iter().all(is_once) && theirs.len() <= MAX_PARAMETERS {
        let Ok(mut form) = Form::parse(written.as_bytes()) else {
            panic!("what a browser writes is refused: {written}")
        };
        assert_eq!(form.take_all(|_| true), filled(&theirs), "read back otherwise");
    }
}

/// RFC 6749 §3.1: a parameter without a value counts as absent.
fn filled(pairs: &[(String, String)]) -> Vec<(String, String)> {
    pairs.iter().filter(|(_, value)| !value.is_empty()).cloned().collect()
}

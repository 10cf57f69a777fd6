//! Stored password hashes (PHC string format, bcrypt): one hash has one text, and none asks for
//! more than the bounds.

use munjigi_core::account::hash::{Argon2Params, StoredHash};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(hash) = StoredHash::parse(text) else { return };
    let written = hash.to_string();
    assert!(StoredHash::parse(&written).is_ok_and(|again| again == hash), "not read back");
    match &hash {
        StoredHash::Argon2id(inner) => {
            assert_eq!(written, text, "two texts for one hash");
            let Argon2Params { m_kib, t, p } = inner.params();
            assert!(m_kib <= 262_144 && (1..=16).contains(&t) && (1..=8).contains(&p), "{text}");
            assert!(m_kib >= 8 * p, "less memory than Argon2 takes");
            assert!(inner.admits(inner.digest()) && !inner.admits(&[]), "compared wrongly");
            let made = StoredHash::argon2id(inner.params(), inner.salt(), inner.digest());
            assert!(made == hash, "made otherwise");
        }
        StoredHash::Bcrypt(inner) => {
            assert!((4..=16).contains(&inner.cost()), "{text}");
            assert!(
                written.len() == 60 && text.len() == 60 && written.get(..29 - 1) == text.get(..28)
            );
        }
    }
}

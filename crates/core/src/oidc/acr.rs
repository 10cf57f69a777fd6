//! Authentication context classes (OpenID Connect Core §2, `acr`): how strongly a person proved who
//! they are. It must not tell a class that the sign-in did not reach.

use serde_json::Value;

use crate::oauth::client::wire_enum;
use crate::oidc::claims_request::Wish;

wire_enum! {
    /// How strongly a person proved who they are, weakest first.
    Acr {
        /// By a password.
        Password = "urn:munjigi:acr:pwd",
        /// By more than one factor.
        MultiFactor = "urn:munjigi:acr:mfa",
    }
}

/// Whether a sign-in is as strong as a wish for `acr` asks: any of its classes will do, and a
/// stronger one than was named does too.
pub fn meets(reached: Acr, wish: &Wish) -> bool {
    wish.accepted().next().is_none() || told_of(reached, wish).is_some()
}

/// The `acr` of an ID token: the first of the classes that were asked for and are reached
/// (OpenID Connect Core §5.5.1.1: "return an acr Claim Value that matches one of the requested
/// values"), else what was reached.
pub fn told(reached: Acr, wish: Option<&Wish>) -> Acr {
    wish.and_then(|wish| told_of(reached, wish)).unwrap_or(reached)
}

fn told_of(reached: Acr, wish: &Wish) -> Option<Acr> {
    let known = wish.accepted().filter_map(Value::as_str).filter_map(Acr::parse);
    known.into_iter().find(|wanted| *wanted <= reached)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wish(values: &[&str]) -> Wish {
        let values = values.iter().map(|value| json!(value)).collect();
        Wish { essential: true, value: None, values }
    }

    #[test]
    fn a_stronger_sign_in_meets_a_weaker_wish() {
        let pwd = wish(&["urn:munjigi:acr:pwd"]);
        assert!(meets(Acr::Password, &pwd) && meets(Acr::MultiFactor, &pwd));
        assert_eq!(told(Acr::MultiFactor, Some(&pwd)), Acr::Password, "a value that was asked for");
        assert!(!meets(Acr::Password, &wish(&["urn:munjigi:acr:mfa"])));
        assert_eq!(told(Acr::Password, Some(&wish(&["urn:munjigi:acr:mfa"]))), Acr::Password);
    }

    #[test]
    fn the_first_class_that_is_reached_is_told() {
        let both = wish(&["unknown", "urn:munjigi:acr:mfa", "urn:munjigi:acr:pwd"]);
        assert_eq!(told(Acr::MultiFactor, Some(&both)), Acr::MultiFactor);
        assert_eq!(told(Acr::Password, Some(&both)), Acr::Password);
        assert_eq!(told(Acr::Password, None), Acr::Password);
    }

    #[test]
    fn a_wish_without_values_is_met_and_one_of_strangers_is_not() {
        assert!(meets(Acr::Password, &Wish { essential: true, ..Wish::default() }));
        assert!(!meets(Acr::MultiFactor, &wish(&["urn:mace:incommon:iap:silver"])));
        let number = Wish { value: Some(json!(1)), ..Wish::default() };
        assert!(!meets(Acr::MultiFactor, &number));
    }
}

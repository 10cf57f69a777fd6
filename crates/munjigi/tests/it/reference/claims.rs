//! `docs/reference/claims.md`: every profile has its example there, and says it.

use munjigi_core::id::{SessionId, UserId};
use munjigi_core::oauth::metadata::ALGORITHMS;
use munjigi_core::oidc::claim_profile::{About, ClaimProfile};
use munjigi_core::oidc::claims::{IdTokenClaims, scope_of, supported};
use munjigi_core::time::Timestamp;
use serde_json::{Value, json};

use super::{line, page, quoted, section};

#[test]
fn every_claim_profile_has_the_example_that_the_page_of_claims_shows() {
    let page = page("claims.md");
    let granted = json!({
        "name": "김민지", "preferred_username": "minji", "email": "minji@example.com",
        "email_verified": true,
    });
    let about = About {
        issuer: "https://id.example.com",
        client_id: &"shop".parse().unwrap(),
        user_id: &UserId::from_random([1; 16]),
        session_id: &SessionId::from_parts(Timestamp::from_millis(0), [2; 10]),
        scope: &"openid profile email".parse().unwrap(),
        roles: &["manager", "user"],
        permissions: &["users:read"],
        granted: granted.as_object().unwrap(),
    };
    for profile in ClaimProfile::ALL {
        let example = section(&page, &format!("### `{}`", profile.as_str()));
        let (_, example) = example.split_once("```json\n").unwrap();
        let (example, _) = example.split_once("\n```").unwrap();
        let example: Value = serde_json::from_str(example).unwrap();
        let said = Value::from(profile.claims(&about));
        assert_eq!(example, said, "{}", profile.as_str());
    }
}

#[test]
fn the_page_of_claims_says_which_scope_carries_what_and_what_can_be_chosen() {
    let page = page("claims.md");
    for claim in supported() {
        let carrier = scope_of(claim).unwrap();
        let row = line(&page, &format!("| `{carrier}` |"));
        assert!(quoted(row).contains(&claim), "{row} lacks {claim}");
    }
    for placement in IdTokenClaims::ALL {
        assert!(page.contains(placement.as_str()), "{}", placement.as_str());
    }
    let signed = section(&page, "## How they are signed");
    for algorithm in ALGORITHMS {
        assert!(quoted(signed).contains(&algorithm.as_str()), "{algorithm}");
    }
}

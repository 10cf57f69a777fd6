//! Tokens that are bound to a key (RFC 9449 §7), at an API behind the layer.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use munjigi_verify::testing::Issuer;
use munjigi_verify::token::{Algorithm, SigningKey};
use munjigi_verify::{BuildError, Caller, Clock, Dpop};
use tower::ServiceExt;

const URL: &str = "https://api.example/orders";

struct Api {
    issuer: Issuer,
    key: SigningKey,
    router: Router,
}

impl Api {
    fn start(dpop: Dpop) -> Self {
        let issuer = Issuer::at("orders-api", Clock::stopped_at(1_700_000_000)).unwrap();
        let verifier =
            issuer.builder().dpop(dpop).public_url("https://api.example").build().unwrap();
        let hello = |me: Caller| async move { me.sub().to_owned() };
        let router = Router::new().route("/orders", get(hello)).layer(verifier.layer());
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        Self { issuer, key, router }
    }

    fn bound(&self) -> String {
        self.issuer.bearer("minji").bound_to(&self.key).token().unwrap()
    }

    fn proof(&self, token: &str, jti: &str) -> String {
        self.issuer.proof(&self.key, ("GET", URL), token, jti).unwrap()
    }

    /// The status, and the challenges.
    async fn call(&self, authorization: &str, proofs: &[&str]) -> (StatusCode, Vec<String>) {
        let mut request = Request::get("/orders").header("authorization", authorization);
        for proof in proofs {
            request = request.header("dpop", *proof);
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let lines = answer.headers().get_all("www-authenticate").iter();
        (answer.status(), lines.map(|line| line.to_str().unwrap().to_owned()).collect())
    }
}

#[tokio::test]
async fn a_bound_token_is_taken_with_its_proof_once() {
    let api = Api::start(Dpop::Allowed);
    let token = api.bound();
    let (authorization, proof) = (format!("DPoP {token}"), api.proof(&token, "1"));

    assert_eq!(api.call(&authorization, &[&proof]).await.0, 200);

    let (status, challenges) = api.call(&authorization, &[&proof]).await;
    assert_eq!(status, 401);
    assert!(challenges[1].starts_with(r#"DPoP error="invalid_dpop_proof""#), "{challenges:?}");
    assert!(challenges[1].contains(r#"algs="ES256 EdDSA Ed25519 PS256 RS256""#), "{challenges:?}");
    assert_eq!(api.call(&authorization, &[&api.proof(&token, "2")]).await.0, 200);
}

#[tokio::test]
async fn a_bound_token_is_no_bearer_token() {
    let api = Api::start(Dpop::Allowed);
    let token = api.bound();

    assert_eq!(api.call(&format!("Bearer {token}"), &[]).await.0, 401);
    let proof = api.proof(&token, "1");
    assert_eq!(api.call(&format!("Bearer {token}"), &[&proof]).await.0, 401);
    let plain = api.issuer.bearer("minji").token().unwrap();
    assert_eq!(api.call(&format!("Bearer {plain}"), &[]).await.0, 200);
    let proof = api.proof(&plain, "2");
    assert_eq!(api.call(&format!("DPoP {plain}"), &[&proof]).await.0, 401);
}

#[tokio::test]
async fn a_proof_is_by_the_right_key_for_this_request_and_token_and_alone() {
    let api = Api::start(Dpop::Allowed);
    let token = api.bound();
    let authorization = format!("DPoP {token}");
    let other = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let proof = |key, request, token: &str| api.issuer.proof(key, request, token, "x").unwrap();
    let good = proof(&api.key, ("GET", URL), &token);
    for (what, wrong) in [
        ("no proof", vec![]),
        ("two proofs", vec![good.clone(), good.clone()]),
        ("another key", vec![proof(&other, ("GET", URL), &token)]),
        ("another method", vec![proof(&api.key, ("POST", URL), &token)]),
        ("another URL", vec![proof(&api.key, ("GET", "https://api.example/other"), &token)]),
        ("another host", vec![proof(&api.key, ("GET", "https://evil.example/orders"), &token)]),
        ("another token", vec![proof(&api.key, ("GET", URL), "other")]),
        ("no token at all", vec!["nonsense".to_owned()]),
    ] {
        let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
        assert_eq!(api.call(&authorization, &wrong).await.0, 401, "{what}");
    }
    assert_eq!(api.call(&authorization, &[&good]).await.0, 200, "nothing of it spent the id");
}

#[tokio::test]
async fn a_proof_grows_old_though_its_token_does_not() {
    let api = Api::start(Dpop::Required);
    let token = api.bound();
    let proof = api.proof(&token, "1");
    api.issuer.clock().advance(Duration::from_secs(61));

    assert_eq!(api.call(&format!("DPoP {token}"), &[&proof]).await.0, 401);
    let proof = api.proof(&token, "2");
    assert_eq!(api.call(&format!("DPoP {token}"), &[&proof]).await.0, 200);
}

#[tokio::test]
async fn where_proofs_are_required_bearer_tokens_are_not_taken() {
    let api = Api::start(Dpop::Required);
    let plain = api.issuer.bearer("minji").token().unwrap();

    let (status, challenges) = api.call(&format!("Bearer {plain}"), &[]).await;

    assert_eq!(status, 401);
    assert_eq!(challenges.len(), 1);
    assert!(challenges[0].starts_with("DPoP "), "{challenges:?}");
}

#[tokio::test]
async fn where_proofs_are_off_the_scheme_is_not_known() {
    let api = Api::start(Dpop::Off);
    let token = api.bound();
    let proof = api.proof(&token, "1");

    let (status, challenges) = api.call(&format!("DPoP {token}"), &[&proof]).await;

    assert_eq!((status.as_u16(), challenges), (401, vec!["Bearer".to_owned()]));
    assert_eq!(api.call(&format!("Bearer {token}"), &[]).await.0, 401);
}

#[test]
fn the_url_has_to_be_said() {
    let issuer = Issuer::new("orders-api").unwrap();
    let built = issuer.builder().dpop(Dpop::Allowed).build();
    assert!(matches!(built, Err(BuildError::PublicUrl)));
}

#[test]
fn a_bound_token_is_refused_where_no_request_is_seen() {
    let issuer = Issuer::new("orders-api").unwrap();
    let builder = issuer.builder().dpop(Dpop::Allowed).public_url("https://api.example");
    let verifier = builder.build().unwrap();
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = issuer.bearer("minji").bound_to(&key).token().unwrap();
    for _ in 0..2 {
        assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "sender_constrained");
        assert!(verifier.verify_cached(&token).is_none());
    }
}

#[test]
fn the_issuer_is_told_of_a_bound_token_without_its_proof() {
    let issuer = Issuer::new("orders-api").unwrap();
    let builder = issuer.builder().dpop(Dpop::Allowed).public_url("https://api.example");
    let verifier = builder.build().unwrap();
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let token = issuer.bearer("minji").bound_to(&key).token().unwrap();
    for _ in 0..2 {
        let principal = verifier.danger_verify_without_proof(&token).unwrap();
        assert_eq!(principal.jkt(), Some(key.public_jwk().unwrap().thumbprint().as_str()));
    }
    assert_eq!(verifier.verify_now(&token).unwrap_err().code(), "sender_constrained");
    let off = issuer.builder().build().unwrap();
    assert!(off.danger_verify_without_proof(&token).is_err());
    assert!(verifier.danger_verify_without_proof("nonsense").is_err());
}

//! What becomes of an authorization request, given who is signed in and what they allowed. The
//! authorization endpoint asks again after every page: no page decides what comes next.

use crate::id::{SessionId, UserId};
use crate::oauth::api::Audience;
use crate::oauth::authorization::{AuthorizationRequest, Destination, Prompt};
use crate::oauth::client::{Client, Origin, Party};
use crate::oauth::consent::{Consent, Missing};
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::oauth::scope::Scope;
use crate::oidc::acr::{Acr, meets};
use crate::time::Timestamp;

/// Who is signed in with the browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// The person.
    pub user_id: UserId,
    /// Their session, which is alive.
    pub session_id: SessionId,
    /// When they last proved who they are.
    pub authenticated_at: Timestamp,
    /// How strongly.
    pub acr: Acr,
}

/// What surrounds a request when it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The client.
    pub client: &'a Client,
    /// Where the answer will be sent.
    pub destination: &'a Destination,
    /// Who is signed in.
    pub session: Option<&'a SignedIn>,
    /// What that person allowed the client before.
    pub consent: Option<&'a Consent>,
    /// What would be disclosed ([`AuthorizationRequest::disclosed`]), as far as that person may
    /// grant it.
    pub scope: &'a Scope,
    /// The APIs that the tokens would be for.
    pub audiences: &'a [Audience],
    /// The session that the person chose to go on with.
    pub selected: Option<SessionId>,
    /// The person that a valid `id_token_hint` is about.
    pub hint_subject: Option<UserId>,
    /// When the request came: what happened later happened for it.
    pub began_at: Timestamp,
    /// When it is looked at.
    pub now: Timestamp,
}

/// Why the person has to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginReason {
    /// Nobody is signed in.
    NoSession,
    /// The client asked for it (`prompt=login`).
    Asked,
    /// It is too long ago (`max_age`).
    TooLongAgo,
    /// Somebody else is meant (`id_token_hint`, or `sub` in `claims`).
    SomebodyElse,
}

/// What comes next.
///
/// A second factor will be one more outcome, `Factor`, between `Login` and `Consent`: its page
/// raises the `acr` of the session and comes back here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The page to sign in.
    Login(LoginReason),
    /// The page to choose as whom to go on.
    SelectAccount,
    /// The page to allow it: this much is open. With `prompt=consent`, or for a client that may be
    /// an impostor, it can be nothing.
    Consent(Missing),
    /// A code.
    Issue,
    /// An error to the client.
    Refuse(OAuthRefusal),
}

/// What becomes of a request.
pub fn decide(request: &AuthorizationRequest, around: &Surroundings<'_>) -> Decision {
    let Some(session) = around.session else {
        return login(request, LoginReason::NoSession);
    };
    if let Some(decision) = wrong_person(request, around, session) {
        return decision;
    }
    if let Some(reason) = stale(request, around, session) {
        return login(request, reason);
    }
    // OpenID Connect Core §5.5.1.1: an essential `acr` that cannot be met is a failed
    // authentication; OpenID Connect Unmet Authentication Requirements 1.0 names the error.
    let acr = request.claims.id_token.get("acr");
    if acr.is_some_and(|wish| wish.essential && !meets(session.acr, wish)) {
        let why = "the person cannot sign in as strongly as was asked for";
        return refuse(ErrorCode::UnmetAuthenticationRequirements, why);
    }
    // Who has just signed in has chosen; otherwise by the page.
    let has_chosen =
        around.selected == Some(session.session_id) || session.authenticated_at >= around.began_at;
    if request.asks(Prompt::SelectAccount) && !has_chosen {
        return Decision::SelectAccount;
    }
    match open_consent(request, around) {
        None => Decision::Issue,
        Some(_) if request.asks(Prompt::None) => {
            refuse(ErrorCode::ConsentRequired, "the person has not allowed this yet")
        }
        Some(missing) => Decision::Consent(missing),
    }
}

fn refuse(code: ErrorCode, why: &'static str) -> Decision {
    Decision::Refuse(OAuthRefusal::new(code, why))
}

/// OpenID Connect Core §3.1.2.1: with `prompt=none` no page may be shown.
fn login(request: &AuthorizationRequest, reason: LoginReason) -> Decision {
    if request.asks(Prompt::None) {
        return refuse(ErrorCode::LoginRequired, "the person has to sign in");
    }
    Decision::Login(reason)
}

/// OpenID Connect Core §3.1.2.1, `id_token_hint`: a positive answer only if the person it is about
/// is signed in, or signs in for this request; else an error such as `login_required`. §5.5.1: the
/// same for a `sub` with a value.
fn wrong_person(
    request: &AuthorizationRequest,
    around: &Surroundings<'_>,
    session: &SignedIn,
) -> Option<Decision> {
    let by_hint = around.hint_subject.is_none_or(|subject| subject == session.user_id);
    let by_claims = request.claims.subject().is_none_or(|it| it == session.user_id.to_string());
    if by_hint && by_claims {
        return None;
    }
    // Somebody else has just signed in: asking again would go round in circles.
    if session.authenticated_at >= around.began_at {
        let why = "somebody else has signed in";
        return Some(refuse(ErrorCode::LoginRequired, why));
    }
    Some(login(request, LoginReason::SomebodyElse))
}

/// Why the session is not fresh enough; one that is younger than the request always is.
fn stale(
    request: &AuthorizationRequest,
    around: &Surroundings<'_>,
    session: &SignedIn,
) -> Option<LoginReason> {
    if session.authenticated_at >= around.began_at {
        return None;
    }
    if request.asks(Prompt::Login) {
        return Some(LoginReason::Asked);
    }
    // OpenID Connect Core §3.1.2.1: "If the elapsed time is greater than this value, the OP MUST
    // attempt to actively re-authenticate the End-User".
    let age = around.now.since(session.authenticated_at);
    let is_old = request.max_age.is_some_and(|max_age| age > max_age);
    is_old.then_some(LoginReason::TooLongAgo)
}

/// What the person has to be asked to allow; `None` when nothing.
fn open_consent(request: &AuthorizationRequest, around: &Surroundings<'_>) -> Option<Missing> {
    let missing = Missing::after(around.consent, around.scope, around.audiences);
    let is_fresh = around.consent.is_some_and(|consent| consent.granted_at >= around.began_at);
    if request.asks(Prompt::Consent) {
        return (!is_fresh || !missing.is_nothing()).then_some(missing);
    }
    // The owner of this server and of a first-party client is the same.
    if around.client.party == Party::First {
        return None;
    }
    let is_open = !missing.is_nothing() || (may_be_an_impostor(around) && !is_fresh);
    is_open.then_some(missing)
}

/// RFC 8252 §8.6: a public client is known only by its redirect URI. One that any program on the
/// machine can take is never let through by what was allowed before; nor is one of which nothing
/// is known but who can publish its document.
fn may_be_an_impostor(around: &Surroundings<'_>) -> bool {
    let is_stranger = around.client.is_public() || around.client.origin == Origin::Document;
    is_stranger && !around.destination.redirect_uri.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::authorization::ResponseMode;
    use crate::oauth::authorization::tests::{client, parameters, request};
    use crate::oauth::client::AuthMethod;
    use crate::time::Span;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn minji() -> UserId {
        UserId::from_random([1; 16])
    }

    fn session_id() -> SessionId {
        SessionId::from_parts(at(1), [1; 10])
    }

    /// Everything that a decision depends on, owned, so that a test can break one thing of it.
    struct Scene {
        parameters: Vec<(&'static str, &'static str)>,
        client: Client,
        redirect_uri: &'static str,
        session: Option<SignedIn>,
        consent: Option<Consent>,
        selected: Option<SessionId>,
        hint_subject: Option<UserId>,
    }

    /// Minji signed in at 500 and allowed it at 600; the request came at 1,000.
    fn scene() -> Scene {
        Scene {
            parameters: vec![],
            client: client(),
            redirect_uri: "https://shop.example/cb",
            session: Some(SignedIn {
                user_id: minji(),
                session_id: session_id(),
                authenticated_at: at(500),
                acr: Acr::Password,
            }),
            consent: Some(Consent {
                user_id: minji(),
                client_id: "shop".parse().unwrap(),
                scope: "openid profile".parse().unwrap(),
                audiences: vec!["https://api.example".to_owned()],
                granted_at: at(600),
            }),
            selected: None,
            hint_subject: None,
        }
    }

    fn outcome(change: impl FnOnce(&mut Scene)) -> Decision {
        let mut scene = scene();
        change(&mut scene);
        let request = request(&parameters(&scene.parameters), &scene.client).unwrap();
        let destination = Destination {
            redirect_uri: scene.redirect_uri.into(),
            redirect_uri_named: true,
            response_mode: ResponseMode::Query,
            state: None,
        };
        let around = Surroundings {
            client: &scene.client,
            destination: &destination,
            session: scene.session.as_ref(),
            consent: scene.consent.as_ref(),
            scope: &request.disclosed(),
            audiences: &["https://api.example".to_owned()],
            selected: scene.selected,
            hint_subject: scene.hint_subject,
            began_at: at(1_000),
            now: at(1_010),
        };
        decide(&request, &around)
    }

    fn code(decision: Decision) -> ErrorCode {
        match decision {
            Decision::Refuse(refusal) => refusal.code,
            other => panic!("{other:?}"),
        }
    }

    fn fresh(scene: &mut Scene) {
        scene.session.as_mut().unwrap().authenticated_at = at(1_005);
    }

    /// oidcc-server; oidcc-prompt-none-logged-in.
    #[test]
    fn who_is_signed_in_and_allowed_it_gets_a_code_at_once() {
        assert_eq!(outcome(|_| ()), Decision::Issue);
        assert_eq!(outcome(|it| it.parameters = vec![("prompt", "none")]), Decision::Issue);
    }

    /// oidcc-prompt-none-not-logged-in.
    #[test]
    fn nobody_signed_in_means_the_login_page_or_login_required() {
        let nobody = outcome(|it| it.session = None);
        assert_eq!(nobody, Decision::Login(LoginReason::NoSession));
        let silent = outcome(|it| {
            it.session = None;
            it.parameters = vec![("prompt", "none")];
        });
        assert_eq!(code(silent), ErrorCode::LoginRequired);
    }

    /// oidcc-prompt-login.
    #[test]
    fn prompt_login_is_met_by_a_sign_in_for_this_request() {
        let asked = |scene: &mut Scene| scene.parameters = vec![("prompt", "login")];
        assert_eq!(outcome(asked), Decision::Login(LoginReason::Asked));
        let after = outcome(|it| {
            asked(it);
            fresh(it);
        });
        assert_eq!(after, Decision::Issue);
    }

    /// oidcc-max-age-1, oidcc-max-age-10000.
    #[test]
    fn max_age_asks_again_when_it_is_too_long_ago() {
        let with = |max_age: &'static str| outcome(|it| it.parameters = vec![("max_age", max_age)]);
        assert_eq!(with("1"), Decision::Login(LoginReason::TooLongAgo));
        assert_eq!(with("0"), Decision::Login(LoginReason::TooLongAgo));
        assert_eq!(with("509"), Decision::Login(LoginReason::TooLongAgo));
        assert_eq!(with("510"), Decision::Issue);
        assert_eq!(with("10000"), Decision::Issue);
        let after = outcome(|it| {
            it.parameters = vec![("max_age", "1")];
            fresh(it);
        });
        assert_eq!(after, Decision::Issue, "a page takes longer than a second");
        let silent = outcome(|it| it.parameters = vec![("max_age", "1"), ("prompt", "none")]);
        assert_eq!(code(silent), ErrorCode::LoginRequired);
    }

    /// oidcc-id-token-hint.
    #[test]
    fn a_hint_about_somebody_else_asks_them_to_sign_in_once() {
        let hinted =
            |id: u8| move |it: &mut Scene| it.hint_subject = Some(UserId::from_random([id; 16]));
        assert_eq!(outcome(hinted(1)), Decision::Issue);
        assert_eq!(outcome(hinted(9)), Decision::Login(LoginReason::SomebodyElse));
        let silent = outcome(|it| {
            hinted(9)(it);
            it.parameters = vec![("prompt", "none")];
        });
        assert_eq!(code(silent), ErrorCode::LoginRequired);
        let in_circles = outcome(|it| {
            hinted(9)(it);
            fresh(it);
        });
        assert_eq!(code(in_circles), ErrorCode::LoginRequired);
        let by_claims = r#"{"id_token":{"sub":{"value":"somebody"}}}"#;
        let by_claims = outcome(|it| it.parameters = vec![("claims", by_claims)]);
        assert_eq!(by_claims, Decision::Login(LoginReason::SomebodyElse));
    }

    #[test]
    fn select_account_is_met_by_a_choice_or_a_sign_in_for_this_request() {
        let asked = |it: &mut Scene| it.parameters = vec![("prompt", "select_account")];
        assert_eq!(outcome(asked), Decision::SelectAccount);
        let chosen = outcome(|it| {
            asked(it);
            it.selected = Some(session_id());
        });
        assert_eq!(chosen, Decision::Issue);
        let signed_in = outcome(|it| {
            asked(it);
            fresh(it);
        });
        assert_eq!(signed_in, Decision::Issue);
        let other = outcome(|it| {
            asked(it);
            it.selected = Some(SessionId::from_parts(at(2), [2; 10]));
        });
        assert_eq!(other, Decision::SelectAccount, "the choice was of another session");
    }

    #[test]
    fn a_third_party_needs_consent_for_what_was_not_allowed() {
        let never = outcome(|it| it.consent = None);
        let all = Missing {
            scope: "openid profile".parse().unwrap(),
            audiences: vec!["https://api.example".to_owned()],
        };
        assert_eq!(never, Decision::Consent(all));
        let more = outcome(|it| it.parameters = vec![("scope", "openid email")]);
        let email = Missing { scope: "email".parse().unwrap(), audiences: vec![] };
        assert_eq!(more, Decision::Consent(email.clone()));
        let by_claims = outcome(|it| {
            let claims = r#"{"userinfo":{"email":null}}"#;
            it.parameters = vec![("scope", "openid"), ("claims", claims)];
        });
        assert_eq!(by_claims, Decision::Consent(email), "claims are no way around scopes");
        let silent = outcome(|it| {
            it.consent = None;
            it.parameters = vec![("prompt", "none")];
        });
        assert_eq!(code(silent), ErrorCode::ConsentRequired);
        let other_api = outcome(|it| it.consent.as_mut().unwrap().audiences.clear());
        assert!(matches!(other_api, Decision::Consent(_)));
    }

    #[test]
    fn a_first_party_needs_none_unless_it_asks_for_it() {
        let first = |it: &mut Scene| {
            it.client.party = Party::First;
            it.consent = None;
        };
        assert_eq!(outcome(first), Decision::Issue);
        let asked = outcome(|it| {
            first(it);
            it.parameters = vec![("prompt", "consent")];
        });
        assert!(matches!(asked, Decision::Consent(_)));
    }

    #[test]
    fn prompt_consent_is_met_by_a_consent_for_this_request() {
        let asked = |it: &mut Scene| it.parameters = vec![("prompt", "consent")];
        assert_eq!(outcome(asked), Decision::Consent(Missing::default()));
        let given = outcome(|it| {
            asked(it);
            it.consent.as_mut().unwrap().granted_at = at(1_005);
        });
        assert_eq!(given, Decision::Issue);
    }

    #[test]
    fn a_client_that_any_program_can_play_is_asked_about_every_time() {
        let native = |it: &mut Scene| {
            it.client.auth_method = AuthMethod::None;
            it.redirect_uri = "http://127.0.0.1:5000/cb";
            it.parameters = vec![
                ("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"),
                ("code_challenge_method", "S256"),
            ];
        };
        assert_eq!(outcome(native), Decision::Consent(Missing::default()));
        let given = outcome(|it| {
            native(it);
            it.consent.as_mut().unwrap().granted_at = at(1_005);
        });
        assert_eq!(given, Decision::Issue);
        let own = outcome(|it| {
            native(it);
            it.client.party = Party::First;
        });
        assert_eq!(own, Decision::Issue);
    }

    /// oidcc-ensure-request-with-acr-values-succeeds; fapi2 test-essential-acr-sca-claim.
    #[test]
    fn an_acr_is_a_wish_unless_it_is_essential() {
        let wish = outcome(|it| it.parameters = vec![("acr_values", "urn:munjigi:acr:mfa 2")]);
        assert_eq!(wish, Decision::Issue);
        let claims = r#"{"id_token":{"acr":{"values":["urn:munjigi:acr:mfa"]}}}"#;
        assert_eq!(outcome(|it| it.parameters = vec![("claims", claims)]), Decision::Issue);
        let claims = r#"{"id_token":{"acr":{"essential":true,"values":["urn:munjigi:acr:mfa"]}}}"#;
        let essential = outcome(|it| it.parameters = vec![("claims", claims)]);
        assert_eq!(code(essential), ErrorCode::UnmetAuthenticationRequirements);
        let claims = r#"{"id_token":{"acr":{"essential":true,"value":"urn:munjigi:acr:pwd"}}}"#;
        assert_eq!(outcome(|it| it.parameters = vec![("claims", claims)]), Decision::Issue);
    }

    #[test]
    fn a_default_max_age_counts_like_one_that_was_sent() {
        let terms = crate::oauth::authorization::Terms {
            default_max_age: Some(Span::from_seconds(60)),
            ..Default::default()
        };
        let request =
            crate::oauth::authorization::request(&parameters(&[]), &client(), &terms).unwrap();
        assert_eq!(request.max_age, Some(Span::from_seconds(60)));
    }
}

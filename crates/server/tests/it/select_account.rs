//! `prompt=select_account` (OpenID Connect Core §3.1.2.1): as whom a person goes on.

use crate::harness::{Answer, JUN, MINJI, claims};
use crate::visitor::{Visitor, code, request, start};

const PAGE: &str = "/login/select";

fn select() -> String {
    request(&[("prompt", Some("select_account"))])
}

/// Where an answer leads: the page to choose on, opened.
async fn page(visitor: &Visitor, answer: &Answer) -> (String, String) {
    let to = answer.location().unwrap();
    assert!(to.starts_with(PAGE), "{to}");
    let page = visitor.open(&to).await.expect(200).page();
    (to, page)
}

/// The session that a page speaks of.
fn session_of(page: &str) -> String {
    let (_, rest) = page.split_once(r#"name="session" value=""#).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn who_is_signed_in_goes_on_as_themselves_with_one_button() {
    let minji = start().await;
    let before = minji.redeem(&code(&minji, &request(&[])).await).await.expect(200);
    let before = claims(&before.text("/id_token"));
    minji.app.advance(60);

    let answer = minji.open(&select()).await;
    let (to, shown) = page(&minji, &answer).await;
    assert!(shown.contains("Continue as 김민지") && shown.contains(MINJI.0), "{shown}");
    let fields = [("action", "continue"), ("session", &*session_of(&shown))];
    let answer = minji.send(&to, &fields).await.expect(303);
    let answer = minji.follow_to_client(answer, "allow").await;

    let answer = minji.redeem(&answer.brings("code").unwrap()).await.expect(200);
    let after = claims(&answer.text("/id_token"));
    for claim in ["sub", "sid", "auth_time"] {
        assert_eq!(after[claim], before[claim], "{claim}: nobody proved anything anew");
    }
    // The choice is of this way alone: the next one asks again.
    let again = minji.open(&select()).await;
    assert!(again.location().unwrap().starts_with(PAGE));
}

#[tokio::test]
async fn somebody_else_signs_in_instead() {
    let browser = start().await;
    let minji = browser.redeem(&code(&browser, &request(&[])).await).await.expect(200);
    browser.app.advance(60);
    let answer = browser.open(&select()).await;
    let (to, shown) = page(&browser, &answer).await;
    let fields = [("action", "other"), ("session", &*session_of(&shown))];

    let answer = browser.send(&to, &fields).await.expect(303);
    let answer = browser.sign_in(answer, JUN).await;
    // Who has just signed in has chosen.
    let answer = browser.follow_to_client(answer, "allow").await;

    let jun = browser.redeem(&answer.brings("code").unwrap()).await.expect(200);
    let (minji, jun) = (claims(&minji.text("/id_token")), claims(&jun.text("/id_token")));
    assert_ne!(jun["sub"], minji["sub"]);
    assert_ne!(jun["sid"], minji["sid"]);
}

#[tokio::test]
async fn where_nobody_is_signed_in_there_is_nothing_to_choose() {
    let minji = start().await;
    let answer = minji.open(&select()).await;
    let login = answer.location().unwrap();
    assert!(login.starts_with("/login?"), "{login}");
    let back = minji.open(&login.replace("/login?", "/login/select?")).await.expect(303);
    assert!(back.location().unwrap().starts_with("/oauth2/authorize?flow="));
    let answer = minji.sign_in(answer, MINJI).await;
    assert!(minji.follow_to_client(answer, "allow").await.brings("code").is_some());
    // Without a way there is nothing to go on with.
    assert_eq!(minji.open(PAGE).await.location().as_deref(), Some("/account"));
}

/// Two windows of one browser: in the other one somebody else has signed in meanwhile.
#[tokio::test]
async fn nobody_goes_on_as_another_than_the_page_said() {
    let browser = start().await;
    code(&browser, &request(&[])).await;
    browser.app.advance(60);
    let answer = browser.open(&select()).await;
    let (to, minjis) = page(&browser, &answer).await;
    let other = browser.open("/login").await;
    assert_eq!(other.location().as_deref(), Some("/account"));
    let switch = [("username", JUN.0), ("password", JUN.1), ("action", "sign-in")];
    browser.send("/login", &switch).await.expect(303);

    for seen in [Some(session_of(&minjis)), Some("019a".to_owned()), None] {
        let mut fields = vec![("action", "continue")];
        fields.extend(seen.as_deref().map(|seen| ("session", seen)));
        let again = browser.send(&to, &fields).await.expect(200).page();
        assert!(again.contains(JUN.0) && !again.contains(MINJI.0), "{again}");
        assert_ne!(Some(session_of(&again)), seen);
    }
    browser.send(&to, &[("action", "dance")]).await.expect(400);
}

/// SS-03 and LG-10 of the attack kit.
#[tokio::test]
async fn nobody_chooses_for_somebody_else() {
    let minji = start().await;
    code(&minji, &request(&[])).await;
    minji.app.advance(60);
    let answer = minji.open(&select()).await;
    let (to, shown) = page(&minji, &answer).await;
    let fields = [("action", "continue"), ("session", &*session_of(&shown))];
    for site in ["cross-site", "same-site"] {
        assert_eq!(minji.send_from(site, &to, &fields).await.status, 403, "{site}");
    }
    let thief = Visitor::of(&minji.app);
    assert_eq!(thief.open(&to).await.status, 400);
    code(&thief, &request(&[])).await;
    assert_eq!(thief.send(&to, &fields).await.status, 400);
}

#[tokio::test]
async fn the_page_speaks_the_language_that_was_asked_for() {
    let minji = start().await;
    code(&minji, &request(&[])).await;
    minji.app.advance(60);
    let change = [("prompt", Some("select_account")), ("ui_locales", Some("fr ko"))];
    let answer = minji.open(&request(&change)).await;
    let (_, shown) = page(&minji, &answer).await;
    assert!(
        shown.contains(r#"lang="ko""#) && shown.contains("김민지 계정으로 계속하기"),
        "{shown}"
    );
}

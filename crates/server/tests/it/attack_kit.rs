//! Cases of the attack kit (`docs/reference/attack-kit.md`) that belong to no other file.

use std::process::Command;

use aws_lc_rs::signature;
use axum::body::Body;
use http::{Method, Request};
use munjigi_token::{Algorithm, SigningKey, base64url};
use serde_json::{Value, json};

use crate::harness::{Answer, ISSUER, JUN, MINJI, TestApp, claims};
use crate::visitor::{Visitor, request, start};

/// Where an access token opens something.
const DOORS: [&str; 4] =
    ["/api/v1/users/me", "/api/v1/admin/stats", "/oauth2/userinfo", "/api/v1/revocations"];

/// An attacker who plants a cookie before somebody signs in is not signed in with them.
#[tokio::test]
async fn ss_01_a_cookie_that_was_planted_before_the_sign_in_is_worth_nothing_after_it() {
    let minji = start().await;
    let name = "__Host-munjigi-session";
    // A session of the attacker's own, which they ended, and something made up.
    let attacker = Visitor::of(&minji.app);
    attacker.sign_in(attacker.open(&request(&[])).await, JUN).await;
    let jun = minji.app.sign_in(JUN).await;
    let sessions = minji.app.read_as("/api/v1/users/me/sessions", &jun.access).await.json();
    let own = claims(&jun.access)["sid"].clone();
    for session in sessions["items"].as_array().unwrap() {
        if session["id"] != own {
            let path = format!("/api/v1/users/me/sessions/{}", session["id"].as_str().unwrap());
            minji.app.act_as(Method::DELETE, &path, &jun.access).await.expect(204);
        }
    }
    for planted in [attacker.cookie(name).unwrap(), "mj_bs_made-up".to_owned()] {
        let victim = Visitor::of(&minji.app);
        victim.plant(name, &planted);
        let answer = victim.open(&request(&[])).await;
        victim.sign_in(answer, MINJI).await;

        assert_ne!(victim.cookie(name).unwrap(), planted);
        let thief = Visitor::of(&minji.app);
        thief.plant(name, &planted);
        let page = thief.open("/account").await;
        assert!(!page.page().contains(MINJI.0), "the planted cookie shows the victim's account");
    }
}

/// A token under somebody's claims, signed by `seal` over its input.
fn token(header: &str, claims: &Value, seal: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let input = format!("{}.{}", base64url::encode(header), base64url::encode(claims.to_string()));
    let signature = seal(input.as_bytes());
    format!("{input}.{}", base64url::encode(signature))
}

async fn refused_everywhere(app: &TestApp, token: &str, what: &str) {
    for door in DOORS {
        let answer = app.read_as(door, token).await;
        assert_eq!(answer.status.as_u16(), 401, "{what} at {door}: {}", answer.shown());
    }
    assert_eq!(app.introspect(app.web(), token).await, json!({"active": false}), "{what}");
}

/// JW-01.
#[tokio::test]
async fn jw_01_a_token_without_a_signature_of_ours_opens_no_door() {
    let app = TestApp::start().await;
    let good = app.sign_in(JUN).await.access;
    let said = claims(&good);
    let jwks = app.get("/.well-known/jwks.json").await.json();
    let jwk = jwks["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "ES256").unwrap();
    let kid = jwk["kid"].as_str().unwrap();
    for alg in ["none", "None", "nOnE", "NONE", "", "HS256", "ES256"] {
        let header = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":"{kid}"}}"#);
        refused_everywhere(&app, &token(&header, &said, |_| vec![]), alg).await;
    }
    let (x, y) = (jwk["x"].as_str().unwrap(), jwk["y"].as_str().unwrap());
    let point = [&[4][..], &base64url::decode(x).unwrap(), &base64url::decode(y).unwrap()].concat();
    let texts = [jwk.to_string().into_bytes(), point, kid.as_bytes().to_vec(), vec![]];
    for secret in texts.iter().flat_map(|text| [text.clone(), [text, &b"\n"[..]].concat()]) {
        let header = format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret);
        let seal = |input: &[u8]| aws_lc_rs::hmac::sign(&key, input).as_ref().to_vec();
        refused_everywhere(&app, &token(&header, &said, seal), "HS256 by our public key").await;
    }
    // The same claims are good with the signature that they came with.
    app.read_as(DOORS[0], &good).await.expect(200);
}

/// JW-03: whatever a stranger calls their key, no file, no database and nobody elsewhere is asked.
#[tokio::test]
async fn jw_03_ten_thousand_names_of_keys_cost_the_database_nothing() {
    let app = TestApp::start().await;
    let said = claims(&app.sign_in(MINJI).await.access);
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let public = serde_json::to_value(stranger.public_jwk().unwrap()).unwrap();
    let named = |kid: Value, more: &str| {
        let header = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":{kid}{more}}}"#);
        token(&header, &said, |_| vec![7; 64])
    };
    let mut tokens: Vec<_> = (0..10_000).map(|it| named(json!(format!("kid-{it}")), "")).collect();
    for kid in [
        json!("../../../etc/passwd"),
        json!("/dev/null"),
        json!("' OR 1=1 --"),
        json!("https://evil.example/key"),
        json!("a\u{0}b"),
        json!("k".repeat(5_000)),
        json!(7),
        json!(null),
        json!(["a"]),
    ] {
        tokens.push(named(kid, ""));
    }
    for more in [
        format!(r#","jwk":{public}"#),
        r#","jku":"http://127.0.0.1:1/jwks.json""#.to_owned(),
        r#","x5u":"file:///etc/passwd""#.to_owned(),
        r#","x5c":["MIIB"]"#.to_owned(),
    ] {
        tokens.push(named(json!(stranger.kid()), &more));
    }
    let before = app.app.store.statistics();
    for token in &tokens {
        let answer = app.read_as(DOORS[0], token).await;
        assert_eq!(answer.status.as_u16(), 401, "{}", answer.shown());
    }
    let after = app.app.store.statistics();
    assert_eq!((after.reads, after.writes), (before.reads, before.writes));
}

/// The order of P-256 (SEC 2 §2.4.2).
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6,
    0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

/// The two numbers of a signature as other formats write them (SEC 1 §C.5).
fn der(r: &[u8], s: &[u8]) -> Vec<u8> {
    let number = |bytes: &[u8]| {
        let sign: &[u8] = if bytes[0] >= 0x80 { &[0] } else { &[] };
        let length = u8::try_from(sign.len() + bytes.len()).unwrap();
        [&[0x02, length], sign, bytes].concat()
    };
    let numbers = [number(r), number(s)].concat();
    [&[0x30, u8::try_from(numbers.len()).unwrap()], &numbers[..]].concat()
}

/// JW-02, CVE-2022-21449: genuine claims under a genuine header, and numbers that verify nothing.
#[tokio::test]
async fn jw_02_a_signature_has_one_form_and_both_of_its_numbers_are_in_range() {
    let app = TestApp::start().await;
    let good = app.sign_in(JUN).await.access;
    let (input, signature) = good.rsplit_once('.').unwrap();
    let signature = base64url::decode(signature).unwrap();
    let (r, s) = signature.split_at(32);
    for (what, bad) in [
        ("zeros", vec![0; 64]),
        ("r = 0", [&[0; 32], s].concat()),
        ("s = 0", [r, &[0; 32]].concat()),
        ("r = n", [&ORDER, s].concat()),
        ("s = n", [r, &ORDER].concat()),
        ("both = n", [ORDER, ORDER].concat()),
        ("s > n", [r, &[0xff; 32]].concat()),
        ("DER", der(r, s)),
        ("r alone", r.to_vec()),
        ("cut", signature[..63].to_vec()),
        ("a zero before it", [&[0], &signature[..]].concat()),
        ("a zero behind it", [&signature[..], &[0]].concat()),
        ("nothing", vec![]),
    ] {
        let token = format!("{input}.{}", base64url::encode(bad));
        refused_everywhere(&app, &token, what).await;
    }
    app.read_as(DOORS[0], &good).await.expect(200);
}

/// JW-09 (RFC 8259 §4, §8.1; RFC 7515 §2): what two readers may read in two ways, under the
/// server's own signature of just these letters.
#[tokio::test]
async fn jw_09_what_can_be_read_in_two_ways_is_refused_although_its_signature_is_right() {
    let app = TestApp::start().await;
    let good = app.sign_in(JUN).await.access;
    let mut parts = good.split('.').map(|part| base64url::decode(part).unwrap());
    let mut text = || String::from_utf8(parts.next().unwrap()).unwrap();
    let (header, said) = (text(), text());
    let snapshot = app.app.snapshot_kept();
    let key = snapshot.keys.active(Algorithm::Es256, app.app.clock.now()).unwrap();
    let seal = signature::EcdsaKeyPair::from_pkcs8(
        &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
        &key.to_pkcs8().unwrap(),
    );
    let (seal, random) = (seal.unwrap(), aws_lc_rs::rand::SystemRandom::new());
    let sign = |header: &str, said: &str| {
        let input = format!("{header}.{said}");
        let signature = seal.sign(&random, input.as_bytes()).unwrap();
        format!("{input}.{}", base64url::encode(signature.as_ref()))
    };
    let encode = |text: &str| base64url::encode(text);
    let (h, c) = (encode(&header), encode(&said));
    app.read_as(DOORS[0], &sign(&h, &c)).await.expect(200);

    let again = |text: &str, name: &str| {
        let value = serde_json::from_str::<Value>(text).unwrap()[name].clone();
        encode(&format!("{{\"{name}\":{value},{}", &text[1..]))
    };
    let no_text = [&said.as_bytes()[..said.len() - 1], b",\"x\":\"\xff\"}"].concat();
    for (what, header, said) in [
        ("alg twice", again(&header, "alg"), c.clone()),
        ("kid twice", again(&header, "kid"), c.clone()),
        ("sub twice", h.clone(), again(&said, "sub")),
        ("exp twice", h.clone(), again(&said, "exp")),
        ("bytes that are no text", h.clone(), base64url::encode(no_text)),
        ("a mark before the header", encode(&format!("\u{feff}{header}")), c.clone()),
        ("a mark before the claims", h.clone(), encode(&format!("\u{feff}{said}"))),
        ("something behind the claims", h.clone(), encode(&format!("{said}{{}}"))),
        ("padding behind the header", format!("{h}="), c.clone()),
        ("padding behind the claims", h.clone(), format!("{c}=")),
        ("white space in the header", format!("{} {}", &h[..8], &h[8..]), c.clone()),
        ("white space in the claims", h.clone(), format!("{} {}", &c[..8], &c[8..])),
    ] {
        refused_everywhere(&app, &sign(&header, &said), what).await;
    }
}

/// Tokens that are only large, deep, or promise to grow.
fn bombs() -> Vec<(&'static str, String)> {
    let encode = |text: &str| base64url::encode(text);
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let es256 = encode(r#"{"alg":"ES256","typ":"at+jwt","kid":"a"}"#);
    let pbes2 = r#"{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":2147483648,"p2s":"AA"}"#;
    let zipped = r#"{"alg":"dir","enc":"A256GCM","zip":"DEF"}"#;
    vec![
        ("dots", ".".repeat(1_000_000)),
        ("10 MB", "A".repeat(10_000_000)),
        ("deep claims", format!("{es256}.{}.AA", encode(&deep))),
        ("a deep header", format!("{}.e30.AA", encode(&deep))),
        ("a deep header that fits", format!("{}.e30.AA", encode(&deep[..4_000]))),
        ("PBES2", format!("{}.AA.AA.AA.AA", encode(pbes2))),
        ("zip", format!("{}.AA.AA.AA.AA", encode(zipped))),
    ]
}

/// Brings a bomb to every place that takes a token; to how many.
async fn bring(app: &TestApp, what: &str, bomb: &str) -> usize {
    let refused = |answer: &Answer, at: &str| {
        let status = answer.status.as_u16();
        assert!((400..500).contains(&status), "{what} at {at}: {}", answer.shown());
    };
    for door in DOORS {
        refused(&app.read_as(door, bomb).await, door);
    }
    let assertion = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", bomb),
    ];
    refused(&app.form("/oauth2/token", &assertion).await, "client_assertion");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", bomb)];
    refused(&app.form("/oauth2/token", &refresh).await, "refresh_token");
    // What is no token is not active (RFC 7662 §2.2); what is too large is refused unread.
    let told = app.form_as(app.web(), "/oauth2/introspect", &[("token", bomb)]).await;
    if told.status == 200 {
        assert_eq!(told.json(), json!({"active": false}), "{what}");
    } else {
        refused(&told, "introspection");
    }
    let places = DOORS.len() + 3;
    if bomb.len() >= 60_000 {
        return places;
    }
    let page = app.get(&format!("/oauth2/logout?id_token_hint={bomb}")).await;
    let status = page.status.as_u16();
    assert!([200, 303, 400, 414].contains(&status), "{what}: {status}");
    let proof = Request::post("/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("dpop", bomb)
        .body(Body::from("grant_type=client_credentials&client_id=web"));
    refused(&app.send(proof.unwrap()).await, "DPoP");
    places + 2
}

/// JW-08: a bomb that was opened would take minutes, or hours. That none takes long is seen from
/// so far away that no busy machine looks like one.
#[expect(clippy::disallowed_methods, reason = "whether it explodes is the point")]
#[tokio::test]
async fn jw_08_bombs_in_every_place_that_takes_a_token_are_refused() {
    let app = TestApp::start().await;
    for (what, bomb) in &bombs() {
        let began = std::time::Instant::now();
        bring(&app, what, bomb).await;
        let took = began.elapsed();
        assert!(took.as_secs() < 30, "{what}: {took:?}");
    }
}

/// What the process of this test has of memory, in KiB, by a line of its status.
fn memory(line: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let found = status.lines().find_map(|it| it.strip_prefix(line)).unwrap();
    found.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The child of the test below: the most that it ever takes counts, from the second time on.
#[ignore = "started by jw_08_two_hundred_bombs_take_no_memory"]
#[tokio::test]
async fn child_is_brought_two_hundred_bombs() {
    let (app, bombs) = (TestApp::start().await, bombs());
    let round = async || {
        let mut places = 0;
        for (what, bomb) in &bombs {
            places += bring(&app, what, bomb).await;
        }
        places
    };
    round().await;
    let before = memory("VmRSS:");
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let mut places = 0;
    while places < 200 {
        places += round().await;
    }
    let (most, after) = (memory("VmHWM:") - before, memory("VmRSS:").saturating_sub(before));
    // A request of 10 MB is there a few times while the test makes it; 100 MB is what bombs took
    // elsewhere (CVE-2026-39373).
    assert!(most < 65_536 && after < 8_192, "at most {most} KiB more, {after} KiB in the end");
}

/// JW-08: in a process of its own, since other tests take memory, too.
#[test]
fn jw_08_two_hundred_bombs_take_no_memory() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "attack_kit::child_is_brought_two_hundred_bombs"])
        .args(["--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// A password is all of its letters: nothing is cut, trimmed or made equal that is not the same
/// text, and one that is too long never reaches the hashing threads.
#[tokio::test]
async fn lg_04_each_password_is_itself_and_one_that_is_too_long_is_refused_before_it_is_hashed() {
    let app = TestApp::start().await;
    let twin = |end: char| format!("{}{end}", "abcdefghij klmnop ".repeat(4)).replacen('a', "A", 1);
    let sign_in = |email: &'static str, password: String| {
        let app = app.clone();
        let body = json!({"email": email, "password": password});
        async move { app.post("/api/v1/users/signin", body).await.status.as_u16() }
    };
    assert!(twin('x').len() > 72, "bcrypt reads 72 bytes");
    app.sign_up("twin@test.com", &twin('x')).await;
    assert_eq!(sign_in("twin@test.com", twin('x')).await, 200);
    assert_eq!(sign_in("twin@test.com", twin('y')).await, 401);

    let spaced = " two spaces around it 🙂 ";
    app.sign_up("space@test.com", spaced).await;
    assert_eq!(sign_in("space@test.com", spaced.to_owned()).await, 200);
    assert_eq!(sign_in("space@test.com", spaced.trim().to_owned()).await, 401);

    // 256 code points of four bytes each are taken as they are.
    let longest: String = "🙂🙃".chars().cycle().take(256).collect();
    app.sign_up("long@test.com", &longest).await;
    assert_eq!(sign_in("long@test.com", longest.clone()).await, 200);
    assert_eq!(sign_in("long@test.com", longest.chars().take(255).collect()).await, 401);

    let hashed = |app: &TestApp| {
        let app = app.app.clone();
        async move {
            let text = munjigi_server::metrics::scrape(&app).await;
            let name = "munjigi_hashing_wait_seconds_count ";
            text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
        }
    };
    let before = hashed(&app).await;
    for length in [5_000, 50_000] {
        let body = json!({"email": "more@test.com", "password": "x".repeat(length)});
        app.post("/api/v1/users/signup", body).await.expect(422);
    }
    assert_eq!(hashed(&app).await, before, "a password that is too long was hashed");
}

/// CVE-2021-3754: whoever signs in by a name that is another person's address would be asked for
/// the wrong password, or let in as the wrong person.
#[tokio::test]
async fn lg_09_nobody_is_called_by_somebody_elses_address_or_name() {
    let app = TestApp::start().await;
    for username in [MINJI.0, "MINJI@demo.local", "minji@demo.local ", "minji", "MINJI"] {
        let body = json!({
            "email": "new@test.com", "password": "three words and a tree", "username": username,
        });
        let answer = app.post("/api/v1/users/signup", body).await;
        assert!([409, 422].contains(&answer.status.as_u16()), "{username}: {}", answer.shown());
    }
    let jun = app.sign_in(JUN).await;
    for username in [MINJI.0, "minji"] {
        let body = json!({"username": username});
        let answer = app.call(Method::PATCH, "/api/v1/users/me", &jun.access, body).await;
        assert!([409, 422].contains(&answer.status.as_u16()), "{username}: {}", answer.shown());
    }
    app.sign_in(MINJI).await;
}

/// CVE-2026-33504 and its kin: depth costs a stack, unless it is refused before it is built.
#[tokio::test]
async fn ad_05_json_of_ten_thousand_brackets_is_refused_everywhere() {
    let app = TestApp::start().await;
    let jun = app.sign_in(JUN).await;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let body = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        for route in munjigi_server::routes(munjigi_server::Mode::Dev) {
            if !["POST", "PUT", "PATCH"].contains(&route.method) {
                continue;
            }
            let request = Request::builder()
                .method(route.method)
                .uri(route.path.replace(['{', '}'], ""))
                .header("content-type", "application/json")
                .header("authorization", format!("Bearer {}", jun.access))
                .body(Body::from(body.clone()));
            let status = app.send(request.unwrap()).await.status.as_u16();
            // A route that reads no body has nothing to refuse.
            let reads_none = route.path.ends_with("/enable")
                || route.path.ends_with("/disable")
                || route.path.ends_with("/signout")
                || route.path.ends_with("/userinfo")
                || route.path.ends_with("/rotate-secret");
            assert!(status < 500, "{} {}: {status}", route.method, route.path);
            assert!((400..500).contains(&status) || reads_none, "{} {}", route.method, route.path);
        }
    }
}

/// CVE-2024-32967: what the database said is for the log, and never for who asked.
#[tokio::test]
async fn wb_05_a_database_that_fails_is_told_by_an_id_alone() {
    let app = TestApp::start().await;
    let tokens = app.sign_in(MINJI).await;
    app.app.store.clone().close().await;
    let body = json!({"email": MINJI.0, "password": MINJI.1});
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
    let answers = [
        app.post("/api/v1/users/signin", body).await,
        app.read_as("/api/v1/users/me", &tokens.access).await,
        app.form("/oauth2/token", &refresh).await,
        app.get("/readyz").await,
    ];
    for answer in answers {
        let text = String::from_utf8_lossy(&answer.bytes).to_lowercase();
        assert_eq!(answer.status.as_u16(), 503, "{}", answer.shown());
        assert!(answer.header("x-request-id").is_some());
        for told in ["sqlite", "postgres", "store", "closed", "sql", "table", ".rs", "panic"] {
            assert!(!text.contains(told), "{told}: {text}");
        }
    }
    // Whoever only verifies goes on.
    app.get("/.well-known/jwks.json").await.expect(200);
    let configuration = app.get("/.well-known/openid-configuration").await.expect(200);
    assert_eq!(configuration.text("/issuer"), ISSUER);
}

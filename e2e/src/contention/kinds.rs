//! The other kinds of things that are good once, beside codes and refresh tokens: pushed requests,
//! device codes, proofs of possession, client assertions, registration tokens, the tokens by which
//! clients manage themselves, and mailed links. Each is shown by everybody at once, and taken from
//! one.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use munjigi_token::base64url;
use serde_json::{Value, json};

use super::mailed::{self, Change, Person};
use super::{CALLERS, Crowd};
use crate::caller::{Caller, Heard};
use crate::postbox::Postbox;
use crate::production::Production;

/// A kind of thing that is good once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// RFC 9126.
    PushedRequest,
    /// RFC 8628.
    DeviceCode,
    /// RFC 9449 §11.1.
    DpopProof,
    /// RFC 7523 §3.
    ClientAssertion,
    /// RFC 7591 §3.
    RegistrationToken,
    /// RFC 7592 §2.2.
    ManagementToken,
    /// A mailed link that proves an address.
    VerificationLink,
    /// A mailed link by which a password is set that was forgotten.
    RecoveryLink,
    /// A mailed link by which another address agrees to be an account's.
    ChangeNewLink,
    /// A mailed link by which the present address agrees to it.
    ChangeOldLink,
    /// A mailed link that takes such a change back.
    UndoLink,
}

impl Kind {
    /// All of them; the links in the order in which somebody is mailed them.
    pub const ALL: [Self; 11] = [
        Self::PushedRequest,
        Self::DeviceCode,
        Self::DpopProof,
        Self::ClientAssertion,
        Self::RegistrationToken,
        Self::ManagementToken,
        Self::VerificationLink,
        Self::RecoveryLink,
        Self::ChangeNewLink,
        Self::ChangeOldLink,
        Self::UndoLink,
    ];

    /// What those hear who come late.
    fn refusals(self) -> &'static [(u16, &'static str)] {
        match self {
            Self::DeviceCode => &[(400, "invalid_grant")],
            Self::DpopProof => &[(400, "invalid_dpop_proof")],
            Self::ClientAssertion => &[(401, "invalid_client")],
            Self::RegistrationToken | Self::ManagementToken => &[(401, "invalid_token")],
            // Pages, which tell by their status.
            // In the same moment it is the client that hears it, later the person.
            Self::PushedRequest => &[(303, "invalid_request_uri"), (400, "")],
            Self::VerificationLink | Self::ChangeNewLink | Self::ChangeOldLink | Self::UndoLink => {
                &[(400, "")]
            }
            // Everybody chose a password: on a slow machine not all of them are hashed in time.
            Self::RecoveryLink => &[(400, ""), (503, "")],
        }
    }
}

/// Who shows them.
pub(super) struct Cast {
    issuer: String,
    secret_client: (String, String),
    signing_client: String,
    key: Key,
    device_client: String,
    /// The address and the token of a client that manages itself.
    managed: (String, String),
    postbox: Postbox,
    /// Who has proved their address, and can recover.
    person: Option<Person>,
    /// A change of their address, to which one mailbox has agreed, or both.
    change: Option<Change>,
    count: u64,
}

/// A key that signs.
struct Key(EcdsaKeyPair);

impl Key {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn jwk(&self) -> Value {
        let point = self.0.public_key().as_ref();
        let (x, y) = (base64url::encode(&point[1..33]), base64url::encode(&point[33..65]));
        json!({"kty": "EC", "crv": "P-256", "x": x, "y": y})
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64url::encode(value.to_string().as_bytes());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = self.0.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", base64url::encode(signature.as_ref()))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

impl Cast {
    /// Makes the clients, while no server runs.
    pub fn prepare(nodes: &[Production]) -> Self {
        let (server, key, postbox) = (&nodes[0], Key::new(), mailed::prepare(nodes));
        let id = |made: &Value| made["client_id"].as_str().unwrap().to_owned();
        let create = |more: &[&str]| {
            let words = ["clients", "create", "--name", "Crowd", "--grant-type"];
            server.cli(&[&words[..], more].concat(), "")
        };
        let secret = create(&["client_credentials", "--scope", "read"]);
        let secret_client = (id(&secret), secret["client_secret"].as_str().unwrap().to_owned());
        let mut jwk = key.jwk();
        jwk["kid"] = json!("crowd");
        let metadata = json!({"jwks": {"keys": [jwk]}}).to_string();
        let method = ["client_credentials", "--auth-method", "private_key_jwt", "--metadata"];
        let signing_client = id(&create(&[&method[..], &[&metadata, "--scope", "read"]].concat()));
        let device = "urn:ietf:params:oauth:grant-type:device_code";
        let none = [device, "--grant-type", "refresh_token", "--auth-method", "none"];
        let device_client =
            id(&create(&[&none[..], &["--scope", "openid profile", "--first-party"]].concat()));
        server.cli(&["settings", "set", "client_registration", "token"], "");
        // A proof is to be refused because it was seen, and not because it lacks a nonce.
        server.cli(&["settings", "set", "dpop_nonce", "optional"], "");
        let (issuer, managed) = (server.issuer.clone(), (String::new(), String::new()));
        Self {
            issuer,
            secret_client,
            signing_client,
            key,
            device_client,
            managed,
            postbox,
            person: None,
            change: None,
            count: 0,
        }
    }

    fn next(&mut self) -> String {
        self.count += 1;
        format!("{}-{}", std::process::id(), self.count)
    }

    fn proof(&mut self) -> String {
        let header = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": self.key.jwk()});
        let htu = format!("{}/oauth2/token", self.issuer);
        let claims = json!({"jti": self.next(), "htm": "POST", "htu": htu, "iat": now()});
        self.key.sign(&header, &claims)
    }

    fn assertion(&mut self) -> String {
        let header = json!({"alg": "ES256", "kid": "crowd"});
        let (id, iat, jti) = (self.signing_client.clone(), now(), self.next());
        let claims = json!({
            "iss": id, "sub": id, "aud": self.issuer, "jti": jti, "iat": iat, "exp": iat + 60,
        });
        self.key.sign(&header, &claims)
    }
}

/// What a client says of itself when it registers.
fn proposal() -> Value {
    json!({
        "client_name": "Crowd", "redirect_uris": ["https://crowd.example/callback"],
        "token_endpoint_auth_method": "none",
    })
}

impl Crowd {
    /// One thing of this kind, shown by everybody at once; what is wrong is noted.
    pub(super) async fn show(&mut self, kind: Kind, cli: &Production) {
        let mut cast = self.cast.take().expect("there is one");
        let answers = match kind {
            Kind::PushedRequest => return self.refer(cast).await,
            Kind::VerificationLink => return self.verify_somebody(cast).await,
            Kind::RecoveryLink => return self.recover_somebody(cast).await,
            Kind::ChangeNewLink => return self.begin_a_change(cast).await,
            Kind::ChangeOldLink => return self.finish_a_change(cast).await,
            Kind::UndoLink => return self.undo_a_change(cast).await,
            Kind::DeviceCode => {
                let device = cast.device_client.clone();
                let code = self.device(&device).await;
                let grant = "urn:ietf:params:oauth:grant-type:device_code";
                let fields =
                    [("grant_type", grant), ("device_code", &code), ("client_id", &device)];
                self.post_at_once("/oauth2/token", &fields, &[]).await
            }
            Kind::DpopProof => {
                let (proof, (id, secret)) = (cast.proof(), cast.secret_client.clone());
                let fields = [
                    ("grant_type", "client_credentials"),
                    ("client_id", id.as_str()),
                    ("client_secret", secret.as_str()),
                ];
                self.post_at_once("/oauth2/token", &fields, &[("dpop", &proof)]).await
            }
            Kind::ClientAssertion => {
                let assertion = cast.assertion();
                let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
                let fields = [
                    ("grant_type", "client_credentials"),
                    ("client_assertion_type", kind),
                    ("client_assertion", assertion.as_str()),
                ];
                self.post_at_once("/oauth2/token", &fields, &[]).await
            }
            Kind::RegistrationToken => {
                let made = cli.cli(&["registration-tokens", "create"], "");
                let token = made["registration_token"].as_str().unwrap().to_owned();
                let answers =
                    self.put_at_once(("/oauth2/register", "POST"), &token, proposal()).await;
                if let Some(won) = answers.iter().find(|answer| answer.status == 201) {
                    let uri = won.text("registration_client_uri");
                    let path = uri.trim_start_matches(cast.issuer.as_str()).to_owned();
                    cast.managed = (path, won.text("registration_access_token"));
                }
                answers
            }
            Kind::ManagementToken => self.manage(&mut cast).await,
        };
        self.cast = Some(cast);
        self.judge(kind, &answers);
    }

    /// A client that changes itself: whoever is let in is told the next token.
    async fn manage(&mut self, cast: &mut Cast) -> Vec<Heard> {
        let (path, token) = cast.managed.clone();
        let mut body = proposal();
        body["client_id"] = json!(path.rsplit('/').next().unwrap());
        let answers = self.put_at_once((&path, "PUT"), &token, body).await;
        if let Some(won) = answers.iter().find(|answer| answer.status == 200) {
            cast.managed.1 = won.text("registration_access_token");
        }
        answers
    }

    async fn verify_somebody(&mut self, mut cast: Cast) {
        let name = cast.next();
        let person = self.sign_up(&cast.postbox, &name).await;
        self.verify(&person).await;
        cast.person = Some(person);
        self.cast = Some(cast);
    }

    /// Whoever has proved their address forgot their password before that.
    async fn recover_somebody(&mut self, mut cast: Cast) {
        let person = cast.person.as_mut().expect("somebody has signed up");
        self.recover(person).await;
        self.cast = Some(cast);
    }

    /// Whoever has recovered wants another address.
    async fn begin_a_change(&mut self, mut cast: Cast) {
        let person = cast.person.take().expect("somebody has signed up");
        let change = self.ask_to_change(&cast.postbox, &person).await;
        self.agree_at_the_new_one(&change).await;
        cast.change = Some(change);
        self.cast = Some(cast);
    }

    async fn finish_a_change(&mut self, cast: Cast) {
        let change = cast.change.as_ref().expect("the other address has agreed");
        self.agree_at_the_old_one(change).await;
        self.expect_changed(change).await;
        self.cast = Some(cast);
    }

    async fn undo_a_change(&mut self, mut cast: Cast) {
        let change = cast.change.take().expect("both addresses have agreed");
        let ticket = change.told(&cast.postbox).await;
        self.take_back(&ticket).await;
        self.expect_taken_back(&change).await;
        self.cast = Some(cast);
    }

    /// One of them is taken; the others are refused as they should be.
    pub(super) fn judge(&mut self, kind: Kind, answers: &[Heard]) {
        let is_good = |answer: &&Heard| match kind {
            Kind::PushedRequest => answer.code().is_some(),
            _ => [200, 201].contains(&answer.status),
        };
        let good = answers.iter().filter(is_good).count();
        if good == 1 {
            *self.tally.others.entry(kind).or_default() += 1;
        } else {
            self.wrong(format!("{kind:?} was taken {good} times"));
        }
        let is_refused = |answer: &Heard| {
            let error = answer.brings("error").unwrap_or_else(|| answer.text("error"));
            kind.refusals().iter().any(|(status, name)| answer.status == *status && error == *name)
        };
        for answer in answers.iter().filter(|answer| !is_good(answer) && !is_refused(answer)) {
            self.wrong(format!("{kind:?}: an answer that nobody expects: {answer:?}"));
        }
    }

    /// A pushed request, referred to by everybody: one of them gets a code.
    async fn refer(&mut self, cast: Cast) {
        self.cast = Some(cast);
        let reference = self.callers[0].push().await.expect("the server is there");
        let cookies = self.cookies.clone();
        let answers = self
            .everybody(move |_, caller| {
                let (cookies, reference) = (cookies.clone(), reference.clone());
                async move {
                    let heard = caller.refer(&cookies, &reference).await;
                    heard.expect("the server is there")
                }
            })
            .await;
        self.judge(Kind::PushedRequest, &answers);
    }

    /// A device code whose person has said yes.
    async fn device(&self, client_id: &str) -> String {
        let caller = &self.callers[0];
        let named = [("client_id", client_id)];
        let asked = caller.post("/oauth2/device_authorization", &named, &[]);
        let asked = asked.await.expect("the server is there");
        assert_eq!(asked.status, 200, "{asked:?}");
        let code = asked.text("user_code");
        let own = [("sec-fetch-site", "same-origin"), ("cookie", self.cookies.as_str())];
        // Who looks at it first is who may answer.
        for action in ["continue", "allow"] {
            let fields = [("user_code", code.as_str()), ("action", action)];
            let pressed = caller.post("/device", &fields, &own).await.expect("the server is there");
            assert_eq!(pressed.status, 200, "{pressed:?}");
        }
        asked.text("device_code")
    }

    pub(super) async fn post_at_once(
        &mut self,
        path: &'static str,
        fields: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Vec<Heard> {
        let own = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let (fields, headers) = (own(fields), own(headers));
        self.everybody(move |_, caller| {
            let (fields, headers) = (fields.clone(), headers.clone());
            async move {
                let fields: Vec<_> = fields.iter().map(|(a, b)| (&**a, &**b)).collect();
                let headers: Vec<_> = headers.iter().map(|(a, b)| (&**a, &**b)).collect();
                caller.post(path, &fields, &headers).await.expect("the server is there")
            }
        })
        .await
    }

    async fn put_at_once(
        &mut self,
        (path, method): (&str, &'static str),
        token: &str,
        body: Value,
    ) -> Vec<Heard> {
        let (path, token) = (path.to_owned(), token.to_owned());
        self.everybody(move |_, caller| {
            let (path, token, body) = (path.clone(), token.clone(), body.clone());
            async move {
                let heard = caller.json((&path, method), &token, &body).await;
                heard.expect("the server is there")
            }
        })
        .await
    }

    /// What everybody hears who asks at once, each at the next node.
    pub(super) async fn everybody<F>(&mut self, ask: impl Fn(usize, Caller) -> F) -> Vec<Heard>
    where
        F: Future<Output = Heard> + Send + 'static,
    {
        let one = |number: usize| ask(number, self.callers[number % self.callers.len()].clone());
        let tasks: Vec<_> = (0..CALLERS).map(|number| tokio::spawn(one(number))).collect();
        let mut answers = Vec::new();
        for task in tasks {
            answers.push(task.await.unwrap());
        }
        self.tally.presentations += u64::try_from(answers.len()).unwrap();
        answers
    }
}

//! Tokens with exactly one thing wrong, or nothing, and what is said about them. The vectors, the
//! attacks and the comparison with other verifiers read the same list.

use munjigi_token::{Algorithm, Error, MAX_TOKEN_BYTES, SigningKey, base64url};

use crate::forge::{
    AUDIENCE, ISSUER, claims, claims_with, claims_without, forge, header, header_with, mac, pem,
    sign, sign_der, signing_input, sound_claims, spki, unhex,
};

pub struct Case {
    pub name: String,
    pub token: String,
    pub result: Result<(), Error>,
}

/// Every case for this key, under [`crate::forge::expectation`].
pub fn all(key: &SigningKey) -> Vec<Case> {
    let mut cases = Cases { key, list: Vec::new() };
    cases.sound();
    cases.forms();
    cases.signatures();
    cases.algorithms();
    cases.confusions();
    cases.extensions();
    cases.key_choices();
    cases.header_texts();
    cases.kinds();
    cases.payloads();
    cases.missing_claims();
    cases.wrong_types();
    cases.numbers();
    cases.issuers_and_audiences();
    cases.times();
    cases.list
}

/// Claims by what they hold.
const STRINGS: [&str; 7] = ["iss", "sub", "jti", "client_id", "sid", "gid", "acr"];
const TIMES: [&str; 4] = ["exp", "iat", "nbf", "auth_time"];
const LISTS: [&str; 4] = ["amr", "roles", "groups", "permissions"];

struct Cases<'k> {
    key: &'k SigningKey,
    list: Vec<Case>,
}

impl Cases<'_> {
    fn add(
        &mut self,
        name: impl Into<String>,
        token: impl Into<String>,
        result: Result<(), Error>,
    ) {
        self.list.push(Case { name: name.into(), token: token.into(), result });
    }

    /// Rightly signed, with this header.
    fn headed(&mut self, name: &str, header: impl AsRef<[u8]>, result: Result<(), Error>) {
        self.add(name, forge(self.key, header, sound_claims()), result);
    }

    /// Rightly signed, with these claims.
    fn claiming(&mut self, name: &str, payload: impl AsRef<[u8]>, result: Result<(), Error>) {
        self.add(name, forge(self.key, header(self.key), payload), result);
    }

    fn sound_token(&self) -> String {
        forge(self.key, header(self.key), sound_claims())
    }

    fn sound(&mut self) {
        let ours = self.key.sign("at+jwt", &claims()).unwrap();
        self.add("sound", ours, Ok(()));
        let more = claims_with("cats", r#"{"count":2,"names":["Nabi",null,1.5]}"#);
        self.claiming("sound with more claims", more, Ok(()));
        let spaced = format!(" {}\n", sound_claims().replace(',', " ,\r\n\t"));
        self.claiming("sound with white space inside its JSON", spaced, Ok(()));
        let escaped = claims_with("s\\u0075b", r#""\ub2e4\ub77c \ud83d\ude00""#);
        let escaped = escaped.replace(r#","sub":"7d4f0a52-6f0e-4d3c-9a58-6a1f4f8f3f11""#, "");
        self.claiming("sound with escapes in a name", escaped, Ok(()));
        let nested = format!("{}1{}", "[".repeat(31), "]".repeat(31));
        self.claiming("sound and 32 deep", claims_with("deep", &nested), Ok(()));
    }

    fn forms(&mut self) {
        let token = self.sound_token();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let (head, payload) = input.split_once('.').unwrap();
        let malformed = [
            ("empty", String::new()),
            ("one part", head.to_owned()),
            ("two parts", input.to_owned()),
            ("without a header", format!(".{payload}.{signature}")),
            ("without a signature", format!("{input}.")),
            ("four parts", format!("{token}.{signature}")),
            ("five parts, as a JWE", format!("{token}.{signature}.{signature}")),
            ("a dot at the end", format!("{token}.")),
            ("dots alone", ".".repeat(2_000)),
            ("JSON serialization", json_serialization(head, payload, signature)),
        ];
        for (name, token) in malformed {
            self.add(name, token, Err(Error::Malformed));
        }
        let not_base64 = [
            ("padding", format!("{input}.{signature}==")),
            ("white space before it", format!(" {token}")),
            ("white space after it", format!("{token} ")),
            ("a line end after it", format!("{token}\n")),
            ("a line end inside", format!("{head}.{payload}.\r\n{signature}")),
            ("the other alphabet", format!("{input}.+/{}", &signature[2..])),
            ("a letter beyond ASCII", format!("{input}.é{}", &signature[2..])),
            ("a NUL inside", format!("{head}.{payload}\0.{signature}")),
            ("padding in the payload", format!("{head}.{payload}=.{signature}")),
            ("stray bits at the end", with_stray_bits(&token)),
        ];
        for (name, token) in not_base64 {
            self.add(name, token, Err(Error::BadBase64));
        }
        let long = claims_with("long", &format!("\"{}\"", "x".repeat(MAX_TOKEN_BYTES)));
        self.claiming("too large", long, Err(Error::TooLarge));
    }

    fn signatures(&mut self) {
        let input = signing_input(header(self.key), sound_claims());
        let right = sign(self.key, input.as_bytes());
        let mut flipped = right.clone();
        flipped[5] ^= 0x10;
        let other = mac(b"another key", input.as_bytes());
        let mut wrong = vec![
            ("one bit of the signature flipped", flipped),
            ("a signature cut short", right[..right.len() - 1].to_vec()),
            ("a signature with a zero after it", [&right[..], &[0]].concat()),
            ("a signature with a zero before it", [&[0], &right[..]].concat()),
            ("a signature of zeros", vec![0; right.len()]),
            ("a signature of ones", vec![0xff; right.len()]),
            ("a signature of another size", other),
            ("the signature twice", [&right[..], &right[..]].concat()),
        ];
        if self.key.algorithm() == Algorithm::Es256 {
            let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
            let half = |bytes: &[u8]| bytes[..32].to_vec();
            let mut over = right.clone();
            over[32..].fill(0xff);
            wrong.extend([
                // CVE-2022-21449.
                ("r = s = 0", vec![0; 64]),
                ("r = n", [unhex(order), right[32..].to_vec()].concat()),
                ("s = n", [half(&right), unhex(order)].concat()),
                ("s = 0", [half(&right), vec![0; 32]].concat()),
                ("s > n", over),
                ("an ES256 signature in DER", sign_der(self.key, input.as_bytes())),
            ]);
        }
        for (name, signature) in wrong {
            let token = format!("{input}.{}", base64url::encode(signature));
            self.add(name, token, Err(Error::BadSignature));
        }
        let signature = base64url::encode(&right);
        let payload = sound_claims().replace("shop", "thief");
        let tampered = signing_input(header(self.key), payload);
        self.add("other claims", format!("{tampered}.{signature}"), Err(Error::BadSignature));
        let tampered = signing_input(header_with(self.key, "AT+JWT", ""), sound_claims());
        self.add("another header", format!("{tampered}.{signature}"), Err(Error::BadSignature));
        let tampered = signing_input(header(self.key), "");
        self.add("without claims", format!("{tampered}.{signature}"), Err(Error::BadSignature));
        let stranger = match self.key.algorithm() {
            Algorithm::Hs256 => SigningKey::hs256_shared_secret("shared", &[7; 32]).unwrap(),
            other => SigningKey::generate(other).unwrap(),
        };
        let token = match stranger.to_pkcs8() {
            Some(_) => forge(&stranger, header(self.key), sound_claims()),
            None => stranger.sign("at+jwt", &claims()).unwrap(),
        };
        self.add("signed by another key", token, Err(Error::BadSignature));
    }

    fn algorithms(&mut self) {
        let kid = self.key.kid().to_owned();
        let alg = self.key.algorithm();
        let with_alg = |alg: &str| format!(r#"{{"alg":{alg},"typ":"at+jwt","kid":"{kid}"}}"#);
        for name in ["none", "None", "NONE", "nOnE", ""] {
            let head = with_alg(&format!("\"{name}\""));
            let input = signing_input(&head, sound_claims());
            let title = format!("alg {name:?} without a signature");
            self.add(title, format!("{input}."), Err(Error::Malformed));
            self.headed(&format!("alg {name:?}"), head, Err(Error::UnsupportedAlg));
        }
        for name in ["HS384", "RS384", "RS512", "ES384", "ES256K", "PS512", "Ed448", "A128KW"] {
            let head = with_alg(&format!("\"{name}\""));
            self.headed(&format!("alg {name}"), head, Err(Error::UnsupportedAlg));
        }
        let lower = alg.as_str().to_lowercase();
        let head = with_alg(&format!("\"{lower}\""));
        self.headed("alg in lower case", head, Err(Error::UnsupportedAlg));
        for other in Algorithm::ALL.into_iter().filter(|other| !other.is_same_as(alg)) {
            let head = with_alg(&format!("\"{other}\""));
            self.headed(&format!("alg {other} instead"), head, Err(Error::KeyMismatch));
        }
        for (name, value) in
            [("null", "null"), ("a number", "256"), ("a list", r#"["ES256"]"#), ("an object", "{}")]
        {
            self.headed(&format!("alg {name}"), with_alg(value), Err(Error::Malformed));
        }
        let without = format!(r#"{{"typ":"at+jwt","kid":"{kid}"}}"#);
        self.headed("without alg", without, Err(Error::Malformed));
    }

    /// CVE-2022-29217, CVE-2024-33663: our public key, taken for a secret.
    fn confusions(&mut self) {
        let Some(jwk) = self.key.public_jwk() else { return };
        let jwk = serde_json::to_string(&jwk).unwrap();
        let der = spki(self.key);
        let pem = pem("PUBLIC KEY", &der);
        let raw = match self.key.algorithm() {
            Algorithm::Es256 => der[der.len() - 65..].to_vec(),
            Algorithm::EdDsa | Algorithm::Ed25519 => der[der.len() - 32..].to_vec(),
            // RSAPublicKey (RFC 8017 A.1.1), without what says that it is one.
            _ => der[24..].to_vec(),
        };
        let secrets = [
            ("JWK", jwk.clone().into_bytes()),
            ("JWK and a line end", format!("{jwk}\n").into_bytes()),
            ("PEM", pem.clone().into_bytes()),
            ("PEM without its line end", pem.trim_end().as_bytes().to_vec()),
            ("PEM with CRLF", pem.replace('\n', "\r\n").into_bytes()),
            ("DER", der),
            ("raw key", raw),
        ];
        let kid = self.key.kid();
        let input = signing_input(
            format!(r#"{{"alg":"HS256","typ":"at+jwt","kid":"{kid}"}}"#),
            sound_claims(),
        );
        for (name, secret) in secrets {
            let signature = base64url::encode(mac(&secret, input.as_bytes()));
            let title = format!("HS256 under our public key as {name}");
            self.add(title, format!("{input}.{signature}"), Err(Error::KeyMismatch));
        }
    }

    fn extensions(&mut self) {
        let cases = [
            ("crit with an unknown name", r#","crit":["exp-limit"],"exp-limit":1"#),
            ("crit with a name that is not there", r#","crit":["x"]"#),
            ("crit empty", r#","crit":[]"#),
            ("crit with one name twice", r#","crit":["x","x"],"x":1"#),
            ("crit with a registered name", r#","crit":["alg"]"#),
            ("crit a string", r#","crit":"x","x":1"#),
            ("crit null", r#","crit":null"#),
            ("b64 false", r#","b64":false,"crit":["b64"]"#),
            ("b64 false, not critical", r#","b64":false"#),
            ("b64 true, critical", r#","b64":true,"crit":["b64"]"#),
        ];
        for (name, more) in cases {
            let head = header_with(self.key, "at+jwt", more);
            self.headed(name, head, Err(Error::CritUnsupported));
        }
    }

    fn key_choices(&mut self) {
        let alg = self.key.algorithm();
        let kids = [
            ("of nobody", r#""nobody""#),
            ("empty", r#""""#),
            ("a path", r#""../../../../../../dev/null""#),
            ("SQL", r#""' OR ''='""#),
            ("a URL", r#""https://evil.example/jwks.json""#),
            ("with a NUL", r#""a\u0000b""#),
            ("a command", r#""$(id)|id""#),
        ];
        for (name, kid) in kids {
            let head = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":{kid}}}"#);
            self.headed(&format!("kid {name}"), head, Err(Error::UnknownKid));
        }
        for (name, kid) in [("a number", "1"), ("null", "null"), ("a list", "[\"a\"]")] {
            let head = format!(r#"{{"alg":"{alg}","typ":"at+jwt","kid":{kid}}}"#);
            self.headed(&format!("kid {name}"), head, Err(Error::Malformed));
        }
        let without = format!(r#"{{"alg":"{alg}","typ":"at+jwt"}}"#);
        self.headed("without kid, where one key fits", without, Ok(()));

        let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwk = serde_json::to_string(&stranger.public_jwk().unwrap()).unwrap();
        let expected = match alg {
            Algorithm::Es256 => Error::BadSignature,
            _ => Error::KeyMismatch,
        };
        let kid = self.key.kid();
        for (name, more) in [
            ("a key of its own", format!(r#","jwk":{jwk}"#)),
            ("a key by URL", r#","jku":"https://evil.example/jwks.json""#.to_owned()),
            ("a certificate by URL", r#","x5u":"https://evil.example/x.pem""#.to_owned()),
            ("a certificate", r#","x5c":["MIIB"],"x5t":"AAAA""#.to_owned()),
        ] {
            let head = format!(r#"{{"alg":"ES256","typ":"at+jwt","kid":"{kid}"{more}}}"#);
            let token = forge(&stranger, head, sound_claims());
            self.add(format!("brings {name}"), token, Err(expected));
        }
        let harmless = header_with(self.key, "at+jwt", r#","jku":"https://id.example/jwks.json""#);
        self.headed("names where its keys are, which is not looked at", harmless, Ok(()));
    }

    fn header_texts(&mut self) {
        let sound = header(self.key);
        self.headed(
            "header with a byte order mark",
            format!("\u{feff}{sound}"),
            Err(Error::BadJson),
        );
        let invalid = [sound.as_bytes(), b" \xff"].concat();
        self.headed("header in invalid UTF-8", invalid, Err(Error::BadJson));
        self.headed("header an array", format!("[{sound}]"), Err(Error::BadJson));
        self.headed("header and more", format!("{sound}{{}}"), Err(Error::BadJson));
        self.headed("header cut short", &sound[..sound.len() - 1], Err(Error::BadJson));
        let twice = [
            ("alg", format!(r#","alg":"{}""#, self.key.algorithm())),
            ("kid", format!(r#","kid":"{}""#, self.key.kid())),
            ("typ", r#","t\u0079p":"at+jwt""#.to_owned()),
            ("x", r#","x":1,"x":1"#.to_owned()),
            ("a member of a member", r#","x":{"y":1,"y":1}"#.to_owned()),
        ];
        for (name, more) in twice {
            let head = header_with(self.key, "at+jwt", &more);
            self.headed(&format!("header has {name} twice"), head, Err(Error::DuplicateMember));
        }
        let deep = format!(r#","x":{}{}"#, "[".repeat(1_000), "]".repeat(1_000));
        let head = header_with(self.key, "at+jwt", &deep);
        self.headed("header too deep", head, Err(Error::TooDeep));
        let head = header_with(self.key, "at+jwt", r#","x":{"y":[1]}"#);
        self.headed("header with unknown members", head, Ok(()));
    }

    fn kinds(&mut self) {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            self.headed(&format!("typ {typ}"), header_with(self.key, typ, ""), Ok(()));
        }
        for typ in ["JWT", "", "logout+jwt", "dpop+jwt", "at+jwt ", "xat+jwt", "text/at+jwt"] {
            let head = header_with(self.key, typ, "");
            self.headed(&format!("typ {typ:?}"), head, Err(Error::WrongTyp));
        }
        let (alg, kid) = (self.key.algorithm(), self.key.kid().to_owned());
        let without = format!(r#"{{"alg":"{alg}","kid":"{kid}"}}"#);
        self.headed("without typ", without, Err(Error::WrongTyp));
        for typ in ["1", "null", r#"["at+jwt"]"#] {
            let head = format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":{typ}}}"#);
            self.headed(&format!("typ {typ}"), head, Err(Error::Malformed));
        }
    }

    fn payloads(&mut self) {
        let sound = sound_claims();
        let texts = [
            ("claims that are no JSON", b"not JSON".to_vec()),
            ("claims in an array", format!("[{sound}]").into_bytes()),
            ("claims a string", b"\"claims\"".to_vec()),
            ("claims null", b"null".to_vec()),
            ("claims of nothing", Vec::new()),
            ("claims with a byte order mark", format!("\u{feff}{sound}").into_bytes()),
            ("claims and more", format!("{sound}{{}}").into_bytes()),
            ("claims cut short", sound.as_bytes()[..sound.len() - 1].to_vec()),
            ("claims with a comma too many", sound.replace('}', ",}").into_bytes()),
            (
                "claims in invalid UTF-8",
                [sound.replace("shop", "sh").as_bytes(), b" \xc3("].concat(),
            ),
            ("an overlong encoding", overlong(&claims_with("x", "\"@\""))),
            ("half a surrogate pair", claims_with("x", r#""\ud83d""#).into_bytes()),
            ("a control character", claims_with("x", "\"a\u{1}b\"").into_bytes()),
            ("NaN", claims_with("x", "NaN").into_bytes()),
        ];
        for (name, payload) in texts {
            self.claiming(name, payload, Err(Error::BadJson));
        }
        let inner = sound.strip_prefix('{').unwrap();
        let twice = [
            ("sub", format!(r#"{{"sub":"admin",{inner}"#)),
            ("aud", format!(r#"{{"aud":"{AUDIENCE}",{inner}"#)),
            ("exp, once escaped", format!(r#"{{"\u0065xp":1,{inner}"#)),
            ("a claim of its own", format!(r#"{{"x":1,"x":2,{inner}"#)),
            ("a member of a claim", format!(r#"{{"x":[{{"y":1,"y":2}}],{inner}"#)),
            ("cnf.jkt", format!(r#"{{"cnf":{{"jkt":"a","jkt":"b"}},{inner}"#)),
        ];
        for (name, payload) in twice {
            self.claiming(&format!("{name} twice"), payload, Err(Error::DuplicateMember));
        }
        for depth in [32, 2_500] {
            let deep = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let title = format!("a claim {depth} deep");
            self.claiming(&title, claims_with("x", &deep), Err(Error::TooDeep));
        }
    }

    fn missing_claims(&mut self) {
        for claim in ["iss", "aud", "exp", "sub", "client_id", "iat", "jti"] {
            let result = Err(Error::ClaimMissing { claim });
            self.claiming(&format!("without {claim}"), claims_without(claim), result);
        }
        for claim in ["scope", "roles"] {
            self.claiming(&format!("without {claim}"), claims_without(claim), Ok(()));
        }
    }

    fn wrong_types(&mut self) {
        let values = [
            ("null", "null"),
            ("a boolean", "true"),
            ("a number", "1700000050"),
            ("a fraction", "1700000050.5"),
            ("a string", "\"1700000050\""),
            ("a list", "[1700000050]"),
            ("an object", "{\"a\":1}"),
        ];
        let kinds: [(&[&'static str], &str); 5] = [
            (&STRINGS, "a string"),
            (&TIMES, "a number"),
            (&LISTS, ""),
            (&["scope"], "a string"),
            (&["cnf"], "an object"),
        ];
        for (claims, right) in kinds {
            for (claim, (name, value)) in
                claims.iter().flat_map(|claim| values.map(|value| (*claim, value)))
            {
                if name != right {
                    let result = Err(Error::ClaimType { claim });
                    self.claiming(&format!("{claim} {name}"), claims_with(claim, value), result);
                }
            }
        }
        for claim in LISTS {
            let result = Err(Error::ClaimType { claim });
            let mixed = claims_with(claim, r#"["a",1]"#);
            self.claiming(&format!("{claim} a list with a number"), mixed, result);
        }
        let result = Err(Error::ClaimType { claim: "cnf" });
        self.claiming("cnf.jkt a number", claims_with("cnf", r#"{"jkt":1}"#), result);
    }

    /// RFC 7519 §2, NumericDate; CVE-2026-25537.
    fn numbers(&mut self) {
        for claim in TIMES {
            let result = Err(Error::ClaimType { claim });
            for value in [
                "-1",
                "-1700000050",
                "1e309",
                "-1e309",
                "253402300800",
                "1e12",
                "99999999999999999999",
            ] {
                let payload = claims_with(claim, value);
                self.claiming(&format!("{claim} {value}"), payload, result);
            }
        }
        self.claiming("exp 4e9, which is whole", claims_with("exp", "4e9"), Ok(()));
        self.claiming(
            "exp 4000000000.0, which is whole",
            claims_with("exp", "4000000000.0"),
            Ok(()),
        );
        self.claiming("iat 0", claims_with("iat", "0"), Ok(()));
        self.claiming("exp 0", claims_with("exp", "0"), Err(Error::Expired));
        self.claiming("exp 253402300799", claims_with("exp", "253402300799"), Ok(()));
    }

    fn issuers_and_audiences(&mut self) {
        let others = [
            ("another", "https://other.example".to_owned()),
            ("with a slash", format!("{ISSUER}/")),
            ("cut short", ISSUER[..ISSUER.len() - 1].to_owned()),
            ("with more", format!("{ISSUER}.evil.example")),
            ("in upper case", ISSUER.to_uppercase()),
            ("with a space", format!("{ISSUER} ")),
            ("empty", String::new()),
        ];
        for (name, iss) in others {
            let payload = claims_with("iss", &format!("\"{iss}\""));
            self.claiming(&format!("iss {name}"), payload, Err(Error::WrongIssuer));
        }
        let ours = claims_with("iss", &format!("[\"{ISSUER}\"]"));
        self.claiming("iss a list with ours", ours, Err(Error::ClaimType { claim: "iss" }));

        let both = format!("[\"https://other.example\",\"{AUDIENCE}\"]");
        self.claiming("aud a list with ours", claims_with("aud", &both), Ok(()));
        let others = [
            ("another", "\"https://other.example\"".to_owned()),
            ("a list of others", "[\"https://other.example\",\"x\"]".to_owned()),
            ("cut short", format!("\"{}\"", &AUDIENCE[..AUDIENCE.len() - 1])),
            ("with more", format!("\"{AUDIENCE}.evil.example\"")),
            ("with a slash", format!("\"{AUDIENCE}/\"")),
            ("two in one string", format!("\"https://other.example {AUDIENCE}\"")),
            ("letters of ours", "[\"h\",\"t\"]".to_owned()),
            ("empty", "\"\"".to_owned()),
        ];
        for (name, aud) in others {
            let payload = claims_with("aud", &aud);
            self.claiming(&format!("aud {name}"), payload, Err(Error::WrongAudience));
        }
        let nobody = Err(Error::ClaimMissing { claim: "aud" });
        self.claiming("aud a list of nobody", claims_with("aud", "[]"), nobody);
        for (name, aud) in [
            ("null", "null".to_owned()),
            ("a number", "1".to_owned()),
            ("an object", format!("{{\"{AUDIENCE}\":true}}")),
            ("a list with a number", format!("[\"{AUDIENCE}\",1]")),
            ("a list in a list", format!("[[\"{AUDIENCE}\"]]")),
        ] {
            let result = Err(Error::ClaimType { claim: "aud" });
            self.claiming(&format!("aud {name}"), claims_with("aud", &aud), result);
        }
    }

    fn times(&mut self) {
        let cases = [
            ("exp in the past", "exp", "1600000000", Err(Error::Expired)),
            ("nbf in the past", "nbf", "1600000000", Ok(())),
            ("nbf in the future", "nbf", "3900000000", Err(Error::NotYetValid)),
            ("iat in the future", "iat", "3900000000", Err(Error::IssuedInFuture)),
            ("auth_time in the future", "auth_time", "3900000000", Ok(())),
        ];
        for (name, claim, value, result) in cases {
            self.claiming(name, claims_with(claim, value), result);
        }
    }
}

fn json_serialization(header: &str, payload: &str, signature: &str) -> String {
    format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#)
}

/// Each `@` as a NUL in two bytes, which UTF-8 does not allow.
fn overlong(text: &str) -> Vec<u8> {
    let mut parts = text.split('@').map(str::as_bytes);
    let first = parts.next().unwrap().to_vec();
    parts.fold(first, |text, part| [&text, &b"\xc0\x80"[..], part].concat())
}

/// The same bytes, with a last letter whose unused bits are not zero. A part that uses all bits of
/// its last letter is found among the others.
fn with_stray_bits(token: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut parts: Vec<String> = token.split('.').map(str::to_owned).collect();
    let part = parts.iter_mut().rev().find(|part| part.len() % 4 != 0).unwrap();
    let last = part.pop().unwrap();
    let at = ALPHABET.find(last).unwrap();
    part.push(char::from(ALPHABET.as_bytes()[at + 1]));
    parts.join(".")
}

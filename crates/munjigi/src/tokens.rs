//! `munjigi tokens`: look into a token, and verify one without a server. A token is a secret: it
//! comes from standard input or a file, never from an argument, and leaves this process only as
//! what it says.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use munjigi_core::oauth::revocation::{Kind, Revocation};
use munjigi_core::secret::Secret;
use munjigi_core::time::Timestamp;
use munjigi_server::Clock;
use munjigi_server::accounts::rfc3339;
use munjigi_token::{Claims, Expectation, Jwks, KeySet, MAX_TOKEN_BYTES, Typ, base64url};
use serde_json::{Value, json};

use crate::database::DatabaseArgs;
use crate::print::{self, Output};
use crate::secret_input::read_secret;
use crate::stop::{Code, Stop};

/// `munjigi tokens …`
#[derive(Debug, Args)]
pub struct TokensArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show what a token says, without asking whether it is true
    Decode {
        /// The file with the token; `-` is standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// Say whether a token holds; exit code 6 and a stable code when it does not
    Verify(Box<Verify>),
}

#[derive(Debug, Args)]
struct Verify {
    /// The file with the token; `-` is standard input
    #[arg(default_value = "-")]
    file: PathBuf,

    /// Whom it has to come from
    #[arg(long, value_name = "URL")]
    issuer: String,

    /// Whom it has to be for; say it several times if any of several will do
    #[arg(long = "audience", value_name = "URI", required = true)]
    audience: Vec<String>,

    /// What kind of token it has to be: `at+jwt` (an access token), `JWT`, or another media type
    #[arg(long, value_name = "TYPE", default_value = "at+jwt")]
    typ: String,

    /// How far clocks may be apart
    #[arg(long, value_name = "SECONDS", default_value_t = 5,
          value_parser = clap::value_parser!(i64).range(0..=300))]
    leeway: i64,

    /// The issuer's public keys, as its jwks.json; without it, those of the database, and what was
    /// revoked there
    #[arg(long, value_name = "FILE", conflicts_with_all = ["config", "database"])]
    jwks: Option<PathBuf>,

    #[command(flatten)]
    database: DatabaseArgs,
}

/// Does it.
pub async fn run(args: TokensArgs, output: Output) -> Result<(), Stop> {
    match args.verb {
        Verb::Decode { file } => decode(&token_of(&file)?, output),
        Verb::Verify(args) => verify(*args, output).await,
    }
}

fn token_of(file: &Path) -> Result<Secret, Stop> {
    // Room for one that is too long, so that it is refused by its code.
    let most = MAX_TOKEN_BYTES.saturating_mul(2);
    let shaped = file.as_os_str().to_str().is_some_and(|text| text.starts_with("eyJ"));
    if shaped && !file.exists() {
        // Not repeated, and no longer a secret: every process of this machine could read it.
        let why = "a token is a secret, and an argument is none: pipe it in, or name a file";
        return Err(Stop::usage(why));
    }
    let text = read_secret(file, most)?;
    Ok(Secret::new(text.reveal().trim().to_owned()))
}

fn decode(token: &Secret, output: Output) -> Result<(), Stop> {
    let (header, claims) = parts(token.reveal())
        .map_err(|error| Stop::new(Code::CheckFailed, format!("{}: {error}", error.code())))?;
    if output == Output::Json {
        return print::json_line(&json!({ "verified": false, "header": header, "claims": claims }));
    }
    eprintln!("munjigi: NOT VERIFIED. Anybody could have written this; `tokens verify` asks who.");
    let mut shown =
        format!("header (not verified)\n{header:#}\n\nclaims (not verified)\n{claims:#}\n");
    for name in ["iat", "nbf", "exp", "auth_time"] {
        if let Some(seconds) = claims.get(name).and_then(Value::as_i64) {
            shown.push_str(&format!("\n{name} is {}", rfc3339(Timestamp::from_seconds(seconds))));
        }
    }
    shown.push('\n');
    print::text(&harmless(&shown))
}

/// Header and claims as they stand there: also of a token that no verifier of ours would take.
fn parts(token: &str) -> Result<(Value, Value), munjigi_token::Error> {
    use munjigi_token::Error::{BadJson, Malformed, TooLarge};
    if token.len() > MAX_TOKEN_BYTES {
        return Err(TooLarge);
    }
    let mut parts = token.split('.');
    let (Some(header), Some(claims), Some(_), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Malformed);
    };
    let read = |part: &str| {
        let bytes = base64url::decode(part)?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object).ok_or(BadJson)
    };
    Ok((read(header)?, read(claims)?))
}

/// Characters that turn the direction of text.
const TURNING: &[char] = &[
    '\u{200e}', '\u{200f}', '\u{202a}', '\u{202b}', '\u{202c}', '\u{202d}', '\u{202e}', '\u{2066}',
    '\u{2067}', '\u{2068}', '\u{2069}',
];

/// Without what a terminal would obey: the token's writer chose every character.
fn harmless(text: &str) -> String {
    let obeyed = |c: char| (c.is_control() && c != '\n') || TURNING.contains(&c);
    text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect()
}

async fn verify(args: Verify, output: Output) -> Result<(), Stop> {
    let token = token_of(&args.file)?;
    let now = Clock::system().now();
    let (keys, revocations) = trusted(&args).await?;
    let expected = Expectation {
        issuer: args.issuer,
        audience: args.audience,
        typ: match args.typ.as_str() {
            "at+jwt" => Typ::AccessToken,
            "JWT" => Typ::Jwt,
            other => Typ::Exactly(other.to_owned()),
        },
        now: now.as_seconds(),
        leeway: args.leeway,
    };
    let claims = match munjigi_token::verify(token.reveal(), &keys, &expected) {
        Ok(claims) => claims,
        Err(error) => return refused(output, error.code(), &error.to_string()),
    };
    if is_revoked(&claims, &revocations) {
        return refused(output, "revoked", "it was revoked");
    }
    let claims = serde_json::to_value(&claims).unwrap_or_default();
    if output == Output::Json {
        return print::json_line(&json!({ "valid": true, "claims": claims }));
    }
    print::text(&harmless(&format!("valid\n{claims:#}\n")))
}

fn refused(output: Output, code: &str, message: &str) -> Result<(), Stop> {
    if output == Output::Json {
        print::json_line(&json!({ "valid": false, "code": code, "message": message }))?;
    } else {
        print::text(&format!("refused: {code}: {message}\n"))?;
    }
    Err(Stop::told(Code::CheckFailed))
}

/// The keys that are believed; with a database, also what was revoked there.
async fn trusted(args: &Verify) -> Result<(KeySet, Vec<Revocation>), Stop> {
    let Some(path) = &args.jwks else {
        let operator = args.database.open().await?;
        let (keys, revocations) = (operator.public_keys().await?, operator.revocations().await?);
        operator.close().await;
        return Ok((keys, revocations));
    };
    let what = path.display().to_string();
    let document = std::fs::read(path).map_err(|error| Stop::file(&what, &error))?;
    let jwks = Jwks::parse(&document).map_err(|error| {
        Stop::usage(format!("{what} is no set of public keys: {error} ({})", error.code()))
    })?;
    Ok((KeySet::from_jwks(&jwks), Vec::new()))
}

/// Whether something that the token names was revoked after it was issued.
fn is_revoked(claims: &Claims, revocations: &[Revocation]) -> bool {
    let issued_at = claims.iat.unwrap_or(0);
    revocations.iter().any(|revocation| {
        let named = match revocation.kind {
            Kind::Grant => &claims.gid,
            Kind::Session => &claims.sid,
            Kind::User => &claims.sub,
            Kind::Client => &claims.client_id,
            // Keys that were taken back are no longer in the database's set.
            Kind::Key => &None,
        };
        named.as_ref() == Some(&revocation.key) && issued_at < revocation.not_before
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_token_says_reaches_the_terminal_as_a_command() {
        assert_eq!(harmless("a\u{1b}[31m\u{202e}b\u{9b}\nc"), "a\u{fffd}[31m\u{fffd}b\u{fffd}\nc");
    }

    #[test]
    fn a_token_is_shown_whatever_signed_it() {
        let part = |text: &str| base64url::encode(text);
        let token = format!("{}.{}.x", part(r#"{"alg":"HS512"}"#), part(r#"{"sub":"a"}"#));
        assert_eq!(parts(&token).unwrap(), (json!({"alg": "HS512"}), json!({"sub": "a"})));
        for bad in ["", "a.b", "a.b.c.d", "e30.W10.x"] {
            assert!(parts(bad).is_err(), "{bad}");
        }
    }
}

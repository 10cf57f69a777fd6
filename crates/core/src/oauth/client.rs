//! Clients (RFC 6749 §2): who may ask for tokens, and how they prove who they are.

use std::collections::BTreeSet;

use crate::id::ClientId;
use crate::oauth::api::Audience;
use crate::oauth::error::{ErrorCode, OAuthRefusal};
use crate::oauth::metadata::Metadata;
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::scope::Scope;
use crate::secret::{constant_time_eq, keyed_hash};
use crate::time::{Span, Timestamp};

macro_rules! wire_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every value there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// As on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// From the wire.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

pub(crate) use wire_enum;

wire_enum! {
    /// A grant that a client may use.
    GrantType {
        /// RFC 6749 §4.1.
        AuthorizationCode = "authorization_code",
        /// RFC 6749 §6.
        RefreshToken = "refresh_token",
        /// RFC 6749 §4.4.
        ClientCredentials = "client_credentials",
        /// RFC 6749 §4.3, for first-party clients that were given it by name.
        Password = "password",
        /// RFC 8628 §3.4.
        DeviceCode = "urn:ietf:params:oauth:grant-type:device_code",
    }
}

wire_enum! {
    /// How a client proves itself at the token endpoint (RFC 7591 §2).
    AuthMethod {
        /// It does not: a public client.
        None = "none",
        /// RFC 6749 §2.3.1, in the header.
        ClientSecretBasic = "client_secret_basic",
        /// RFC 6749 §2.3.1, in the body.
        ClientSecretPost = "client_secret_post",
        /// An assertion that it signs with a key of its own (RFC 7523 §2.2).
        PrivateKeyJwt = "private_key_jwt",
    }
}

impl AuthMethod {
    /// Whether a client proves itself by a secret that this server knows, too.
    pub const fn uses_secret(self) -> bool {
        match self {
            Self::ClientSecretBasic | Self::ClientSecretPost => true,
            Self::None | Self::PrivateKeyJwt => false,
        }
    }
}

wire_enum! {
    /// Whether authorization requests of a client must carry a code challenge (RFC 7636).
    Pkce {
        /// Always; the default.
        Required = "required",
        /// A named confidential client may leave it out.
        Optional = "optional",
    }
}

wire_enum! {
    /// Whose application a client is.
    Party {
        /// The same owner as this server's: it may see passwords, and needs no consent.
        First = "first",
        /// Anybody else's.
        Third = "third",
    }
}

wire_enum! {
    /// How a client came to be known here.
    Origin {
        /// An operator made it.
        Made = "made",
        /// It registered itself (RFC 7591).
        Registered = "registered",
        /// Its id is the address of a document that says what it is (Client ID Metadata Document).
        Document = "document",
    }
}

/// A stored client secret: only its keyed hash, since it is generated with 256 random bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHash {
    /// HMAC-SHA256 of the secret, bound to its client ([`hash_secret`]).
    pub hash: [u8; 32],
    /// Until when it is taken; for ever when absent. A rotated secret overlaps with the new one.
    pub expires_at: Option<Timestamp>,
}

/// A client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// What people see.
    pub name: String,
    /// How it proves itself.
    pub auth_method: AuthMethod,
    /// The secrets that are taken: none where its method needs none, at most two while one is
    /// rotated.
    pub secrets: Vec<SecretHash>,
    /// What it may ask with.
    pub grant_types: BTreeSet<GrantType>,
    /// Where codes may be sent.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask for, and gets when it asks for nothing in particular.
    pub scope: Scope,
    /// The APIs its tokens are for when it names none (RFC 9068 §3).
    pub audiences: Vec<Audience>,
    /// Whether a code challenge is required.
    pub pkce: Pkce,
    /// Whose it is.
    pub party: Party,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Since when it can do nothing.
    pub disabled_at: Option<Timestamp>,
    /// What else is known of it.
    pub metadata: Metadata,
    /// How it came to be known.
    pub origin: Origin,
    /// When it was last seen, to within an hour.
    pub used_at: Option<Timestamp>,
    /// When its document was last read.
    pub refreshed_at: Option<Timestamp>,
    /// The hash of the token that it manages its registration with (RFC 7592).
    pub management_hash: Option<[u8; 32]>,
}

impl Client {
    /// Whether nothing proves that a request is really this client's (RFC 6749 §2.1).
    pub fn is_public(&self) -> bool {
        self.auth_method == AuthMethod::None
    }

    /// Whether it is disabled.
    pub fn is_disabled(&self) -> bool {
        self.disabled_at.is_some()
    }

    /// Whether it may use a grant.
    pub fn may_use(&self, grant_type: GrantType) -> Result<(), OAuthRefusal> {
        if self.grant_types.contains(&grant_type) {
            return Ok(());
        }
        // RFC 6749 §5.2: "not authorized to use this authorization grant type".
        let why = "the client may not use this grant type";
        Err(OAuthRefusal::new(ErrorCode::UnauthorizedClient, why))
    }

    /// Whether `secret` is one of this client's, by its keyed hash. A secret has 256 random bits,
    /// so a fast hash is enough; a slow one would only cost us.
    pub fn admits(&self, secret: &str, now: Timestamp) -> bool {
        let presented = hash_secret(&self.id, secret);
        self.secrets
            .iter()
            .filter(|stored| stored.expires_at.is_none_or(|until| now < until))
            .any(|stored| constant_time_eq(&stored.hash, &presented))
    }
}

/// The keyed hash under which a client's secret is stored: bound to the client, so that no table
/// serves for two of them. The key is no secret: 256 random bits cannot be guessed with or without
/// it (ASVS 6.5.2), and a client can be made where the key-encryption key is not at hand.
pub fn hash_secret(client_id: &ClientId, secret: &str) -> [u8; 32] {
    const DOMAIN: &[u8; 32] = b"munjigi client secret, version 1";
    keyed_hash(DOMAIN, &[client_id.as_str().as_bytes(), secret.as_bytes()])
}

/// For how long the old secret is still taken after a rotation.
pub const SECRET_OVERLAP: Span = Span::from_hours(24);

/// Whether the parts of a registration fit together; the sentence says what does not.
pub fn check_registration(client: &Client) -> Result<(), &'static str> {
    let uses = |grant_type| client.grant_types.contains(&grant_type);
    if uses(GrantType::ClientCredentials) && client.is_public() {
        // RFC 6749 §4.4: "MUST only be used by confidential clients".
        return Err("client_credentials needs a client that proves itself");
    }
    if uses(GrantType::Password) && client.party != Party::First {
        // RFC 9700 §2.4 forbids it to everybody; product.md (b) allows it to first parties.
        return Err("the password grant is for first-party clients only");
    }
    if uses(GrantType::AuthorizationCode) && client.redirect_uris.is_empty() {
        return Err("authorization_code needs at least one redirect URI");
    }
    if client.pkce == Pkce::Optional && client.is_public() {
        // RFC 9700 §2.1.1: public clients MUST use PKCE.
        return Err("pkce may be optional for confidential clients only");
    }
    if client.grant_types.is_empty() {
        return Err("a client has at least one grant type");
    }
    check_proof(client)?;
    check_origin(client)
}

/// Whether what a client proves itself with is there, and nothing else.
fn check_proof(client: &Client) -> Result<(), &'static str> {
    client.metadata.check().map_err(|bad| bad.expected)?;
    let metadata = &client.metadata;
    if client.auth_method == AuthMethod::PrivateKeyJwt && !metadata.has_keys() {
        return Err("private_key_jwt needs jwks or jwks_uri");
    }
    if metadata.request_object_signing_alg.is_some() && !metadata.has_keys() {
        return Err("request_object_signing_alg needs jwks or jwks_uri");
    }
    if !client.auth_method.uses_secret() && !client.secrets.is_empty() {
        return Err("only a client that proves itself by a secret has one");
    }
    Ok(())
}

fn check_origin(client: &Client) -> Result<(), &'static str> {
    if client.origin != Origin::Made && client.party == Party::First {
        // What nobody looked at is never trusted like our own.
        return Err("a first-party client is made by an operator");
    }
    // Client ID Metadata Document §3: an id that is an address belongs to who can publish there.
    if client.id.is_address() != (client.origin == Origin::Document) {
        return Err("a client_id that is an address is known by its document alone");
    }
    if client.origin == Origin::Document && client.auth_method.uses_secret() {
        // Client ID Metadata Document §4.1: there is no way to agree on a secret.
        return Err("a client that is known by its document has no secret");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use munjigi_token::Algorithm;

    use super::*;
    use crate::oauth::metadata::WebUri;

    fn confidential() -> Client {
        Client {
            id: "web".parse().unwrap(),
            name: "Web".into(),
            auth_method: AuthMethod::ClientSecretBasic,
            secrets: vec![SecretHash {
                hash: hash_secret(&"web".parse().unwrap(), "s3cret"),
                expires_at: None,
            }],
            grant_types: [GrantType::ClientCredentials].into(),
            redirect_uris: vec![],
            scope: Scope::empty(),
            audiences: vec![],
            pkce: Pkce::Required,
            party: Party::Third,
            created_at: Timestamp::from_millis(0),
            disabled_at: None,
            metadata: Metadata::default(),
            origin: Origin::Made,
            used_at: None,
            refreshed_at: None,
            management_hash: None,
        }
    }

    #[test]
    fn a_secret_is_taken_until_it_expires() {
        let mut client = confidential();
        let now = Timestamp::from_millis(1_000);
        assert!(client.admits("s3cret", now));
        assert!(!client.admits("s3creT", now));
        client.secrets[0].expires_at = Some(now);
        assert!(!client.admits("s3cret", now));

        let mut other = confidential();
        other.id = "other".parse().unwrap();
        assert!(!other.admits("s3cret", now), "a hash is of no use to another client");
    }

    #[test]
    fn a_client_uses_only_its_own_grants() {
        let refusal = confidential().may_use(GrantType::Password).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::UnauthorizedClient);
    }

    #[test]
    fn a_client_that_signs_has_keys_and_no_secret() {
        let mut client = confidential();
        client.auth_method = AuthMethod::PrivateKeyJwt;
        assert!(check_registration(&client).is_err());
        client.secrets.clear();
        assert!(check_registration(&client).is_err());
        client.metadata.jwks_uri = WebUri::parse("https://web.example/jwks");
        assert_eq!(check_registration(&client), Ok(()));
        assert!(!client.is_public());
    }

    #[test]
    fn an_address_as_id_belongs_to_its_document() {
        let mut client = confidential();
        client.id = "https://web.example/client".parse().unwrap();
        assert!(check_registration(&client).is_err());
        client.origin = Origin::Document;
        assert!(check_registration(&client).is_err(), "nobody agreed on a secret");
        (client.auth_method, client.secrets) = (AuthMethod::None, vec![]);
        client.grant_types = [GrantType::RefreshToken].into();
        assert_eq!(check_registration(&client), Ok(()));
        client.party = Party::First;
        assert!(check_registration(&client).is_err());
        client = confidential();
        client.origin = Origin::Document;
        assert!(check_registration(&client).is_err());
    }

    #[test]
    fn registrations_that_contradict_themselves_are_refused() {
        let change = |change: fn(&mut Client)| {
            let mut client = confidential();
            change(&mut client);
            check_registration(&client)
        };
        assert!(change(|_| ()).is_ok());
        assert!(change(|client| client.auth_method = AuthMethod::None).is_err());
        assert!(change(|client| client.grant_types = [GrantType::Password].into()).is_err());
        assert!(
            change(|client| client.grant_types = [GrantType::AuthorizationCode].into()).is_err()
        );
        assert!(change(|client| client.grant_types.clear()).is_err());
        assert!(change(|client| client.metadata.contacts = vec![String::new()]).is_err());
        assert!(
            change(|client| {
                client.metadata.request_object_signing_alg = Some(Algorithm::Es256);
            })
            .is_err()
        );
        assert!(
            change(|client| {
                client.grant_types = [GrantType::RefreshToken].into();
                client.auth_method = AuthMethod::None;
                client.pkce = Pkce::Optional;
            })
            .is_err()
        );
    }
}

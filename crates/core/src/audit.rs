//! The audit trail's vocabulary: what happened, who did it, to whom, and with what outcome.
//! Writing it down is the store's; every write there names its event.

use std::net::IpAddr;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::id::{ClientId, EventId, RequestId, UserId};
use crate::time::Timestamp;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What happened, in the past tense. The text is stable: searches and alerts depend on it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind there is.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable text, as stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }

        impl std::str::FromStr for Kind {
            type Err = UnknownKind;

            fn from_str(text: &str) -> Result<Self, UnknownKind> {
                match text { $($text => Ok(Self::$name),)* _ => Err(UnknownKind) }
            }
        }
    };
}

/// A text that names no kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no such kind of audit event")]
pub struct UnknownKind;

kinds! {
    /// A person signed up, or an administrator created an account.
    UserCreated = "user_created",
    /// Profile fields were changed.
    UserUpdated = "user_updated",
    /// An account was disabled: it can do nothing from then on.
    UserDisabled = "user_disabled",
    /// A disabled account was enabled again.
    UserEnabled = "user_enabled",
    /// An account was deleted.
    UserDeleted = "user_deleted",
    /// The set of roles of a user changed.
    UserRolesChanged = "user_roles_changed",
    /// A person took a copy of everything that is stored about them.
    DataExported = "data_exported",
    /// What events told about a person was erased from the trail.
    PersonalDataErased = "personal_data_erased",
    /// A person proved that their address is theirs.
    EmailVerified = "email_verified",
    /// A link that proves an address was asked for again.
    VerificationRequested = "verification_requested",
    /// A person asked for another address; both mailboxes have to agree.
    EmailChangeRequested = "email_change_requested",
    /// One of the two mailboxes agreed to the other address.
    EmailChangeConfirmed = "email_change_confirmed",
    /// An address was replaced by another one, after both mailboxes agreed.
    EmailChanged = "email_changed",
    /// The change of an address was taken back from the old mailbox.
    EmailChangeUndone = "email_change_undone",
    /// A person gave their account up: it is closed now, and deleted after days of grace.
    DeletionPlanned = "deletion_planned",
    /// A person took the deletion of their account back.
    DeletionTakenBack = "deletion_taken_back",
    /// A link for a new password was asked for.
    RecoveryRequested = "recovery_requested",
    /// A mailed link was followed that was genuine once, and opens nothing any more.
    LinkRefused = "link_refused",
    /// A password was changed by its owner, or set by an operator.
    PasswordChanged = "password_changed",
    /// A password was taken away, since somebody else may know it.
    PasswordRemoved = "password_removed",
    /// A stored hash was brought up to today's parameters.
    PasswordRehashed = "password_rehashed",
    /// A sign-up was refused: closed, or an address or a name that is taken.
    SignUpRefused = "sign_up_refused",
    /// A person signed in.
    SignedIn = "signed_in",
    /// A sign-in was refused.
    SignInRefused = "sign_in_refused",
    /// A person signed out.
    SignedOut = "signed_out",
    /// A session was ended by its owner or by an administrator.
    SessionEnded = "session_ended",
    /// A grant was revoked by a client, by its owner or by an administrator.
    GrantRevoked = "grant_revoked",
    /// A rotated refresh token came back: a copy exists, the grant was revoked (RFC 9700 §4.14.2).
    RefreshReused = "refresh_reused",
    /// A refresh was refused, for another reason than a theft.
    RefreshRefused = "refresh_refused",
    /// A person let a client in: an authorization code was issued.
    CodeIssued = "code_issued",
    /// A client redeemed a code: a grant began.
    TokensIssued = "tokens_issued",
    /// A code came a second time: a copy exists, and what it issued was revoked (RFC 6749 §4.1.2).
    CodeReused = "code_reused",
    /// A code came from somebody who should not have it, and is good no more.
    CodeRefused = "code_refused",
    /// A device asked to be let in, and shows a code to its person (RFC 8628 §3.1).
    DeviceAsked = "device_asked",
    /// A person let a device in.
    DeviceAllowed = "device_allowed",
    /// A person did not let a device in.
    DeviceDenied = "device_denied",
    /// A device code came from another client, or a second time.
    DeviceCodeRefused = "device_code_refused",
    /// A proof that somebody has a key came a second time: a copy exists (RFC 9449 §11.1).
    DpopProofReused = "dpop_proof_reused",
    /// A person typed a code that no device shows to them.
    UserCodeRefused = "user_code_refused",
    /// A person allowed a client what it asked for.
    ConsentGranted = "consent_granted",
    /// A person did not allow a client what it asked for.
    ConsentRefused = "consent_refused",
    /// A client was registered.
    ClientCreated = "client_created",
    /// A client was changed.
    ClientUpdated = "client_updated",
    /// A client was disabled.
    ClientDisabled = "client_disabled",
    /// A client was enabled again.
    ClientEnabled = "client_enabled",
    /// A client was deleted.
    ClientDeleted = "client_deleted",
    /// A client got a new secret.
    ClientSecretRotated = "client_secret_rotated",
    /// A client failed to prove itself.
    ClientRefused = "client_refused",
    /// An address was put off, because too many of its requests had been refused.
    AddressThrottled = "address_throttled",
    /// A token was made by which clients can register themselves.
    RegistrationTokenCreated = "registration_token_created",
    /// A token by which clients could register themselves was taken back.
    RegistrationTokenDeleted = "registration_token_deleted",
    /// An API (resource server) was registered.
    ApiCreated = "api_created",
    /// An API was changed.
    ApiUpdated = "api_updated",
    /// An API was disabled.
    ApiDisabled = "api_disabled",
    /// An API was enabled again.
    ApiEnabled = "api_enabled",
    /// An API was deleted.
    ApiDeleted = "api_deleted",
    /// A role was created.
    RoleCreated = "role_created",
    /// A role was changed.
    RoleUpdated = "role_updated",
    /// A role was disabled.
    RoleDisabled = "role_disabled",
    /// A role was enabled again.
    RoleEnabled = "role_enabled",
    /// A role was deleted.
    RoleDeleted = "role_deleted",
    /// A signing key was made.
    KeyCreated = "key_created",
    /// A signing key became the active one.
    KeyActivated = "key_activated",
    /// A private key was destroyed.
    KeyDestroyed = "key_destroyed",
    /// A signing key was withdrawn before its time: nothing that it signed is taken any more.
    KeyWithdrawn = "key_withdrawn",
    /// A key was sealed anew, under another key-encryption key.
    KeyResealed = "key_resealed",
    /// An API was given a secret that it shares with this server.
    ApiSecretCreated = "api_secret_created",
    /// The secrets that an API shared are taken no more.
    ApiSecretsDeleted = "api_secrets_deleted",
    /// The rows stand in another database than before, or an operator said so.
    EpochBegan = "epoch_began",
    /// Somebody wants the audit trail to be signed with another key.
    AuditKeyRotationAsked = "audit_key_rotation_asked",
    /// The audit trail is signed with another key from then on.
    AuditKeyRotated = "audit_key_rotated",
    /// A setting was changed.
    SettingChanged = "setting_changed",
    /// A mail or a logout token was not delivered in any attempt.
    DeliveryFailed = "delivery_failed",
    /// A caller asked for something that they may not do.
    AccessRefused = "access_refused",
}

/// Who did it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Nobody who has proved anything.
    Anonymous,
    /// A person.
    User(UserId),
    /// A client on its own behalf.
    Client(ClientId),
    /// Somebody at the server's own command line.
    Operator,
    /// The server itself.
    System,
}

impl Actor {
    /// The kind of actor, as stored.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::User(_) => "user",
            Self::Client(_) => "client",
            Self::Operator => "operator",
            Self::System => "system",
        }
    }

    /// The actor's id, where it has one.
    pub fn id(&self) -> Option<String> {
        match self {
            Self::User(id) => Some(id.to_string()),
            Self::Client(id) => Some(id.to_string()),
            Self::Anonymous | Self::Operator | Self::System => None,
        }
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was done.
    Succeeded,
    /// It was refused.
    Refused,
}

impl Outcome {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Refused => "refused",
        }
    }
}

/// What every event of one request has in common.
#[derive(Clone, Debug)]
pub struct Origin {
    /// When it happened.
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// Where the request came from.
    pub address: Option<IpAddr>,
    /// The request that caused it.
    pub request_id: Option<RequestId>,
}

/// One entry of the audit trail. It never holds a secret, a token or a password.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its own id.
    pub id: EventId,
    /// What happened.
    pub kind: Kind,
    /// How it ended.
    pub outcome: Outcome,
    /// When, who, from where.
    pub origin: Origin,
    /// The person whom it concerns.
    pub subject: Option<UserId>,
    /// The client that it concerns.
    pub client_id: Option<ClientId>,
    /// Further facts, by name.
    pub detail: Map<String, Value>,
}

impl Event {
    /// A successful event about nobody in particular; the builder methods add the rest.
    pub fn new(id: EventId, kind: Kind, origin: Origin) -> Self {
        let (outcome, detail) = (Outcome::Succeeded, Map::new());
        Self { id, kind, outcome, origin, subject: None, client_id: None, detail }
    }

    /// The same event, refused, for a reason that the log may know and the caller may not.
    #[must_use]
    pub fn refused(mut self, reason: &'static str) -> Self {
        self.outcome = Outcome::Refused;
        self.with("reason", reason)
    }

    /// The same event, about a person.
    #[must_use]
    pub fn subject(mut self, subject: UserId) -> Self {
        self.subject = Some(subject);
        self
    }

    /// The same event, about a client.
    #[must_use]
    pub fn client(mut self, client_id: ClientId) -> Self {
        self.client_id = Some(client_id);
        self
    }

    /// The same event with one more fact; a value that cannot be JSON is left out.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
        if let Ok(value) = serde_json::to_value(value) {
            self.detail.insert(name.to_owned(), value);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_text() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
    }
}

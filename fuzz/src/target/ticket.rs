//! Codes, session cookies, mailed links, references and refresh tokens: one secret has one text,
//! no kind is taken for another, and a refresh token that was not made here does not open.

use munjigi_core::id::{GrantId, UserId};
use munjigi_core::oauth::refresh::RefreshToken;
use munjigi_core::oauth::ticket::{Reference, ReferenceKind, Ticket, TicketKind};

use crate::entropy::Entropy;

const KEY: [u8; 32] = [9; 32];
const REFERENCES: [ReferenceKind; 4] = [
    ReferenceKind::DeviceCode,
    ReferenceKind::PushedRequest,
    ReferenceKind::RegistrationToken,
    ReferenceKind::ManagementToken,
];

pub fn run(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        foreign(text);
    }
    let mut entropy = Entropy(bytes);
    let token = RefreshToken {
        user_id: UserId::from_bytes(entropy.array()),
        grant_id: GrantId::from_bytes(entropy.array()),
        generation: i64::from_be_bytes(entropy.array()),
        nonce: entropy.array(),
    };
    let sealed = token.seal(&KEY);
    assert_eq!(RefreshToken::open(&KEY, sealed.reveal()), Ok(token), "sealed, and does not open");
    assert!(RefreshToken::open(&[8; 32], sealed.reveal()).is_err(), "opens with another key");
    let Some(changed) = entropy.tamper(sealed.reveal()) else { return };
    let opens = RefreshToken::open(&KEY, &changed).is_ok();
    assert_eq!(opens, changed == sealed.reveal(), "a changed token opens");
}

fn foreign(text: &str) {
    let mut kinds = 0;
    for kind in TicketKind::ALL {
        let Some(ticket) = Ticket::open(kind, text) else { continue };
        kinds += 1;
        assert_eq!(ticket.seal().reveal(), text, "two texts for one ticket");
        assert!(ticket.opens(&ticket.hash()) && !ticket.opens(&[0; 32]));
    }
    for kind in REFERENCES {
        let Some(reference) = Reference::open(kind, text) else { continue };
        kinds += 1;
        assert_eq!(reference.seal().reveal(), text, "two texts for one reference");
    }
    assert!(kinds <= 1, "one text for several kinds");
    if let Ok(token) = RefreshToken::open(&KEY, text) {
        assert_eq!(token.seal(&KEY).reveal(), text, "two texts for one refresh token");
    }
}

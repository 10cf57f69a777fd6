//! Public keys that are known to be weak. RFC 8725 §3.5: a key is as strong as it was chosen.
//! It must not judge anything but the number itself.

use crate::Error;

const MIN_RSA_BITS: usize = 2_048;
const MAX_RSA_BITS: usize = 8_192;

/// The odd primes up to 167.
const SMALL_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Points of small order (the last bit is the sign): under such a key signatures can be made up.
const SMALL_ORDER: [[u8; 32]; 7] = [
    point(0x00, 0x00, 0x00),
    point(0x01, 0x00, 0x00),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    point(0xec, 0xff, 0x7f),
    point(0xed, 0xff, 0x7f),
    point(0xee, 0xff, 0x7f),
];

const fn point(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    let [start, .., end] = &mut bytes;
    *start = first;
    *end = last;
    bytes
}

/// Refuses an RSA key that is too small to be safe, too large to be cheap, or known to be weak.
/// `n` and `e` are big-endian and have no leading zeros.
pub(crate) fn check_rsa(n: &[u8], e: &[u8]) -> Result<(), Error> {
    let leading_zeros = n.first().map_or(0, |byte| byte.leading_zeros());
    let bits =
        n.len().saturating_mul(8).saturating_sub(usize::try_from(leading_zeros).unwrap_or(0));
    let is_sized = (MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits);
    let is_odd = |number: &[u8]| number.last().is_some_and(|byte| byte % 2 == 1);
    // An exponent of 1 makes every signature its own message.
    let is_exponent = is_odd(e) && e.len() <= 4 && e != [1];
    let has_factor = SMALL_PRIMES.iter().any(|prime| remainder(n, *prime) == 0);
    if is_sized && is_odd(n) && is_exponent && !has_factor && !is_roca(n) {
        return Ok(());
    }
    Err(Error::WeakKey)
}

/// Refuses an Ed25519 key of small order.
pub(crate) fn check_ed25519(x: &[u8; 32]) -> Result<(), Error> {
    let mut unsigned = *x;
    if let Some(last) = unsigned.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER.contains(&unsigned) { Err(Error::WeakKey) } else { Ok(()) }
}

/// CVE-2017-15361 (ROCA): the primes of these keys are powers of 65537 modulo many small primes, so
/// the modulus is one too. A sound key looks like that once in about a hundred million.
fn is_roca(n: &[u8]) -> bool {
    SMALL_PRIMES.iter().all(|prime| {
        let wanted = remainder(n, *prime);
        let powers = std::iter::successors(Some(1_u32), |power| {
            let next = power.wrapping_mul(65_537 % prime) % prime;
            (next != 1).then_some(next)
        });
        powers.into_iter().any(|power| power == wanted)
    })
}

/// `number` modulo `prime`, which is far below 2^24.
fn remainder(number: &[u8], prime: u32) -> u32 {
    number.iter().fold(0, |rest, byte| (rest.wrapping_shl(8) | u32::from(*byte)) % prime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remainder_is_that_of_long_division() {
        assert_eq!(remainder(&[0x01, 0x00, 0x01], 167), 65_537 % 167);
        assert_eq!(remainder(&0xdead_beef_u32.to_be_bytes(), 157), 0xdead_beef_u32 % 157);
        assert_eq!(remainder(&[], 3), 0);
    }

    #[test]
    fn a_modulus_that_is_a_power_of_65537_everywhere_is_roca() {
        assert!(is_roca(&[0x01, 0x00, 0x01]));
        assert!(is_roca(&(65_537_u64 * 65_537).to_be_bytes()));
        // 2 is no power of 65537 modulo 11, for one.
        assert!(!is_roca(&[2]));
    }

    #[test]
    fn a_point_of_small_order_is_refused_with_either_sign() {
        for point in SMALL_ORDER {
            assert_eq!(check_ed25519(&point), Err(Error::WeakKey));
            let mut negative = point;
            negative[31] |= 0x80;
            assert_eq!(check_ed25519(&negative), Err(Error::WeakKey));
        }
        // RFC 8032 §7.1, test 1.
        let sound =
            crate::base64url::decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(check_ed25519(&sound.try_into().unwrap()), Ok(()));
    }
}

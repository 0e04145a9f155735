//! The scheme against FlashERP's description: the seed's own calculation, each refusal, and properties over arbitrary input.

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_764_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"customer.created"}"#;

fn signed(secrets: &[&str], timestamp: i64) -> String {
    let keys: Vec<_> = secrets.iter().map(|secret| SigningKey::new(secret.as_bytes())).collect();
    sign(&keys, timestamp, BODY)
}

fn check(signature: &str, timestamp: &str) -> Result<Verified, SignatureError> {
    verify(&Keys::new(["new", "old"]), Some(signature.as_bytes()), Some(timestamp.as_bytes()), BODY, NOW)
}

/// Computed with `printf '1764000000.{"id":"evt_1","type":"customer.created"}' | openssl dgst -sha256 -hmac new`.
const KNOWN: &str = "df919a4c3aa08ca2626245c2868f52419a94b4e3762c516680956f2dd0c1e58e";

#[test]
fn a_known_vector_holds() {
    assert_eq!(check(KNOWN, "1764000000"), Ok(Verified { key: 0, timestamp: NOW }));
    assert_eq!(signed(&["new"], NOW), KNOWN);
}

#[test]
fn either_header_missing_is_named() {
    let keys = Keys::new(["new"]);
    let error = verify(&keys, None, Some(b"1764000000"), BODY, NOW).expect_err("refused");
    assert_eq!(error.to_string(), "The x-flasherp-signature header is missing.");
    let error = verify(&keys, Some(KNOWN.as_bytes()), None, BODY, NOW).expect_err("refused");
    assert_eq!(error.to_string(), "The x-flasherp-timestamp header is missing.");
}

#[test]
fn both_signatures_of_a_rotation_are_looked_at() {
    assert_eq!(check(&signed(&["newest", "old"], NOW), "1764000000"), Ok(Verified { key: 1, timestamp: NOW }));
    assert_eq!(check(&signed(&["old", "new"], NOW), "1764000000"), Ok(Verified { key: 0, timestamp: NOW }));
    assert_eq!(check(&signed(&["a", "b"], NOW), "1764000000"), Err(SignatureError::Mismatch));
}

#[test]
fn upper_case_hex_is_not_the_scheme() {
    assert_eq!(check(&KNOWN.to_uppercase(), "1764000000"), Err(SignatureError::Mismatch));
}

#[test]
fn a_timestamp_is_plain_digits_within_300_seconds() {
    for text in ["", "-1", "1764000000.5", "soon"] {
        let problem = Problem::TimestampNotDigits;
        assert_eq!(
            check(KNOWN, text),
            Err(SignatureError::Malformed { header: TIMESTAMP_HEADER, problem }),
            "{text:?}"
        );
    }
    for off in [-301, 301] {
        let timestamp = (NOW + off).to_string();
        assert_eq!(check(&signed(&["new"], NOW + off), &timestamp), Err(SignatureError::TimestampOutOfRange { off }));
    }
}

#[test]
fn unreadable_headers_say_why() {
    for (signature, problem) in [
        (String::new(), Problem::NoSignature),
        (" , ,".to_owned(), Problem::NoSignature),
        ("a,".repeat(MAX_ELEMENTS), Problem::TooManyElements),
        ("a".repeat(MAX_HEADER_BYTES + 1), Problem::TooLong),
    ] {
        assert_eq!(
            check(&signature, "1764000000"),
            Err(SignatureError::Malformed { header: SIGNATURE_HEADER, problem })
        );
    }
}

proptest! {
    #[test]
    fn any_flipped_bit_fails(at in 0_usize..64, bit in 0_u8..8, of_timestamp in any::<bool>()) {
        let (mut signature, mut timestamp) = (KNOWN.as_bytes().to_vec(), b"1764000000".to_vec());
        let text = if of_timestamp { &mut timestamp } else { &mut signature };
        let at = at % text.len();
        text[at] ^= 1 << bit;
        prop_assert!(verify(&Keys::new(["new"]), Some(&signature), Some(&timestamp), BODY, NOW).is_err());
    }

    #[test]
    fn garbage_never_panics(signature in prop::collection::vec(any::<u8>(), 0..300), timestamp in prop::collection::vec(any::<u8>(), 0..20), now in any::<i64>()) {
        prop_assert!(verify(&Keys::new(["new"]), Some(&signature), Some(&timestamp), BODY, now).is_err());
    }
}

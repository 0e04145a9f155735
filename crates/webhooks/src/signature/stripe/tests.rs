//! The scheme against Stripe's rules: a vector of known outcome, each refusal, and properties over arbitrary input.

use proptest::prelude::*;

use super::*;

const NOW: i64 = 1_764_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"customer.created"}"#;

fn keys(secrets: &[&str]) -> Keys {
    Keys::new(secrets)
}

fn signed_with(secret: &str, timestamp: i64) -> String {
    sign(&[SigningKey::new(secret.as_bytes())], timestamp, BODY)
}

fn check(header: &str) -> Result<Verified, SignatureError> {
    verify(&keys(&["whsec_new"]), Some(header.as_bytes()), BODY, NOW)
}

fn problem(header: &str) -> Problem {
    match check(header) {
        Err(SignatureError::Malformed { problem, .. }) => problem,
        other => panic!("{header:?} is not malformed: {other:?}"),
    }
}

/// Computed with `printf '1764000000.{"id":"evt_1","type":"customer.created"}' | openssl dgst -sha256 -hmac whsec_new`.
const KNOWN: &str = "7cc5ea562117ab33e460b03f247f76c4fcd42c8227c67c2c4b3d4ae53c59e7de";

#[test]
fn a_known_vector_holds() {
    let header = format!("t=1764000000,v1={KNOWN},v0=00");
    assert_eq!(check(&header), Ok(Verified { key: 0, timestamp: NOW }));
    assert_eq!(signed_with("whsec_new", NOW), format!("t=1764000000,v1={KNOWN}"));
}

#[test]
fn a_missing_header_is_named() {
    let error = verify(&keys(&["whsec_new"]), None, BODY, NOW).expect_err("refused");
    assert_eq!(error.to_string(), "The stripe-signature header is missing.");
}

#[test]
fn the_timestamp_may_be_300_seconds_off_either_way_and_no_more() {
    for (off, ok) in [(-301, false), (-300, true), (0, true), (300, true), (301, false)] {
        let outcome = check(&signed_with("whsec_new", NOW + off));
        match outcome {
            Ok(_) => assert!(ok, "{off} was accepted"),
            Err(error) => {
                assert_eq!(error, SignatureError::TimestampOutOfRange { off });
                assert!(!ok, "{off} was refused");
            }
        }
    }
}

#[test]
fn a_timestamp_is_plain_digits() {
    for text in
        ["", "-1764000000", "+1764000000", "1764000000.0", " 1764000000", "1.7e9", "0x10", "１７６４", "9999999999999"]
    {
        assert_eq!(problem(&format!("t={text},v1={KNOWN}")), Problem::TimestampNotDigits, "{text:?}");
    }
}

#[test]
fn unreadable_headers_say_why() {
    assert_eq!(problem(""), Problem::NotAPair);
    assert_eq!(problem("garbage"), Problem::NotAPair);
    assert_eq!(problem(&format!("t=1764000000,,v1={KNOWN}")), Problem::NotAPair);
    assert_eq!(problem(&format!("v1={KNOWN}")), Problem::NoTimestamp);
    assert_eq!(problem("t=1764000000"), Problem::NoSignature);
    assert_eq!(problem(&format!("t=1764000000,v0={KNOWN}")), Problem::NoSignature);
    assert_eq!(problem(&format!("t=1764000000,t=1764000000,v1={KNOWN}")), Problem::Repeated);
    assert_eq!(problem(&format!("t=1764000000{}", ",v0=1".repeat(MAX_ELEMENTS))), Problem::TooManyElements);
    assert_eq!(problem(&format!("t=1764000000,v1={KNOWN},x={}", "x".repeat(MAX_HEADER_BYTES))), Problem::TooLong);
}

#[test]
fn one_matching_v1_among_several_is_enough() {
    let header = format!("t=1764000000,v1={},v1=not-hex,v1={KNOWN}", "0".repeat(64));
    assert_eq!(check(&header), Ok(Verified { key: 0, timestamp: NOW }));
}

#[test]
fn other_schemes_never_count() {
    for scheme in ["v0", "v2", "V1", " v1", "v11"] {
        assert_eq!(problem(&format!("t=1764000000,{scheme}={KNOWN}")), Problem::NoSignature, "{scheme:?}");
    }
}

#[test]
fn each_active_secret_is_tried_and_the_one_used_is_told() {
    let both = keys(&["whsec_new", "whsec_old"]);
    for (secret, key) in [("whsec_new", 0), ("whsec_old", 1)] {
        let header = signed_with(secret, NOW);
        assert_eq!(verify(&both, Some(header.as_bytes()), BODY, NOW), Ok(Verified { key, timestamp: NOW }));
    }
    let header = signed_with("whsec_other", NOW);
    assert_eq!(verify(&both, Some(header.as_bytes()), BODY, NOW), Err(SignatureError::Mismatch));
}

#[test]
fn without_a_secret_nothing_holds() {
    let header = signed_with("", NOW);
    assert_eq!(verify(&Keys::default(), Some(header.as_bytes()), BODY, NOW), Err(SignatureError::Mismatch));
    assert!(keys(&["", ""]).is_empty(), "an empty secret is none");
}

proptest! {
    #[test]
    fn what_was_signed_verifies(secret in ".{1,80}", body in prop::collection::vec(any::<u8>(), 0..2000), off in -300_i64..=300) {
        let header = sign(&[SigningKey::new(secret.as_bytes())], NOW + off, &body);
        prop_assert!(verify(&Keys::new([&secret]), Some(header.as_bytes()), &body, NOW).is_ok());
    }

    #[test]
    fn any_flipped_bit_of_the_body_fails(body in prop::collection::vec(any::<u8>(), 1..500), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let key = SigningKey::new(b"whsec_new");
        let header = sign(&[key], NOW, &body);
        let mut changed = body.clone();
        changed[at.index(body.len())] ^= 1 << bit;
        prop_assert_eq!(verify(&keys(&["whsec_new"]), Some(header.as_bytes()), &changed, NOW), Err(SignatureError::Mismatch));
    }

    #[test]
    fn any_flipped_bit_of_the_header_fails(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut header = signed_with("whsec_new", NOW).into_bytes();
        let at = at.index(header.len());
        header[at] ^= 1 << bit;
        prop_assert!(verify(&keys(&["whsec_new"]), Some(&header), BODY, NOW).is_err());
    }

    #[test]
    fn another_timestamp_fails(off in 1_i64..=300) {
        let header = signed_with("whsec_new", NOW).replace("t=1764000000", &format!("t={}", NOW + off));
        prop_assert_eq!(check(&header), Err(SignatureError::Mismatch));
    }

    #[test]
    fn garbage_never_panics(header in prop::collection::vec(any::<u8>(), 0..300), now in any::<i64>()) {
        prop_assert!(verify(&keys(&["whsec_new"]), Some(&header), BODY, now).is_err());
    }

    #[test]
    fn nearly_right_garbage_never_panics(header in "(t=[0-9-]{0,14}|v[01]=[0-9a-fA-Fx]{0,66}|,|=){0,12}", now in any::<i64>()) {
        prop_assert!(verify(&keys(&["whsec_new"]), Some(header.as_bytes()), BODY, now).is_err());
    }
}

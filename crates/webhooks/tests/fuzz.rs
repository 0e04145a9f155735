//! Fuzz targets (`./justw fuzz`): whatever comes over the wire, nothing panics, and what is said of it holds together.

use webhooks::envelope::{self, Usable};
use webhooks::signature::{
    Keys, SigningKey, TOLERANCE_SECS, flasherp as flasherp_signature, stripe as stripe_signature,
};
use webhooks::stripe::{self, StripeEvent};

const NOW: i64 = 1_764_000_000;
const BODY: &[u8] = br#"{"id":"evt_1","type":"customer.created"}"#;

fn keys() -> Keys {
    Keys::new(["whsec_new", "whsec_old"])
}

fn signing() -> [SigningKey; 2] {
    [SigningKey::new(b"whsec_new"), SigningKey::new(b"whsec_old")]
}

/// Whether a header says the same to whoever takes the good one as the only truth: the digests of the body under a secret.
fn holds_a_digest(header: &[u8], timestamp: i64) -> bool {
    let header = String::from_utf8_lossy(header);
    signing().iter().any(|key| {
        let good = stripe_signature::sign(std::slice::from_ref(key), timestamp, BODY);
        good.split_once("v1=").is_some_and(|(_, digest)| header.contains(digest))
    })
}

#[test]
fn fuzz_stripe_signature() {
    let examples = [
        stripe_signature::sign(&signing(), NOW, BODY),
        stripe_signature::sign(&signing()[..1], NOW - 299, BODY),
        format!("t={NOW},v0=00,v1={}", "0".repeat(64)),
    ];
    let examples: Vec<&[u8]> = examples.iter().map(String::as_bytes).collect();
    let keys = keys();
    fuzzing::run(&examples, |header| {
        if let Ok(verified) = stripe_signature::verify(&keys, Some(header), BODY, NOW) {
            assert!((verified.timestamp - NOW).abs() <= TOLERANCE_SECS);
            assert!(holds_a_digest(header, verified.timestamp), "believed without a digest");
        }
        // and over another body nothing is believed
        assert!(stripe_signature::verify(&keys, Some(header), b"{}", NOW).is_err());
    });
}

#[test]
fn fuzz_flasherp_signature() {
    let digest = |time| flasherp_signature::sign(&signing(), time, BODY);
    let examples = [format!("{NOW}\n{}", digest(NOW)), format!("{}\n{}", NOW - 300, digest(NOW - 300))];
    let examples: Vec<&[u8]> = examples.iter().map(String::as_bytes).collect();
    let keys = keys();
    fuzzing::run(&examples, |input| {
        let (timestamp, signature) =
            input.split_at(input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len()));
        let signature = signature.strip_prefix(b"\n").unwrap_or_default();
        if let Ok(verified) = flasherp_signature::verify(&keys, Some(signature), Some(timestamp), BODY, NOW) {
            assert!((verified.timestamp - NOW).abs() <= TOLERANCE_SECS);
            assert_eq!(timestamp, verified.timestamp.to_string().as_bytes(), "the time that was signed");
        }
        assert!(flasherp_signature::verify(&keys, Some(signature), Some(timestamp), b"{}", NOW).is_err());
    });
}

macro_rules! fixtures {
    ($($path:literal)+) => {
        [$(include_bytes!(concat!("../fixtures/stripe/", $path)).as_slice(),)+]
    };
}

/// The shapes of Stripe's events, and one of FlashERP's.
fn events() -> Vec<&'static [u8]> {
    let mut events = fixtures![
        "current/payment_intent_succeeded.json" "current/subscription_updated.json" "legacy/charge_refunded.json"
        "legacy/charge_succeeded.json" "legacy/customer_updated.json" "legacy/invoice_paid.json" "legacy/payment_intent_succeeded.json"
        "legacy/refund_created.json" "legacy/subscription_created.json" "legacy/subscription_updated.json"
    ]
    .to_vec();
    events.push(
        br#"{"id":"e1","type":"invoice.created","timestamp":"2026-11-24T12:00:00.000Z","data":{"id":"inv_1","customerId":"cust_1","amount":12.345,"currency":"KWD","status":"open","createdAt":"2026-11-24T12:00:00.000Z","updatedAt":"2026-11-24T12:00:00.000Z"}}"#,
    );
    events
}

#[test]
fn fuzz_event_envelope() {
    fuzzing::run(&events(), |body| {
        let Ok(read) = envelope::read(body) else { return };
        for text in [&read.id, &read.event_type] {
            assert!(
                (1..=255).contains(&text.chars().count()) && !text.contains('\0'),
                "it could not be stored: {text:?}"
            );
        }
        // what is let through is read by everybody in the same way
        if matches!(read.usable, Usable::Yes) {
            let value: serde_json::Value = serde_json::from_slice(body).expect("JSON");
            assert_eq!(value["id"].as_str(), Some(&*read.id));
            assert_eq!(value["type"].as_str(), Some(&*read.event_type));
        }
    });
}

#[test]
fn fuzz_stripe_event() {
    fuzzing::run(&events(), |body| match stripe::parse(body) {
        Ok(StripeEvent::Invoice(event)) => {
            let _named = (event.object.subscription_id(), event.object.payment_intent_id(), event.object.charge_id());
        }
        Ok(StripeEvent::Charge(event)) => {
            let _refunds = event.object.refunds().count();
        }
        Ok(_) => {}
        Err(unusable) => assert!(!unusable.reason.is_empty()),
    });
}

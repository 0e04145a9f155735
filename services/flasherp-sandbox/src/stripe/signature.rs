//! `Stripe-Signature` as Stripe documents it: HMAC-SHA256 of `<timestamp>.<body>` under the endpoint's secret.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header's value for `body` sent at `timestamp` (unix seconds).
pub fn sign(secret: &SecretString, timestamp: i64, body: &[u8]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes a key of any length");
    mac.update(timestamp.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    format!("t={timestamp},v1={}", hex::encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, with `openssl dgst -sha256 -hmac whsec_test` over `1764000000.{"id":"evt_1"}`.
    #[test]
    fn the_signature_is_the_one_that_another_implementation_computes() {
        let header = sign(&"whsec_test".into(), 1_764_000_000, br#"{"id":"evt_1"}"#);
        assert_eq!(header, "t=1764000000,v1=76728ba9029660ebc0a14b80fefcffcc0ad9c7139948290090e9bb71e97d5918");
    }
}

//! `x-flasherp-signature`: the hex HMAC-SHA256 of `<timestamp>.<body>` under each secret, comma-separated.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// The header's value for `body` sent at `timestamp` (unix seconds). During a rotation there are several secrets, and as many signatures.
pub fn sign(secrets: &[SecretString], timestamp: i64, body: &[u8]) -> String {
    let one = |secret: &SecretString| {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()).expect("HMAC takes a key of any length");
        mac.update(timestamp.to_string().as_bytes());
        mac.update(b".");
        mac.update(body);
        hex::encode(mac.finalize().into_bytes())
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed apart from this code, with `openssl dgst -sha256 -hmac`, over `1764000000.{"id":"evt_1"}`.
    #[test]
    fn each_secret_signs_for_itself() {
        let header = sign(&["whsec_test".into(), "whsec_test".into()], 1_764_000_000, br#"{"id":"evt_1"}"#);
        let one = "76728ba9029660ebc0a14b80fefcffcc0ad9c7139948290090e9bb71e97d5918";
        assert_eq!(header, format!("{one},{one}"));
    }
}

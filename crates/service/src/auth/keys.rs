//! Public keys by their ids, as a JSON Web Key Set gives them: each under the one algorithm that it may be used with.
//!
//! The algorithm comes from the key, never from the token: a token that says HS256 of an RSA key, whose public half everybody has, is
//! refused. What can't be used (secret keys, encryption keys, short RSA keys, keys without id) is left out, and the rest is used.

use std::collections::BTreeMap;

use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, OctetKeyPairParameters, PublicKeyUse,
};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// A set with more is refused: nobody signs with so many.
const MOST_KEYS: usize = 100;
/// The base64url digits of a modulus of 2048 bits.
const SHORTEST_MODULUS: usize = 342;

/// A key and what it may be used with.
pub(super) struct Key {
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

/// Keys by id.
pub(super) type Keys = BTreeMap<String, Key>;

/// Why a document gave no keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKeys {
    #[error("it is no JSON Web Key Set")]
    Unreadable(#[source] serde_json::Error),
    #[error("it has more than {MOST_KEYS} keys")]
    TooMany,
    #[error("it has no key for RS256, ES256 or EdDSA with an id")]
    NoneUsable,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<serde_json::Value>,
}

/// Reads a set.
///
/// # Errors
/// [`NoKeys`].
pub(super) fn parse(document: &[u8]) -> Result<Keys, NoKeys> {
    let document: Document = serde_json::from_slice(document).map_err(NoKeys::Unreadable)?;
    if document.keys.len() > MOST_KEYS {
        return Err(NoKeys::TooMany);
    }
    let mut keys = Keys::new();
    for (id, key) in document.keys.into_iter().filter_map(usable) {
        // Of two with one id the first is used, whatever comes after it.
        keys.entry(id).or_insert(key);
    }
    if keys.is_empty() { Err(NoKeys::NoneUsable) } else { Ok(keys) }
}

fn usable(value: serde_json::Value) -> Option<(String, Key)> {
    let jwk: Jwk = serde_json::from_value(value).ok()?;
    let common = &jwk.common;
    let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
    let for_checking = common.key_operations.as_ref().is_none_or(|uses| uses.contains(&KeyOperations::Verify));
    if !for_signatures || !for_checking {
        return None;
    }
    let (algorithm, named) = match &jwk.algorithm {
        AlgorithmParameters::RSA(rsa) if rsa.n.len() >= SHORTEST_MODULUS => (Algorithm::RS256, KeyAlgorithm::RS256),
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::OctetKeyPair(OctetKeyPairParameters { curve: EllipticCurve::Ed25519, .. }) => {
            (Algorithm::EdDSA, KeyAlgorithm::EdDSA)
        }
        _ => return None,
    };
    if common.key_algorithm.is_some_and(|said| said != named) {
        return None;
    }
    let id = common.key_id.clone().filter(|id| !id.is_empty())?;
    let key = DecodingKey::from_jwk(&jwk).ok()?;
    Some((id, Key { algorithm, key }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rsa(changed: &[(&str, Value)]) -> Value {
        let mut key = json!({"kty": "RSA", "kid": "a", "n": "A".repeat(SHORTEST_MODULUS), "e": "AQAB"});
        for (name, value) in changed {
            key[*name] = value.clone();
        }
        key
    }

    fn ids(keys: &[Value]) -> Vec<String> {
        let document = json!({ "keys": keys }).to_string();
        parse(document.as_bytes()).map(|keys| keys.into_keys().collect()).unwrap_or_default()
    }

    #[test]
    fn a_key_is_for_one_algorithm() {
        let document = json!({"keys": [
            rsa(&[]),
            {"kty": "EC", "crv": "P-256", "kid": "b", "x": "AA", "y": "AA"},
            {"kty": "OKP", "crv": "Ed25519", "kid": "c", "x": "AA"},
        ]});
        let keys = parse(document.to_string().as_bytes()).expect("keys");
        let algorithms: Vec<Algorithm> = keys.values().map(|key| key.algorithm).collect();
        assert_eq!(algorithms, [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA]);
    }

    #[test]
    fn what_cannot_be_used_is_left_out_and_the_rest_is_used() {
        let useless = [
            json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0"}),
            json!({"kty": "oct", "kid": "s", "k": "c2VjcmV0", "alg": "RS256"}),
            json!({"kty": "new", "kid": "s"}),
            json!({"kty": "EC", "crv": "P-384", "kid": "s", "x": "AA", "y": "AA"}),
            json!("no key"),
            rsa(&[("kid", json!(""))]),
            rsa(&[("kid", Value::Null)]),
            rsa(&[("use", json!("enc"))]),
            rsa(&[("key_ops", json!(["encrypt"]))]),
            rsa(&[("alg", json!("HS256"))]),
            rsa(&[("alg", json!("RSA-OAEP"))]),
            rsa(&[("alg", json!("RS512"))]),
            rsa(&[("n", json!("AQAB"))]),
        ];
        for key in useless {
            assert_eq!(ids(std::slice::from_ref(&key)), Vec::<String>::new(), "{key}");
            assert_eq!(ids(&[key.clone(), rsa(&[])]), ["a"], "{key}");
        }
        assert_eq!(
            ids(&[rsa(&[("use", json!("sig")), ("alg", json!("RS256")), ("key_ops", json!(["verify"]))])]),
            ["a"]
        );
    }

    #[test]
    fn a_document_without_keys_is_an_error_and_no_empty_set() {
        for document in ["", "[]", "{}", r#"{"keys": []}"#, r#"{"keys": "a"}"#] {
            assert!(parse(document.as_bytes()).is_err(), "{document}");
        }
        let many: Vec<Value> = (0..=MOST_KEYS).map(|n| rsa(&[("kid", json!(n.to_string()))])).collect();
        assert!(matches!(parse(json!({ "keys": many }).to_string().as_bytes()), Err(NoKeys::TooMany)));
    }
}

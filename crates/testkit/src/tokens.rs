//! Bearer tokens as an identity provider would issue them, and wrong in every way that one can be.
//!
//! A service under test gets [`environment`]; [`admin`] and [`viewer`] are then let in. One that gets a [`key_set_file`] as `AUTH_JWKS_FILE` too
//! lets in what the keys in it have signed, and is what the [`BadToken`]s about keys are for. Keys in `fixtures/` are for tests alone and open
//! nothing else.

use std::path::Path;

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

/// `AUTH_JWT_SECRET` of services under test.
pub const SECRET: &str = "a secret of tests, more than thirty-two bytes long";
/// `AUTH_JWT_ISSUER`.
pub const ISSUER: &str = "https://id.test";
/// `AUTH_JWT_AUDIENCE`.
pub const AUDIENCE: &str = "erp-test";

/// What makes a service under test believe these tokens.
#[must_use]
pub fn environment() -> [(&'static str, &'static str); 3] {
    [("AUTH_JWT_SECRET", SECRET), ("AUTH_JWT_ISSUER", ISSUER), ("AUTH_JWT_AUDIENCE", AUDIENCE)]
}

/// A token that may do everything; its subject is `admin@test`.
#[must_use]
pub fn admin() -> String {
    Token::of("admin").hs256(SECRET)
}

/// A token that may read; its subject is `viewer@test`.
#[must_use]
pub fn viewer() -> String {
    Token::of("viewer").hs256(SECRET)
}

/// A token to be, good unless it is told otherwise.
#[derive(Clone, Debug)]
pub struct Token {
    claims: Map<String, Value>,
    header: Map<String, Value>,
}

impl Token {
    /// For this role, and an hour.
    #[must_use]
    pub fn of(role: &str) -> Self {
        let claims = json!({
            "sub": format!("{role}@test"), "role": role, "iss": ISSUER, "aud": AUDIENCE,
            "nbf": in_seconds(-60), "exp": in_seconds(3600),
        });
        let Value::Object(claims) = claims else { unreachable!("an object") };
        Self { claims, header: Map::new() }
    }

    /// With another claim, or another value of one.
    #[must_use]
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Without a claim.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// With a member of the header besides `alg` and `typ`, say another `kid` than the key's.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signed with a secret.
    #[must_use]
    pub fn hs256(&self, secret: impl AsRef<[u8]>) -> String {
        self.signed(Algorithm::HS256, &EncodingKey::from_secret(secret.as_ref()), None)
    }

    /// Signed with a private key, under its own id unless the header says otherwise.
    #[must_use]
    pub fn signed_by(&self, key: &SigningKey) -> String {
        self.signed(key.algorithm, &key.key, Some(key.id))
    }

    /// Not signed, and says so.
    #[must_use]
    pub fn unsigned(&self) -> String {
        let part = |part: &Value| base64url(part.to_string().as_bytes());
        format!("{}.{}.", part(&json!({"alg": "none", "typ": "JWT"})), part(&Value::Object(self.claims.clone())))
    }

    fn signed(&self, algorithm: Algorithm, key: &EncodingKey, id: Option<&str>) -> String {
        let mut header = Map::from_iter([("typ".to_owned(), json!("JWT")), ("alg".to_owned(), json!(algorithm))]);
        header.extend(id.map(|id| ("kid".to_owned(), json!(id))));
        header.extend(self.header.clone());
        let header: Header = serde_json::from_value(Value::Object(header)).expect("a header");
        jsonwebtoken::encode(&header, &self.claims, key).expect("a key for this algorithm")
    }
}

/// A private key, whose public half a [`key_set`] shows.
pub struct SigningKey {
    id: &'static str,
    algorithm: Algorithm,
    key: EncodingKey,
}

impl SigningKey {
    /// For RS256; id `rsa`.
    #[must_use]
    pub fn rsa() -> Self {
        let key = EncodingKey::from_rsa_pem(include_bytes!("../fixtures/test-only-rsa.pem"));
        Self { id: "rsa", algorithm: Algorithm::RS256, key: key.expect("a key") }
    }

    /// For ES256; id `p256`.
    #[must_use]
    pub fn p256() -> Self {
        let key = EncodingKey::from_ec_pem(include_bytes!("../fixtures/test-only-p256.pem"));
        Self { id: "p256", algorithm: Algorithm::ES256, key: key.expect("a key") }
    }

    /// For EdDSA; id `ed25519`.
    #[must_use]
    pub fn ed25519() -> Self {
        let key = EncodingKey::from_ed_pem(include_bytes!("../fixtures/test-only-ed25519.pem"));
        Self { id: "ed25519", algorithm: Algorithm::EdDSA, key: key.expect("a key") }
    }

    /// The public half as text, as everybody can have it: `-----BEGIN PUBLIC KEY-----` of [`SigningKey::rsa`].
    #[must_use]
    pub const fn rsa_public_pem() -> &'static str {
        include_str!("../fixtures/test-only-rsa.pub.pem")
    }

    /// The public half as a member of a key set.
    #[must_use]
    pub fn public(&self) -> Value {
        let mut key = Jwk::from_encoding_key(&self.key, self.algorithm).expect("a key with a public half");
        key.common.key_id = Some(self.id.to_owned());
        json!(key)
    }
}

/// The JSON Web Key Set that shows these keys.
#[must_use]
pub fn key_set(keys: &[&SigningKey]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()})
}

/// A file with the public half of [`SigningKey::rsa`], for `AUTH_JWKS_FILE`.
///
/// # Panics
/// When it can't be written.
#[must_use]
pub fn key_set_file(folder: &Path) -> String {
    let file = folder.join("keys.json");
    std::fs::write(&file, key_set(&[&SigningKey::rsa()]).to_string()).expect("the key set can be written");
    file.to_str().expect("a path of text").to_owned()
}

/// A token that opens nothing, and why.
#[derive(Clone, Debug)]
pub struct BadToken {
    /// What is wrong with it.
    pub what: &'static str,
    /// None: there is none.
    pub token: Option<String>,
}

/// Every way in which a token can be wrong that a service with [`environment`] and a [`key_set_file`] has to tell from a good one, each for this role.
#[must_use]
pub fn bad_tokens(role: &str) -> Vec<BadToken> {
    let good = || Token::of(role);
    let published = SigningKey::rsa_public_pem();
    let mut all = vec![
        ("no token", None),
        ("garbage", Some("garbage".to_owned())),
        ("alg none", Some(good().unsigned())),
        // Truly signed by the secret, only otherwise than agreed.
        ("wrong algorithm", Some(good().header("alg", "HS512").hs256(SECRET))),
        ("another secret", Some(good().hs256("another secret, also of more than 32 bytes"))),
        // The oldest trick: what everybody can have, taken for a secret because the token says HS256.
        ("HS256 by the RSA public key", Some(good().hs256(published))),
        ("HS256 by the RSA public key under its id", Some(good().header("kid", "rsa").hs256(published))),
        // By the very key of the set, under an id that is not in it; and by a key that is not in it, under the id of one that is.
        ("unknown key id", Some(good().header("kid", "unknown").signed_by(&SigningKey::rsa()))),
        ("unknown key", Some(good().signed_by(&SigningKey::p256()))),
        ("unknown key under a known id", Some(good().header("kid", "rsa").signed_by(&SigningKey::p256()))),
    ];
    let claims = [
        ("expired", good().claim("exp", in_seconds(-60))),
        ("not yet valid", good().claim("nbf", in_seconds(600))),
        ("no issuer", good().without("iss")),
        ("wrong issuer", good().claim("iss", "https://id.elsewhere")),
        ("no audience", good().without("aud")),
        ("wrong audience", good().claim("aud", "another-api")),
    ];
    // Whoever signed it.
    all.extend(claims.iter().map(|(what, token)| (*what, Some(token.hs256(SECRET)))));
    all.extend(claims.iter().map(|(what, token)| (*what, Some(token.signed_by(&SigningKey::rsa())))));
    all.into_iter().map(|(what, token)| BadToken { what, token }).collect()
}

/// So many seconds from now, as a claim says it.
#[must_use]
pub fn in_seconds(seconds: i64) -> i64 {
    OffsetDateTime::now_utc().unix_timestamp() + seconds
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

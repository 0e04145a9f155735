//! The keys for secrets in the database: the first encrypts, all decrypt, so that keys can be replaced without a moment in which
//! something can't be read.

use std::fmt;

use aes_gcm::aead::{Aead as _, Generate as _, Key, Payload};
use aes_gcm::{Aes256Gcm, KeyInit as _, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};

use crate::Place;
use crate::sealed::{FormatError, Sealed, associated_data, header};

const KEY_LEN: usize = 32;
const LONGEST_ID: usize = 64;

/// The keys, the encrypting one first. Shows none of them.
#[derive(Clone)]
pub struct Keyring {
    /// Never empty.
    keys: Vec<NamedKey>,
}

#[derive(Clone)]
struct NamedKey {
    id: String,
    cipher: Aes256Gcm,
}

/// What is wrong with `ERP_ENCRYPTION_KEYS`; says what to write instead and repeats no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    #[error("holds no key; write `id:key`, as `erpctl keys generate` prints it")]
    Empty,
    #[error("entry {0} has no `:` between id and key; write `id:key`, as `erpctl keys generate` prints it")]
    NoColon(usize),
    #[error("entry {0} has an id that can't be used; ids are 1 to {LONGEST_ID} letters, digits, `-`, `_` and `.`")]
    BadId(usize),
    #[error("the key `{0}` is there twice; give each key an id of its own")]
    TwiceTheId(String),
    #[error("the key `{0}` is not base64; write the base64 of 32 random bytes, as `erpctl keys generate` prints it")]
    NotBase64(String),
    #[error(
        "the key `{id}` has {len} bytes and must have {KEY_LEN}; write the base64 of 32 random bytes, as `erpctl keys generate` prints it"
    )]
    WrongLength { id: String, len: usize },
}

/// Why a ciphertext does not decrypt. No part of key or plaintext is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("this is no ciphertext of ours: {0}")]
    Malformed(String),
    #[error(
        "it is encrypted with the key `{0}`, which ERP_ENCRYPTION_KEYS does not hold; add that key after the first"
    )]
    UnknownKey(String),
    #[error("it was changed, moved from another place, or encrypted with another key of the same id")]
    NotAuthentic,
}

impl From<FormatError> for DecryptError {
    fn from(error: FormatError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl Keyring {
    /// Reads `id:base64 of 32 bytes,...`.
    ///
    /// # Errors
    /// The first mistake in it.
    pub fn parse(text: &str) -> Result<Self, KeyringError> {
        let mut keys: Vec<NamedKey> = Vec::new();
        for (index, entry) in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).enumerate() {
            let key = NamedKey::parse(index + 1, entry)?;
            if keys.iter().any(|known| known.id == key.id) {
                return Err(KeyringError::TwiceTheId(key.id));
            }
            keys.push(key);
        }
        if keys.is_empty() { Err(KeyringError::Empty) } else { Ok(Self { keys }) }
    }

    /// A keyring of one fresh key that nobody knows: for tests, and to go on reading settings after a mistake in them.
    #[must_use]
    pub fn random() -> Self {
        let cipher = Aes256Gcm::new(&Key::<Aes256Gcm>::generate());
        Self { keys: vec![NamedKey { id: "random".to_owned(), cipher }] }
    }

    /// Encrypts with the first key, for this place only.
    #[must_use]
    pub fn encrypt(&self, place: &Place<'_>, secret: &SecretString) -> Vec<u8> {
        let key = &self.keys[0];
        // 96 random bits: at a few secrets a day no nonce comes twice in the life of a key.
        let nonce = Nonce::generate();
        let payload =
            Payload { msg: secret.expose_secret().as_bytes(), aad: &associated_data(key.id.as_bytes(), place) };
        let ciphertext =
            key.cipher.encrypt(&nonce, payload).expect("AES-GCM takes up to 64 GiB, a secret has a few bytes");
        [header(key.id.as_bytes()).as_slice(), nonce.as_slice(), &ciphertext].concat()
    }

    /// Decrypts with whichever key it was encrypted with.
    ///
    /// # Errors
    /// [`DecryptError`].
    pub fn decrypt(&self, place: &Place<'_>, bytes: &[u8]) -> Result<SecretString, DecryptError> {
        let sealed = Sealed::parse(bytes)?;
        let key = self
            .keys
            .iter()
            .find(|key| key.id.as_bytes() == sealed.key_id)
            .ok_or_else(|| DecryptError::UnknownKey(String::from_utf8_lossy(sealed.key_id).into_owned()))?;
        let payload = Payload { msg: sealed.ciphertext, aad: &associated_data(sealed.key_id, place) };
        let plaintext =
            key.cipher.decrypt(&Nonce::from(*sealed.nonce), payload).map_err(|_| DecryptError::NotAuthentic)?;
        let plaintext = Zeroizing::new(plaintext);
        std::str::from_utf8(&plaintext).map(SecretString::from).map_err(|_| DecryptError::NotAuthentic)
    }

    /// Whether a ciphertext would be encrypted with another key today, so that it is to be encrypted anew before the old key goes.
    #[must_use]
    pub fn is_outdated(&self, bytes: &[u8]) -> bool {
        Sealed::parse(bytes).is_ok_and(|sealed| sealed.key_id != self.keys[0].id.as_bytes())
    }

    /// The ids of the keys, the encrypting one first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|key| key.id.as_str())
    }
}

impl NamedKey {
    fn parse(entry: usize, text: &str) -> Result<Self, KeyringError> {
        let (id, key) = text.split_once(':').ok_or(KeyringError::NoColon(entry))?;
        if !is_id(id) {
            return Err(KeyringError::BadId(entry));
        }
        let bytes = STANDARD.decode(key.trim()).map_err(|_| KeyringError::NotBase64(id.to_owned()))?;
        let bytes = Zeroizing::new(bytes);
        let cipher = Aes256Gcm::new_from_slice(&bytes)
            .map_err(|_| KeyringError::WrongLength { id: id.to_owned(), len: bytes.len() })?;
        Ok(Self { id: id.to_owned(), cipher })
    }
}

fn is_id(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// The id of the key that a ciphertext is encrypted with, by its own word; none if it is no ciphertext of ours.
#[must_use]
pub fn sealed_with(bytes: &[u8]) -> Option<String> {
    Sealed::parse(bytes).ok().map(|sealed| String::from_utf8_lossy(sealed.key_id).into_owned())
}

/// A fresh entry for `ERP_ENCRYPTION_KEYS`: `id:base64`.
///
/// # Errors
/// The id can't be used.
pub fn generate_key(id: &str) -> Result<SecretString, KeyringError> {
    if !is_id(id) {
        return Err(KeyringError::BadId(1));
    }
    let key = Zeroizing::new(<[u8; KEY_LEN]>::generate());
    Ok(SecretString::from(format!("{id}:{}", STANDARD.encode(key.as_slice()))))
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("ids", &self.ids().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

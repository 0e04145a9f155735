//! Who may call: a key and a secret, both from the sandbox's configuration.

use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{ApiError, Code};

/// What callers have to send.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// In `Authorization: Bearer`.
    pub api_key: SecretString,
    /// In `X-API-Secret`.
    pub api_secret: SecretString,
}

/// Why a caller was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// No key, or a wrong one.
    Key,
    /// No secret, or a wrong one.
    Secret,
}

impl Credentials {
    /// Checks the two headers as they came.
    pub fn check(&self, authorization: Option<&[u8]>, secret: Option<&[u8]>) -> Result<(), Refused> {
        let is = |given: Option<&[u8]>, expected: &SecretString| {
            given.is_some_and(|given| bool::from(given.ct_eq(expected.expose_secret().as_bytes())))
        };
        let key = authorization.and_then(bearer);
        if !is(key, &self.api_key) {
            return Err(Refused::Key);
        }
        if !is(secret, &self.api_secret) {
            return Err(Refused::Secret);
        }
        Ok(())
    }
}

/// The token of `Bearer <token>`; the scheme in any case, as RFC 9110 has it.
pub(crate) fn bearer(header: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = header.split_at_checked("Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Key => ApiError::new(401, Code::InvalidApiKey, "the API key is missing or wrong"),
            Refused::Secret => ApiError::new(401, Code::InvalidApiSecret, "the API secret is missing or wrong"),
        }
    }
}

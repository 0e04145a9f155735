//! Secrets in the form that the hot path needs: the HMAC's key schedule is made once per secret and cloned per body, which saves two of the
//! compressions of every check.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::MAX_ELEMENTS;

/// One secret, keyed and ready. Shows nothing of itself in `Debug`.
#[derive(Clone)]
pub struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Keys an HMAC with the secret's bytes as they stand: a Stripe secret with its `whsec_`, a FlashERP secret as configured.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Hmac::new_from_slice(secret).expect("HMAC takes keys of any length"))
    }

    /// HMAC-SHA256 of `<timestamp>.<body>`, the timestamp as the sender wrote it.
    #[must_use]
    pub(super) fn digest(&self, timestamp: &[u8], body: &[u8]) -> [u8; 32] {
        let mut mac = self.0.clone();
        mac.update(timestamp);
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// The active secrets of one sender: one, or the new and the old while rotating.
#[derive(Debug, Clone, Default)]
pub struct Keys(Vec<SigningKey>);

impl Keys {
    /// Takes secrets in the caller's order, which is the order of [`super::Verified::key`]. Empty ones are left out and not counted: anyone
    /// could sign with them.
    pub fn new<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Self {
        Self(
            secrets
                .into_iter()
                .filter(|secret| !secret.as_ref().is_empty())
                .map(|secret| SigningKey::new(secret.as_ref()))
                .collect(),
        )
    }

    /// True when no secret is set, so that nothing can be verified.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many secrets are active.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The first key that made one of the candidate signatures. Every candidate is compared with every key, whatever matched before, so
    /// that the time taken says nothing.
    pub(super) fn find(&self, timestamp: &[u8], body: &[u8], candidates: &Candidates) -> Option<usize> {
        let mut found = None;
        for (index, key) in self.0.iter().enumerate() {
            let digest = key.digest(timestamp, body);
            let mut matches = subtle::Choice::from(0);
            for candidate in candidates.as_slice() {
                matches |= candidate.ct_eq(&digest);
            }
            if bool::from(matches) && found.is_none() {
                found = Some(index);
            }
        }
        found
    }
}

/// The signatures of one header, on the stack: a header has one or two, and at most [`MAX_ELEMENTS`].
pub(super) struct Candidates {
    digests: [[u8; 32]; MAX_ELEMENTS],
    len: usize,
}

impl Candidates {
    pub(super) const fn new() -> Self {
        Self { digests: [[0; 32]; MAX_ELEMENTS], len: 0 }
    }

    /// Adds a signature; the caller has counted the elements.
    pub(super) fn push(&mut self, digest: [u8; 32]) {
        if let Some(slot) = self.digests.get_mut(self.len) {
            *slot = digest;
            self.len += 1;
        }
    }

    fn as_slice(&self) -> &[[u8; 32]] {
        &self.digests[..self.len]
    }
}

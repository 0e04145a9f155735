//! Idempotency keys as FlashERP honours them: a key is looked at when the write takes effect, so a late first try and its repeat make one
//! record; only a 2xx is remembered, for 24 hours; memory is bounded by the keys of that time.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::CopiedKey;

const REMEMBERED_MS: i64 = 24 * 60 * 60 * 1000;

/// What a key stands for: the path and the bytes of the body that came with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// As it was kept.
    pub(super) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Of a request to `path` with `body`.
    pub fn of(path: &str, body: &[u8]) -> Self {
        Self(Sha256::new().chain_update(path).chain_update([0]).chain_update(body).finalize().into())
    }
}

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: the write may take effect.
    New,
    /// The same request was answered with this status and body.
    Same(u16, Bytes),
    /// Another request had this key.
    Other,
}

/// The keys of the last 24 hours.
#[derive(Debug, Default)]
pub struct Idempotency {
    answers: HashMap<Box<str>, Remembered>,
    oldest_first: VecDeque<(i64, Box<str>)>,
}

#[derive(Debug)]
struct Remembered {
    fingerprint: Fingerprint,
    status: u16,
    body: Bytes,
}

impl Idempotency {
    /// Looks a key up, after forgetting those whose time is over.
    pub fn look_up(&mut self, key: &str, fingerprint: Fingerprint, now_ms: i64) -> Known {
        while let Some((at, _)) = self.oldest_first.front()
            && at.saturating_add(REMEMBERED_MS) <= now_ms
        {
            if let Some((_, expired)) = self.oldest_first.pop_front() {
                self.answers.remove(&expired);
            }
        }
        match self.answers.get(key) {
            None => Known::New,
            Some(known) if known.fingerprint == fingerprint => Known::Same(known.status, known.body.clone()),
            Some(_) => Known::Other,
        }
    }

    /// Remembers a 2xx. The key must be new.
    pub fn remember(&mut self, key: &str, fingerprint: Fingerprint, status: u16, body: Bytes, now_ms: i64) {
        self.oldest_first.push_back((now_ms, key.into()));
        self.answers.insert(key.into(), Remembered { fingerprint, status, body });
    }

    /// All keys, oldest first.
    pub(super) fn copy(&self) -> Vec<CopiedKey> {
        let known = self.oldest_first.iter().filter_map(|(at_ms, key)| Some((*at_ms, key, self.answers.get(key)?)));
        let copied = known.map(|(at_ms, key, Remembered { fingerprint, status, body })| CopiedKey {
            key: key.to_string(),
            fingerprint: fingerprint.0,
            status: *status,
            body: body.clone(),
            at_ms,
        });
        copied.collect()
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.answers.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_remembered_for_24_hours_and_then_forgotten() {
        let mut keys = Idempotency::default();
        let request = Fingerprint::of("/transactions", b"{}");
        assert_eq!(keys.look_up("k", request, 0), Known::New);
        keys.remember("k", request, 201, Bytes::from_static(b"answer"), 0);
        assert_eq!(keys.look_up("k", request, REMEMBERED_MS - 1), Known::Same(201, Bytes::from_static(b"answer")));
        assert_eq!(keys.look_up("k", Fingerprint::of("/transactions", b"{} "), REMEMBERED_MS - 1), Known::Other);
        assert_eq!(keys.look_up("k", Fingerprint::of("/invoices", b"{}"), REMEMBERED_MS - 1), Known::Other);
        assert_eq!(keys.look_up("k", request, REMEMBERED_MS), Known::New);
        assert!(keys.is_empty());
    }
}

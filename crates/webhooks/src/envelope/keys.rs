//! Tells whether an object has a key twice, at the price of a few comparisons per key.
//!
//! Stripe's objects have up to some fifty keys. For that size a scan over the fingerprints of the keys before it beats any hash set; a larger
//! object goes on with a hash set, so that no body makes this quadratic.

use std::borrow::Cow;
use std::collections::HashSet;

/// Up to this many keys are compared one by one.
const SCANNED: usize = 64;

/// The keys of the objects that are open, innermost last, in one buffer for the whole body.
#[derive(Debug, Default)]
pub(super) struct Keys<'a> {
    prints: Vec<u64>,
    keys: Vec<Cow<'a, str>>,
}

/// One open object's share of [`Keys`].
pub(super) struct Frame<'a> {
    start: usize,
    /// Used from the key on that no longer fits.
    many: Option<HashSet<Cow<'a, str>>>,
}

impl<'a> Keys<'a> {
    pub(super) fn open(&self) -> Frame<'a> {
        Frame { start: self.keys.len(), many: None }
    }

    pub(super) fn close(&mut self, frame: &Frame<'a>) {
        self.prints.truncate(frame.start);
        self.keys.truncate(frame.start);
    }

    /// Takes a key of the innermost open object; true when that object has had it before.
    pub(super) fn repeats(&mut self, frame: &mut Frame<'a>, key: Cow<'a, str>) -> bool {
        if let Some(many) = &mut frame.many {
            return !many.insert(key);
        }
        let print = fingerprint(key.as_bytes());
        let before = &self.prints[frame.start..];
        // Without an early exit, so that the compiler compares several at once; a hit is all but always the same key.
        let hit = before.iter().fold(false, |hit, other| hit | (*other == print));
        if hit && self.keys[frame.start..].contains(&key) {
            return true;
        }
        if before.len() == SCANNED {
            let mut many: HashSet<_> = self.keys[frame.start..].iter().cloned().collect();
            let repeated = !many.insert(key);
            frame.many = Some(many);
            return repeated;
        }
        self.prints.push(print);
        self.keys.push(key);
        false
    }
}

/// The key's length, first and last eight bytes, mixed. Different keys mostly differ in it; equal keys never do.
fn fingerprint(key: &[u8]) -> u64 {
    let word = |bytes: &[u8]| bytes.iter().rev().fold(0_u64, |word, byte| (word << 8) | u64::from(*byte));
    let first = word(&key[..key.len().min(8)]);
    let last = word(&key[key.len().saturating_sub(8)..]);
    first ^ last.rotate_left(29).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ (key.len() as u64).rotate_left(56)
}

//! Ids that look like Stripe's: a prefix and 24 letters and digits. The first 11 of these tell which story the object belongs to, so that an
//! object can be found by its id without keeping any of them: the story is told again.

use rand::{Rng, distr::Alphanumeric, rngs::StdRng};

/// Letters and digits after the prefix.
const LENGTH: usize = 24;
/// So many of them are the story's key: 62^11 is just above 2^64.
const KEY_LENGTH: usize = 11;
const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What the ids of one story have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoryKey(u64);

impl StoryKey {
    /// Of story number `index`: different for each number, and without a pattern that a reader could see.
    pub(super) fn of(seed: u64, index: u64) -> Self {
        Self(mix(index ^ mix(seed)))
    }

    /// The number of the story of `seed` that has this key. Every key is that of some number: whether such a story was told is for the caller
    /// to look up.
    pub(super) fn index(self, seed: u64) -> u64 {
        unmix(self.0) ^ mix(seed)
    }

    /// The key in an id; `None` if it can't be one of ours.
    pub(super) fn in_id(id: &str) -> Option<Self> {
        let tail = id.rsplit('_').next().filter(|tail| tail.len() == LENGTH)?;
        let digits = tail.get(..KEY_LENGTH)?;
        let number = digits.bytes().try_fold(0_u64, |number, byte| {
            let digit = DIGITS.iter().position(|known| *known == byte)?;
            number.checked_mul(62)?.checked_add(u64::try_from(digit).ok()?)
        })?;
        Some(Self(number))
    }

    /// A new id of this story.
    pub(super) fn draw(self, prefix: &str, random: &mut StdRng) -> String {
        let mut key = [b'0'; KEY_LENGTH];
        let mut rest = self.0;
        for place in key.iter_mut().rev() {
            *place = DIGITS[usize::try_from(rest % 62).unwrap_or(0)];
            rest /= 62;
        }
        let mut id = String::with_capacity(prefix.len() + LENGTH);
        id.push_str(prefix);
        id.extend(key.map(char::from));
        id.extend(random.sample_iter(Alphanumeric).take(LENGTH - KEY_LENGTH).map(char::from));
        id
    }
}

/// A bijection of the 64-bit numbers that spreads neighbours far apart (the finisher of SplitMix64).
fn mix(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

fn unmix(mut x: u64) -> u64 {
    x = (x ^ (x >> 31) ^ (x >> 62)).wrapping_mul(0x3196_42B2_D24D_8EC3);
    x = (x ^ (x >> 27) ^ (x >> 54)).wrapping_mul(0x96DE_1B17_3F11_9089);
    x = x ^ (x >> 30) ^ (x >> 60);
    x.wrapping_sub(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_storys_number_can_be_read_back_from_each_of_its_ids() {
        let mut random = StdRng::seed_from_u64(1);
        for seed in [0, 1, 7, u64::MAX] {
            for index in (0..1_000).chain([u64::MAX - 1, u64::MAX]) {
                let id = StoryKey::of(seed, index).draw("pi_", &mut random);
                assert_eq!(id.len(), 27);
                let key = StoryKey::in_id(&id).expect("it was made here");
                assert_eq!(key.index(seed), index);
            }
        }
    }

    #[test]
    fn other_ids_have_no_key() {
        for id in [
            "",
            "pi_",
            "pi_123",
            "pi_zzzzzzzzzzzzzzzzzzzzzzzz",
            "pi_000000000000000000000-00/",
            "pi_é000000000000000000000",
        ] {
            let key = StoryKey::in_id(id);
            assert!(key.is_none_or(|key| key.index(1) > 1 << 40), "{id}");
        }
    }
}

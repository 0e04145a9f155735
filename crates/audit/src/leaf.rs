//! A row as its seal knows it: when and which it was, and the SHA-256 of its canonical line.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::seal::Hash;

/// Bytes of a leaf: 8 of time, 16 of id, 32 of hash.
pub(crate) const SIZE: usize = 56;

/// A row under a seal. Ordered by time, then id: the order in which a seal is over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// The row's `created_at`, microseconds since 1970.
    pub created_at: i64,
    /// The row's id.
    pub id: Uuid,
    /// Of its canonical line.
    pub sha256: Hash,
}

impl Leaf {
    /// A leaf of what the database says of a row.
    pub(crate) fn new(created_at: OffsetDateTime, id: Uuid, sha256: Hash) -> Self {
        Self { created_at: micros(created_at), id, sha256 }
    }

    /// What names the row.
    pub(crate) const fn key(&self) -> (i64, Uuid) {
        (self.created_at, self.id)
    }

    /// The row's time.
    pub(crate) fn time(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.created_at) * 1_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// As it is stored and hashed: big-endian, so that bytes sort as leaves do (of times after 1970).
    pub(crate) fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.created_at.to_be_bytes());
        bytes.extend_from_slice(self.id.as_bytes());
        bytes.extend_from_slice(&self.sha256);
    }

    /// The leaves in stored bytes; none when they are not leaves.
    pub(crate) fn read_all(bytes: &[u8]) -> Option<Vec<Self>> {
        let (leaves, rest) = bytes.as_chunks::<SIZE>();
        rest.is_empty().then(|| leaves.iter().map(Self::read).collect())
    }

    fn read(bytes: &[u8; SIZE]) -> Self {
        let (mut time, mut id, mut sha256) = ([0; 8], [0; 16], [0; 32]);
        time.copy_from_slice(&bytes[..8]);
        id.copy_from_slice(&bytes[8..24]);
        sha256.copy_from_slice(&bytes[24..]);
        Self { created_at: i64::from_be_bytes(time), id: Uuid::from_bytes(id), sha256 }
    }
}

/// Microseconds since 1970: what PostgreSQL keeps of a time.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    // PostgreSQL's times fit.
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn leaves_are_read_as_they_were_written(
            given in prop::collection::vec((any::<i64>(), any::<u128>(), any::<[u8; 32]>()), 0..20)
        ) {
            let leaves: Vec<Leaf> = given
                .into_iter()
                .map(|(created_at, id, sha256)| Leaf { created_at, id: Uuid::from_u128(id), sha256 })
                .collect();
            let mut bytes = Vec::new();
            for leaf in &leaves {
                leaf.write(&mut bytes);
            }
            prop_assert_eq!(Leaf::read_all(&bytes), Some(leaves));
            bytes.push(0);
            prop_assert_eq!(Leaf::read_all(&bytes), None);
        }
    }
}

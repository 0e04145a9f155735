//! A link of the chain, and how its head is computed. Pure.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::leaf::micros;

/// A SHA-256.
pub type Hash = [u8; 32];

/// What stands in the place of the head before the first seal.
pub const NO_HEAD: Hash = [0; 32];

/// Names the form of what is hashed, so that no other text has a head's hash.
const FORM: &str = "upcoach-erp audit seal, form 1";

/// A seal, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seal {
    /// Its place in the chain, from 1.
    pub number: i64,
    /// The epoch of its rows.
    pub epoch: Epoch,
    /// It is over the rows whose transaction ids are at least this,
    pub from_xid: u64,
    /// and less than this.
    pub until_xid: u64,
    /// How many there are.
    pub row_count: u64,
    /// Of their leaves, in order.
    pub rows_sha256: Hash,
    /// The head of the seal before; [`NO_HEAD`] for the first.
    pub previous_head: Hash,
    /// When it was made, by the database's clock.
    pub sealed_at: OffsetDateTime,
}

/// What an epoch says of itself. A seal is over that, too.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Epoch {
    /// Its number, from 1.
    pub epoch: i32,
    /// When it began.
    pub began_at: OffsetDateTime,
    /// The head that was restored from backup.
    pub restored_head: Option<Vec<u8>>,
    /// What was noted then.
    pub note: Option<String>,
}

impl Seal {
    /// The head: SHA-256 over one line for each thing that it says.
    #[must_use]
    pub fn head(&self) -> Hash {
        let mut text = String::with_capacity(600);
        // Into a string, which never fails.
        let _ = write!(
            text,
            "{FORM}\nnumber {}\nepoch {}\nbegan {}\nrestored {}\nnote {}\nfrom {}\nuntil {}\nrows {}\nrows-sha256 {}\nprevious {}\nsealed {}\n",
            self.number,
            self.epoch.epoch,
            micros(self.epoch.began_at),
            self.epoch.restored_head.as_ref().map_or_else(|| "-".to_owned(), hex::encode),
            self.epoch
                .note
                .as_ref()
                .map_or_else(|| "-".to_owned(), |note| hex::encode(Sha256::digest(note.as_bytes()))),
            self.from_xid,
            self.until_xid,
            self.row_count,
            hex::encode(self.rows_sha256),
            hex::encode(self.previous_head),
            micros(self.sealed_at),
        );
        Sha256::digest(text.as_bytes()).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::Duration;
    use time::macros::datetime;

    fn seal() -> Seal {
        Seal {
            number: 7,
            epoch: Epoch {
                epoch: 2,
                began_at: datetime!(2026-11-24 09:30:00.000001 UTC),
                restored_head: Some(vec![0xab; 32]),
                note: Some("backup of 2026-11-23".to_owned()),
            },
            from_xid: 800,
            until_xid: 1_234,
            row_count: 300_000,
            rows_sha256: [1; 32],
            previous_head: [2; 32],
            sealed_at: datetime!(2026-11-24 10:00 UTC),
        }
    }

    #[test]
    fn a_head_is_what_the_documentation_says() {
        // The text of docs/audit-seals.md, hashed by another program.
        assert_eq!(hex::encode(seal().head()), "c7e52b57aa07e61463a0d528f7888e6555c04b81eab66a6064866a804780d575");
    }

    #[test]
    fn a_head_is_over_everything_that_a_seal_says() {
        let changes: [fn(&mut Seal); 11] = [
            |seal| seal.number += 1,
            |seal| seal.epoch.epoch += 1,
            |seal| seal.epoch.began_at += Duration::MICROSECOND,
            |seal| seal.epoch.restored_head = None,
            |seal| seal.epoch.note = None,
            |seal| seal.from_xid += 1,
            |seal| seal.until_xid += 1,
            |seal| seal.row_count += 1,
            |seal| seal.rows_sha256[31] ^= 1,
            |seal| seal.previous_head[0] ^= 1,
            |seal| seal.sealed_at += Duration::MICROSECOND,
        ];
        let head = seal().head();
        for change in changes {
            let mut changed = seal();
            change(&mut changed);
            assert_ne!(changed.head(), head, "{changed:?}");
        }
    }
}

//! The links: numbers without gaps, each head the hash of what its seal says, each seal going on where the one before ended.

use std::collections::VecDeque;
use std::str::FromStr;

use sqlx::PgConnection;
use time::OffsetDateTime;

use super::problem::Problem;
use crate::seal::{Epoch, Hash, NO_HEAD, Seal};
use crate::sealing::{hash, xid};

/// Seals read at a time.
const BATCH: i64 = 1_000;

/// A head that was kept outside of the database: from a log line, an `audit.sealed` event, an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHead {
    /// Of which seal, if that was kept, too.
    pub number: Option<i64>,
    /// The head.
    pub head: Hash,
}

impl FromStr for KeptHead {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, head) = match text.split_once(':') {
            Some((number, head)) => {
                (Some(number.parse().map_err(|_| format!("{number} is not the number of a seal"))?), head)
            }
            None => (None, text),
        };
        let mut bytes = NO_HEAD;
        hex::decode_to_slice(head, &mut bytes).map_err(|_| {
            "a head is 64 hexadecimal digits, after the seal's number and a colon if you have it".to_owned()
        })?;
        Ok(Self { number, head: bytes })
    }
}

/// A seal as it was read, with the head that stands beside it.
pub(super) struct Stored {
    pub(super) seal: Seal,
    pub(super) head: Hash,
}

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    epoch: i32,
    from_xid: String,
    until_xid: String,
    row_count: i64,
    rows_sha256: Vec<u8>,
    previous_head: Vec<u8>,
    head: Vec<u8>,
    sealed_at: OffsetDateTime,
    began_at: OffsetDateTime,
    restored_head: Option<Vec<u8>>,
    note: Option<String>,
}

impl TryFrom<Row> for Stored {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> Result<Self, sqlx::Error> {
        Ok(Self {
            head: hash(&row.head)?,
            seal: Seal {
                number: row.number,
                epoch: Epoch {
                    epoch: row.epoch,
                    began_at: row.began_at,
                    restored_head: row.restored_head,
                    note: row.note,
                },
                from_xid: xid(&row.from_xid)?,
                until_xid: xid(&row.until_xid)?,
                row_count: u64::try_from(row.row_count).unwrap_or(0),
                rows_sha256: hash(&row.rows_sha256)?,
                previous_head: hash(&row.previous_head)?,
                sealed_at: row.sealed_at,
            },
        })
    }
}

/// The seals after one, in order.
pub(super) async fn after(connection: &mut PgConnection, number: i64) -> Result<VecDeque<Stored>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT s.number, s.epoch, s.from_xid::text, s.until_xid::text, s.row_count, s.rows_sha256, s.previous_head, s.head,
            s.sealed_at, e.began_at, e.restored_head, e.note
         FROM audit.seals s JOIN audit.epochs e ON e.epoch = s.epoch WHERE s.number > $1 ORDER BY s.number LIMIT $2",
    )
    .bind(number)
    .bind(BATCH)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Stored::try_from).collect()
}

/// Whether a seal follows the one before.
pub(super) fn link(before: Option<&Stored>, stored: &Stored) -> Result<(), Problem> {
    let seal = &stored.seal;
    let (number, head, until) = before.map_or((0, NO_HEAD, 0), |before| {
        let same_epoch = before.seal.epoch.epoch == seal.epoch.epoch;
        (before.seal.number, before.head, if same_epoch { before.seal.until_xid } else { 0 })
    });
    let broken = |what: &str| Err(Problem::LinkBroken { seal: seal.number, what: what.to_owned() });
    if seal.number != number + 1 {
        return Err(Problem::SealMissing { seal: number + 1 });
    }
    if stored.seal.head() != stored.head {
        return Err(Problem::SealChanged { seal: seal.number });
    }
    if seal.previous_head != head {
        return broken("the head before it is another");
    }
    if before.is_some_and(|before| before.seal.epoch.epoch > seal.epoch.epoch) {
        return broken("its epoch was over");
    }
    if seal.from_xid != until {
        return broken("transactions are left out, or in twice");
    }
    Ok(())
}

/// The heads that were kept, and whether each was found.
pub(super) struct Kept<'a>(Vec<(&'a KeptHead, bool)>);

impl<'a> Kept<'a> {
    pub(super) fn new(heads: &'a [KeptHead]) -> Self {
        Self(heads.iter().map(|head| (head, false)).collect())
    }

    pub(super) fn compare(&mut self, stored: &Stored) -> Result<(), Problem> {
        for (kept, found) in &mut self.0 {
            let same = kept.head == stored.head;
            if kept.number == Some(stored.seal.number) && !same {
                return Err(Problem::Rewritten { seal: stored.seal.number });
            }
            *found |= same && kept.number.is_none_or(|number| number == stored.seal.number);
        }
        Ok(())
    }

    pub(super) fn end(&self, last: i64) -> Result<(), Problem> {
        match self.0.iter().find(|(_, found)| !found) {
            None => Ok(()),
            Some((KeptHead { number: Some(seal), .. }, _)) => Err(Problem::TailCut { seal: *seal, last }),
            Some((KeptHead { number: None, head }, _)) => Err(Problem::HeadUnknown { head: hex::encode(head) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_head_is_read_with_and_without_its_number() {
        let hex = "ab".repeat(32);
        assert_eq!(hex.parse(), Ok(KeptHead { number: None, head: [0xab; 32] }));
        assert_eq!(format!("17:{hex}").parse(), Ok(KeptHead { number: Some(17), head: [0xab; 32] }));
        for wrong in ["", "17:", "x:ab", &hex[1..]] {
            assert!(wrong.parse::<KeptHead>().is_err(), "{wrong}");
        }
    }
}

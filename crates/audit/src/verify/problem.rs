//! What can be wrong, in words that name the place.

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

/// The first break of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Problem {
    /// A number is left out.
    #[error("seal {seal} is missing")]
    SealMissing {
        /// Its number.
        seal: i64,
    },
    /// A seal says other things than its head is of.
    #[error("seal {seal} was changed: its head is not the hash of what it says")]
    SealChanged {
        /// Its number.
        seal: i64,
    },
    /// A seal does not follow the one before.
    #[error("seal {seal} does not go on where the seal before it ended: {what}")]
    LinkBroken {
        /// Its number.
        seal: i64,
        /// In what.
        what: String,
    },
    /// A kept head is not the one of its seal.
    #[error(
        "seal {seal} has another head than the one that was kept: the log was rewritten up to there, or another backup was restored"
    )]
    Rewritten {
        /// Its number.
        seal: i64,
    },
    /// A kept head is of a seal that is not there.
    #[error(
        "the log ends with seal {last}, but the head of seal {seal} was kept: the end was cut off, or a backup of before was restored"
    )]
    TailCut {
        /// The kept head's number.
        seal: i64,
        /// The last that there is.
        last: i64,
    },
    /// A kept head, without a number, is of none of the seals.
    #[error(
        "no seal has the head {head} that was kept: the log was cut or rewritten, or a backup of before was restored"
    )]
    HeadUnknown {
        /// In hex.
        head: String,
    },
    /// The list of a seal's rows is not the one that it is over.
    #[error("the list of the rows under seal {seal} was changed; whether a row was can't be told row by row")]
    LeavesChanged {
        /// Its number.
        seal: i64,
    },
    /// A row is not what was sealed.
    #[error("row {id} of {created_at}, under seal {seal}, was changed")]
    RowChanged {
        /// The seal that it is under.
        seal: i64,
        /// The row.
        id: Uuid,
        /// Its time.
        #[serde(with = "time::serde::rfc3339")]
        created_at: OffsetDateTime,
    },
    /// A sealed row is gone.
    #[error(
        "row {id} of {created_at}, under seal {seal}, was removed (or its time, id, transaction or epoch was changed)"
    )]
    RowMissing {
        /// The seal that it is under.
        seal: i64,
        /// The row.
        id: Uuid,
        /// Its time.
        #[serde(with = "time::serde::rfc3339")]
        created_at: OffsetDateTime,
    },
    /// A row was slipped in where a seal says that there is none.
    #[error("row {id} of {created_at} was slipped in: it stands where everything was sealed")]
    RowAdded {
        /// The row.
        id: Uuid,
        /// Its time.
        #[serde(with = "time::serde::rfc3339")]
        created_at: OffsetDateTime,
    },
    /// A month's file is not what was sealed.
    #[error("the archive {partition} is not what was sealed: {what}")]
    ArchiveChanged {
        /// The month.
        partition: String,
        /// In what.
        what: String,
    },
}

//! Whether the audit log is what was sealed (docs/audit-seals.md): the chain whole, the newest rows one by one. To compare all rows is for
//! `erpctl audit verify`.

use ::audit::verify::{KeptHead, Options, Verdict};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::input::{Fields, FromFields};
use crate::timestamp::Timestamp;

/// Rows compared where nothing is said, and at most.
const ROWS: i64 = 20_000;
const MOST_ROWS: i64 = 200_000;

/// What is to be checked.
#[derive(Clone, Debug)]
pub struct Asked(Options);

impl FromFields for Asked {
    fn read(fields: &mut Fields) -> Self {
        let rows = fields.integer("rows", 0..=MOST_ROWS).unwrap_or(ROWS);
        let heads = fields.text("head").and_then(|text| match text.parse::<KeptHead>() {
            Ok(head) => Some(head),
            Err(issue) => {
                fields.wrong("head", issue);
                None
            }
        });
        Self(Options {
            heads: heads.into_iter().collect(),
            newest_rows: Some(u64::try_from(rows).unwrap_or(0)),
            archives: None,
        })
    }
}

/// What was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheck {
    /// No break, and everything that refuses changes is in force.
    pub intact: bool,
    /// Seals checked.
    pub seals: u64,
    /// The number of the last one checked; 0: there is none.
    pub last_seal: i64,
    /// Its head, in hex: what is to be kept outside.
    #[schema(required)]
    pub head: Option<String>,
    /// When it was made.
    #[schema(required)]
    pub last_sealed_at: Option<Timestamp>,
    /// Counts restores from backup, from 1.
    pub epoch: i32,
    /// Rows under the seals checked.
    pub rows_sealed: u64,
    /// Rows compared one by one: those of the newest seals.
    pub rows_checked: u64,
    /// Of these, rows that are in archives only, whose files this check does not read.
    pub rows_in_archives: u64,
    /// Rows since the last seal.
    pub rows_unsealed: u64,
    /// Since when the oldest of them waits.
    #[schema(required)]
    pub unsealed_since: Option<Timestamp>,
    /// The first break: its `kind`, and what names its place (`seal`, `id`, `createdAt`, ...).
    #[schema(required, value_type = Option<Object>)]
    pub problem: Option<Value>,
    /// It in words.
    #[schema(required)]
    pub message: Option<String>,
    /// What should refuse changes and does not, in words.
    pub unprotected: Vec<String>,
}

impl From<Verdict> for AuditCheck {
    fn from(verdict: Verdict) -> Self {
        Self {
            intact: verdict.intact,
            seals: verdict.seals,
            last_seal: verdict.last_seal,
            head: verdict.head,
            last_sealed_at: verdict.last_sealed_at.map(Timestamp),
            epoch: verdict.epoch,
            rows_sealed: verdict.rows_sealed,
            rows_checked: verdict.rows_checked,
            rows_in_archives: verdict.rows_in_archives,
            rows_unsealed: verdict.rows_unsealed,
            unsealed_since: verdict.unsealed_since.map(Timestamp),
            problem: verdict.problem.and_then(|problem| serde_json::to_value(problem).ok()),
            message: verdict.message,
            unprotected: verdict.unprotected,
        }
    }
}

/// Checks.
///
/// # Errors
/// The database.
pub async fn check(pool: &PgPool, Asked(options): Asked) -> Result<AuditCheck, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    Ok(::audit::verify(&mut connection, &options).await?.into())
}

//! The customer first: before a dependent record is written, its customer must be in FlashERP, whatever the scope says of customers.
//!
//! The customers that a batch needs are looked up in one statement; those that are missing are claimed in one more and pushed, each once and
//! each with its own dependents behind it. A customer in another worker's hands is waited for without a lease; one that failed or was
//! skipped makes its dependents fail, naming it.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use domain::state::Verdict;
use domain::{EntityType, ErrorCode, FlashErpId, Origin, SourceSystem, SyncId, UserId};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::attempt::{AttemptError, End};
use super::claim::{self, Claimed, Which};
use super::fold::Wish;

/// Where a customer stands, for those that need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Customer {
    /// In FlashERP under this id.
    Ready(FlashErpId),
    /// Not there yet; on its way or waiting for its next try.
    OnItsWay(SyncId),
    /// It came to an end without getting there.
    Ended { sync: SyncId, why: String },
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    source_id: Uuid,
    target_id: Option<String>,
    sync_status: String,
    due_at: Option<OffsetDateTime>,
    error_code: Option<String>,
    skip_reason: Option<String>,
    skipped_by_hand: bool,
}

/// Claims the customers that these users need and that are not in FlashERP, asking for those that nobody asked for; by user.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn claim_missing(
    pool: &PgPool,
    lease: Duration,
    needed: &BTreeMap<UserId, Origin>,
) -> Result<HashMap<UserId, Claimed>, sqlx::Error> {
    let wishes: Vec<Wish> = needed
        .iter()
        .map(|(user, origin)| Wish {
            entity_type: EntityType::Customer,
            source_id: user.as_uuid(),
            origin: *origin,
            force: false,
            batches: Vec::new(),
            requests: 1,
            since: OffsetDateTime::now_utc(),
        })
        .collect();
    let taken = claim::fold_and_claim(pool, Which::Customers(&wishes), lease).await?;
    Ok(taken.claimed.into_iter().map(|claimed| (UserId(claimed.source_id), claimed)).collect())
}

/// Of these customers' syncs, those that somebody waits for.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn waited_for(pool: &PgPool, customers: &[Uuid]) -> Result<Vec<Uuid>, sqlx::Error> {
    sqlx::query_scalar("SELECT DISTINCT waits_for FROM sync.erp_syncs WHERE waits_for = ANY ($1)")
        .bind(customers)
        .fetch_all(pool)
        .await
}

/// How an attempt ends whose customer can't be had.
pub(super) fn without_customer(user: UserId, sync: Option<SyncId>, why: &str) -> End {
    let message = match sync {
        Some(sync) => {
            format!("its customer (user {user}, sync {sync}) is not in FlashERP: {why}; mend and retry that one first")
        }
        None => format!("its customer (user {user}) is not in FlashERP: {why}"),
    };
    End::Failed { verdict: Verdict::Failed, error: AttemptError::new(ErrorCode::SyncFailed, message), because_of: sync }
}

/// Where the customers of these users stand, in one statement.
///
/// # Errors
/// The database can't be reached.
pub(super) async fn states(pool: &PgPool, users: &[Uuid]) -> Result<HashMap<UserId, Customer>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, source_id, target_id, sync_status::text, due_at, error_code, skip_reason, skipped_by_hand FROM sync.erp_syncs
         WHERE source_system = 'upcoach' AND source_type = 'customer' AND source_id = ANY ($1)",
    )
    .bind(users)
    .fetch_all(pool)
    .await?;
    let mut states: HashMap<UserId, Customer> =
        rows.into_iter().map(|row| (UserId(row.source_id), row.state())).collect();
    for user in users {
        // Not folded yet: it has a request, or will be asked for.
        states
            .entry(UserId(*user))
            .or_insert_with(|| Customer::OnItsWay(SyncId::of(SourceSystem::Upcoach, EntityType::Customer, *user)));
    }
    Ok(states)
}

impl Row {
    fn state(self) -> Customer {
        let sync = SyncId(self.id);
        match (self.target_id.and_then(|id| FlashErpId::new(id).ok()), self.sync_status.as_str(), self.due_at) {
            (Some(id), _, _) => Customer::Ready(id),
            (None, "failed", None) => {
                Customer::Ended { sync, why: self.error_code.unwrap_or_else(|| ErrorCode::SyncFailed.to_string()) }
            }
            // One that was left out by scope is brought along all the same.
            (None, "skipped", None) if self.skipped_by_hand => {
                Customer::Ended { sync, why: self.skip_reason.unwrap_or_else(|| "it was skipped".to_owned()) }
            }
            (None, ..) => Customer::OnItsWay(sync),
        }
    }
}

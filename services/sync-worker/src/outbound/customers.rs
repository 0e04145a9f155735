//! The customer first: before a dependent record is written, its customer must be in FlashERP, whatever the scope says of customers.
//!
//! The customers that a batch needs are looked up in one statement; those that are missing are claimed and pushed, each once. A customer
//! in another worker's hands is waited for without a lease; one that failed or was skipped makes its dependents fail, naming it.

use std::collections::{BTreeMap, HashMap};

use domain::{EntityType, ErrorCode, FlashErpId, Origin, SourceSystem, SyncId, UserId};
use futures::future::join_all;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::attempt::{Attempt, AttemptError, End};
use super::claim::{self, Claimed, Which};
use super::fold::Wish;
use super::load;
use super::target::Target;
use super::work::Outbound;

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
}

impl Outbound {
    /// Gets these users into FlashERP as customers, as far as this worker can now. Who is not in the answer is unknown to UpCoach.
    ///
    /// # Errors
    /// The database can't be reached.
    pub(super) async fn provide_customers(
        &self,
        target: &Target,
        needed: &BTreeMap<UserId, Origin>,
    ) -> Result<HashMap<UserId, Customer>, sqlx::Error> {
        let all: Vec<Uuid> = needed.keys().map(|user| user.as_uuid()).collect();
        let mut customers = states(self.pool(), &all).await?;
        let wishes: Vec<Wish> = needed
            .iter()
            .filter(|(user, _)| !matches!(customers.get(user), Some(Customer::Ready(_))))
            .map(|(user, origin)| Wish {
                entity_type: EntityType::Customer,
                source_id: user.as_uuid(),
                origin: *origin,
                force: false,
                batch: None,
                requests: 1,
                since: OffsetDateTime::now_utc(),
            })
            .collect();
        if wishes.is_empty() {
            return Ok(customers);
        }
        let claimed = claim::fold_and_claim(self.pool(), Which::Customers(&wishes), self.settings().lease).await?;
        self.push_customers(target, claimed).await?;
        let missing: Vec<Uuid> = wishes.iter().map(|wish| wish.source_id).collect();
        customers.extend(states(self.pool(), &missing).await?);
        Ok(customers)
    }

    /// Pushes claimed customers side by side; returns when all are finished.
    async fn push_customers(&self, target: &Target, claimed: Vec<Claimed>) -> Result<(), sqlx::Error> {
        if claimed.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = claimed.iter().map(|claimed| claimed.source_id).collect();
        let mut users = load::load(self.pool(), EntityType::Customer, &ids).await?;
        join_all(claimed.into_iter().map(|claimed| {
            let user = users.remove(&claimed.source_id);
            async move {
                let attempt = match user {
                    Some(user) => self.push_one(target, claimed, &user, None).await,
                    None => Attempt::failed(
                        claimed,
                        AttemptError::new(ErrorCode::ResourceNotFound, "UpCoach has no such user any more"),
                    ),
                };
                self.finisher().finish(attempt).await;
            }
        }))
        .await;
        Ok(())
    }
}

/// How an attempt ends whose customer can't be had.
pub(super) fn without_customer(claimed: Claimed, user: UserId, sync: Option<SyncId>, why: &str) -> Attempt {
    let message = match sync {
        Some(sync) => {
            format!("its customer (user {user}, sync {sync}) is not in FlashERP: {why}; mend and retry that one first")
        }
        None => format!("its customer (user {user}) is not in FlashERP: {why}"),
    };
    let error = AttemptError::new(ErrorCode::SyncFailed, message);
    let mut attempt = Attempt::failed(claimed, error);
    if let End::Failed { because_of, .. } = &mut attempt.end {
        *because_of = sync;
    }
    attempt
}

async fn states(pool: &PgPool, users: &[Uuid]) -> Result<HashMap<UserId, Customer>, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, source_id, target_id, sync_status::text, due_at, error_code, skip_reason FROM sync.erp_syncs
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
            (None, "skipped", None) => {
                Customer::Ended { sync, why: self.skip_reason.unwrap_or_else(|| "it was skipped".to_owned()) }
            }
            (None, ..) => Customer::OnItsWay(sync),
        }
    }
}

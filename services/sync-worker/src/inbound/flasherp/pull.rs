//! Fetches the records of which an event was older than what we know: as FlashERP holds them now, through the same path as any event.
//!
//! What waits is parked under `pull:<type>:<id>`. The record is stored as an event `pull:<type>:<id>:<updatedAt>`, and what waited for it is
//! settled, in one transaction: a process that dies before has fetched for nothing, and the next round fetches again.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::mapping::Record;
use domain::{EntityType, FlashErpId, RequestId};
use flasherp::{Call, Client};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::PULL;
use webhooks::flasherp::pulled;

use crate::inbound::batch::{self, Which};
use crate::inbound::settlement::{self, Settlement};

/// Records fetched in one round.
const ROUND: i32 = 100;
/// How long one fetch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches what is waited for; returns the stored events' rows, to be applied.
///
/// # Errors
/// The database can't be reached. What FlashERP does not answer waits on.
pub(crate) async fn pull(pool: &PgPool, client: &Client) -> Result<Vec<Uuid>, sqlx::Error> {
    let keys: Vec<String> =
        sqlx::query_scalar("SELECT ingress.parked_keys($1, $2)").bind(PULL).bind(ROUND).fetch_all(pool).await?;
    let wanted: BTreeSet<String> = keys.into_iter().filter(|key| key.starts_with(PULL)).collect();
    let mut stored = Vec::new();
    for key in wanted {
        let Some((kind, target)) = parse(&key) else { continue };
        let call = Call::new(RequestId(Uuid::new_v4())).within(PATIENCE);
        match client.get(&call, kind, &target).await {
            Ok(record) => stored.extend(store(pool, &key, kind, record.as_ref()).await?),
            // FlashERP is not there for anybody now, or the gate to it is closed.
            Err(error) if error.handed_back || error.turns_everyone_away() || error.locks_us_out() => {
                return Ok(stored);
            }
            Err(error) => {
                tracing::warn!(
                    key,
                    code = error.code.as_str(),
                    stage = "pull",
                    "a record can't be fetched; its events wait on, the others' go on"
                );
            }
        }
    }
    Ok(stored)
}

fn parse(key: &str) -> Option<(EntityType, FlashErpId)> {
    let (kind, target) = key.strip_prefix(PULL)?.split_once(':')?;
    Some((kind.parse().ok()?, FlashErpId::new(target).ok()?))
}

async fn store(
    pool: &PgPool,
    key: &str,
    kind: EntityType,
    record: Option<&Record>,
) -> Result<Option<Uuid>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    // Gone from FlashERP: reconciliation tells.
    let stored = match record.and_then(|record| pulled(kind, record, OffsetDateTime::now_utc())) {
        Some(event) => {
            let id = Uuid::now_v7();
            let new: bool = sqlx::query_scalar(
                "SELECT NOT duplicate FROM ingress.store(ARRAY['flasherp']::ingress.source[], ARRAY[$1], ARRAY[$2], ARRAY[$3],
                    ARRAY[$4], ARRAY[$5], ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY[NULL]::uuid[], ARRAY[NULL]::text[],
                    ARRAY['received']::ingress.event_status[], ARRAY[NULL]::text[])",
            )
            .bind(id)
            .bind(&event.id)
            .bind(event.event_type)
            .bind(&event.body)
            .bind(event.occurred_at)
            .fetch_one(&mut *transaction)
            .await?;
            new.then_some(id)
        }
        None => None,
    };
    let woken = batch::wake(&mut transaction, &[key.to_owned()]).await?;
    let limit = i32::try_from(woken.len()).unwrap_or(i32::MAX);
    let claimed = batch::claim(&mut transaction, Which::Rows(&woken), limit.max(1)).await?;
    let settled: Vec<_> = claimed.iter().map(|event| (event, Settlement::overtaken())).collect();
    if !settled.is_empty() {
        batch::finish(&mut transaction, &settled).await?;
        settlement::audit(&mut transaction, &settled).await?;
        settlement::state_facts(&mut transaction, &settled).await?;
    }
    service::failpoint!("inbound.pull_before_commit");
    transaction.commit().await?;
    service::failpoint!("inbound.pull_after_commit");
    Ok(stored)
}

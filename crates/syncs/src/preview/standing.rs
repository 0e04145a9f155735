//! Where a record's sync stands, and where its customer is in FlashERP: one statement.

use domain::mapping::Base;
use domain::{EntityType, FlashErpId, Outcome, SourceSystem, SyncId, SyncStatus, UserId};
use sqlx::PgPool;
use sqlx::types::Json;
use uuid::Uuid;

/// What the sync row knows; nothing of a record that was never asked for.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    pub(super) status: Option<SyncStatus>,
    pub(super) target_id: Option<FlashErpId>,
    pub(super) outcome: Outcome,
    /// Of an unknown outcome: whatever FlashERP holds that is neither base nor wanted is somebody's there.
    pub(super) undisturbed: bool,
    pub(super) base: Base,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: Uuid,
    sync_status: String,
    target_id: Option<String>,
    outcome: String,
    undisturbed: bool,
    base_payload: Option<Json<Base>>,
}

/// The sync's own standing, and FlashERP's id of the customer it depends on.
pub(super) async fn of(
    pool: &PgPool,
    sync: SyncId,
    owner: Option<UserId>,
) -> Result<(Standing, Option<FlashErpId>), sqlx::Error> {
    let customer = owner.map(|user| SyncId::of(SourceSystem::Upcoach, EntityType::Customer, user.as_uuid()));
    let mut ids = vec![sync.as_uuid()];
    ids.extend(customer.map(|customer| customer.as_uuid()));
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, sync_status::text, target_id, outcome::text, undisturbed, base_payload FROM sync.for_readers WHERE id = ANY ($1)",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    let (mut standing, mut customer_id) = (
        Standing { status: None, target_id: None, outcome: Outcome::Known, undisturbed: false, base: Base::default() },
        None,
    );
    for row in rows {
        let target_id = row.target_id.and_then(|id| FlashErpId::new(id).ok());
        if Some(SyncId(row.id)) == customer {
            customer_id = target_id;
        } else {
            let unknown = |error: domain::kinds::UnknownLabel| sqlx::Error::Decode(error.into());
            standing = Standing {
                status: Some(row.sync_status.parse().map_err(unknown)?),
                target_id,
                outcome: row.outcome.parse().map_err(unknown)?,
                undisturbed: row.undisturbed,
                base: row.base_payload.map(|base| base.0).unwrap_or_default(),
            };
        }
    }
    Ok((standing, customer_id))
}

//! Preview: what a sync of a record would send to FlashERP now, and how the record differs from what FlashERP holds. Nothing is written, neither
//! there nor here.
//!
//! FlashERP is asked through the gate like by any caller: while work is paused too, but not while the breaker is open. What it says can be outdated
//! a moment later: the worker decides anew.

mod plan;
mod shown;
mod standing;

use domain::mapping::{Field, Record};
use domain::{EntityType, FlashErpId, Outcome, RequestId, SourceSystem, SyncId};
use flasherp::{Call, CallError, Client};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

pub use plan::Action;
pub use shown::{Difference, Preview, Problem};

use crate::Scope;
use plan::{Known, plan};
use shown::Shown;
use standing::Standing;

/// Whose previews, and where the other side is.
#[derive(Clone)]
pub struct Previews {
    /// Read only: UpCoach's tables, `sync.for_readers`.
    pub pool: PgPool,
    /// FlashERP, through the gate.
    pub client: Client,
    /// Which types are kept in step.
    pub scope: Scope,
    /// What was born before this is looked up before it is made.
    pub adopted_at: Option<OffsetDateTime>,
}

/// Why there is no preview.
#[derive(Debug, thiserror::Error)]
pub enum PreviewError {
    /// UpCoach has no such record.
    #[error("UpCoach has no such record")]
    NotFound,
    /// The record can't be read.
    #[error("UpCoach's record can't be read: {0}")]
    Unreadable(String),
    /// FlashERP can't be asked.
    #[error("FlashERP can't be asked what it holds")]
    FlashErp(#[source] CallError),
    /// The database.
    #[error("the database")]
    Database(#[from] sqlx::Error),
}

impl Previews {
    /// Of one record.
    ///
    /// # Errors
    /// [`PreviewError`]. A record that can't be told to FlashERP as it is is no error: [`Preview::problem`].
    pub async fn of(&self, kind: EntityType, id: Uuid, request: RequestId) -> Result<Preview, PreviewError> {
        let record = crate::load(&self.pool, kind, &[id])
            .await?
            .remove(&id)
            .ok_or(PreviewError::NotFound)?
            .map_err(PreviewError::Unreadable)?;
        let sync = SyncId::of(SourceSystem::Upcoach, kind, id);
        let owner = record.depends_on();
        let (standing, customer) = standing::of(&self.pool, sync, owner).await?;
        let shown = Shown {
            entity_type: kind,
            source_id: id,
            sync_id: sync,
            in_scope: self.scope.holds(kind),
            needs_customer: owner.filter(|_| customer.is_none()),
            standing: &standing,
        };
        let mut wanted = match record.map_without_customer(customer.as_ref()) {
            Ok(wanted) => wanted,
            Err(error) => return Ok(shown.impossible(&error)),
        };
        let held = self.held(kind, id, &standing, request).await.map_err(PreviewError::FlashErp)?;
        if held.by_target && !record.bears_our_reference() {
            // Its own stays.
            wanted.remove(&Field::UpcoachReference);
        }
        let known = Known {
            target: standing.target_id.is_some(),
            target_is_there: held.by_target,
            base: &standing.base,
            unknown: standing.outcome == Outcome::Unknown,
            open: if standing.undisturbed { record.open() } else { &[] },
            is_looked_up: self.adopted_at.is_some_and(|adopted_at| record.born() < adopted_at),
        };
        let planned = plan(kind, &wanted, &known, held.record.as_ref());
        Ok(shown.planned(&wanted, planned, held.record.as_ref(), held.duplicates))
    }

    async fn held(
        &self,
        kind: EntityType,
        id: Uuid,
        standing: &Standing,
        request: RequestId,
    ) -> Result<Held, CallError> {
        let call = Call::new(request);
        if kind == EntityType::FinancialReport {
            // FlashERP lets nobody read them.
            return Ok(Held::default());
        }
        if let Some(target) = &standing.target_id
            && let Some(record) = self.client.get(&call, kind, target).await?
        {
            return Ok(Held { record: Some(record), by_target: true, duplicates: Vec::new() });
        }
        let mut found = self.client.find_by_reference(&call, kind, &id.to_string()).await?.into_iter();
        let record = found.next();
        Ok(Held { record, by_target: false, duplicates: found.map(|record| record.id).collect() })
    }
}

/// What FlashERP holds.
#[derive(Default)]
struct Held {
    record: Option<Record>,
    /// Under the id that we know; else under our reference.
    by_target: bool,
    /// Further records with our reference, oldest first.
    duplicates: Vec<FlashErpId>,
}

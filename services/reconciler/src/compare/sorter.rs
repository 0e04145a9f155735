//! Sorts joined rows: alike, left out, or suspect. Holds a batch of suspects and doubtful pairs, and sums; never more.

use std::collections::HashMap;

use domain::mapping::{Base, Field, Fields, Marks, control_amount, unlike};
use domain::{EntityType, FlashErpId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use syncs::SourceRecord;
use syncs::reconciliation::TypeTotals;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::run::{Run, StepError};
use crate::verdict::Suspicion;

/// Rows that are held before they are written.
const BATCH: usize = 500;

/// Sorts the rows of one type.
pub(super) struct Sorter<'a> {
    run: &'a Run,
    kind: EntityType,
    /// Whether FlashERP's records without a counterpart are worth a look.
    absent: bool,
    pub(super) totals: TypeTotals,
    /// Rows of FlashERP's records.
    pub(super) staged: u64,
    suspects: Vec<(Suspicion, Option<Uuid>, Option<String>)>,
    doubtful: Vec<Doubtful>,
    births: Vec<(Uuid, String, OffsetDateTime)>,
}

/// A pair whose marks differ: what was exchanged last may explain it.
struct Doubtful {
    source: Uuid,
    sync: Option<Uuid>,
    target: String,
    wanted: Fields,
    bears_our_reference: bool,
    held: Marks,
    theirs: Option<(String, i64)>,
}

impl<'a> Sorter<'a> {
    pub(super) fn new(run: &'a Run, kind: EntityType, absent: bool) -> Self {
        Self {
            run,
            kind,
            absent,
            totals: TypeTotals::of(kind),
            staged: 0,
            suspects: Vec::new(),
            doubtful: Vec::new(),
            births: Vec::new(),
        }
    }

    /// Whether it is time to write.
    pub(super) fn is_full(&self) -> bool {
        self.suspects.len() >= BATCH || self.doubtful.len() >= BATCH || self.births.len() >= BATCH
    }

    /// Takes a row.
    pub(super) fn take(&mut self, row: &PgRow) -> Result<(), sqlx::Error> {
        let source: Option<Uuid> = row.try_get("x_source")?;
        let is_ours: bool = row.try_get("x_is_ours")?;
        let target: Option<String> = row.try_get("x_target")?;
        let updated_here: Option<OffsetDateTime> = if is_ours { row.try_get("updated_at")? } else { None };
        let Some(target) = target else {
            return self.take_ours(row, source, updated_here);
        };
        self.staged += 1;
        let theirs: Option<(String, i64)> = Option::zip(row.try_get("x_currency")?, row.try_get("x_minor")?);
        let (sync, known_target): (Option<Uuid>, Option<String>) =
            (row.try_get("x_sync")?, row.try_get("x_known_target")?);
        let updated_there: OffsetDateTime = row.try_get("x_updated")?;
        let is_first = row.try_get::<i64, _>("x_place")? == 1;
        if let (Some(sync), true) = (sync, row.try_get("x_birth_unknown")?)
            && known_target.as_deref() == Some(target.as_str())
        {
            self.births.push((sync, target.clone(), row.try_get("x_born")?));
        }
        if updated_there >= self.run.cutoff || (is_first && updated_here.is_some_and(|at| at >= self.run.cutoff)) {
            self.totals.left_out += 1;
            self.uncount(theirs.as_ref());
            return Ok(());
        }
        let suspicion = match (is_ours, is_first) {
            (true, false) => Suspicion::Duplicate,
            (false, _) if sync.is_some() && is_first => Suspicion::Orphan,
            (false, _) => Suspicion::Theirs,
            (true, true) => return self.take_pair(row, source, sync, target, known_target, theirs),
        };
        if suspicion == Suspicion::Theirs && !self.absent {
            // Whether UpCoach has it is certain; but a run that has not read all says nothing of what is missing.
            self.uncount(theirs.as_ref());
            return Ok(());
        }
        self.suspect(suspicion, source, Some(target), theirs.as_ref());
        Ok(())
    }

    fn take_ours(
        &mut self,
        row: &PgRow,
        source: Option<Uuid>,
        updated: Option<OffsetDateTime>,
    ) -> Result<(), sqlx::Error> {
        let Some(updated) = updated else {
            self.suspect(Suspicion::Orphan, source, row.try_get("x_known_target")?, None);
            return Ok(());
        };
        if updated >= self.run.cutoff {
            self.totals.left_out += 1;
        } else {
            self.suspect(Suspicion::Ours, source, row.try_get("x_known_target")?, None);
        }
        Ok(())
    }

    fn take_pair(
        &mut self,
        row: &PgRow,
        source: Option<Uuid>,
        sync: Option<Uuid>,
        target: String,
        known_target: Option<String>,
        theirs: Option<(String, i64)>,
    ) -> Result<(), sqlx::Error> {
        let held = Marks::from_bytes(row.try_get("x_marks")?);
        let customer: Option<FlashErpId> =
            row.try_get::<Option<String>, _>("x_customer")?.and_then(|id| FlashErpId::new(id).ok());
        let ours = SourceRecord::from_row(self.kind, row).ok();
        let wanted = ours.and_then(|ours| {
            let wanted = ours.map_without_customer(customer.as_ref()).ok()?;
            Some((wanted, ours.bears_our_reference()))
        });
        let (Some((wanted, bears_our_reference)), Some(source_id)) = (wanted, source) else {
            self.suspect(Suspicion::Pair, source, Some(target), theirs.as_ref());
            return Ok(());
        };
        if known_target.is_some_and(|known| known != target) {
            self.suspect(Suspicion::Pair, source, Some(target), theirs.as_ref());
        } else if Marks::of(&wanted) == held {
            self.matched(&wanted);
        } else {
            self.doubtful.push(Doubtful { source: source_id, sync, target, wanted, bears_our_reference, held, theirs });
        }
        Ok(())
    }

    /// Both sides count for the same.
    fn matched(&mut self, wanted: &Fields) {
        self.totals.matched += 1;
        self.totals.upcoach += 1;
        match control_amount(self.kind, wanted) {
            Some(Ok(money)) => self.totals.currency(money.code()).ours += i128::from(money.minor()),
            Some(Err(_)) => self.totals.unreadable += 1,
            None => {}
        }
    }

    fn suspect(
        &mut self,
        suspicion: Suspicion,
        source: Option<Uuid>,
        target: Option<String>,
        theirs: Option<&(String, i64)>,
    ) {
        self.uncount(theirs);
        self.suspects.push((suspicion, source, target));
    }

    /// FlashERP's staged sums hold it: what it counts for is what the second read says.
    fn uncount(&mut self, theirs: Option<&(String, i64)>) {
        if let Some((currency, minor)) = theirs {
            self.totals.currency(currency).theirs -= i128::from(*minor);
        }
    }

    /// Writes what it holds.
    pub(super) async fn flush(&mut self) -> Result<(), StepError> {
        self.explain().await?;
        if !self.births.is_empty() {
            let births = std::mem::take(&mut self.births);
            // True whoever has the run; and the rows of syncs are not kept from the workers until a transaction ends.
            sqlx::query("SELECT sync.learn_births($1, $2, $3)")
                .bind(births.iter().map(|(sync, _, _)| *sync).collect::<Vec<_>>())
                .bind(births.iter().map(|(_, target, _)| target.as_str()).collect::<Vec<_>>())
                .bind(births.iter().map(|(_, _, born)| *born).collect::<Vec<_>>())
                .execute(&self.run.pool)
                .await?;
        }
        if self.suspects.is_empty() {
            return Ok(());
        }
        let suspects = std::mem::take(&mut self.suspects);
        let mut writing = self.run.begin().await?;
        self.run.fence(&mut writing).await?;
        sqlx::query(
            "INSERT INTO reconciliation.suspects (run_id, entity_type, suspicion, source_id, target_id)
             SELECT $1, $2::text::sync.entity_type, suspicion::reconciliation.suspicion, source, target
             FROM unnest($3::text[], $4::uuid[], $5::text[]) AS suspect (suspicion, source, target)",
        )
        .bind(self.run.id)
        .bind(self.kind.as_str())
        .bind(suspects.iter().map(|(suspicion, _, _)| suspicion.as_str()).collect::<Vec<_>>())
        .bind(suspects.iter().map(|(_, source, _)| *source).collect::<Vec<_>>())
        .bind(suspects.iter().map(|(_, _, target)| target.as_deref()).collect::<Vec<_>>())
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// Of the doubtful pairs those that what was exchanged last explains are alike.
    async fn explain(&mut self) -> Result<(), sqlx::Error> {
        let doubtful = std::mem::take(&mut self.doubtful);
        let syncs: Vec<Uuid> = doubtful.iter().filter_map(|pair| pair.sync).collect();
        if doubtful.is_empty() {
            return Ok(());
        }
        let rows: Vec<(Uuid, Json<Base>)> = sqlx::query_as(
            "SELECT id, base_payload FROM sync.for_readers WHERE id = ANY ($1) AND base_payload IS NOT NULL",
        )
        .bind(syncs)
        .fetch_all(&self.run.pool)
        .await?;
        let bases: HashMap<Uuid, Base> = rows.into_iter().map(|(id, base)| (id, base.0)).collect();
        let nothing = Base::default();
        for pair in doubtful {
            let base = pair.sync.and_then(|sync| bases.get(&sync)).unwrap_or(&nothing);
            let mut fields = unlike(&pair.wanted, &pair.held, base);
            fields.retain(|field| pair.bears_our_reference || *field != Field::UpcoachReference);
            if fields.is_empty() {
                self.matched(&pair.wanted);
            } else {
                self.suspect(Suspicion::Pair, Some(pair.source), Some(pair.target), pair.theirs.as_ref());
            }
        }
        Ok(())
    }
}

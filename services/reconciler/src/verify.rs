//! Every suspect read again on both sides before anything is said of it: FlashERP's records one by one, ours many to a statement.
//!
//! A batch of suspects, what became of them and the counts are one transaction: a process that dies leaves the rest to the next one. If FlashERP can't
//! be read any more, what is left is dropped, and the run is incomplete.

use std::collections::HashMap;
use std::sync::Arc;

use domain::mapping::{Base, Record};
use domain::{EntityType, FlashErpId, RequestId, SyncId, UserId};
use flasherp::{Call, CallError, CallResult};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use service::metrics::Counter;
use sqlx::types::Json;
use syncs::SourceRecord;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::call::patiently;
use crate::config::RunSettings;
use crate::findings;
use crate::run::{Run, StepError};
use crate::target::Target;
use crate::verdict::{Bounds, Case, Finding, Suspicion, Sync, Verdict, What, judge};

/// Suspects in one transaction.
const BATCH: i64 = 200;

#[derive(Debug, Clone, sqlx::FromRow)]
struct Row {
    id: i64,
    entity_type: String,
    suspicion: String,
    source_id: Option<Uuid>,
    target_id: Option<String>,
}

/// A suspect.
#[derive(Debug, Clone)]
struct Suspect {
    suspicion: Suspicion,
    source: Option<Uuid>,
    target: Option<FlashErpId>,
}

/// Judges all suspects of a run.
///
/// # Errors
/// [`StepError`]; what was judged before stays.
pub(crate) async fn verify(run: &mut Run, target: &Arc<Target>, settings: RunSettings) -> Result<(), StepError> {
    loop {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, entity_type::text, suspicion::text, source_id, target_id FROM reconciliation.suspects
             WHERE run_id = $1 ORDER BY id LIMIT $2",
        )
        .bind(run.id)
        .bind(BATCH)
        .fetch_all(&run.pool)
        .await?;
        if rows.is_empty() {
            return Ok(());
        }
        let mut by_type: HashMap<EntityType, Vec<Suspect>> = HashMap::new();
        for row in &rows {
            // Labels of a newer version are left to it; it wrote them, and has the run by now.
            let (Ok(kind), Some(suspicion)) = (row.entity_type.parse(), Suspicion::of(&row.suspicion)) else {
                return Err(StepError::Lost);
            };
            let target = row.target_id.clone().and_then(|id| FlashErpId::new(id).ok());
            by_type.entry(kind).or_default().push(Suspect { suspicion, source: row.source_id, target });
        }
        let mut judged = Vec::new();
        let mut births = Vec::new();
        for (kind, suspects) in by_type {
            match read_again(run, target, settings, kind, suspects).await? {
                Ok(cases) => {
                    let bounds = Bounds { from: run.from, to: run.to, cutoff: run.cutoff };
                    births.extend(cases.iter().filter_map(birth));
                    judged.extend(cases.iter().map(|case| (kind, judge(case, &bounds))));
                }
                Err(error) => return drop_the_rest(run, &error).await,
            }
        }
        settle(run, &rows, judged, births).await?;
        service::failpoint!("reconciler.batch_verified");
    }
}

/// Both sides as they are now. The inner error: FlashERP can't be read.
async fn read_again(
    run: &Run,
    target: &Target,
    settings: RunSettings,
    kind: EntityType,
    suspects: Vec<Suspect>,
) -> Result<Result<Vec<Case>, CallError>, StepError> {
    let sources: Vec<Uuid> = suspects.iter().filter_map(|suspect| suspect.source).collect();
    let mut ours = syncs::load(&run.pool, kind, &sources).await?;
    let mut syncs = standing(run, kind, &sources).await?;
    let requested: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT source_id FROM sync.waiting_for_readers
         WHERE entity_type = $1::text::sync.entity_type AND source_id = ANY ($2)",
    )
    .bind(kind.as_str())
    .bind(&sources)
    .fetch_all(&run.pool)
    .await?;
    let customers = customers(run, &ours).await?;
    let mut cases: Vec<(Case, Option<FlashErpId>)> = suspects
        .into_iter()
        .map(|suspect| {
            // Several suspects may be of one record: the doubles of it.
            let record = suspect.source.and_then(|id| match ours.get(&id) {
                Some(Ok(record)) => Some(Ok(record.clone())),
                Some(Err(why)) => Some(Err(why.clone())),
                None => None,
            });
            let owner =
                record.as_ref().and_then(|record: &Result<SourceRecord, String>| record.as_ref().ok()?.depends_on());
            let case = Case {
                kind,
                suspicion: suspect.suspicion,
                source: suspect.source,
                sync: suspect.source.and_then(|id| syncs.get(&id).cloned()),
                is_requested: suspect.source.is_some_and(|id| requested.contains(&id)),
                customer: owner.and_then(|user| customers.get(&user).cloned()),
                ours: record,
                theirs: None,
                other_is_there: false,
            };
            (case, suspect.target)
        })
        .collect();
    ours.clear();
    syncs.clear();
    let call = Call::new(RequestId(run.id));
    let look = |(case, named): (Case, Option<FlashErpId>)| {
        let call = &call;
        async move { look(target, settings, call, case, named).await }
    };
    let cases = stream::iter(cases.drain(..)).map(look).buffer_unordered(settings.at_once).try_collect().await;
    Ok(cases)
}

/// Reads what FlashERP has of a suspect.
async fn look(
    target: &Target,
    settings: RunSettings,
    call: &Call,
    mut case: Case,
    named: Option<FlashErpId>,
) -> CallResult<Case> {
    let client = &target.client;
    if let Some(id) = &named {
        case.theirs = patiently(settings.patience, || client.get(call, case.kind, id)).await?;
    }
    let known = case.sync.as_ref().and_then(|sync| sync.target.clone());
    if let Some(known) = known.filter(|known| Some(known) != named.as_ref())
        && case.suspicion != Suspicion::Duplicate
    {
        let other: Option<Record> = patiently(settings.patience, || client.get(call, case.kind, &known)).await?;
        case.other_is_there = other.is_some();
        if case.theirs.is_none() {
            case.theirs = other;
        }
    }
    if let (None, Some(Ok(_)), Some(source)) = (&case.theirs, &case.ours, case.source)
        && case.suspicion != Suspicion::Duplicate
    {
        let reference = source.to_string();
        let found = patiently(settings.patience, || client.find_by_reference(call, case.kind, &reference)).await?;
        case.theirs = found.into_iter().next();
    }
    Ok(case)
}

async fn standing(run: &Run, kind: EntityType, sources: &[Uuid]) -> Result<HashMap<Uuid, Sync>, sqlx::Error> {
    #[derive(sqlx::FromRow)]
    struct SyncRow {
        id: Uuid,
        source_id: Uuid,
        target_id: Option<String>,
        sync_status: String,
        outcome: String,
        nothing_asked: bool,
        base_payload: Option<Json<Base>>,
    }
    let rows: Vec<SyncRow> = sqlx::query_as(
        "SELECT id, source_id, target_id, sync_status::text, outcome::text, nothing_asked, base_payload FROM sync.for_readers
         WHERE source_system = 'upcoach' AND source_type = $1::text::sync.entity_type AND source_id = ANY ($2)",
    )
    .bind(kind.as_str())
    .bind(sources)
    .fetch_all(&run.pool)
    .await?;
    let unknown = |error: domain::kinds::UnknownLabel| sqlx::Error::Decode(error.into());
    rows.into_iter()
        .map(|row| {
            let sync = Sync {
                id: SyncId(row.id),
                target: row.target_id.and_then(|id| FlashErpId::new(id).ok()),
                status: row.sync_status.parse().map_err(unknown)?,
                outcome: row.outcome.parse().map_err(unknown)?,
                is_asked: !row.nothing_asked,
                base: row.base_payload.map(|base| base.0).unwrap_or_default(),
            };
            Ok((row.source_id, sync))
        })
        .collect()
}

async fn customers(
    run: &Run,
    ours: &HashMap<Uuid, Result<SourceRecord, String>>,
) -> Result<HashMap<UserId, FlashErpId>, sqlx::Error> {
    let users: Vec<Uuid> =
        ours.values().filter_map(|record| Some(record.as_ref().ok()?.depends_on()?.as_uuid())).collect();
    let rows: Vec<(Uuid, String)> = sqlx::query_as(
        "SELECT source_id, target_id FROM sync.for_readers
         WHERE source_system = 'upcoach' AND source_type = 'customer' AND source_id = ANY ($1) AND target_id IS NOT NULL",
    )
    .bind(users)
    .fetch_all(&run.pool)
    .await?;
    Ok(rows.into_iter().filter_map(|(user, id)| Some((UserId(user), FlashErpId::new(id).ok()?))).collect())
}

/// When FlashERP made the target of a sync.
fn birth(case: &Case) -> Option<(SyncId, FlashErpId, OffsetDateTime)> {
    let (sync, theirs) = (case.sync.as_ref()?, case.theirs.as_ref()?);
    (sync.target.as_ref() == Some(&theirs.id)).then(|| (sync.id, theirs.id.clone(), theirs.created_at))
}

/// Writes what became of a batch.
async fn settle(
    run: &mut Run,
    rows: &[Row],
    judged: Vec<(EntityType, Verdict)>,
    births: Vec<(SyncId, FlashErpId, OffsetDateTime)>,
) -> Result<(), StepError> {
    let mut totals = run.totals.clone();
    for (kind, verdict) in &judged {
        let totals = totals.of_type(*kind);
        match verdict.what {
            What::Nothing => {}
            What::LeftOut => totals.left_out += 1,
            What::Matched => totals.matched += 1,
            What::Differs(class) => *totals.records.entry(class.as_str().to_owned()).or_default() += 1,
        }
        totals.upcoach += u64::from(verdict.ours.is_there);
        totals.flasherp += u64::from(verdict.theirs.is_there);
        totals.unreadable += u64::from(verdict.ours.is_unreadable) + u64::from(verdict.theirs.is_unreadable);
        if let Some(money) = verdict.ours.money {
            totals.currency(money.code()).ours += i128::from(money.minor());
        }
        if let Some(money) = verdict.theirs.money {
            totals.currency(money.code()).theirs += i128::from(money.minor());
        }
        for finding in &verdict.findings {
            for (currency, minor) in &finding.difference {
                totals.currency(currency).classified += minor;
            }
        }
    }
    let found: Vec<Finding> = judged.into_iter().flat_map(|(_, verdict)| verdict.findings).collect();
    // True whoever has the run; and the rows of syncs are not kept from the workers until the transaction ends.
    sqlx::query("SELECT sync.learn_births($1, $2, $3)")
        .bind(births.iter().map(|(sync, _, _)| sync.as_uuid()).collect::<Vec<_>>())
        .bind(births.iter().map(|(_, target, _)| target.as_str()).collect::<Vec<_>>())
        .bind(births.iter().map(|(_, _, born)| *born).collect::<Vec<_>>())
        .execute(&run.pool)
        .await?;
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    for (kind, class, is_open) in findings::insert(&mut transaction, run.id, &found).await? {
        let Ok(kind) = kind.parse() else { continue };
        let totals = totals.of_type(kind);
        *totals.findings.entry(class).or_default() += 1;
        totals.open += u64::from(is_open);
    }
    sqlx::query("DELETE FROM reconciliation.suspects WHERE run_id = $1 AND id = ANY ($2)")
        .bind(run.id)
        .bind(rows.iter().map(|row| row.id).collect::<Vec<_>>())
        .execute(&mut *transaction)
        .await?;
    sqlx::query("UPDATE reconciliation.runs SET totals = $2 WHERE id = $1")
        .bind(run.id)
        .bind(Json(&totals))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    for finding in &found {
        Counter::ReconciliationFindings.increment(&[("class", finding.class.as_str())]);
    }
    run.totals = totals;
    Ok(())
}

/// FlashERP can't be read any more: of what is left nothing is said.
async fn drop_the_rest(run: &mut Run, error: &CallError) -> Result<(), StepError> {
    let why = format!("differences could not be read again: {error}");
    tracing::error!(run_id = %run.id, error = error.to_string(), "differences could not be read again; nothing is said of them");
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    sqlx::query("DELETE FROM reconciliation.suspects WHERE run_id = $1")
        .bind(run.id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query("UPDATE reconciliation.runs SET error = concat_ws('; ', error, $2) WHERE id = $1")
        .bind(run.id)
        .bind(&why)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    run.unread = Some(match run.unread.take() {
        Some(before) => format!("{before}; {why}"),
        None => why,
    });
    Ok(())
}

//! Every suspect read again on both sides before anything is said of it: FlashERP's records one by one, ours many to a statement.
//!
//! A record of FlashERP's that is the target of another record's sync counts for that one alone, whatever it refers to: here it is not there.
//!
//! A batch of suspects, what became of them and the counts are one transaction: a process that dies leaves the rest to the next one. Of a suspect that
//! FlashERP can't serve nothing is said but that it could not be read, the others go on, and the run is incomplete. If FlashERP can't be read any more at all, that goes for all that are left.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;

use domain::mapping::{Base, Record};
use domain::{EntityType, FlashErpId, RequestId, SyncId, UserId};
use flasherp::{Call, CallError, CallResult};
use futures::{Stream, StreamExt as _, stream};
use service::metrics::Counter;
use sqlx::types::Json;
use syncs::SourceRecord;
use syncs::reconciliation::{Totals, Unread};
use syncs::target::Target;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::call::{is_away, patiently_one};
use crate::config::RunSettings;
use crate::findings;
use crate::run::{Run, StepError};
use crate::shown::plain;
use crate::verdict::{Bounds, Case, Finding, Suspicion, Sync, Verdict, What, judge};

/// Suspects in one transaction.
const BATCH: i64 = 200;
/// So many that can't be served, and none that can, are no accident of one record.
const SEVERAL: usize = 5;
/// Records that could not be read are named up to so many.
const NAMED: usize = 100;
/// What could not be read is told up to about so many bytes.
const TOLD: usize = 2_000;
/// And is cut off there.
const LONGEST: usize = 4_000;

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
        let mut trouble = Trouble::default();
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
        let bounds = Bounds { from: run.from, to: run.to, cutoff: run.cutoff };
        let (mut judged, mut births) = (Vec::new(), Vec::new());
        for (kind, suspects) in by_type {
            for case in read_again(run, target, settings, kind, suspects, &mut trouble).await? {
                births.extend(birth(&case));
                judged.push((kind, judge(&case, &bounds)));
            }
        }
        settle(run, &rows, judged, births, trouble.unread).await?;
        if let Some(error) = trouble.away {
            return drop_the_rest(run, &error).await;
        }
        service::failpoint!("reconciler.batch_verified");
    }
}

/// What of FlashERP can't be read, of one batch.
#[derive(Default)]
struct Trouble {
    /// Whether it has served any.
    has_served: bool,
    /// Those that it could not serve.
    unread: Vec<Unread>,
    /// FlashERP as a whole can't be read.
    away: Option<CallError>,
}

impl Trouble {
    /// Those that FlashERP serves; it is asked no more once it can't be read at all.
    async fn served<T>(&mut self, reads: impl Stream<Item = Result<T, (Unread, CallError)>>) -> Vec<T> {
        let mut reads = pin!(reads);
        let mut served = Vec::new();
        while self.away.is_none()
            && let Some(read) = reads.next().await
        {
            match read {
                Ok(read) => {
                    self.has_served = true;
                    served.push(read);
                }
                Err((unread, error)) => self.met(unread, error),
            }
        }
        served
    }

    fn met(&mut self, unread: Unread, error: CallError) {
        self.unread.push(unread);
        if is_away(&error) || (!self.has_served && self.unread.len() >= SEVERAL) {
            self.away = Some(error);
        }
    }
}

/// A suspect that can't be read, and why.
fn unread(case: &Case, target: Option<&FlashErpId>, error: CallError) -> (Unread, CallError) {
    let target = target.or_else(|| case.sync.as_ref()?.target.as_ref());
    let unread = Unread {
        entity_type: case.kind,
        source_id: case.source,
        target_id: target.map(|id| plain(id.as_str()).into_owned()),
        error: plain(&error.to_string()).into_owned(),
    };
    (unread, error)
}

/// Both sides as they are now, of those that FlashERP serves.
async fn read_again(
    run: &Run,
    target: &Target,
    settings: RunSettings,
    kind: EntityType,
    suspects: Vec<Suspect>,
    trouble: &mut Trouble,
) -> Result<Vec<Case>, StepError> {
    let sources: Vec<Uuid> = suspects.iter().filter_map(|suspect| suspect.source).collect();
    let ours = syncs::load(&run.pool, kind, &sources).await?;
    let syncs = standing(run, kind, &sources).await?;
    let requested: Vec<Uuid> = sqlx::query_scalar(
        "SELECT DISTINCT source_id FROM sync.waiting_for_readers
         WHERE entity_type = $1::text::sync.entity_type AND source_id = ANY ($2)",
    )
    .bind(kind.as_str())
    .bind(&sources)
    .fetch_all(&run.pool)
    .await?;
    let customers = customers(run, &ours).await?;
    let cases: Vec<(Case, Option<FlashErpId>)> = suspects
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
    drop((ours, syncs));
    let call = &Call::new(RequestId(run.id));
    let looks = stream::iter(cases).map(|(case, suspected)| look(target, settings, call, case, suspected));
    let seen = trouble.served(looks.buffer_unordered(settings.at_once)).await;
    let holders = holders(run, kind, seen.iter().flat_map(Seen::ids).collect()).await?;
    let settled = seen.into_iter().map(|seen| seen.settled(&holders));
    let (mut cases, without): (Vec<Case>, Vec<Case>) = settled.partition(|case| !may_be_found(case));
    let looks = stream::iter(without).map(|case| find(target, settings, call, case));
    let found = trouble.served(looks.buffer_unordered(settings.at_once)).await;
    let ids = found.iter().flat_map(|(_, records)| records.iter().map(|record| record.id.as_str().to_owned()));
    let holders = self::holders(run, kind, ids.collect()).await?;
    cases.extend(found.into_iter().map(|(mut case, records)| {
        case.theirs = records.into_iter().find(|record| !is_anothers(&holders, case.source, record));
        case
    }));
    Ok(cases)
}

/// A suspect and what FlashERP has under the ids that are known of it.
struct Seen {
    case: Case,
    /// The record that was suspected.
    named: Option<Record>,
    /// The sync's own target, if that is another one.
    known: Option<Record>,
}

impl Seen {
    fn ids(&self) -> Vec<String> {
        [&self.named, &self.known].into_iter().flatten().map(|record| record.id.as_str().to_owned()).collect()
    }

    /// What is its own.
    fn settled(self, holders: &HashMap<String, Uuid>) -> Case {
        let Self { mut case, named, known } = self;
        let source = case.source;
        let own = |record: &Record| !is_anothers(holders, source, record);
        let known = known.filter(own);
        case.other_is_there = known.is_some();
        case.theirs = named.filter(own).or(known);
        case
    }
}

/// Reads what FlashERP has under the ids that are known of a suspect.
async fn look(
    target: &Target,
    settings: RunSettings,
    call: &Call,
    case: Case,
    suspected: Option<FlashErpId>,
) -> Result<Seen, (Unread, CallError)> {
    let known = case.sync.as_ref().and_then(|sync| sync.target.clone());
    let known = known.filter(|known| Some(known) != suspected.as_ref() && case.suspicion != Suspicion::Duplicate);
    let read = async {
        let named = get(target, settings, call, case.kind, suspected.as_ref()).await?;
        Ok::<_, CallError>((named, get(target, settings, call, case.kind, known.as_ref()).await?))
    };
    match read.await {
        Ok((named, known)) => Ok(Seen { case, named, known }),
        Err(error) => Err(unread(&case, suspected.as_ref(), error)),
    }
}

async fn get(
    target: &Target,
    settings: RunSettings,
    call: &Call,
    kind: EntityType,
    id: Option<&FlashErpId>,
) -> CallResult<Option<Record>> {
    let Some(id) = id else { return Ok(None) };
    patiently_one(settings.patience, target, call, || target.client.get(call, kind, id)).await
}

/// Whether FlashERP has nothing under an id that is known of it, and may have it under our reference.
fn may_be_found(case: &Case) -> bool {
    case.theirs.is_none() && matches!(case.ours, Some(Ok(_))) && case.suspicion != Suspicion::Duplicate
}

/// FlashERP's records that refer to ours.
async fn find(
    target: &Target,
    settings: RunSettings,
    call: &Call,
    case: Case,
) -> Result<(Case, Vec<Record>), (Unread, CallError)> {
    let Some(source) = case.source else { return Ok((case, Vec::new())) };
    let (kind, reference) = (case.kind, source.to_string());
    let read = || target.client.find_by_reference(call, kind, &reference);
    match patiently_one(settings.patience, target, call, read).await {
        Ok(found) => Ok((case, found)),
        Err(error) => Err(unread(&case, None, error)),
    }
}

/// Whose targets these are, as the comparison has it: of several syncs the first by id.
async fn holders(run: &Run, kind: EntityType, targets: Vec<String>) -> Result<HashMap<String, Uuid>, sqlx::Error> {
    if targets.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT DISTINCT ON (target_id) target_id, source_id FROM sync.for_readers
         WHERE source_system = 'upcoach' AND source_type = $1::text::sync.entity_type AND target_id = ANY ($2)
         ORDER BY target_id, id",
    )
    .bind(kind.as_str())
    .bind(targets)
    .fetch_all(&run.pool)
    .await?;
    Ok(rows.into_iter().collect())
}

fn is_anothers(holders: &HashMap<String, Uuid>, source: Option<Uuid>, record: &Record) -> bool {
    holders.get(record.id.as_str()).is_some_and(|holder| Some(*holder) != source)
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
    unread: Vec<Unread>,
) -> Result<(), StepError> {
    let mut totals = run.totals.clone();
    // Also those that were not asked for any more.
    totals.unread_count += rows.len().abs_diff(judged.len()) as u64;
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
    let error = match unread.first() {
        Some(first) => {
            let (count, why) = (unread.len(), &first.error);
            tracing::warn!(run_id = %run.id, unread = count, error = why, "differences could not be read again; nothing is said of them");
            let records = unread.iter().map(Unread::to_string).collect::<Vec<_>>().join(", ");
            Some(told(
                run.unread.as_deref(),
                &format!("differences that could not be read again: {count} ({why}): {records}"),
            ))
        }
        None => run.unread.clone(),
    };
    let room = NAMED.saturating_sub(totals.unread.len());
    totals.unread.extend(unread.into_iter().take(room));
    sqlx::query("UPDATE reconciliation.runs SET totals = $2, error = $3 WHERE id = $1")
        .bind(run.id)
        .bind(Json(&totals))
        .bind(&error)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    run.unread = error;
    for finding in &found {
        Counter::ReconciliationFindings.increment(&[("class", finding.class.as_str())]);
    }
    run.totals = totals;
    Ok(())
}

/// FlashERP can't be read any more: of what is left nothing is said.
async fn drop_the_rest(run: &mut Run, error: &CallError) -> Result<(), StepError> {
    tracing::error!(run_id = %run.id, error = error.to_string(), "differences could not be read again; nothing is said of them");
    let why = told(run.unread.as_deref(), &format!("differences could not be read again: {error}"));
    let mut transaction = run.begin().await?;
    run.fence(&mut transaction).await?;
    let dropped = sqlx::query("DELETE FROM reconciliation.suspects WHERE run_id = $1")
        .bind(run.id)
        .execute(&mut *transaction)
        .await?
        .rows_affected();
    let totals = Totals { unread_count: run.totals.unread_count + dropped, ..run.totals.clone() };
    sqlx::query("UPDATE reconciliation.runs SET totals = $2, error = $3 WHERE id = $1")
        .bind(run.id)
        .bind(Json(&totals))
        .bind(&why)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    run.unread = Some(why);
    run.totals = totals;
    Ok(())
}

/// What could not be read before, and now. There may be a word for each of a thousand batches: what is beyond some of them is left out.
fn told(before: Option<&str>, now: &str) -> String {
    let mut told = match before {
        None => plain(now).into_owned(),
        Some(before) if before.len() >= TOLD => return before.to_owned(),
        Some(before) => format!("{before}; {}", plain(now)),
    };
    if told.len() > LONGEST {
        told.truncate(told.floor_char_boundary(LONGEST));
        told.push_str("...");
    }
    told
}

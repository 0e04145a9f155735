//! The ledger between database and fold. Sync rows are locked first and in id order, as outbound does, then UpCoach's rows table by table.

use std::collections::{BTreeMap, BTreeSet};

use domain::mapping::{Base, Field};
use domain::upcoach::UpcoachMode;
use domain::{EntityType, SourceSystem, SyncId};
use serde_json::json;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::event::{FlasherpEvent, What, reference};
use super::ledger::{Invoice, Ledger, Rows, Sync, Transaction, User};
use super::merge::Policy;
use super::take::transaction_named;
use crate::inbound::apply::ApplyError;
use crate::inbound::store::raise_alerts;

/// What the events name.
#[derive(Debug, Default)]
struct Needs {
    targets: BTreeSet<(&'static str, String)>,
    /// Our ids, by type.
    references: BTreeMap<&'static str, BTreeSet<Uuid>>,
    customers: BTreeSet<String>,
}

impl Needs {
    fn of(events: &[&FlasherpEvent]) -> Self {
        let mut needs = Self::default();
        for event in events {
            match &event.what {
                What::Record { kind, record, .. } => {
                    needs.target(*kind, record.id.as_str());
                    needs.reference(*kind, reference(record.reference()));
                    needs.customers.extend(record.text(Field::CustomerId).map(str::to_owned));
                    needs.reference(EntityType::Transaction, transaction_named(record));
                }
                What::PaymentFailed(failed) => {
                    if let Some(target) = &failed.transaction_id {
                        needs.target(EntityType::Transaction, target.as_str());
                    }
                    needs.reference(EntityType::Transaction, reference(failed.upcoach_reference.as_deref()));
                }
                What::BulkJob(_) | What::Other => {}
            }
        }
        needs
    }

    fn target(&mut self, kind: EntityType, target: &str) {
        self.targets.insert((kind.as_str(), target.to_owned()));
    }

    fn reference(&mut self, kind: EntityType, id: Option<Uuid>) {
        self.references.entry(kind.as_str()).or_default().extend(id);
    }

    fn sync_ids(&self) -> Vec<Uuid> {
        let ids = self.references.iter().flat_map(|(kind, ids)| ids.iter().map(move |id| (*kind, *id)));
        ids.filter_map(|(kind, id)| Some(SyncId::of(SourceSystem::Upcoach, kind.parse().ok()?, id).as_uuid())).collect()
    }
}

/// Loads and locks what the events may touch.
pub(crate) async fn load(
    connection: &mut PgConnection,
    events: &[&FlasherpEvent],
    mode: UpcoachMode,
) -> Result<Ledger, sqlx::Error> {
    // UpCoach's own rows are not locked while we think; what changed meanwhile is seen when they are written.
    let lock = match mode {
        UpcoachMode::Tables => "FOR UPDATE",
        UpcoachMode::Views => "",
    };
    let needs = Needs::of(events);
    let policy: Option<String> = sqlx::query_scalar("SELECT conflict_policy::text FROM config.for_sync_worker")
        .fetch_optional(&mut *connection)
        .await?;
    let (kinds, targets): (Vec<&str>, Vec<&str>) = needs.targets.iter().map(|(kind, id)| (*kind, id.as_str())).unzip();
    let syncs: Vec<Sync> = sqlx::query_as(
        "SELECT id, source_type::text, source_id, target_id, sync_status = 'syncing' OR outcome = 'unknown' AS in_hand, base_payload,
            target_created_at, target_updated_at
         FROM sync.erp_syncs
         WHERE id IN (
            SELECT id FROM sync.erp_syncs WHERE id = ANY ($1)
            UNION SELECT s.id FROM unnest($2::text[], $3::text[]) AS told (kind, target)
                JOIN sync.erp_syncs s ON s.target_id = told.target AND s.source_type::text = told.kind)
         ORDER BY id FOR UPDATE",
    )
    .bind(needs.sync_ids())
    .bind(kinds)
    .bind(targets)
    .fetch_all(&mut *connection)
    .await?;
    let ids = |kind: EntityType| -> Vec<Uuid> {
        let synced = syncs.iter().filter(|sync| sync.source_type == kind.as_str()).map(|sync| sync.source_id);
        let named = needs.references.get(kind.as_str()).into_iter().flatten().copied();
        synced.chain(named).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let users: Vec<User> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT id, email, name, stripe_customer_id, created_at, updated_at FROM upcoach.users WHERE id = ANY ($1) ORDER BY id {lock}"
    )))
    .bind(ids(EntityType::Customer))
    .fetch_all(&mut *connection)
    .await?;
    let invoices: Vec<Invoice> = sqlx::query_as(
        "SELECT id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin, status, amount, currency,
            due_date, paid_at, created_at, updated_at
         FROM upcoach.invoices WHERE id = ANY ($1) ORDER BY id FOR UPDATE",
    )
    .bind(ids(EntityType::Invoice))
    .fetch_all(&mut *connection)
    .await?;
    let transactions: Vec<Transaction> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
        "SELECT id, status, stripe_transaction_id, stripe_refund_id, failure_reason FROM upcoach.transactions
         WHERE id = ANY ($1) ORDER BY id {lock}"
    )))
    .bind(ids(EntityType::Transaction))
    .fetch_all(&mut *connection)
    .await?;
    let customers: Vec<(String, Uuid)> = sqlx::query_as(
        "SELECT target_id, source_id FROM sync.erp_syncs
         WHERE source_type = 'customer' AND target_id IS NOT NULL AND (target_id = ANY ($1) OR source_id = ANY ($2))",
    )
    .bind(needs.customers.iter().cloned().collect::<Vec<_>>())
    .bind(invoices.iter().map(|invoice| invoice.user_id).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    Ok(Ledger {
        policy: Policy::of(policy.as_deref()),
        syncs: Rows::load(syncs, |row| row.id),
        users: Rows::load(users, |row| row.id),
        invoices: Rows::load(invoices, |row| row.id),
        transactions: Rows::load(transactions, |row| row.id),
        customers: customers.into_iter().collect(),
        disputes: Vec::new(),
        alerts: Vec::new(),
        pushes: Vec::new(),
        reconcile: Vec::new(),
    })
}

/// Writes what is new and what changed, and what is to be said of it.
pub(crate) async fn save(connection: &mut PgConnection, ledger: &Ledger, mode: UpcoachMode) -> Result<(), ApplyError> {
    syncs(connection, ledger).await?;
    match mode {
        UpcoachMode::Tables => tables(connection, ledger).await?,
        UpcoachMode::Views => functions(connection, ledger).await?,
    }
    invoices(connection, ledger).await?;
    said(connection, ledger).await?;
    Ok(())
}

/// Users and transactions in tables of ours.
async fn tables(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), sqlx::Error> {
    let users = ledger.users.changed();
    if !users.is_empty() {
        sqlx::query(
            "UPDATE upcoach.users u SET name = n.name, email = n.email, updated_at = clock_timestamp()
             FROM jsonb_populate_recordset(NULL::upcoach.users, $1) AS n WHERE u.id = n.id",
        )
        .bind(Json(users))
        .execute(&mut *connection)
        .await?;
    }
    let transactions = ledger.transactions.changed();
    if !transactions.is_empty() {
        sqlx::query(
            "UPDATE upcoach.transactions t
             SET status = n.status, failure_reason = n.failure_reason, updated_at = clock_timestamp()
             FROM jsonb_populate_recordset(NULL::upcoach.transactions, $1) AS n WHERE t.id = n.id",
        )
        .bind(Json(transactions))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Users and transactions in UpCoach's own tables, by the functions that UpCoach grants: each waits for a lock of UpCoach's for 200 ms, and
/// changes nothing if the row is not as it was read.
async fn functions(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), ApplyError> {
    for (user, was) in ledger.users.changes() {
        let write = sqlx::query_scalar("SELECT upcoach.write_customer($1, $2, $3, $4, $5)")
            .bind(user.id)
            .bind(user.name.as_deref())
            .bind(user.email.as_deref())
            .bind(was.name.as_deref())
            .bind(was.email.as_deref());
        let is_written: bool = write.fetch_one(&mut *connection).await?;
        if !is_written {
            return Err(ApplyError::Raced);
        }
    }
    for (transaction, was) in ledger.transactions.changes() {
        let write = sqlx::query_scalar("SELECT upcoach.write_transaction($1, $2, $3, $4)")
            .bind(transaction.id)
            .bind(&transaction.status)
            .bind(transaction.failure_reason.as_deref())
            .bind(&was.status);
        let is_written: bool = write.fetch_one(&mut *connection).await?;
        if !is_written {
            return Err(ApplyError::Raced);
        }
    }
    Ok(())
}

/// Invoices are ours in both modes.
async fn invoices(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), ApplyError> {
    let made = ledger.invoices.made();
    if !made.is_empty() {
        let inserted = sqlx::query(
            "INSERT INTO upcoach.invoices (id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin,
                status, amount, currency, due_date, paid_at, created_at)
             SELECT id, user_id, subscription_id, transaction_id, stripe_invoice_id, flasherp_invoice_id, origin, status, amount,
                currency, due_date, paid_at, created_at
             FROM jsonb_populate_recordset(NULL::upcoach.invoices, $1) ON CONFLICT DO NOTHING",
        )
        .bind(Json(&made))
        .execute(&mut *connection)
        .await?
        .rows_affected();
        if inserted != made.len() as u64 {
            return Err(ApplyError::Raced);
        }
    }
    let invoices = ledger.invoices.changed();
    if !invoices.is_empty() {
        sqlx::query(
            "UPDATE upcoach.invoices i
             SET flasherp_invoice_id = n.flasherp_invoice_id, status = n.status, amount = n.amount, currency = n.currency,
                due_date = n.due_date, paid_at = n.paid_at, updated_at = clock_timestamp()
             FROM jsonb_populate_recordset(NULL::upcoach.invoices, $1) AS n WHERE i.id = n.id",
        )
        .bind(Json(invoices))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn syncs(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), ApplyError> {
    let made = ledger.syncs.made();
    if !made.is_empty() {
        let inserted = sqlx::query(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, base_payload, target_created_at,
                target_updated_at, last_sync_success, metadata)
             SELECT id, kind::sync.entity_type, source, target, 'synced', base, created, updated, clock_timestamp(),
                '{\"direction\": \"inbound\"}'
             FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[])
                AS n (id, kind, source, target, base, created, updated)
             ON CONFLICT DO NOTHING",
        );
        let inserted = bind(inserted, &made).execute(&mut *connection).await?.rows_affected();
        if inserted != made.len() as u64 {
            return Err(ApplyError::Raced);
        }
    }
    let changed = ledger.syncs.changed();
    if !changed.is_empty() {
        let update = sqlx::query(
            "UPDATE sync.erp_syncs s
             SET target_id = n.target, base_payload = n.base, target_created_at = n.created, target_updated_at = n.updated,
                updated_at = clock_timestamp()
             FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::jsonb[], $6::timestamptz[], $7::timestamptz[])
                AS n (id, kind, source, target, base, created, updated)
             WHERE s.id = n.id",
        );
        bind(update, &changed).execute(connection).await?;
    }
    Ok(())
}

type Query<'q> = sqlx::query::Query<'q, sqlx::Postgres, sqlx::postgres::PgArguments>;

fn bind<'q>(query: Query<'q>, syncs: &[&Sync]) -> Query<'q> {
    let base = |sync: &&Sync| -> Json<Base> { Json(sync.base_payload.clone().unwrap_or_default()) };
    query
        .bind(syncs.iter().map(|sync| sync.id).collect::<Vec<_>>())
        .bind(syncs.iter().map(|sync| sync.source_type.clone()).collect::<Vec<_>>())
        .bind(syncs.iter().map(|sync| sync.source_id).collect::<Vec<_>>())
        .bind(syncs.iter().map(|sync| sync.target_id.clone()).collect::<Vec<_>>())
        .bind(syncs.iter().map(base).collect::<Vec<_>>())
        .bind(syncs.iter().map(|sync| sync.target_created_at).collect::<Vec<_>>())
        .bind(syncs.iter().map(|sync| sync.target_updated_at).collect::<Vec<_>>())
}

/// Conflicts to the audit trail, alerts, wishes to send our version, and a look at everything where FlashERP asks for one.
async fn said(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), sqlx::Error> {
    if !ledger.pushes.is_empty() {
        sqlx::query(
            "INSERT INTO sync.requests (entity_type, source_id, origin)
             SELECT DISTINCT kind::sync.entity_type, id, 'change'::sync.origin FROM unnest($1::text[], $2::uuid[]) AS wish (kind, id)",
        )
        .bind(ledger.pushes.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>())
        .bind(ledger.pushes.iter().map(|(_, id)| *id).collect::<Vec<_>>())
        .execute(&mut *connection)
        .await?;
    }
    raise_alerts(connection, &ledger.alerts).await?;
    if !ledger.reconcile.is_empty() {
        sqlx::query(
            "SELECT reconciliation.request(clock_timestamp() - interval '90 days', clock_timestamp(),
                ARRAY['transaction', 'subscription', 'customer', 'invoice']::sync.entity_type[], false, 300, 'flasherp', 'flasherp:' || event)
             FROM (SELECT event FROM unnest($1::text[]) AS asked (event) ORDER BY event) AS asked",
        )
        .bind(&ledger.reconcile)
        .execute(&mut *connection)
        .await?;
    }
    audit(connection, ledger).await
}

/// Both versions of a field that was in conflict, personal data redacted.
async fn audit(connection: &mut PgConnection, ledger: &Ledger) -> Result<(), sqlx::Error> {
    if ledger.disputes.is_empty() {
        return Ok(());
    }
    let disputes = &ledger.disputes;
    let version = |field: Field, value: Option<&domain::mapping::FieldValue>| {
        secrets::redact::redact(&json!({ field.as_str(): serde_json::to_value(value).unwrap_or_default() }))
    };
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload, response_payload,
            error_details, performed_by, metadata)
         SELECT 'webhook_received', kind, entity, sync, 'failed', ours, theirs, error, 'flasherp', metadata
         FROM unnest($1::text[], $2::text[], $3::uuid[], $4::jsonb[], $5::jsonb[], $6::jsonb[], $7::jsonb[])
            AS conflict (kind, entity, sync, ours, theirs, error, metadata)",
    )
    .bind(disputes.iter().map(|dispute| dispute.entity.0.as_str()).collect::<Vec<_>>())
    .bind(disputes.iter().map(|dispute| dispute.entity.1.to_string()).collect::<Vec<_>>())
    .bind(disputes.iter().map(|dispute| dispute.sync).collect::<Vec<_>>())
    .bind(disputes.iter().map(|d| version(d.conflict.field, d.conflict.upcoach.as_ref())).collect::<Vec<_>>())
    .bind(disputes.iter().map(|d| version(d.conflict.field, Some(&d.conflict.flasherp))).collect::<Vec<_>>())
    .bind(
        disputes
            .iter()
            .map(|dispute| {
                let field = dispute.conflict.field;
                json!({"code": "SYNC_CONFLICT", "message": format!("both sides changed {field}, or FlashERP contradicts Stripe")})
            })
            .collect::<Vec<_>>(),
    )
    .bind(
        disputes
            .iter()
            .map(|dispute| {
                json!({
                    "operation": "conflict", "eventId": dispute.event, "field": dispute.conflict.field.as_str(),
                    "winner": dispute.conflict.winner.as_str(), "policy": ledger.policy.as_str(),
                })
            })
            .collect::<Vec<_>>(),
    )
    .execute(connection)
    .await?;
    Ok(())
}

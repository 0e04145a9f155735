//! What is asked: each list by each filter at several places, the timeline by each kind of id, and all that sums up.

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, PgPool};

use crate::Api;
use crate::fill::RUN;

/// Rows of a page, and the row at which pages end.
const LIMIT: i64 = 25;
const DEEPEST: i64 = 100_000;

/// A call, and what is shown of it.
pub(crate) struct Call {
    pub(crate) path: String,
    pub(crate) shown: String,
    /// Whether the limit is promised for it: not for the deepest page, whose number has all before it passed over.
    pub(crate) promised: bool,
}

impl Call {
    fn new(path: String, place: &str) -> Self {
        let shown = path.trim_start_matches("/api/erp/").chars().take(72).collect::<String>();
        Self { path, shown: format!("{shown} {place}").trim_end().to_owned(), promised: true }
    }
}

/// A list.
struct Listing {
    path: String,
    /// Where its rows are, and which of them it is of.
    table: &'static str,
    only: String,
    /// The time by which it is ordered before the id.
    at: Option<&'static str>,
    filters: Vec<String>,
}

impl Listing {
    fn new(path: &str, table: &'static str, at: Option<&'static str>, filters: &[&str]) -> Self {
        let filters = filters.iter().map(ToString::to_string).collect();
        Self { path: format!("/api/erp/{path}"), table, only: "true".to_owned(), at, filters }
    }

    /// The cursor behind a row, counted from one end of the list, as the API would write it.
    async fn cursor(&self, pool: &PgPool, order: &str, passed_over: &str) -> anyhow::Result<String> {
        let Self { table, only, .. } = self;
        let at = self.at.unwrap_or("'epoch'::timestamptz");
        let order = self.at.map_or_else(|| format!("id {order}"), |at| format!("{at} {order}, id {order}"));
        let statement = format!(
            "SELECT translate(encode(int8send((1000000 * extract(epoch FROM {at}))::bigint) || uuid_send(id), 'base64'), '+/', '-_')
             FROM {table} WHERE {only} ORDER BY {order} OFFSET {passed_over} LIMIT 1"
        );
        sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(pool).await.context("a list without rows")
    }

    async fn calls(&self, pool: &PgPool, api: &Api, all: &mut Vec<Call>) -> anyhow::Result<()> {
        let half = format!("(SELECT count(*) / 2 FROM {} WHERE {})", self.table, self.only);
        let cursors = [
            (self.cursor(pool, "DESC", &half).await?, "in the middle"),
            (self.cursor(pool, "ASC", "40").await?, "near the end"),
        ];
        for filter in &self.filters {
            let path = format!("{}?{filter}", self.path);
            let total = api.get(&path).await?["pagination"]["total"].as_i64().unwrap_or_default();
            all.push(Call::new(path.clone(), ""));
            let page = total.min(DEEPEST) / LIMIT;
            if page > 1 {
                all.push(Call { promised: false, ..Call::new(format!("{path}&page={page}"), "") });
            }
            for (cursor, place) in &cursors {
                all.push(Call { path: format!("{path}&cursor={cursor}"), ..Call::new(path.clone(), place) });
            }
        }
        Ok(())
    }
}

pub(crate) async fn all(pool: &PgPool, api: &Api) -> anyhow::Result<Vec<Call>> {
    let mut all = Vec::new();
    for listing in lists(pool).await? {
        listing.calls(pool, api, &mut all).await?;
    }
    for (kind, statement) in [
        ("UpCoach's", "SELECT source_id::text FROM sync.erp_syncs WHERE target_id IS NOT NULL LIMIT 1"),
        ("FlashERP's", "SELECT target_id FROM sync.erp_syncs WHERE target_id IS NOT NULL LIMIT 1"),
        ("a sync's", "SELECT id::text FROM sync.erp_syncs WHERE sync_status = 'failed' LIMIT 1"),
        ("a payment's at Stripe", "SELECT stripe_transaction_id FROM upcoach.transactions LIMIT 1"),
        ("a charge's", "SELECT stripe_charge_id FROM upcoach.transactions LIMIT 1"),
        ("a refund's", "SELECT stripe_refund_id FROM upcoach.transactions WHERE stripe_refund_id IS NOT NULL LIMIT 1"),
        ("an invoice's", "SELECT stripe_invoice_id FROM upcoach.invoices LIMIT 1"),
        ("a subscription's", "SELECT stripe_subscription_id FROM upcoach.subscriptions LIMIT 1"),
        ("a customer's", "SELECT stripe_customer_id FROM upcoach.users LIMIT 1"),
        ("an event's", "SELECT event_id FROM ingress.webhook_events LIMIT 1"),
        ("a webhook's", "SELECT id::text FROM ingress.webhook_events LIMIT 1"),
        ("a request's", "SELECT request_id::text FROM audit.erp_audit_logs LIMIT 1"),
        ("a finding's", "SELECT id::text FROM reconciliation.findings WHERE source_id IS NOT NULL LIMIT 1"),
        ("nobody's", "SELECT 'in_nobodys'"),
    ] {
        let id: String = sqlx::query_scalar(statement).fetch_one(pool).await.with_context(|| format!("{kind} id"))?;
        all.push(Call::new(format!("/api/erp/timeline?q={id}"), kind));
    }
    let sync: String = sqlx::query_scalar("SELECT id::text FROM sync.erp_syncs LIMIT 1").fetch_one(pool).await?;
    let webhook: String =
        sqlx::query_scalar("SELECT id::text FROM ingress.webhook_events LIMIT 1").fetch_one(pool).await?;
    let ones = [format!("syncs/{sync}"), format!("webhooks/{webhook}"), format!("reconciliations/{RUN}")];
    let sums = ["status", "jobs", "metrics", "exposure", "error-groups"].map(ToOwned::to_owned);
    all.extend(ones.into_iter().chain(sums).map(|path| Call::new(format!("/api/erp/{path}"), "")));
    Ok(all)
}

async fn lists(pool: &PgPool) -> anyhow::Result<Vec<Listing>> {
    let source: String =
        sqlx::query_scalar("SELECT source_id::text FROM sync.erp_syncs LIMIT 1").fetch_one(pool).await?;
    let (source_id, entity_id) = (format!("sourceId={source}"), format!("entityId={source}"));
    let (month_ago, week_ago): (String, String) = sqlx::query_as(
        "SELECT to_char(now() - interval '30 days', 'YYYY-MM-DD\"T00:00:00Z\"'), to_char(now() - interval '7 days', 'YYYY-MM-DD\"T00:00:00Z\"')",
    )
    .fetch_one(pool)
    .await?;
    let (from, to, both) =
        (format!("from={month_ago}"), format!("to={month_ago}"), format!("from={month_ago}&to={week_ago}"));
    let (failed_from, failed_to) = (format!("status=failed&{from}"), format!("status=failed&{to}"));
    let history = [
        "",
        "status=failed",
        "status=synced",
        "status=pending",
        "status=skipped",
        "status=syncing",
        "sourceType=invoice",
        "sourceType=financial_report",
        "sourceType=invoice&status=failed",
        "sourceSystem=flasherp",
        "sourceSystem=upcoach",
        "errorCode=TIMEOUT",
        "errorCode=QUOTA_EXCEEDED",
        "errorCode=TIMEOUT&sourceType=customer",
        &source_id,
        &from,
        &to,
        &both,
        &failed_from,
        &failed_to,
    ];
    let log = [
        "",
        "action=sync",
        "action=webhook_received",
        "action=config_updated",
        "action=manual_sync&status=failed",
        "status=success",
        "status=failed",
        "status=initiated",
        "entityType=invoice",
        "entityType=configuration",
        &entity_id,
        "requestId=00000000-0000-4000-8000-000000000001",
        "performedBy=ada",
        "performedBy=sync-worker",
        "performedBy=nobody",
        &from,
        &to,
        &both,
        &failed_to,
    ];
    let webhooks = [
        "",
        "source=stripe",
        "source=flasherp",
        "status=applied",
        "status=received",
        "status=parked",
        "status=ignored",
        "status=quarantined",
        "status=failed",
        "source=flasherp&status=failed",
        "eventType=invoice.paid",
        "eventType=nobodys",
        "eventId=evt_17",
        &from,
        &to,
        &both,
        &failed_to,
    ];
    let batches = [
        "",
        "kind=full_sync",
        "kind=import",
        "status=completed",
        "status=failed",
        "status=running",
        "kind=import&status=failed",
    ];
    let runs = ["", "status=completed", "status=incomplete", "status=failed", "status=running"];
    let findings = [
        "",
        "class=mismatch",
        "class=missing_in_flasherp",
        "class=orphaned_sync",
        "decision=open",
        "decision=accepted",
        "decision=ignored",
        "entityType=transaction",
        "entityType=customer",
        "entityType=invoice",
        "class=missing_in_flasherp&decision=accepted",
        &source_id,
    ];
    let of_the_run = Listing {
        only: format!("run_id = '{RUN}'"),
        ..Listing::new(&format!("reconciliations/{RUN}/findings"), "reconciliation.findings", None, &findings)
    };
    Ok(vec![
        Listing::new("sync-history", "sync.erp_syncs", Some("tried_at"), &history),
        Listing::new("audit-logs", "audit.erp_audit_logs", Some("created_at"), &log),
        Listing::new("webhooks", "ingress.webhook_events", None, &webhooks),
        Listing::new("batches", "sync.batches", Some("created_at"), &batches),
        Listing::new("reconciliations", "reconciliation.runs", Some("created_at"), &runs),
        of_the_run,
    ])
}

//! A process dies at points that only something special leads to: each test brings that about, and holds what must be so once it is back.

use serde_json::json;
use sqlx::PgPool;
use testkit::eventually;
use testkit::sandbox::{Outage, WebhookSend, WebhookSettings, WebhookTells};

use crate::deaths::{has_died, order, point};
use crate::system::{FLASHERP_SECRET, LONG, System};

/// A customer with a payment, both in step, and how to look into the database.
async fn one_customer() -> (System, PgPool) {
    let system = System::new().await;
    let send = system.send(1, 100).await;
    system.ends_with_every_payment_once(send).await;
    let pool = system.database.pool("erp_owner").await;
    (system, pool)
}

/// FlashERP tells ingress of edits from now on; `hold` keeps what is told until it is released.
async fn tell_edits(system: &System, hold: bool) {
    let settings = WebhookSettings {
        tells: WebhookTells::Edits,
        target: Some(system.ingress.url("/api/webhooks/flasherp")),
        secrets: Some(vec![FLASHERP_SECRET.to_owned()]),
        retry_delays_ms: Some(vec![300]),
        hold,
        ..WebhookSettings::default()
    };
    system.sandbox.set_webhooks(&settings).await;
}

async fn is(pool: &PgPool, what: &str, query: &'static str) {
    eventually(LONG, what, || async { sqlx::query_scalar(query).fetch_one(pool).await.unwrap_or(false) }).await;
}

const ALL_IN_STEP: &str = "SELECT NOT EXISTS (SELECT FROM ingress.webhook_events WHERE status <> 'applied')
    AND NOT EXISTS (SELECT FROM sync.requests)
    AND NOT EXISTS (SELECT FROM sync.erp_syncs WHERE sync_status <> 'synced' OR outcome <> 'known')";

/// The worker dies while it fetches a record of which an old event came late.
async fn dies_while_it_fetches(name: &str) {
    let (mut system, pool) = one_customer().await;
    let customer = system.sandbox.records("customers").await[0].id();
    tell_edits(&system, true).await;
    system.sandbox.edit_record("customers", &customer, json!({ "name": "Told late" })).await;
    tell_edits(&system, false).await;
    system.sandbox.edit_record("customers", &customer, json!({ "name": "Told first" })).await;
    is(&pool, "the newer name is there", "SELECT name = 'Told first' FROM upcoach.users").await;
    order(&mut system, point(name), 1).await;
    system.sandbox.release_webhooks(testkit::sandbox::ReleaseOrder::Kept).await;
    has_died(&mut system, point(name)).await;
    is(&pool, "the late event is done with", ALL_IN_STEP).await;
    is(
        &pool,
        "it was fetched once, and the newer name holds",
        "SELECT count(*) FILTER (WHERE event_id LIKE 'pull:%') = 1 AND count(*) FILTER (WHERE source = 'flasherp') = 3
            AND (SELECT name FROM upcoach.users) = 'Told first' FROM ingress.webhook_events",
    )
    .await;
    assert_eq!(system.sandbox.records("customers").await[0].text("name").as_deref(), Some("Told first"));
}

#[tokio::test]
async fn inbound_before_it_commits_what_it_fetched() {
    dies_while_it_fetches("inbound.pull_before_commit").await;
}

#[tokio::test]
async fn inbound_after_it_committed_what_it_fetched_before_it_applies_it() {
    dies_while_it_fetches("inbound.pull_after_commit").await;
}

#[tokio::test]
async fn outbound_between_the_customer_it_had_to_make_anew_and_the_payment_that_was_refused_for_it() {
    let (mut system, pool) = one_customer().await;
    let customer = system.sandbox.records("customers").await[0].id();
    system.sandbox.remove_record("customers", &customer).await;
    order(&mut system, point("outbound.customer_checked"), 1).await;
    sqlx::query(
        "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
         SELECT gen_random_uuid(), id, 'payment', 'pending', 500, 'usd' FROM upcoach.users",
    )
    .execute(&pool)
    .await
    .expect("a payment");
    has_died(&mut system, point("outbound.customer_checked")).await;
    is(&pool, "all is in step", ALL_IN_STEP).await;
    let (customers, payments) =
        (system.sandbox.records("customers").await, system.sandbox.records("transactions").await);
    assert_eq!((customers.len(), payments.len()), (1, 2));
    let pending = payments.iter().find(|payment| payment.text("status").as_deref() == Some("pending"));
    assert_eq!(pending.and_then(|payment| payment.text("customerId")), Some(customers[0].id()));
}

#[tokio::test]
async fn outbound_right_after_it_has_opened_the_breaker() {
    let mut system = System::new().await;
    order(&mut system, point("outbound.gate_changed"), 1).await;
    system.sandbox.set_outage(Outage::Unavailable).await;
    let send = system.send(30, 100).await;
    has_died(&mut system, point("outbound.gate_changed")).await;
    let pool = system.database.pool("erp_owner").await;
    is(
        &pool,
        "the change of the gate is told although nobody is left who knew of it",
        "SELECT state <> 'closed' AND NOT EXISTS (SELECT FROM sync.outbox WHERE subject LIKE '%circuit%') FROM sync.outbound_gate",
    )
    .await;
    system.sandbox.set_outage(Outage::Off).await;
    system.ends_with_every_payment_once(send).await;
}

/// The worker dies around the call that sends a report.
async fn dies_while_it_reports(name: &str) {
    let mut system = System::new().await;
    let pool = system.database.pool("erp_owner").await;
    sqlx::query("UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"financialReports\": true}'")
        .execute(&pool)
        .await
        .expect("reports are in scope");
    // The worker starts after that, so that it knows of it.
    order(&mut system, point(name), 1).await;
    sqlx::query(
        "INSERT INTO scheduling.reports (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr, fees_incomplete)
         VALUES ('daily', '2026-11-23', '2026-11-24', 'EUR', 123456, 23456, 100000, 4900, 58800, false)",
    )
    .execute(&pool)
    .await
    .expect("a report");
    has_died(&mut system, point(name)).await;
    is(
        &pool,
        "the report is in step",
        "SELECT count(*) = 1 AND bool_and(sync_status = 'synced' AND outcome = 'known') FROM sync.erp_syncs",
    )
    .await;
    let reports = system.sandbox.records("metrics").await;
    assert_eq!((reports.len(), reports[0].json("revenue")), (1, Some("1234.56")));
}

#[tokio::test]
async fn outbound_before_it_sends_a_report() {
    dies_while_it_reports("outbound.report_before_send").await;
}

#[tokio::test]
async fn outbound_after_it_sent_a_report_before_it_finishes() {
    dies_while_it_reports("outbound.report_after_send").await;
}

/// Ingress dies while it notes which secret a webhook was signed with.
async fn dies_while_it_notes_a_secrets_use(name: &str) {
    let (mut system, pool) = one_customer().await;
    tell_edits(&system, false).await;
    order(&mut system, point(name), 1).await;
    let told = || WebhookSend {
        event_type: "sync.completed".to_owned(),
        data: Some(json!({
            "id": "fsy_1", "status": "success", "entityType": "transaction", "total": 1, "succeeded": 1, "failed": 0,
        })),
        ..WebhookSend::default()
    };
    system.sandbox.send_webhook(&told()).await;
    has_died(&mut system, point(name)).await;
    // The next delivery notes it, if the first one's was lost.
    system.sandbox.send_webhook(&told()).await;
    let sent = system.sandbox.wait_webhooks_idle(LONG).await;
    assert_eq!((sent.told, sent.given_up), (2, 0));
    is(
        &pool,
        "both events are applied once and the use is noted",
        "SELECT count(*) = 2 AND bool_and(status = 'applied')
            AND (SELECT webhook_secret_last_used_at IS NOT NULL FROM config.erp_configurations)
         FROM ingress.webhook_events WHERE source = 'flasherp'",
    )
    .await;
}

#[tokio::test]
async fn ingress_before_it_notes_a_secrets_use() {
    dies_while_it_notes_a_secrets_use("ingress.before_secret_use").await;
}

#[tokio::test]
async fn ingress_after_it_noted_a_secrets_use() {
    dies_while_it_notes_a_secrets_use("ingress.after_secret_use").await;
}

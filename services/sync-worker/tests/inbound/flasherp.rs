//! FlashERP's events: echo, merge, conflicts, invoices born there, payments, and what waits.

use domain::mapping::{Base, FieldValue, Fields};
use domain::upcoach::UpcoachMode;
use domain::{EntityType, FlashErpId, SourceSystem, SyncId, flasherp_uuid, mapping::Field};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use sqlx::types::Json;
use testkit::sandbox::{Fault, Sandbox};
use testkit::{Scratch, Service};
use uuid::Uuid;

use crate::bench::Bench;

/// FlashERP's clock in the tests: so many seconds after noon, UpCoach's rows being of now.
fn at(second: u32) -> String {
    format!("2026-11-24T12:00:{second:02}.000Z")
}

fn event(id: &str, event_type: &str, data: &Value) -> Value {
    json!({"id": id, "type": event_type, "timestamp": at(0), "data": data})
}

fn customer(user: Uuid, name: &str, updated: u32) -> Value {
    json!({
        "id": "cust_1", "upcoachReference": user.to_string(), "email": "ada@example.com", "name": name, "createdAt": at(0),
        "updatedAt": at(updated),
    })
}

/// An invoice of FlashERP's own.
fn invoice(status: &str, amount: &str, updated: u32) -> Value {
    let data = format!(
        r#"{{"id":"inv_1","customerId":"cust_1","amount":{amount},"currency":"KWD","status":"{status}","dueDate":"{due}","createdAt":"{made}",
            "updatedAt":"{updated}"}}"#,
        due = at(50),
        made = at(0),
        updated = at(updated),
    );
    serde_json::from_str(&data).expect("JSON")
}

fn sync_id(kind: EntityType, id: Uuid) -> Uuid {
    SyncId::of(SourceSystem::Upcoach, kind, id).as_uuid()
}

/// A user who is in step: called Ada, `cust_1` there, written at second 10.
async fn user(bench: &Bench) -> Uuid {
    let id = bench.platform.insert_user(Some("ada@example.com"), "Ada").await;
    bench.platform.rename(id, "Ada", &at(10)).await;
    let sent = Fields::from([
        (Field::Name, FieldValue::text("Ada")),
        (Field::Email, FieldValue::text("ada@example.com")),
        (Field::UpcoachReference, FieldValue::text(id.to_string())),
    ]);
    synced(bench, EntityType::Customer, id, "cust_1", &Base::default().after_write(&sent, None)).await;
    id
}

async fn synced(bench: &Bench, kind: EntityType, id: Uuid, target: &str, base: &Base) {
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, base_payload, target_created_at, target_updated_at)
         VALUES ($1, $2::sync.entity_type, $3, $4, 'synced', $5, '2026-11-24T12:00:00Z', '2026-11-24T12:00:10Z')",
    )
    .bind(sync_id(kind, id))
    .bind(kind.as_str())
    .bind(id)
    .bind(target)
    .bind(Json(base))
    .execute(&bench.pool)
    .await
    .expect("a sync row");
    bench.run("DELETE FROM sync.requests").await;
}

async fn transaction(bench: &Bench, user: Uuid, status: &str, stripe: Option<&str>) -> Uuid {
    let id = bench.platform.insert_payment(user, status, 500, "usd", stripe).await;
    bench.run("DELETE FROM sync.requests").await;
    id
}

/// A FlashERP, and a client of it that goes through no gate.
struct FlashErp {
    sandbox: Sandbox,
    client: ::flasherp::Client,
    _process: Service,
    _scratch: Scratch,
}

impl FlashErp {
    async fn start() -> Self {
        let scratch = Scratch::new().expect("a folder");
        let process =
            Service::start(testkit::service("flasherp-sandbox", scratch.path())).await.expect("the sandbox starts");
        let sandbox = Sandbox::at(process.url(""));
        let url = url::Url::parse(&sandbox.api_url()).expect("a URL");
        let secret = |text: &str| SecretString::from(text);
        let options = ::flasherp::Options {
            allow_private: true,
            ..::flasherp::Options::new(url, secret("sandbox-key"), secret("sandbox-secret"))
        };
        let client = ::flasherp::Client::new(options).expect("a client");
        Self { sandbox, client, _process: process, _scratch: scratch }
    }

    /// A customer that it holds.
    async fn customer(&self, user: Uuid, email: &str, name: &str) -> domain::mapping::Record {
        let call = ::flasherp::Call::new(domain::RequestId(Uuid::new_v4()));
        let body = json!({"email": email, "name": name, "upcoachReference": user.to_string()}).to_string();
        let key = ::flasherp::IdempotencyKey { key: user.to_string(), honoured: false };
        self.client.create(&call, EntityType::Customer, body.into(), &key).await.expect("a customer")
    }
}

async fn deliver(bench: &Bench, events: &[Value]) {
    bench.store_of("flasherp", events).await;
    bench.apply().await;
}

async fn name(bench: &Bench) -> String {
    bench.one("SELECT name FROM upcoach.users").await
}

async fn requests(bench: &Bench) -> i64 {
    bench.one("SELECT count(*) FROM sync.requests").await
}

async fn statuses(bench: &Bench) -> Vec<String> {
    bench.all("SELECT status || coalesce(' ' || split_part(wait_key, ':', 1), '') FROM ingress.webhook_events ORDER BY id").await
}

/// Winner, and both versions, of every conflict in the audit trail.
async fn conflicts(bench: &Bench) -> Vec<String> {
    bench
        .all(
            "SELECT (metadata ->> 'field') || ' ' || (metadata ->> 'winner') FROM audit.erp_audit_logs
             WHERE metadata ->> 'operation' = 'conflict' AND error_details ->> 'code' = 'SYNC_CONFLICT' ORDER BY id",
        )
        .await
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn our_own_answer_is_an_echo_and_changes_nothing(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    let user = user(&bench).await;
    let mut trimmed = customer(user, "Ada", 12);
    trimmed["email"] = json!("ada@example.com");
    deliver(
        &bench,
        &[event("e1", "customer.updated", &customer(user, "Somebody", 10)), event("e2", "customer.updated", &trimmed)],
    )
    .await;
    assert_eq!(statuses(&bench).await, ["applied", "applied"]);
    assert_eq!((name(&bench).await.as_str(), requests(&bench).await), ("Ada", 0));
    assert_eq!(conflicts(&bench).await, Vec::<String>::new());
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn what_only_flasherp_changed_is_taken_and_not_sent_back(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    let user = user(&bench).await;
    deliver(&bench, &[event("e1", "customer.updated", &customer(user, "Ada Lovelace", 20))]).await;
    assert_eq!(name(&bench).await, "Ada Lovelace");
    let (base, updated): (Json<Base>, String) =
        sqlx::query_as("SELECT base_payload, target_updated_at::text FROM sync.erp_syncs")
            .fetch_one(&bench.pool)
            .await
            .expect("a sync row");
    assert_eq!(base.get(Field::Name).map(|exchanged| exchanged.sent.clone()), Some(FieldValue::text("Ada Lovelace")));
    assert_eq!(
        base.get(Field::Email).map(|exchanged| exchanged.sent.clone()),
        Some(FieldValue::text("ada@example.com"))
    );
    assert!(updated.starts_with("2026-11-24 12:00:20"), "{updated}");
    assert_eq!(conflicts(&bench).await, Vec::<String>::new());
    // the same again is an echo
    deliver(&bench, &[event("e2", "customer.updated", &customer(user, "Ada Lovelace", 20))]).await;
    assert_eq!(statuses(&bench).await, ["applied", "applied"]);
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn what_both_changed_goes_by_policy_and_both_versions_are_audited(#[case] mode: UpcoachMode) {
    // UpCoach's change is of second 30
    for (policy, updated, expected, winner) in [
        ("newest_wins", 20, "Ada King", "upcoach"),
        ("newest_wins", 40, "Ada Lovelace", "flasherp"),
        ("upcoach_wins", 40, "Ada King", "upcoach"),
        ("flasherp_wins", 20, "Ada Lovelace", "flasherp"),
    ] {
        let bench = Bench::in_mode(10, mode).await;
        let user = user(&bench).await;
        sqlx::query(
            "INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, is_enabled, conflict_policy)
             VALUES ('https://flasherp.example', '', '', true, $1::config.conflict_policy)",
        )
        .bind(policy)
        .execute(&bench.pool)
        .await
        .expect("a configuration");
        bench.platform.rename(user, "Ada King", &at(30)).await;
        bench.run("DELETE FROM sync.requests").await;
        deliver(&bench, &[event("e1", "customer.updated", &customer(user, "Ada Lovelace", updated))]).await;
        assert_eq!(name(&bench).await, expected, "{policy}");
        assert_eq!(conflicts(&bench).await, [format!("name {winner}")], "{policy}");
        // what UpCoach keeps has to be sent; what it took asks by its trigger and finds nothing to send
        assert_eq!(requests(&bench).await, 1, "{policy}");
        let base: Json<Base> = bench.one("SELECT base_payload FROM sync.erp_syncs").await;
        assert_eq!(
            base.get(Field::Name).map(|exchanged| exchanged.sent.clone()),
            Some(FieldValue::text("Ada Lovelace"))
        );
    }
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_record_with_an_open_or_unknown_attempt_waits_for_it(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    let user = user(&bench).await;
    bench
        .run("UPDATE sync.erp_syncs SET sync_status = 'syncing', lease_owner = gen_random_uuid(), lease_until = now() + interval '1 hour'")
        .await;
    deliver(&bench, &[event("e1", "customer.updated", &customer(user, "Ada Lovelace", 20))]).await;
    assert_eq!(statuses(&bench).await, ["parked sync"]);
    assert_eq!(bench.applier().sweep_finished().await.expect("swept").events, 0);
    bench
        .run(
            "UPDATE sync.erp_syncs SET sync_status = 'failed', lease_owner = NULL, lease_until = NULL, outcome = 'unknown',
                unknown_since = now(), settle_until = now()",
        )
        .await;
    assert_eq!(bench.applier().sweep_finished().await.expect("swept").events, 0);
    bench
        .run("UPDATE sync.erp_syncs SET sync_status = 'synced', outcome = 'known', unknown_since = NULL, settle_until = NULL")
        .await;
    assert_eq!(bench.applier().sweep_finished().await.expect("swept").events, 1);
    assert_eq!((name(&bench).await.as_str(), statuses(&bench).await), ("Ada Lovelace", vec!["applied".to_owned()]));
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn of_what_is_older_than_known_the_record_is_fetched_and_merged_as_it_is_now(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    let there = FlashErp::start().await;
    let client = &there.client;

    let user = user(&bench).await;
    let record = there.customer(user, "ada@example.com", "Ada Lovelace").await;
    // our own later PUT of another field was answered then; the name that finance had changed before is not in base
    sqlx::query("UPDATE sync.erp_syncs SET target_id = $1, target_updated_at = $2")
        .bind(record.id.as_str())
        .bind(record.updated_at)
        .execute(&bench.pool)
        .await
        .expect("the sync row");
    let mut late = customer(user, "Ada Lovelace", 5);
    late["id"] = json!(record.id.as_str());
    late["updatedAt"] = json!("2020-01-01T00:00:00.000Z");
    deliver(&bench, &[event("e1", "customer.updated", &late)]).await;
    assert_eq!(statuses(&bench).await, ["parked pull"]);

    bench.applier().pull(client).await.expect("pulled");
    assert_eq!(statuses(&bench).await, ["applied", "applied"]);
    assert_eq!(name(&bench).await, "Ada Lovelace");
    let id: String = bench.one("SELECT event_id FROM ingress.webhook_events WHERE event_id LIKE 'pull:%'").await;
    assert_eq!(id, format!("pull:customer:{}:{}", record.id, domain::instant::text(record.updated_at)));
    assert_eq!(bench.applier().pull(client).await.expect("pulled").events, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_can_not_be_fetched_delays_no_other() {
    let bench = Bench::new(10).await;
    let there = FlashErp::start().await;
    let mut late = Vec::new();
    for email in ["one@example.com", "two@example.com"] {
        let user = Uuid::new_v4();
        sqlx::query("INSERT INTO upcoach.users (id, email, name) VALUES ($1, $2, 'Ada')")
            .bind(user)
            .bind(email)
            .execute(&bench.pool)
            .await
            .expect("a user");
        let record = there.customer(user, email, "Ada").await;
        synced(&bench, EntityType::Customer, user, record.id.as_str(), &Base::default()).await;
        sqlx::query("UPDATE sync.erp_syncs SET target_updated_at = $1 WHERE source_id = $2")
            .bind(record.updated_at)
            .bind(user)
            .execute(&bench.pool)
            .await
            .expect("the sync row");
        let mut told = customer(user, "Ada", 5);
        told["id"] = json!(record.id.as_str());
        told["updatedAt"] = json!("2020-01-01T00:00:00.000Z");
        late.push(event(email, "customer.updated", &told));
    }
    deliver(&bench, &late).await;
    assert_eq!(statuses(&bench).await, ["parked pull", "parked pull"]);

    there.sandbox.add_fault(&Fault::status(400).on("GET", "/customers/{id}").times(1)).await;
    bench.applier().pull(&there.client).await.expect("pulled");
    let parked = "SELECT count(*) FROM ingress.webhook_events WHERE status = 'parked'";
    assert_eq!(bench.one::<i64>(parked).await, 1, "the first can't be fetched, the second is");

    bench.applier().pull(&there.client).await.expect("pulled");
    assert_eq!(bench.one::<i64>(parked).await, 0);
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_born_in_flasherp_becomes_ours_with_its_sync_row_and_follows_it(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    deliver(&bench, &[event("e1", "invoice.created", &invoice("open", "12.345", 0))]).await;
    assert_eq!(statuses(&bench).await, ["parked flasherp_customer"]);
    let user = user(&bench).await;
    bench.applier().sweep_parked().await.expect("swept");
    let id = flasherp_uuid(EntityType::Invoice, &FlashErpId::new("inv_1").expect("an id"));
    let row: (Uuid, Uuid, String, String, i64, String) =
        sqlx::query_as("SELECT id, user_id, origin, status, amount, currency FROM upcoach.invoices")
            .fetch_one(&bench.pool)
            .await
            .expect("an invoice");
    assert_eq!(row, (id, user, "flasherp".to_owned(), "open".to_owned(), 12_345, "kwd".to_owned()));
    let sync: (Uuid, String, String, String) =
        sqlx::query_as("SELECT id, source_system::text, target_id, sync_status::text FROM sync.erp_syncs WHERE source_type = 'invoice'")
            .fetch_one(&bench.pool)
            .await
            .expect("its sync row");
    assert_eq!(sync, (sync_id(EntityType::Invoice, id), "upcoach".to_owned(), "inv_1".to_owned(), "synced".to_owned()));

    let mut paid = invoice("paid", "12.500", 20);
    paid["paidAt"] = json!(at(19));
    deliver(
        &bench,
        &[event("e3", "invoice.paid", &paid), event("e2", "invoice.updated", &invoice("open", "12.400", 15))],
    )
    .await;
    let row: (String, i64, bool) = sqlx::query_as("SELECT status, amount, paid_at IS NOT NULL FROM upcoach.invoices")
        .fetch_one(&bench.pool)
        .await
        .expect("an invoice");
    assert_eq!(row, ("paid".to_owned(), 12_500, true));
    assert_eq!(conflicts(&bench).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amount_that_is_none_in_its_currency_is_quarantined() {
    let bench = Bench::new(10).await;
    user(&bench).await;
    let mut yen = invoice("open", "12.34", 0);
    yen["currency"] = json!("JPY");
    deliver(
        &bench,
        &[
            event("e1", "invoice.created", &yen),
            json!({"id": "e2", "type": "invoice.created", "data": {"id": "inv_2"}}),
        ],
    )
    .await;
    assert_eq!(statuses(&bench).await, ["quarantined", "quarantined"]);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.invoices").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn stripe_alone_sets_status_and_amount_of_what_is_its() {
    let bench = Bench::new(10).await;
    let user = user(&bench).await;
    let id = Uuid::new_v4();
    sqlx::query(
        "INSERT INTO upcoach.invoices (id, user_id, stripe_invoice_id, status, amount, currency, updated_at)
         VALUES ($1, $2, 'in_1', 'open', 12345, 'kwd', '2026-11-24T12:00:10Z')",
    )
    .bind(id)
    .bind(user)
    .execute(&bench.pool)
    .await
    .expect("an invoice");
    let due = domain::instant::parse(&at(50)).expect("a time");
    let sent = Fields::from([(Field::Status, FieldValue::text("open")), (Field::DueDate, FieldValue::time(due))]);
    synced(&bench, EntityType::Invoice, id, "inv_1", &Base::default().after_write(&sent, None)).await;
    deliver(&bench, &[event("e1", "invoice.updated", &invoice("void", "12.345", 20))]).await;
    assert_eq!(bench.one::<String>("SELECT status FROM upcoach.invoices").await, "open");
    assert_eq!(conflicts(&bench).await, ["status stripe"]);
    assert_eq!(
        bench.one::<String>("SELECT fingerprint FROM scheduling.alerts").await,
        format!("sync_conflict:invoice:{id}")
    );
    assert!(requests(&bench).await >= 1, "Stripe's version is sent again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_invoice_completes_the_pending_transaction_that_it_names_unless_stripe_decides_of_it() {
    let bench = Bench::new(10).await;
    let user = user(&bench).await;
    let (ours, stripes) =
        (transaction(&bench, user, "pending", None).await, transaction(&bench, user, "pending", Some("pi_1")).await);
    let paid = |n: u32, named: Uuid| {
        let mut data = invoice("paid", "1.000", 20);
        data["id"] = json!(format!("inv_{n}"));
        data["metadata"] = json!({"upcoachTransactionId": named.to_string()});
        event(&format!("e{n}"), "invoice.paid", &data)
    };
    deliver(&bench, &[paid(1, ours), paid(2, stripes)]).await;
    let status = |id: Uuid| {
        let pool = bench.pool.clone();
        async move {
            sqlx::query_scalar::<_, String>("SELECT status FROM upcoach.transactions WHERE id = $1")
                .bind(id)
                .fetch_one(&pool)
                .await
                .expect("one")
        }
    };
    assert_eq!((status(ours).await.as_str(), status(stripes).await.as_str()), ("completed", "pending"));
    assert_eq!(conflicts(&bench).await, ["status stripe"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paid_invoice_completes_its_payment_also_when_the_event_was_overtaken_by_a_later_change() {
    let bench = Bench::new(10).await;
    let there = FlashErp::start().await;
    let user = user(&bench).await;
    let payment = transaction(&bench, user, "pending", None).await;
    let customer = there.customer(user, "ada@example.com", "Ada").await;
    sqlx::query("UPDATE sync.erp_syncs SET target_id = $1")
        .bind(customer.id.as_str())
        .execute(&bench.pool)
        .await
        .expect("the customer's sync row");
    let fields = json!({
        "customerId": customer.id.as_str(), "amount": 5, "currency": "USD", "status": "open", "dueDate": at(50),
        "upcoachReference": "FIN-1", "metadata": {"upcoachTransactionId": payment.to_string()},
    });
    let id = there.sandbox.create_record("invoices", fields).await.id();
    let as_told = |record: &testkit::sandbox::Record| {
        let field = |name: &str| (name.to_owned(), serde_json::from_str(record.json(name).expect(name)).expect("JSON"));
        let names =
            ["id", "customerId", "amount", "currency", "status", "dueDate", "metadata", "createdAt", "updatedAt"];
        Value::Object(names.into_iter().map(field).collect())
    };
    let paid = there.sandbox.edit_record("invoices", &id, json!({"status": "paid"})).await;
    let later = there.sandbox.edit_record("invoices", &id, json!({"dueDate": at(55)})).await;
    deliver(&bench, &[event("e2", "invoice.updated", &as_told(&later))]).await;
    deliver(&bench, &[event("e1", "invoice.paid", &as_told(&paid))]).await;
    assert_eq!(statuses(&bench).await, ["applied", "parked pull"]);
    let status = "SELECT status FROM upcoach.transactions";
    assert_eq!(bench.one::<String>(status).await, "pending");
    bench.applier().pull(&there.client).await.expect("pulled");
    assert_eq!(bench.one::<String>(status).await, "completed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_payment_fails_the_pending_transaction_that_is_not_stripes() {
    let bench = Bench::new(10).await;
    let user = user(&bench).await;
    let (ours, stripes) =
        (transaction(&bench, user, "pending", None).await, transaction(&bench, user, "completed", Some("pi_1")).await);
    synced(&bench, EntityType::Transaction, ours, "txn_1", &Base::default()).await;
    let failed = |id: &str, target: &str, reference: Uuid| {
        let data = json!({"id": "pay_1", "transactionId": target, "upcoachReference": reference.to_string(), "failureReason": "no funds", "failedAt": at(1)});
        event(id, "payment.failed", &data)
    };
    deliver(
        &bench,
        &[failed("e1", "txn_1", Uuid::nil()), failed("e2", "txn_2", stripes), failed("e3", "txn_3", Uuid::nil())],
    )
    .await;
    assert_eq!(statuses(&bench).await, ["applied", "applied", "parked flasherp_transaction"]);
    let rows: Vec<String> = bench
        .all("SELECT status || ':' || coalesce(failure_reason, '') FROM upcoach.transactions ORDER BY status")
        .await;
    assert_eq!(rows, ["completed:", "failed:no funds"]);
    assert_eq!(conflicts(&bench).await, ["status stripe"]);
    let alerts: Vec<String> = bench.all("SELECT kind FROM scheduling.alerts ORDER BY kind").await;
    assert_eq!(alerts, ["payment_failed", "sync_conflict"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_job_that_did_not_succeed_asks_for_a_reconciliation_once() {
    let bench = Bench::new(10).await;
    let job = |id: &str, status: &str| {
        let data = json!({"id": "job_1", "status": status, "entityType": "transaction", "total": 3, "succeeded": 2, "failed": 1, "completedAt": at(1)});
        event(id, "sync.completed", &data)
    };
    deliver(&bench, &[job("e1", "success"), job("e2", "partial"), event("e3", "warehouse.moved", &json!({"id": "w"}))])
        .await;
    assert_eq!(statuses(&bench).await, ["applied", "applied", "ignored"]);
    bench.replay_all().await;
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM reconciliation.runs").await, 1);
}

#[rstest]
#[case::tables(UpcoachMode::Tables)]
#[case::views(UpcoachMode::Views)]
#[tokio::test(flavor = "multi_thread")]
async fn a_second_record_with_our_reference_is_told_of_and_nothing_of_it_is_taken(#[case] mode: UpcoachMode) {
    let bench = Bench::in_mode(10, mode).await;
    let user = user(&bench).await;
    let mut second = customer(user, "Eve", 30);
    second["id"] = json!("cust_2");
    deliver(&bench, &[event("e1", "customer.updated", &second)]).await;
    assert_eq!(name(&bench).await, "Ada");
    assert_eq!(bench.one::<String>("SELECT kind FROM scheduling.alerts").await, "duplicate");
    assert_eq!(bench.one::<String>("SELECT target_id FROM sync.erp_syncs").await, "cust_1");
}

//! A preview shows just what the worker then sends, for every type, and sends nothing itself.

use std::collections::BTreeSet;

use crate::kit::World;
use domain::{EntityType, ErrorCode, RequestId, SourceSystem, SyncId, UserId};
use serde_json::{Value, json};
use syncs::preview::{Action, Preview, PreviewError};
use uuid::Uuid;

const ALL_IN_SCOPE: &str = "UPDATE config.erp_configurations SET sync_scope = sync_scope || '{\"invoices\": true, \"financialReports\": true}'";

/// One record of each type, of one user.
async fn one_of_each(world: &World) -> Vec<(EntityType, Uuid)> {
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1099).await;
    let insert = async |statement: &'static str| -> Uuid {
        sqlx::query_scalar(statement).bind(user).fetch_one(&world.pool).await.expect("a record")
    };
    let subscription = insert(
        "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency, current_period_start,
            current_period_end)
         VALUES (uuidv7(), $1, 'pro', 'active', 'monthly', 4900, 'eur', '2026-11-01', '2026-12-01') RETURNING id",
    )
    .await;
    let invoice = insert(
        "INSERT INTO upcoach.invoices (id, user_id, status, amount, currency, due_date)
         VALUES (uuidv7(), $1, 'open', 1230, 'kwd', '2026-12-01') RETURNING id",
    )
    .await;
    let report = insert(
        "INSERT INTO scheduling.reports (period, period_start, period_end, currency, revenue, costs, profit, mrr, arr)
         SELECT 'daily', '2026-11-23', '2026-11-24', 'EUR', 123456, 23456, 100000, 4900, 58800 WHERE $1::uuid IS NOT NULL RETURNING id",
    )
    .await;
    vec![
        (EntityType::Customer, user),
        (EntityType::Transaction, payment),
        (EntityType::Subscription, subscription),
        (EntityType::Invoice, invoice),
        (EntityType::FinancialReport, report),
    ]
}

async fn preview(world: &World, kind: EntityType, id: Uuid) -> Preview {
    let previews = world.previews().await;
    previews.of(kind, id, RequestId(Uuid::new_v4())).await.unwrap_or_else(|error| panic!("{kind}: {error:?}"))
}

/// The fields that the last write of this sync sent, as the audit log has them.
async fn sent(world: &World, kind: EntityType, id: Uuid) -> BTreeSet<String> {
    let sync = SyncId::of(SourceSystem::Upcoach, kind, id);
    let request: Value = sqlx::query_scalar(
        "SELECT request_payload FROM audit.erp_audit_logs WHERE erp_sync_id = $1 AND request_payload IS NOT NULL
         ORDER BY created_at DESC LIMIT 1",
    )
    .bind(sync.as_uuid())
    .fetch_one(&world.pool)
    .await
    .expect("a write was audited");
    request.as_object().expect("an object").keys().cloned().collect()
}

fn fields(json: Option<&serde_json::value::RawValue>) -> BTreeSet<String> {
    let object: Value = serde_json::from_str(json.expect("something is shown").get()).expect("JSON");
    object.as_object().expect("an object").keys().cloned().collect()
}

#[tokio::test]
async fn what_is_shown_is_what_is_sent_for_every_type() {
    let world = World::new().await;
    world.run(ALL_IN_SCOPE).await;
    let records = one_of_each(&world).await;
    let user = UserId(records[0].1);
    let mut shown = Vec::new();
    for (kind, id) in &records {
        let preview = preview(&world, *kind, *id).await;
        assert_eq!((preview.action, preview.sync_status, preview.in_scope), (Action::Create, None, true), "{kind}");
        let dependent = !matches!(kind, EntityType::Customer | EntityType::FinancialReport);
        assert_eq!(preview.needs_customer, dependent.then_some(user), "{kind}");
        let mut fields = fields(preview.request.as_deref());
        fields.extend(dependent.then(|| "customerId".to_owned()));
        shown.push(fields);
    }
    let calls = world.sandbox.counters().await.calls;
    assert!(calls.keys().all(|call| call.starts_with("GET")), "{calls:?}");
    assert_eq!(world.count("SELECT count(*) FROM sync.erp_syncs").await, 0);

    let _worker = world.worker().await;
    world.all_synced().await;
    for ((kind, id), shown) in records.iter().zip(shown) {
        assert_eq!(sent(&world, *kind, *id).await, shown, "{kind}");
        let preview = preview(&world, *kind, *id).await;
        assert_eq!((preview.action, preview.differences.len()), (Action::Nothing, 0), "{kind}: {preview:?}");
        assert!(preview.request.is_none() && preview.needs_customer.is_none(), "{kind}");
    }

    world.run("SELECT sync.gate_pause('test', 'while it is looked at')").await;
    world.run("UPDATE upcoach.users SET name = 'Ada L.'").await;
    world.run("UPDATE upcoach.transactions SET amount = 2000, description = 'corrected'").await;
    world.run("UPDATE upcoach.subscriptions SET plan = 'team', status = 'canceled', canceled_at = '2026-11-20'").await;
    world.run("UPDATE upcoach.invoices SET status = 'paid', paid_at = '2026-11-20'").await;
    world.run("UPDATE scheduling.reports SET revenue = 200000, profit = 176544").await;
    let mut shown = Vec::new();
    for (kind, id) in &records {
        let preview = preview(&world, *kind, *id).await;
        let action = if *kind == EntityType::Subscription { Action::Cancel } else { Action::Update };
        assert_eq!(preview.action, action, "{kind}");
        let differing: BTreeSet<String> =
            preview.differences.iter().map(|difference| difference.field.to_string()).collect();
        assert!(preview.differences.iter().all(|difference| difference.sent), "{kind}: {preview:?}");
        match kind {
            EntityType::Customer => assert_eq!(differing, BTreeSet::from(["name".to_owned()])),
            EntityType::Transaction => {
                let amount = &preview.differences[0];
                assert_eq!((amount.upcoach.get(), amount.flasherp.get()), ("20.00", "10.99"));
                assert_eq!(differing, BTreeSet::from(["amount".to_owned(), "description".to_owned()]));
            }
            EntityType::Subscription => assert_eq!(differing, BTreeSet::from(["plan".to_owned(), "status".to_owned()])),
            EntityType::Invoice => assert_eq!(differing, BTreeSet::from(["paidAt".to_owned(), "status".to_owned()])),
            EntityType::FinancialReport => assert!(differing.is_empty(), "FlashERP shows nobody its reports"),
        }
        shown.push(fields(preview.request.as_deref()));
    }
    world.run("SELECT sync.gate_resume()").await;
    world.all_synced().await;
    for ((kind, id), shown) in records.iter().zip(shown) {
        // The last write of a cancellation is the cancelling; the update before it carried the rest.
        let sent = match kind {
            EntityType::Subscription => {
                let records = world.sandbox.records("subscriptions").await;
                assert_eq!(records[0].text("status").as_deref(), Some("canceled"));
                assert_eq!(records[0].text("plan").as_deref(), Some("team"));
                continue;
            }
            _ => sent(&world, *kind, *id).await,
        };
        assert_eq!(sent, shown, "{kind}");
    }
}

#[tokio::test]
async fn a_record_that_finance_changed_differs_and_is_not_sent_over_it() {
    let world = World::new().await;
    let _worker = world.worker().await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let payment = world.insert_payment(user, 1000).await;
    world.all_synced().await;
    let record = world.sandbox.records("transactions").await.remove(0);
    world
        .sandbox
        .edit_record("transactions", &record.id(), json!({"status": "pending", "description": "checked"}))
        .await;
    let preview = preview(&world, EntityType::Transaction, payment).await;
    assert_eq!(preview.action, Action::Nothing);
    let differing: Vec<(String, bool)> =
        preview.differences.iter().map(|difference| (difference.field.to_string(), difference.sent)).collect();
    assert_eq!(differing, [("status".to_owned(), false), ("description".to_owned(), false)]);
    assert_eq!(preview.target_id.map(|id| id.to_string()), Some(record.id()));
}

#[tokio::test]
async fn what_flasherp_already_holds_is_shown_as_taken_over_and_doubles_are_named() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET adopted_at = now() + interval '1 minute'").await;
    let user = world.insert_user(Some("ada@example.com")).await;
    let held = json!({"email": "ada@example.com", "name": "Old", "upcoachReference": user.to_string()});
    let oldest = world.sandbox.create_record("customers", held.clone()).await.id();
    let second = world.sandbox.create_record("customers", held).await.id();
    let preview = preview(&world, EntityType::Customer, user).await;
    assert_eq!((preview.action, preview.adopts), (Action::Update, true));
    assert_eq!(preview.target_id.map(|id| id.to_string()), Some(oldest));
    assert_eq!(preview.duplicates.iter().map(ToString::to_string).collect::<Vec<_>>(), [second]);
    assert_eq!(preview.request.map(|request| request.get().to_owned()).as_deref(), Some(r#"{"name":"Ada"}"#));
}

#[tokio::test]
async fn what_cant_be_told_names_the_field_and_what_is_not_there_is_not_found() {
    let world = World::new().await;
    let user = world.insert_user(None).await;
    let shown = preview(&world, EntityType::Customer, user).await;
    let problem = shown.problem.expect("no e-mail");
    assert_eq!((shown.action, problem.code), (Action::Fail, ErrorCode::MissingRequiredField));
    assert_eq!(problem.field.as_str(), "email");
    let gone = world.previews().await.of(EntityType::Invoice, Uuid::new_v4(), RequestId(Uuid::new_v4())).await;
    assert!(matches!(gone, Err(PreviewError::NotFound)));
}

//! What becomes of rows: new, changed, equal, Stripe's, refused.

use domain::EntityType;
use uuid::Uuid;

use crate::kit::{Bench, csv_of, ndjson, user};

const A: Uuid = Uuid::from_u128(0xa);
const B: Uuid = Uuid::from_u128(0xb);

#[tokio::test]
async fn records_of_all_types_arrive_in_whatever_order_and_each_asks_for_a_sync() {
    let bench = Bench::new().await;
    let file = format!(
        r#"{{"entityType":"invoice","id":"{A}","userId":"{A}","subscriptionId":"{A}","transactionId":"{A}","stripeInvoiceId":"in_1","status":"paid","amount":4900,"currency":"usd","dueDate":"2026-01-02T03:04:05Z","paidAt":"2026-01-03T00:00:00+01:00","createdAt":"2026-01-01T00:00:00.123456Z"}}
{{"entityType":"transaction","id":"{A}","userId":"{A}","subscriptionId":"{A}","stripeTransactionId":"pi_1","type":"payment","status":"completed","amount":4900,"currency":"USD","paymentMethod":"card","description":"Zoë's plan","stripeChargeId":"ch_1","fee":172,"net":4728}}
{{"entityType":"subscription","id":"{A}","user_id":"{A}","stripe_subscription_id":"sub_1","plan":"pro","status":"trialing","billing_interval":"monthly","amount":4900,"currency":"usd","trial_end":"2026-02-01T00:00:00Z"}}
{}"#,
        user(0xa, "Ada")
    );
    let ended = bench.import(&file, &ndjson()).await;
    assert_eq!((ended.counts(), ended.rejected), ([4, 0, 0, 0, 0], vec![]));
    let kinds: Vec<String> =
        sqlx::query_scalar("SELECT entity_type || ' ' || origin FROM sync.requests ORDER BY entity_type::text")
            .fetch_all(&bench.pool)
            .await
            .expect("requests");
    assert_eq!(kinds, ["customer change", "invoice change", "subscription change", "transaction change"]);
    let row: String = bench
        .one("SELECT jsonb_build_array(status, amount, currency, due_date, paid_at, created_at, origin)::text FROM upcoach.invoices")
        .await;
    let expected = r#"["paid", 4900, "usd", "2026-01-02T03:04:05+00:00", "2026-01-02T23:00:00+00:00", "2026-01-01T00:00:00.123456+00:00", "upcoach"]"#;
    assert_eq!(row, expected);
    let row: String = bench
        .one("SELECT jsonb_build_array(description, fee, net, refunded_amount)::text FROM upcoach.transactions")
        .await;
    assert_eq!(row, r#"["Zoë's plan", 172, 4728, 0]"#);

    // again, it changes and asks for nothing
    bench.run("DELETE FROM sync.requests").await;
    let before: String = bench.one("SELECT updated_at::text FROM upcoach.transactions").await;
    assert_eq!(bench.import(&file, &ndjson()).await.counts(), [0, 0, 4, 0, 0]);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM sync.requests").await, 0);
    assert_eq!(bench.one::<String>("SELECT updated_at::text FROM upcoach.transactions").await, before);
}

#[tokio::test]
async fn a_line_changes_the_fields_that_it_has_and_no_other() {
    let bench = Bench::new().await;
    bench.import(&user(0xa, "Ada"), &ndjson()).await;
    let ended = bench.import(&format!("id,name\n{A},Ada King\n"), &csv_of(EntityType::Customer)).await;
    assert_eq!(ended.counts(), [0, 1, 0, 0, 0]);
    let row = "SELECT email || ' ' || coalesce(name, 'nobody') FROM upcoach.users";
    assert_eq!(bench.one::<String>(row).await, "u10@example.com Ada King");
    // an empty cell empties
    bench.import(&format!("id,name\n{A},\n"), &csv_of(EntityType::Customer)).await;
    assert_eq!(bench.one::<String>(row).await, "u10@example.com nobody");
}

#[tokio::test]
async fn of_two_lines_about_one_record_the_later_one_holds() {
    let bench = Bench::new().await;
    let file = [user(0xa, "First"), user(0xb, "Other"), user(0xa, "Second"), user(0xa, "Third")].concat();
    assert_eq!(bench.import(&file, &ndjson()).await.counts(), [2, 2, 0, 0, 0]);
    assert_eq!(bench.one::<String>("SELECT name FROM upcoach.users WHERE email = 'u10@example.com'").await, "Third");
}

#[tokio::test]
async fn what_stripes_events_feed_is_left_to_them() {
    let bench = Bench::new().await;
    bench.import(&user(0xa, "Ada"), &ndjson()).await;
    bench.run(r#"UPDATE upcoach.users SET stripe_facts = '{"customer": {}}'"#).await;
    assert_eq!(bench.import(&user(0xa, "Eve"), &ndjson()).await.counts(), [0, 0, 0, 1, 0]);
    assert_eq!(bench.import(&user(0xa, "Ada"), &ndjson()).await.counts(), [0, 0, 1, 0, 0]);
    assert_eq!(bench.one::<String>("SELECT name FROM upcoach.users").await, "Ada");
}

#[tokio::test]
async fn a_stripe_id_is_not_taken_from_another_row_nor_given_to_two() {
    let bench = Bench::new().await;
    let line = |id: Uuid, customer: &str| {
        format!(
            "{{\"entityType\":\"customer\",\"id\":\"{id}\",\"email\":\"a@example.com\",\"stripeCustomerId\":\"{customer}\"}}\n"
        )
    };
    let [third, fourth] = [3, 4].map(Uuid::from_u128);
    bench.import(&line(A, "cus_1"), &ndjson()).await;
    sqlx::query("INSERT INTO upcoach.user_stripe_customers (stripe_customer_id, user_id) VALUES ('cus_9', $1)")
        .bind(A)
        .execute(&bench.pool)
        .await
        .expect("a further one");
    // held by a row; given to two by the same batch; a further one of another's; and one that is free
    let file = [
        line(B, "cus_1"),
        line(third, "cus_3"),
        line(fourth, "cus_3"),
        line(B, "cus_9"),
        line(Uuid::from_u128(5), "cus_5"),
    ]
    .concat();
    let ended = bench.import(&file, &ndjson()).await;
    assert_eq!(ended.counts(), [2, 0, 0, 0, 3]);
    let told = |line: u32, id: Uuid, holder: Uuid| {
        format!(
            "line {line} (customer {id}): stripeCustomerId: belongs to customer {holder} already; leave it out, or give the record that id"
        )
    };
    assert_eq!(ended.rejected, [told(1, B, A), told(3, fourth, third), told(4, B, A)]);
}

#[tokio::test]
async fn the_import_is_in_the_audit_trail() {
    let bench = Bench::new().await;
    let file = [user(0xa, "Ada"), "{}\n".to_owned()].concat();
    let ended = bench.import(&file, &ndjson()).await;
    assert_eq!(
        ended.rejected,
        [
            "line 2: entityType: is missing: write customer, subscription, transaction or invoice, or say what all records of the file are"
        ]
    );
    let row: String = bench
        .one("SELECT string_agg(concat_ws(' ', action, status, performed_by, metadata ->> 'operation', metadata -> 'counts' ->> 'rejected'), ', ' ORDER BY id) FROM audit.erp_audit_logs")
        .await;
    assert_eq!(row, "manual_sync success ada import.begun 0, manual_sync success ada import.ended 1");
}

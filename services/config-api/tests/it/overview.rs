//! Metrics, exposure, failures by kind.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Api, DEADLINE};
use crate::rows::{self, superuser};
use crate::world::World;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_count_attempts_syncs_failures_and_health() {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    rows::syncs(&pool, 700).await;
    // 100 attempts an hour ago, of 10 to 1000 ms, every tenth failed; one three days ago; one eight days ago; and what is no attempt.
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, erp_sync_id, status, duration_ms, created_at)
         SELECT 'sync', 'customer', gen_random_uuid(), CASE WHEN n % 10 = 0 THEN 'failed' ELSE 'success' END::audit.status, n * 10,
            now() - interval '70 minutes' FROM generate_series(1, 100) AS n
         UNION ALL VALUES ('manual_sync'::audit.action, 'customer', gen_random_uuid(), 'success'::audit.status, 10, now() - interval '3 days'),
            ('sync', 'customer', gen_random_uuid(), 'success', 10, now() - interval '8 days'),
            ('manual_sync', 'customer', NULL, 'success', 10, now()), ('webhook_received', 'customer', gen_random_uuid(), 'success', 10, now())",
    )
    .execute(&pool)
    .await
    .expect("attempts");
    sqlx::query("INSERT INTO scheduling.health_checks (status, latency_ms) VALUES ('degraded', 2500)")
        .execute(&pool)
        .await
        .expect("a health check");
    let metrics = api.get("/api/erp/metrics").await.json();
    assert_eq!(metrics["last24h"], json!({"total": 100, "success": 90, "failed": 10}));
    assert_eq!(metrics["last7d"], json!({"total": 101, "success": 91, "failed": 10}));
    assert_eq!((&metrics["pending"], &metrics["retryQueue"]), (&json!(8), &json!(0)), "{metrics}");
    let attempts = &metrics["syncMetrics"];
    assert_eq!((&attempts["p50"], &attempts["p95"], &attempts["p99"]), (&json!(500), &json!(950), &json!(990)));
    assert_eq!((&attempts["averageDuration"], attempts["successRate"].to_string().as_str()), (&json!(500), "90.09"));
    let kinds = metrics["entityMetrics"].as_array().expect("a list");
    assert_eq!(kinds.iter().map(|kind| kind["total"].as_i64().unwrap_or_default()).collect::<Vec<_>>(), [175; 4]);
    let errors = metrics["errorMetrics"].as_array().expect("a list");
    assert_eq!(errors.iter().map(|error| error["count"].as_i64().unwrap_or_default()).sum::<i64>(), 14);
    assert_eq!(
        (&metrics["healthHistory"][0]["status"], &metrics["healthHistory"][0]["latency"]),
        (&json!("degraded"), &json!(2500))
    );
    let sum = |series: &Value| -> i64 {
        let points = series.as_array().expect("a list").iter();
        points
            .map(|point| point["success"].as_i64().unwrap_or_default() + point["failed"].as_i64().unwrap_or_default())
            .sum()
    };
    assert_eq!((sum(&metrics["series"]["perMinute"]), sum(&metrics["series"]["perHour"])), (0, 101));

    // What is new is counted, and what is over is not counted twice.
    rows::audit_rows(&pool, 50).await;
    testkit::eventually(DEADLINE, "new attempts are counted", || async {
        api.get("/api/erp/metrics").await.json()["last24h"]["total"] == 130
    })
    .await;
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exposure_is_money_that_flasherp_does_not_hold_yet_by_currency_and_age() {
    let mut world = World::new().await;
    let user = world.user().await;
    let exposure = async |world: &World| world.api.get("/api/erp/exposure").await.json()["currencies"].clone();
    assert_eq!(exposure(&world).await, json!([]));
    // Not looked at by any worker; two wishes for one are one payment.
    let usd = world.payment(user, 1099, "usd").await;
    world.payment(user, 1, "usd").await;
    world.payment(user, -500, "jpy").await;
    sqlx::query("UPDATE upcoach.transactions SET description = 'again'").execute(&world.pool).await.expect("changed");
    for (amount, minutes) in [(200, 30), (700, 120), (4, 24 * 60 - 1), (9000, 24 * 60 + 1), (30000, 5 * 24 * 60)] {
        let old = world.payment(user, amount, "usd").await;
        sqlx::query("UPDATE sync.requests SET requested_at = now() - make_interval(mins => $2) WHERE source_id = $1")
            .bind(old)
            .bind(minutes)
            .execute(&world.pool)
            .await
            .expect("older");
    }
    let shown = exposure(&world).await;
    assert_eq!(
        (&shown[0]["currency"], &shown[0]["amount"], &shown[0]["count"]),
        (&json!("JPY"), &json!("500"), &json!(1))
    );
    assert_eq!(
        (&shown[1]["currency"], &shown[1]["amount"], &shown[1]["count"]),
        (&json!("USD"), &json!("410.04"), &json!(7))
    );
    for (age, amount, count) in
        [("under5Minutes", "11.00", 2), ("under1Hour", "2.00", 1), ("under24Hours", "7.04", 2), ("older", "390.00", 2)]
    {
        assert_eq!(shown[1][age], json!({"amount": amount, "count": count}), "{age}");
    }
    world.start_worker().await;
    testkit::eventually(DEADLINE, "all is in FlashERP", || async { exposure(&world).await == json!([]) }).await;
    assert!(
        world
            .value::<bool>(
                "SELECT EXISTS (SELECT FROM sync.erp_syncs WHERE source_id = $1 AND sync_status = 'synced')",
                usd
            )
            .await
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_are_grouped_by_code_field_and_words_and_handled_together() {
    let world = World::new().await;
    let user = world.user().await;
    let mut failed = Vec::new();
    for (amount, currency) in [(1000, "usd"), (250, "usd"), (500, "jpy")] {
        let payment = world.payment(user, amount, currency).await;
        let sync = Uuid::new_v4();
        sqlx::query(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, error_message, error_details, last_sync_attempt)
             VALUES ($1, 'transaction', $2, 'failed', 'VALIDATION_ERROR', 'the amount ' || $3 || ' of \"' || $2 || '\" is not acceptable',
                '[{\"field\": \"amount\", \"issue\": \"too small\"}]', now() - interval '1 hour')",
        )
        .bind(sync)
        .bind(payment)
        .bind(amount.to_string())
        .execute(&world.pool)
        .await
        .expect("a failed sync");
        failed.push(sync);
    }
    let other = world.sync("customer", "failed", Some("VALIDATION_ERROR")).await;
    let groups = world.api.get("/api/erp/error-groups").await.json()["data"].clone();
    assert_eq!(groups.as_array().map(Vec::len), Some(2), "{groups}");
    let group = &groups[0];
    assert_eq!(
        (&group["count"], &group["errorCode"], &group["field"]),
        (&json!(3), &json!("VALIDATION_ERROR"), &json!("amount"))
    );
    assert_eq!(
        group["atStake"],
        json!([{"currency": "JPY", "amount": "500", "count": 1}, {"currency": "USD", "amount": "12.50", "count": 2}])
    );
    assert_eq!(
        (&group["entityTypes"], &group["acknowledged"]),
        (&json!([{"entityType": "transaction", "count": 3}]), &json!(null))
    );
    assert!(group["advice"].as_str().is_some_and(|advice| advice.contains("Correct the field")));
    let path = format!("/api/erp/error-groups/{}", group["fingerprint"].as_str().expect("a fingerprint"));

    assert_eq!(world.api.post(&format!("{path}/acknowledge"), &json!({"note": "told Stripe"})).await.status, 200);
    let seen = world.api.get("/api/erp/error-groups").await.json()["data"][0]["acknowledged"].clone();
    assert_eq!((&seen["note"], &seen["newSince"]), (&json!("told Stripe"), &json!(0)));
    sqlx::query("UPDATE sync.erp_syncs SET last_sync_attempt = now() WHERE id = $1")
        .bind(failed[0])
        .execute(&world.pool)
        .await
        .expect("failed again");
    let seen = world.api.get("/api/erp/error-groups").await.json()["data"][0]["acknowledged"].clone();
    assert_eq!(seen["newSince"], json!(1));

    let counted = world.api.post(&format!("{path}/retry"), &json!({"dryRun": true})).await.json();
    assert_eq!((&counted["matched"], &counted["changed"]), (&json!(3), &json!(0)));
    let again = world.api.post(&format!("{path}/retry"), &json!({})).await;
    assert_eq!((again.status, &again.json()["matched"], &again.json()["changed"]), (200, &json!(3), &json!(3)));
    let of_it = "SELECT count(*) FROM sync.erp_syncs WHERE sync_status = 'pending' AND due_at <= now() AND $1::uuid IS NOT NULL";
    assert_eq!(world.value::<i64>(of_it, user).await, 3, "they are due at once");
    assert_eq!(world.api.get("/api/erp/error-groups").await.json()["data"].as_array().map(Vec::len), Some(1));
    sqlx::query(
        "UPDATE sync.erp_syncs SET sync_status = 'failed', due_at = NULL, next_retry_at = NULL, error_code = 'VALIDATION_ERROR',
            error_message = 'the amount 1 of \"x\" is not acceptable', error_details = '[{\"field\": \"amount\", \"issue\": \"too small\"}]'
         WHERE id = ANY ($1)",
    )
    .bind(&failed)
    .execute(&world.pool)
    .await
    .expect("failed again");
    let done = world.api.post(&format!("{path}/skip"), &json!({"reason": "test data"})).await.json();
    assert_eq!((&done["matched"], &done["changed"]), (&json!(3), &json!(3)));
    assert_eq!(
        world.value::<String>("SELECT sync_status::text FROM sync.erp_syncs WHERE id = $1", other).await,
        "failed"
    );
    assert_eq!(world.post(&format!("{path}/retry")).await.status, 404, "none has failed so any more");
    assert_eq!(world.post("/api/erp/error-groups/x'%20OR%20'1/retry").await.status, 400);
    world.stop().await;
}

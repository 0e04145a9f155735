//! `UPCOACH_MODE=views`: UpCoach books Stripe's payments itself, and its own locks are respected.

use domain::upcoach::UpcoachMode;
use domain::{EntityType, SourceSystem, SyncId};
use serde_json::json;

use crate::bench::Bench;
use crate::stories::{Shape, Story};

#[tokio::test(flavor = "multi_thread")]
async fn stripes_events_write_nothing_and_ask_for_what_they_are_about() {
    let bench = Bench::in_mode(50, UpcoachMode::Views).await;
    let user = bench.platform.insert_user(Some("ada@example.com"), "Ada").await;
    let payment = bench.platform.insert_payment(user, "completed", 4900, "usd", Some("pi_1")).await;
    bench.run("DELETE FROM sync.requests").await;
    let mut named = Story::new(3, Shape::Current).customer("updated", 5, "eve@example.com", None);
    named["data"]["object"]["metadata"] = json!({"upcoachUserId": user.to_string()});
    let mut unknown = named.clone();
    unknown["id"] = json!("evt_unknown");
    unknown["type"] = json!("charge.captured");
    let mut events = Story::new(1, Shape::Current).payment();
    // of these UpCoach has no record yet: the trigger asks when it has
    events.extend(Story::new(2, Shape::Legacy).payment());
    events.extend(Story::new(2, Shape::Legacy).subscription_life());
    events.extend([named, unknown]);
    let ids: std::collections::BTreeSet<String> = events.iter().map(|event| event["id"].to_string()).collect();
    events.dedup_by_key(|event| event["id"].to_string());
    let mut seen = std::collections::BTreeSet::new();
    events.retain(|event| seen.insert(event["id"].to_string()));
    bench.store(&events).await;
    bench.apply().await;

    let statuses: Vec<String> =
        bench.all("SELECT status || ' ' || count(*) FROM ingress.webhook_events GROUP BY status ORDER BY status").await;
    assert_eq!(statuses, [format!("applied {}", ids.len() - 1), "ignored 1".to_owned()]);
    let asked: Vec<String> = bench
        .all("SELECT DISTINCT entity_type || ' ' || source_id || ' ' || origin FROM sync.requests ORDER BY 1")
        .await;
    assert_eq!(asked, [format!("customer {user} change"), format!("transaction {payment} change")]);
    assert_eq!(bench.one::<String>("SELECT name || ' ' || email FROM public.users").await, "Ada ada@example.com");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM public.transactions").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_upcoachs_own_lock_keeps_out_delays_no_other_and_becomes_a_finding() {
    let bench = Bench::in_mode(50, UpcoachMode::Views).await;
    let [locked, free] = [("locked@example.com", "cust_1"), ("free@example.com", "cust_2")];
    let mut events = Vec::new();
    for (email, target) in [locked, free] {
        let user = bench.platform.insert_user(Some(email), "Ada").await;
        sqlx::query(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, target_id, sync_status, base_payload, target_created_at, target_updated_at)
             VALUES ($1, 'customer', $2, $3, 'synced', $4, '2026-11-24T12:00:00Z', '2026-11-24T12:00:00Z')",
        )
        .bind(SyncId::of(SourceSystem::Upcoach, EntityType::Customer, user).as_uuid())
        .bind(user)
        .bind(target)
        .bind(json!({"name": {"sent": {"text": "Ada"}, "answered": {"text": "Ada"}}}))
        .execute(&bench.pool)
        .await
        .expect("a sync row");
        let data = json!({
            "id": target, "upcoachReference": user.to_string(), "name": "Ada Lovelace", "createdAt": "2026-11-24T12:00:00.000Z",
            "updatedAt": "2036-11-24T12:00:01.000Z",
        });
        events.push(json!({"id": format!("e_{target}"), "type": "customer.updated", "timestamp": "2036-11-24T12:00:01.000Z", "data": data}));
    }
    // UpCoach is in the middle of something with the first user.
    let mut upcoach = bench.pool.begin().await.expect("a transaction");
    sqlx::query("UPDATE public.users SET role = 'coach' WHERE email = 'locked@example.com'")
        .execute(&mut *upcoach)
        .await
        .expect("locked");
    bench.store_of("flasherp", &events).await;
    bench.apply().await;
    let status = "SELECT string_agg(status || ' ' || attempts, ', ' ORDER BY event_id) FROM ingress.webhook_events";
    assert_eq!(bench.one::<String>(status).await, "received 1, applied 1");
    for _ in 0..4 {
        bench.run("UPDATE ingress.webhook_events SET due_at = now() WHERE due_at IS NOT NULL").await;
        bench.apply().await;
    }
    assert_eq!(bench.one::<String>(status).await, "failed 5, applied 1");
    let names = "SELECT string_agg(name, ', ' ORDER BY email) FROM public.users";
    assert_eq!(bench.one::<String>(names).await, "Ada Lovelace, Ada");
    let run: String = bench
        .one(
            "SELECT entity_types::text || ' ' || (window_from = '2026-11-24T12:00:00Z') || ' ' || cutoff_secs || ' ' || requested_by
             FROM reconciliation.runs",
        )
        .await;
    assert_eq!(run, "{customer} true 0 flasherp");

    upcoach.commit().await.expect("it is done");
    bench.replay_all().await;
    assert_eq!(bench.one::<String>(names).await, "Ada Lovelace, Ada Lovelace");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM reconciliation.runs").await, 1);
}

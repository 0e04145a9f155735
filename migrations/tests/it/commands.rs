//! The command functions that other services may call.

use serde_json::json;
use sqlx::{Executor as _, PgPool, Row as _};
use testkit::TestDatabase;
use uuid::Uuid;

async fn store(pool: &PgPool, events: &[(&str, &str)]) -> Vec<bool> {
    let ids: Vec<Uuid> = events.iter().map(|_| Uuid::now_v7()).collect();
    let n = events.len();
    sqlx::query(
        "SELECT duplicate FROM ingress.store($1::text[]::ingress.source[], $2, $3, $4, $5, $6, $7, $8, $2, $9,
            $10::text[]::ingress.event_status[], $9)",
    )
    .bind(vec!["stripe"; n])
    .bind(&ids)
    .bind(events.iter().map(|(id, _)| *id).collect::<Vec<_>>())
    .bind(events.iter().map(|(_, kind)| *kind).collect::<Vec<_>>())
    .bind(vec![b"{}".to_vec(); n])
    .bind(vec![None::<sqlx::types::time::OffsetDateTime>; n])
    .bind(vec!["192.0.2.1"; n])
    .bind(vec![None::<String>; n])
    .bind(vec![None::<String>; n])
    .bind(vec!["received"; n])
    .fetch_all(pool)
    .await
    .expect("stored")
    .iter()
    .map(|row| row.get("duplicate"))
    .collect()
}

#[tokio::test]
async fn an_event_is_stored_once_whoever_stores_it_again() {
    let database = TestDatabase::new().await;
    let (ingress, scheduler) = (database.pool("erp_ingress").await, database.pool("erp_scheduler").await);
    assert_eq!(store(&ingress, &[("evt_1", "a"), ("evt_2", "a")]).await, [false, false]);
    assert_eq!(store(&scheduler, &[("evt_2", "a"), ("evt_3", "a")]).await, [true, false]);
}

#[tokio::test]
async fn a_claimed_event_is_passed_over_and_a_dead_claimers_is_free_at_once() {
    let database = TestDatabase::new().await;
    store(&database.pool("erp_ingress").await, &[("evt_1", "a"), ("evt_2", "a")]).await;
    let worker = database.pool("erp_sync_worker").await;
    let claim = "SELECT id FROM ingress.claim(NULL, 10)";
    let mut first = worker.begin().await.expect("a transaction");
    assert_eq!(first.fetch_all(claim).await.expect("claimed").len(), 2);
    assert_eq!(worker.fetch_all(claim).await.expect("nothing left").len(), 0);
    first.rollback().await.expect("the claimer dies");
    let ids: Vec<Uuid> = worker.fetch_all(claim).await.expect("free again").iter().map(|row| row.get(0)).collect();
    assert_eq!(ids.len(), 2);

    let park = "SELECT ingress.finish($1, ARRAY['parked', 'applied']::ingress.event_status[], ARRAY['k', NULL], $2, $2, $2, $3)";
    sqlx::query(park)
        .bind(&ids)
        .bind(vec![None::<String>; 2])
        .bind(vec![None::<i32>; 2])
        .execute(&worker)
        .await
        .expect("finished");
    assert_eq!(worker.fetch_all(claim).await.expect("none due").len(), 0);
    let woken: Vec<Uuid> =
        sqlx::query_scalar("SELECT ingress.wake(ARRAY['k', 'other'])").fetch_all(&worker).await.expect("woken");
    assert_eq!(woken, &ids[..1]);
    assert_eq!(worker.fetch_all(claim).await.expect("due again").len(), 1);

    // what is due already is not replayed, what is applied is
    let config_api = database.pool("erp_config_api").await;
    let replayed: Vec<Uuid> = sqlx::query_scalar("SELECT ingress.replay($1, NULL, NULL, NULL, 10)")
        .bind(&ids)
        .fetch_all(&config_api)
        .await
        .expect("replayed");
    assert_eq!(replayed, &ids[1..]);
}

async fn sync_row(pool: &PgPool, columns: &'static str, values: &'static str) -> Uuid {
    let id = Uuid::new_v4();
    let statement =
        format!("INSERT INTO sync.erp_syncs (id, source_type, source_id{columns}) VALUES ($1, 'customer', $1{values})");
    sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).execute(pool).await.expect("a sync row");
    id
}

#[tokio::test]
async fn retry_gives_back_the_retries_but_never_shortens_the_settle_time() {
    let database = TestDatabase::new().await;
    let (owner, config_api) = (database.pool("erp_owner").await, database.pool("erp_config_api").await);
    let failed = sync_row(&owner, ", sync_status, retry_count", ", 'failed', 5").await;
    let unknown = sync_row(
        &owner,
        ", sync_status, outcome, unknown_since, settle_until, due_at",
        ", 'failed', 'unknown', now(), now() + interval '1 hour', now() + interval '1 hour'",
    )
    .await;
    let synced = sync_row(&owner, ", sync_status", ", 'synced'").await;
    let mut changed: Vec<Uuid> = sqlx::query_scalar("SELECT sync.retry($1)")
        .bind(vec![failed, unknown, synced])
        .fetch_all(&config_api)
        .await
        .expect("retried");
    changed.sort_unstable();
    let mut expected = vec![failed, unknown];
    expected.sort_unstable();
    assert_eq!(changed, expected);
    let due: (bool, bool, String) = sqlx::query_as(
        "SELECT (SELECT due_at <= now() AND retry_count = 0 FROM sync.erp_syncs WHERE id = $1),
            (SELECT due_at > now() + interval '59 minutes' FROM sync.erp_syncs WHERE id = $2),
            (SELECT sync_status::text FROM sync.erp_syncs WHERE id = $2)",
    )
    .bind(failed)
    .bind(unknown)
    .fetch_one(&owner)
    .await
    .expect("rows");
    assert_eq!(due, (true, true, "failed".to_owned()));
}

#[tokio::test]
async fn skip_takes_what_is_not_done_and_in_nobodys_hands() {
    let database = TestDatabase::new().await;
    let (owner, config_api) = (database.pool("erp_owner").await, database.pool("erp_config_api").await);
    let pending = sync_row(&owner, ", due_at", ", now()").await;
    let synced = sync_row(&owner, ", sync_status", ", 'synced'").await;
    let in_hand =
        sync_row(&owner, ", sync_status, lease_owner, lease_until", ", 'syncing', $1, now() + interval '1 minute'")
            .await;
    let changed: Vec<Uuid> = sqlx::query_scalar("SELECT sync.skip($1, 'test data')")
        .bind(vec![pending, synced, in_hand])
        .fetch_all(&config_api)
        .await
        .expect("skipped");
    assert_eq!(changed, [pending]);
}

#[tokio::test]
async fn the_gate_is_paused_and_resumed_once() {
    let database = TestDatabase::new().await;
    let config_api = database.pool("erp_config_api").await;
    let said = async |statement: &'static str| -> bool {
        sqlx::query_scalar(statement).fetch_one(&config_api).await.expect(statement)
    };
    assert!(said("SELECT sync.gate_pause('ada', 'month end')").await);
    assert!(!said("SELECT sync.gate_pause('bob', 'too')").await);
    let by: String = sqlx::query_scalar("SELECT paused_by FROM sync.gate_for_readers")
        .fetch_one(&config_api)
        .await
        .expect("the gate");
    assert_eq!(by, "ada");
    assert!(said("SELECT sync.gate_resume()").await);
    assert!(!said("SELECT sync.gate_resume()").await);
}

#[tokio::test]
async fn the_same_idempotency_key_asks_for_one_reconciliation() {
    let database = TestDatabase::new().await;
    let scheduler = database.pool("erp_scheduler").await;
    let ask = "SELECT reconciliation.request(now() - interval '1 day', now(), ARRAY['customer']::sync.entity_type[], false, 300, 'ada', $1)";
    let run = async |key: Option<&'static str>| -> Uuid {
        sqlx::query_scalar(ask).bind(key).fetch_one(&scheduler).await.expect("a run")
    };
    assert_eq!(run(Some("k")).await, run(Some("k")).await);
    assert_ne!(run(None).await, run(None).await);
}

#[tokio::test]
async fn of_two_that_ask_at_the_same_moment_with_one_key_one_has_made_the_run() {
    let database = TestDatabase::new().await;
    let api = database.pool("erp_config_api").await;
    let ask = "SELECT id, is_new, same FROM reconciliation.request_once(now() - interval '1 day', now(), ARRAY['customer']::sync.entity_type[],
        false, 300, 'ada', 'k', $1)";
    let mut first = api.begin().await.expect("a transaction");
    let (run, is_new, same): (Uuid, bool, bool) =
        sqlx::query_as(ask).bind(json!({"to": 1})).fetch_one(&mut *first).await.expect("a run");
    assert!(is_new && same);
    let asking = api.clone();
    let second = tokio::spawn(async move {
        sqlx::query_as::<_, (Uuid, bool, bool)>(ask).bind(json!({"to": 1})).fetch_one(&asking).await.expect("a run")
    });
    testkit::eventually(std::time::Duration::from_secs(20), "the second one waits for the first", || async {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&api).await.expect("activity") > 0
    })
    .await;
    first.commit().await.expect("asked for");
    assert_eq!(second.await.expect("no panic"), (run, false, true));
    let other: (Uuid, bool, bool) =
        sqlx::query_as(ask).bind(json!({"to": 2})).fetch_one(&api).await.expect("an answer");
    assert_eq!(other, (run, false, false), "in other words");
}

#[tokio::test]
async fn an_alert_is_open_once_per_fingerprint() {
    let database = TestDatabase::new().await;
    let worker = database.pool("erp_sync_worker").await;
    let raise = "SELECT scheduling.raise_alert('breaker', 'warning', 'breaker', 'open', '{}')";
    let first: Uuid = sqlx::query_scalar(raise).fetch_one(&worker).await.expect("raised");
    let second: Uuid = sqlx::query_scalar(raise).fetch_one(&worker).await.expect("raised again");
    assert_eq!(first, second);
}

//! With no configuration and no tombstone the environment's is taken, once, whole.

use config_api::boot::{Settled, settle};
use config_api::store::SaveError;
use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::TestDatabase;

use crate::kit::{config, count, rows};

/// A database, and a pool under the service's own role.
async fn database() -> (TestDatabase, PgPool) {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_config_api").await;
    (database, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_configuration_is_saved_encrypted_with_its_fact_and_its_audit_row() {
    let (_database, pool) = database().await;
    let Settled::Saved(id) = settle(&pool, &config(&[])).await.expect("settles") else { panic!("not saved") };
    let rows = rows(&pool).await;
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!((row.id, row.base_url.as_str()), (id, "http://127.0.0.1:8084/v1"));
    assert_eq!((row.api_key.as_str(), row.api_secret.as_str()), ("fk_test_1234567890", "fs_test_1234567890"));
    assert_eq!(row.webhook_secret.as_deref(), Some("whsec_new"));
    assert!(row.is_enabled && row.is_adopted);

    let (subject, body): (String, Vec<u8>) =
        sqlx::query_as("SELECT subject, body FROM config.outbox").fetch_one(&pool).await.expect("one fact");
    let event: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(subject, "config.changed");
    assert_eq!(event["data"]["configurationId"], json!(id));
    assert_eq!(event["data"]["version"], json!(row.version));
    assert_eq!(event["data"]["changed"], json!(["apiKey", "apiSecret", "baseURL", "isEnabled", "webhookSecret"]));

    let audited: Value = sqlx::query_scalar("SELECT to_jsonb(l) FROM audit.erp_audit_logs l")
        .fetch_one(&pool)
        .await
        .expect("one audit row");
    assert_eq!((&audited["action"], &audited["status"]), (&json!("config_updated"), &json!("success")));
    assert_eq!((&audited["entity_id"], &audited["performed_by"]), (&json!(id), &json!("environment")));
    let payload = json!({
        "apiKey": "[redacted]", "apiSecret": "[redacted]", "webhookSecret": "[redacted]",
        "baseURL": "http://127.0.0.1:8084/v1", "isEnabled": true
    });
    assert_eq!(audited["request_payload"], payload);
    assert_eq!(audited["metadata"], json!({"operation": "config.created_from_environment"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_any_row_in_clear() {
    let (_database, pool) = database().await;
    settle(&pool, &config(&[])).await.expect("settles");
    let everything: String = sqlx::query_scalar(
        "SELECT concat((SELECT jsonb_agg(c) FROM config.erp_configurations c), (SELECT jsonb_agg(o) FROM config.outbox o), \
             (SELECT jsonb_agg(l) FROM audit.erp_audit_logs l), (SELECT string_agg(encode(api_key_enc, 'escape'), '') FROM config.erp_configurations), \
             (SELECT string_agg(encode(body, 'escape'), '') FROM config.outbox))",
    )
    .fetch_one(&pool)
    .await
    .expect("text");
    for secret in ["fk_test_1234567890", "fs_test_1234567890", "whsec_new", "whsec_old"] {
        assert!(!everything.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_configuration_that_is_there_rules_over_the_environment() {
    let (_database, pool) = database().await;
    settle(&pool, &config(&[])).await.expect("settles");
    let before = rows(&pool).await;
    let other = config(&[("FLASHERP_API_KEY", "another_key"), ("FLASHERP_ENABLED", "false")]);
    assert_eq!(settle(&pool, &other).await.expect("settles"), Settled::AlreadyThere);
    assert_eq!(rows(&pool).await, before);
    assert_eq!((count(&pool, "config.outbox").await, count(&pool, "audit.erp_audit_logs").await), (1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_configuration_is_not_brought_back() {
    let (_database, pool) = database().await;
    settle(&pool, &config(&[])).await.expect("settles");
    sqlx::query("UPDATE config.erp_configurations SET deleted_at = clock_timestamp()")
        .execute(&pool)
        .await
        .expect("deleted");
    let before = rows(&pool).await;
    assert_eq!(settle(&pool, &config(&[])).await.expect("settles"), Settled::Deleted);
    assert_eq!(rows(&pool).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_starting_at_once_make_one_configuration_one_fact_and_one_audit_row() {
    let (_database, pool) = database().await;
    let config = config(&[]);
    let settled = futures::future::join_all((0..5).map(|_| settle(&pool, &config))).await;
    let settled: Vec<_> = settled.into_iter().map(|settled| settled.expect("settles")).collect();
    let saved = settled.iter().filter(|settled| matches!(settled, Settled::Saved(_))).count();
    let there = settled.iter().filter(|settled| **settled == Settled::AlreadyThere).count();
    assert_eq!((saved, there), (1, 4));
    let counts = (
        count(&pool, "config.erp_configurations").await,
        count(&pool, "config.outbox").await,
        count(&pool, "audit.erp_audit_logs").await,
    );
    assert_eq!(counts, (1, 1, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_waits_for_another_ones_transaction_makes_none_after_it() {
    let (_database, pool) = database().await;
    // Another process is inserting and has not committed yet.
    let mut other = pool.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, deleted_at) VALUES ('x', '', '', clock_timestamp())")
        .execute(&mut *other)
        .await
        .expect("inserted");
    let waiting = tokio::spawn({
        let pool = pool.clone();
        async move { settle(&pool, &config(&[])).await }
    });
    testkit::eventually(std::time::Duration::from_secs(30), "the second one waits for the first", || async {
        let waits =
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        sqlx::query_scalar(waits).fetch_one(&pool).await.expect("readable")
    })
    .await;
    other.commit().await.expect("committed");
    assert_eq!(waiting.await.expect("no panic").expect("settles"), Settled::Deleted);
    assert_eq!((count(&pool, "config.outbox").await, count(&pool, "audit.erp_audit_logs").await), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_one_is_not_adopted_yet_and_an_unset_flag_leaves_it_off() {
    for enabled in ["false", ""] {
        let (_database, pool) = database().await;
        settle(&pool, &config(&[("FLASHERP_ENABLED", enabled), ("FLASHERP_WEBHOOK_SECRET", "")]))
            .await
            .expect("settles");
        let rows = rows(&pool).await;
        assert!(!rows[0].is_enabled && !rows[0].is_adopted);
        assert_eq!(rows[0].webhook_secret, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_enough_in_the_environment_nothing_is_saved_and_what_is_missing_is_named() {
    let (_database, pool) = database().await;
    let settled =
        settle(&pool, &config(&[("FLASHERP_API_SECRET", ""), ("FLASHERP_BASE_URL", "")])).await.expect("settles");
    assert_eq!(settled, Settled::Missing(vec!["FLASHERP_API_SECRET", "FLASHERP_BASE_URL"]));
    assert_eq!(count(&pool, "config.erp_configurations").await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_url_whose_name_leads_to_a_private_address_is_not_saved() {
    let (_database, pool) = database().await;
    let config = config(&[("ERP_ALLOW_PRIVATE_BASE_URL", "false"), ("FLASHERP_BASE_URL", "https://localhost:8084")]);
    let refused = settle(&pool, &config).await.expect_err("refused");
    assert!(matches!(refused, SaveError::BaseUrl(_)), "{refused}");
    assert_eq!(count(&pool, "config.erp_configurations").await, 0);
}

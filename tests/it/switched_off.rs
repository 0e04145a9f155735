//! The switch works without the broker: what an admin switches off stops in every service, by the row that each of them reads itself.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::PgPool;
use testkit::{Service, eventually, eventually_some};
use time::OffsetDateTime;
use uuid::Uuid;
use webhooks::signature::{SigningKey, flasherp};

use crate::system::{FLASHERP_SECRET, LONG, System};

/// Services read the row every second; the rest is for a machine that is busy.
const SWITCHED: Duration = Duration::from_secs(10);

/// Status and code of a webhook of FlashERP's, signed as it does.
async fn webhook(client: &reqwest::Client, ingress: &Service) -> (u16, Value) {
    let (at, key) = (OffsetDateTime::now_utc().unix_timestamp(), SigningKey::new(FLASHERP_SECRET.as_bytes()));
    let event = json!({"id": Uuid::new_v4(), "type": "customer.updated", "timestamp": "2026-11-24T09:30:00.123Z", "data": {"id": "cust_1"}});
    let body = event.to_string();
    let answer = client
        .post(ingress.url("/api/webhooks/flasherp"))
        .header(flasherp::SIGNATURE_HEADER, flasherp::sign(&[key], at, body.as_bytes()))
        .header(flasherp::TIMESTAMP_HEADER, at.to_string())
        .body(body)
        .send()
        .await
        .expect("an answer");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    (status, serde_json::from_str::<Value>(&text).unwrap_or_default()["code"].clone())
}

/// The version of the configuration that a service goes by.
async fn version(client: &reqwest::Client, service: &Service) -> Option<i64> {
    let answer = client.get(service.management_url("/metrics")).send().await.expect("an answer");
    let metrics = answer.text().await.expect("a body");
    let line = metrics.lines().find(|line| line.starts_with("erp_config_version"))?;
    line.rsplit(' ').next()?.parse().ok()
}

async fn user(pool: &PgPool) -> Uuid {
    let id = Uuid::new_v4();
    sqlx::query("INSERT INTO upcoach.users (id, email, name) VALUES ($1, $1 || '@example.com', 'Ada')")
        .bind(id)
        .execute(pool)
        .await
        .expect("a user");
    id
}

async fn sync_of(pool: &PgPool, user: Uuid) -> Option<String> {
    sqlx::query_scalar("SELECT sync_status::text FROM sync.erp_syncs WHERE source_id = $1")
        .bind(user)
        .fetch_optional(pool)
        .await
        .expect("readable")
}

async fn set_enabled(client: &reqwest::Client, system: &System, enabled: bool) -> i64 {
    let put = client.put(system.config_api.url("/api/erp/config")).bearer_auth(testkit::tokens::admin());
    let put = put.header("content-type", "application/json").body(json!({"isEnabled": enabled}).to_string());
    assert_eq!(put.send().await.expect("an answer").status(), 200);
    let pool = system.database.pool("erp_owner").await;
    sqlx::query_scalar("SELECT version FROM config.erp_configurations").fetch_one(&pool).await.expect("a row")
}

#[tokio::test]
async fn without_the_broker_switching_off_stops_syncs_and_flasherps_webhooks_all_the_same() {
    let mut system = System::new().await;
    let client = reqwest::Client::builder().no_proxy().timeout(LONG).build().expect("a client");
    let pool = system.database.pool("erp_owner").await;
    system.broker.nats.kill().await.expect("killed");

    // It works without the broker, so that what stops is stopped by the switch.
    eventually(LONG, "webhooks are taken", || async { webhook(&client, &system.ingress).await.0 == 200 }).await;
    let first = user(&pool).await;
    eventually(LONG, "a customer is synced", || async { sync_of(&pool, first).await.as_deref() == Some("synced") })
        .await;

    let off = set_enabled(&client, &system, false).await;
    eventually(SWITCHED, "ingress refuses FlashERP's webhooks", || async {
        webhook(&client, &system.ingress).await == (503, json!("CONFIG_DISABLED"))
    })
    .await;
    eventually(SWITCHED, "the worker goes by the new configuration", || async {
        version(&client, &system.worker).await == Some(off)
    })
    .await;
    let before = system.sandbox.counters().await;
    let second = user(&pool).await;
    let held = eventually_some(LONG, "the worker has seen what is asked for", || sync_of(&pool, second)).await;
    let after = system.sandbox.counters().await;
    assert_eq!((held.as_str(), after.records_of("customers")), ("pending", before.records_of("customers")));

    let on = set_enabled(&client, &system, true).await;
    eventually(SWITCHED, "the worker goes by the configuration after it", || async {
        version(&client, &system.worker).await == Some(on)
    })
    .await;
    eventually(SWITCHED, "ingress takes webhooks again", || async { webhook(&client, &system.ingress).await.0 == 200 })
        .await;
    eventually(LONG, "what waited is synced", || async { sync_of(&pool, second).await.as_deref() == Some("synced") })
        .await;
}

//! GET, PUT and DELETE of the configuration, over HTTP.

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{PgPool, Row as _};
use time::OffsetDateTime;

use crate::api::{Answer, Api};
use crate::kit::{count, decrypted, rows};

const CONFIG: &str = "/api/erp/config";
const KEY: &str = "fk_live_canary_1234567890";
const SECRET: &str = "fs_live_canary_1234567890";
const HOOK: &str = "hook_canary_1234567890";

fn first() -> Value {
    json!({"apiKey": KEY, "apiSecret": SECRET, "baseURL": "http://127.0.0.1:8084/v1/", "webhookSecret": HOOK, "isEnabled": true})
}

async fn configured() -> (Api, PgPool) {
    let api = Api::start().await;
    let made = api.put(CONFIG, &first()).await;
    assert_eq!(made.status, 200, "{made:?}");
    let pool = api.pool().await;
    (api, pool)
}

async fn traces(pool: &PgPool) -> (i64, i64) {
    let versions: i64 =
        sqlx::query_scalar("SELECT version FROM config.erp_configurations").fetch_one(pool).await.expect("a row");
    (versions, count(pool, "audit.erp_audit_logs").await)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configuration_there_is_none_to_see_or_delete_and_a_first_one_needs_key_and_secret() {
    let api = Api::start().await;
    for answer in [api.get(CONFIG).await, api.delete(CONFIG).await] {
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("CONFIG_NOT_FOUND")));
    }
    let refused = api.put(CONFIG, &json!({"isEnabled": true})).await;
    assert_eq!((refused.status, refused.wrong_fields()), (400, vec!["apiKey".to_owned(), "apiSecret".to_owned()]));
    let refused = api.put(CONFIG, &json!({"apiKey": "k"})).await;
    assert_eq!((refused.status, refused.wrong_fields()), (400, vec!["apiSecret".to_owned()]));
    let pool = api.pool().await;
    assert_eq!((count(&pool, "config.erp_configurations").await, count(&pool, "config.outbox").await), (0, 0));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_first_one_is_saved_shown_masked_told_and_audited() {
    let api = Api::start().await;
    let request = api.request(Method::PUT, CONFIG).header("x-request-id", "req-4711").header("user-agent", "panel/1");
    let made = Answer::of(request.json(&first())).await;
    assert_eq!(made.status, 200, "{made:?}");
    let shown = made.json();
    for (field, value) in [
        ("baseURL", json!("http://127.0.0.1:8084/v1")),
        ("isEnabled", json!(true)),
        ("disabledBy", Value::Null),
        ("syncInterval", json!(3600)),
        ("enableAutoSync", json!(true)),
        ("enableWebhooks", json!(true)),
        (
            "syncScope",
            json!({"transactions": true, "subscriptions": true, "customers": true, "invoices": false, "financialReports": false}),
        ),
        ("conflictPolicy", json!("newest_wins")),
        ("apiKeyMasked", json!("fk_l...7890")),
        ("apiSecretMasked", json!("***********")),
        ("webhookSecretMasked", json!("***********")),
        ("apiKeySetBy", json!("admin@test")),
        ("webhookSecretSetBy", json!("admin@test")),
        ("updatedBy", json!("admin@test")),
        ("healthStatus", Value::Null),
        ("lastFullSync", Value::Null),
        ("lastSyncStatus", Value::Null),
    ] {
        assert_eq!(shown[field], value, "{field}");
    }
    assert_eq!(api.get(CONFIG).await.json(), shown);
    assert!(!made.text.contains("canary"), "{}", made.text);
    let pool = api.pool().await;
    let row = rows(&pool).await.pop().expect("a row");
    assert_eq!(
        (row.api_key.as_str(), row.api_secret.as_str(), row.webhook_secret.as_deref()),
        (KEY, SECRET, Some(HOOK))
    );
    assert!(row.is_adopted);

    let audited =
        sqlx::query("SELECT *, host(ip_address) AS address, to_jsonb(l)::text AS whole FROM audit.erp_audit_logs l")
            .fetch_one(&pool)
            .await
            .expect("one row");
    assert_eq!(audited.get::<&str, _>("performed_by"), "admin@test");
    assert_eq!(audited.get::<&str, _>("user_agent"), "panel/1");
    assert_eq!(audited.get::<&str, _>("address"), "127.0.0.1");
    let request_id = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, b"req-4711");
    assert_eq!(audited.get::<uuid::Uuid, _>("request_id"), request_id);
    assert_eq!(audited.get::<Value, _>("metadata")["operation"], "config.created");
    let after = audited.get::<Value, _>("response_payload");
    assert_eq!((&after["before"], &after["after"]["apiKey"]), (&Value::Null, &json!("[redacted]")));
    assert!(!audited.get::<&str, _>("whole").contains("canary"));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_subset_changes_only_itself_and_the_same_again_leaves_no_trace() {
    let (api, pool) = configured().await;
    let before = api.get(CONFIG).await.json();
    let change = json!({"syncInterval": 300, "syncScope": {"invoices": true, "customers": false}, "conflictPolicy": "upcoach_wins"});
    let after = api.put(CONFIG, &change).await.json();
    for (name, value) in before.as_object().expect("an object") {
        match name.as_str() {
            "syncInterval" => assert_eq!(after[name], 300),
            "syncScope" => assert_eq!(
                after[name],
                json!({"transactions": true, "subscriptions": true, "customers": false, "invoices": true, "financialReports": false})
            ),
            "conflictPolicy" => assert_eq!(after[name], "upcoach_wins"),
            "updatedAt" => assert_ne!(after[name], *value),
            _ => assert_eq!(after[name], *value, "{name}"),
        }
    }
    let told = traces(&pool).await;
    let payload: Value =
        sqlx::query_scalar("SELECT response_payload FROM audit.erp_audit_logs ORDER BY created_at DESC LIMIT 1")
            .fetch_one(&pool)
            .await
            .expect("a row");
    assert_eq!((&payload["before"]["syncInterval"], &payload["after"]["syncInterval"]), (&json!(3600), &json!(300)));
    assert_eq!(payload["before"].as_object().map(serde_json::Map::len), Some(3));
    for same in
        [change, json!({}), json!({"apiKey": KEY, "webhookSecret": HOOK, "baseURL": "http://127.0.0.1:8084/v1"})]
    {
        assert_eq!(api.put(CONFIG, &same).await.json(), after);
    }
    assert_eq!(traces(&pool).await, told);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_bodies_are_refused_with_every_wrong_field_and_change_nothing() {
    let (api, pool) = configured().await;
    let told = traces(&pool).await;
    let bad = json!({
        "apiKey": "", "apiSecret": null, "baseURL": "not a url", "webhookSecret": "with space", "isEnabled": "true",
        "syncInterval": 299, "enableAutoSync": 1, "syncScope": {"payouts": true, "invoices": "no"}, "conflictPolicy": "mine",
        "organisation": 1
    });
    let refused = api.put(CONFIG, &bad).await;
    assert_eq!((refused.status, refused.json()["code"].as_str()), (400, Some("VALIDATION_ERROR")));
    let named = [
        "apiKey",
        "apiSecret",
        "baseURL",
        "webhookSecret",
        "isEnabled",
        "syncInterval",
        "enableAutoSync",
        "syncScope.invoices",
        "syncScope.payouts",
        "conflictPolicy",
        "organisation",
    ];
    assert_eq!(refused.wrong_fields(), named);
    let raw = |body: String| {
        let request = api.request(Method::PUT, CONFIG).header("content-type", "application/json").body(body);
        Answer::of(request)
    };
    assert_eq!(raw(r#"{"isEnabled": false, "isEnabled": true}"#.to_owned()).await.wrong_fields(), ["isEnabled"]);
    for text in ["{", "[]", "null", "\"x\"", "{\"a\":1e400}"] {
        assert_eq!(raw(text.to_owned()).await.wrong_fields(), ["body"], "{text}");
    }
    assert_eq!(raw(format!("{{\"syncScope\":{}1{}}}", "[".repeat(5000), "]".repeat(5000))).await.status, 400);
    assert_eq!(raw(format!("{{\"apiKey\":\"{}\"}}", "x".repeat(1 << 20))).await.status, 413);
    let text = api.request(Method::PUT, CONFIG).header("content-type", "text/plain").body("{}");
    assert_eq!(Answer::of(text).await.status, 415);
    assert_eq!(api.put("/api/erp/config?force=1", &json!({})).await.wrong_fields(), ["force"]);
    assert_eq!(traces(&pool).await, told);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_to_a_configuration_that_another_admin_has_changed_is_refused() {
    let (api, _) = configured().await;
    let seen = api.get(CONFIG).await.header("etag").to_owned();
    let put =
        |tag: String, body: Value| Answer::of(api.request(Method::PUT, CONFIG).header("if-match", tag).json(&body));
    let earlier = put(seen.clone(), json!({"syncInterval": 600})).await;
    assert_eq!(earlier.status, 200);
    assert_ne!(earlier.header("etag"), seen);
    let second = put(seen.clone(), json!({"syncInterval": 900})).await;
    assert_eq!((second.status, second.json()["code"].as_str()), (412, Some("RESOURCE_CONFLICT")));
    let deleted = Answer::of(api.request(Method::DELETE, CONFIG).header("if-match", seen)).await;
    assert_eq!(deleted.status, 412);
    for slip in ["9", "\"9", "\"9\", 10", "W/9", ",", ""] {
        let answer = put(slip.to_owned(), json!({"syncInterval": 900})).await;
        assert_eq!((answer.status, answer.wrong_fields()), (400, vec!["If-Match".to_owned()]), "{slip} is no tag");
    }
    assert_eq!(api.get(CONFIG).await.json()["syncInterval"], 600);
    assert_eq!(put("*".to_owned(), json!({"syncInterval": 900})).await.status, 200);
    // Observations change no version: a health check in between is no other admin.
    let tag = api.get(CONFIG).await.header("etag").to_owned();
    let pool = api.pool().await;
    sqlx::query("SELECT config.record_health('degraded')").execute(&pool).await.expect("recorded");
    assert_eq!(api.get(CONFIG).await.json()["healthStatus"], "degraded");
    assert_eq!(put(tag, json!({"syncInterval": 1200})).await.status, 200);
    assert_eq!(api.delete(CONFIG).await.status, 200);
    assert_eq!(put("*".to_owned(), first()).await.status, 412);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_once_with_the_same_tag_one_wins() {
    let (api, pool) = configured().await;
    let tag = api.get(CONFIG).await.header("etag").to_owned();
    let puts = (0..8).map(|n| {
        Answer::of(api.request(Method::PUT, CONFIG).header("if-match", &tag).json(&json!({"syncInterval": 1000 + n})))
    });
    let statuses: Vec<u16> = futures::future::join_all(puts).await.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 412).count(), 7, "{statuses:?}");
    assert_eq!(count(&pool, "audit.erp_audit_logs").await, 2);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_webhook_secret_stays_valid_for_a_day() {
    let (api, pool) = configured().await;
    sqlx::query("SELECT config.record_webhook_secret_use(false)").execute(&pool).await.expect("recorded");
    assert!(api.get(CONFIG).await.json()["webhookSecretLastUsedAt"].is_string());
    let changed = api.put(CONFIG, &json!({"webhookSecret": "another_hook_secret"})).await.json();
    assert_eq!(changed["webhookSecretLastUsedAt"], Value::Null);
    assert!(changed["previousWebhookSecretLastUsedAt"].is_string());
    let previous = decrypted(&pool, "previous_webhook_secret_enc").await;
    assert_eq!(previous.as_deref(), Some(HOOK), "it opens in its new place");
    let hours: i64 = sqlx::query_scalar(
        "SELECT round(extract(epoch FROM previous_webhook_secret_until - webhook_secret_set_at) / 3600)::bigint
         FROM config.erp_configurations",
    )
    .fetch_one(&pool)
    .await
    .expect("a row");
    assert_eq!(hours, 24);
    // When its time is over it is shown no more.
    sqlx::query(
        "UPDATE config.erp_configurations SET previous_webhook_secret_until = clock_timestamp() - interval '1 second'",
    )
    .execute(&pool)
    .await
    .expect("aged");
    assert_eq!(api.get(CONFIG).await.json()["previousWebhookSecretValidUntil"], Value::Null);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_flasherp_holds_is_unknown_again_after_another_base_url_or_account() {
    let api = Api::start().await;
    let pool = api.pool().await;
    let adopted = || async {
        sqlx::query_scalar::<_, Option<OffsetDateTime>>("SELECT adopted_at FROM config.erp_configurations")
            .fetch_one(&pool)
            .await
            .expect("a row")
    };
    let put = async |body: Value| assert_eq!(api.put(CONFIG, &body).await.status, 200);
    let mut off = first();
    off["isEnabled"] = json!(false);
    put(off).await;
    assert_eq!(adopted().await, None, "nothing is sent before it is enabled");
    put(json!({"apiKey": "another_key"})).await;
    assert_eq!(adopted().await, None);
    put(json!({"isEnabled": true})).await;
    let enabled = adopted().await.expect("set by the first enabling");
    for kept in [
        json!({"isEnabled": false}),
        json!({"isEnabled": true}),
        json!({"syncInterval": 300}),
        json!({"apiSecret": "new"}),
    ] {
        put(kept).await;
        assert_eq!(adopted().await, Some(enabled));
    }
    put(json!({"baseURL": "http://127.0.0.1:9"})).await;
    let moved = adopted().await.expect("set");
    assert!(moved > enabled);
    put(json!({"apiKey": "of_another_account"})).await;
    assert!(adopted().await.expect("set") > moved);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deleted_one_leaves_no_secret_stays_deleted_and_the_next_one_begins_anew() {
    let api = Api::start_with(|options| {
        options
            .env("FLASHERP_API_KEY", KEY)
            .env("FLASHERP_API_SECRET", SECRET)
            .env("FLASHERP_BASE_URL", "http://127.0.0.1:8084/v1")
    })
    .await;
    let pool = api.pool().await;
    testkit::eventually(crate::api::DEADLINE, "the environment's is saved", || async {
        api.get(CONFIG).await.status == 200
    })
    .await;
    api.put(CONFIG, &json!({"syncInterval": 300, "syncScope": {"invoices": true}, "webhookSecret": HOOK})).await;
    let id = api.get(CONFIG).await.json()["id"].clone();
    let deleted = api.delete(CONFIG).await;
    assert_eq!((deleted.status, deleted.json()["message"].is_string()), (200, true));
    assert_eq!((api.get(CONFIG).await.status, api.delete(CONFIG).await.status), (404, 404));
    let erased: bool = sqlx::query_scalar(
        "SELECT api_key_enc = '' AND api_secret_enc = '' AND webhook_secret_enc IS NULL AND previous_webhook_secret_enc IS NULL
            AND NOT is_enabled FROM config.erp_configurations",
    )
    .fetch_one(&pool)
    .await
    .expect("a tombstone");
    assert!(erased);
    for view in ["config.for_ingress", "config.for_sync_worker", "config.for_scheduler", "config.for_reconciler"] {
        assert_eq!(count(&pool, view).await, 0, "{view}");
    }
    let (database, broker) = api.stop().await;
    let again = Api::start_on(database, broker, |options| {
        options
            .env("FLASHERP_API_KEY", KEY)
            .env("FLASHERP_API_SECRET", SECRET)
            .env("FLASHERP_BASE_URL", "http://127.0.0.1:8084/v1")
    })
    .await;
    testkit::eventually(crate::api::DEADLINE, "it has looked", || async { again.log().contains("was deleted") }).await;
    assert_eq!(again.get(CONFIG).await.status, 404);
    let refused = again.put(CONFIG, &json!({"isEnabled": true})).await;
    assert_eq!(refused.wrong_fields(), ["apiKey", "apiSecret"]);

    // The base URL that the environment names stands in for one that is not said.
    let made = again.put(CONFIG, &json!({"apiKey": "k", "apiSecret": "s"})).await;
    let made = made.json();
    assert_eq!(made["id"], id);
    assert_eq!((&made["baseURL"], &made["syncInterval"]), (&json!("http://127.0.0.1:8084/v1"), &json!(3600)));
    assert_eq!((&made["isEnabled"], &made["disabledBy"]), (&json!(false), &json!("configuration")));
    assert_eq!((&made["webhookSecretMasked"], &made["syncScope"]["invoices"]), (&Value::Null, &json!(false)));
    assert_eq!(made["apiKeyMasked"], "****");
    again.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_base_url_that_leads_into_our_own_network_is_not_saved() {
    let api = Api::start_with(|options| options.env("ERP_ALLOW_PRIVATE_BASE_URL", "false")).await;
    for url in [
        "http://api.flasherp.com/v1",
        "https://127.0.0.1/v1",
        "https://localhost/v1",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://10.0.0.1/",
        "https://0x7f000001/",
        "https://user:pw@1.1.1.1/",
        "https://1.1.1.1/?x=1",
        "file:///etc/passwd",
        "https://no-such-host.invalid/",
    ] {
        let refused = api.put(CONFIG, &json!({"apiKey": "k", "apiSecret": "s", "baseURL": url})).await;
        assert_eq!((refused.status, refused.wrong_fields()), (400, vec!["baseURL".to_owned()]), "{url}: {refused:?}");
    }
    let saved = api.put(CONFIG, &json!({"apiKey": "k", "apiSecret": "s", "baseURL": "https://1.1.1.1/v1"})).await;
    assert_eq!(saved.status, 200);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_switches_the_integration_off_is_named() {
    let api = Api::start_with(|options| options.env("FLASHERP_ENABLED", "false")).await;
    let made = api.put(CONFIG, &first()).await.json();
    assert_eq!((&made["isEnabled"], &made["disabledBy"]), (&json!(true), &json!("environment")));
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_in_a_change_has_made_it_whole_or_not_at_all_and_the_fact_is_told_by_the_next() {
    for (point, is_changed) in [("config.before_commit", false), ("config.after_commit", true)] {
        let (api, pool) = configured().await;
        let before = traces(&pool).await;
        let (database, broker) = api.stop().await;
        let mut dying = Api::start_on(database, broker, |options| options.env("ERP_FAILPOINT", point)).await;
        let change = json!({"syncInterval": 700, "webhookSecret": "another_hook_secret"});
        let sent = dying.request(Method::PUT, CONFIG).json(&change).send().await;
        assert!(sent.is_err(), "{sent:?}");
        let end = dying.service.until_ended(crate::api::DEADLINE).await.expect("it died");
        assert!(end.contains("signal: 6"), "{end}");
        let after = traces(&pool).await;
        assert_eq!(after, if is_changed { (before.0 + 1, before.1 + 1) } else { before });
        let (database, broker) = dying.leave();
        let next = Api::start_on(database, broker, |options| options).await;
        // Who asked and got no answer asks again.
        let again = next.put(CONFIG, &change).await;
        assert_eq!((again.status, again.json()["syncInterval"].as_i64()), (200, Some(700)));
        assert_eq!(traces(&pool).await, (before.0 + 1, before.1 + 1));
        let previous = decrypted(&pool, "previous_webhook_secret_enc").await;
        assert_eq!(previous.as_deref(), Some(HOOK), "it is the secret before, also when asked twice");
        testkit::eventually(crate::api::DEADLINE, "the fact is told", || async {
            count(&pool, "config.outbox").await == 0
        })
        .await;
        next.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_dies_in_a_deletion_has_deleted_nothing() {
    let (api, pool) = configured().await;
    let before = traces(&pool).await;
    let (database, broker) = api.stop().await;
    let mut dying =
        Api::start_on(database, broker, |options| options.env("ERP_FAILPOINT", "config.before_delete_commit")).await;
    assert!(dying.request(Method::DELETE, CONFIG).send().await.is_err());
    dying.service.until_ended(crate::api::DEADLINE).await.expect("it died");
    assert_eq!(traces(&pool).await, before);
    let (database, broker) = dying.leave();
    let next = Api::start_on(database, broker, |options| options).await;
    assert_eq!(next.get(CONFIG).await.status, 200);
    next.stop().await;
}

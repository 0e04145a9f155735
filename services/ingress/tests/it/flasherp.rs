//! FlashERP's endpoint: when it is open, which secrets hold, and that Stripe's does not care.

use std::time::Duration;

use reqwest::StatusCode;
use secrecy::SecretString;
use secrets::{Keyring, Place};
use sqlx::PgPool;
use testkit::eventually;
use uuid::Uuid;
use webhooks::signature::{SigningKey, flasherp};

use crate::harness::{Answer, Bench, LIMIT, Running, event, now};

const KEYS: &str = "k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const BODY: &str =
    r#"{"id":"fe_1","type":"customer.updated","timestamp":"2026-11-24T09:30:00.123Z","data":{"id":"cust_1"}}"#;

/// The superuser, who may write the configuration as config-api does.
async fn admin(bench: &Bench) -> PgPool {
    PgPool::connect(&bench.database.admin_url()).await.expect("the superuser gets in")
}

/// Writes the configuration: the current secret, the one before and until when it holds, in seconds from now.
async fn configure(admin: &PgPool, current: Option<&str>, previous: Option<(&str, i32)>) {
    let (keyring, row) = (Keyring::parse(KEYS).expect("a keyring"), Uuid::new_v4());
    let seal = |column, secret: &str| {
        keyring.encrypt(&Place { table: "config.erp_configurations", row, column }, &SecretString::from(secret))
    };
    sqlx::query(
        "INSERT INTO config.erp_configurations (id, base_url, api_key_enc, api_secret_enc, is_enabled, webhook_secret_enc,
            previous_webhook_secret_enc, previous_webhook_secret_until)
         VALUES ($1, 'https://flasherp.example', $2, $2, true, $3, $4, now() + make_interval(secs => $5))",
    )
    .bind(row)
    .bind(seal("api_key_enc", "key"))
    .bind(current.map(|secret| seal("webhook_secret_enc", secret)))
    .bind(previous.map(|(secret, _)| seal("previous_webhook_secret_enc", secret)))
    .bind(previous.map(|(_, secs)| f64::from(secs)))
    .execute(admin)
    .await
    .expect("the configuration");
}

async fn run(admin: &PgPool, statement: &'static str) {
    sqlx::query(statement).execute(admin).await.expect(statement);
}

/// A delivery signed with these secrets.
async fn deliver(ingress: &Running, secrets: &[&str], body: &str) -> Answer {
    let keys: Vec<SigningKey> = secrets.iter().map(|secret| SigningKey::new(secret.as_bytes())).collect();
    let at = now();
    let request = ingress
        .client()
        .post(format!("http://{}/api/webhooks/flasherp", ingress.address))
        .header(flasherp::SIGNATURE_HEADER, flasherp::sign(&keys, at, body.as_bytes()))
        .header(flasherp::TIMESTAMP_HEADER, at.to_string())
        .body(body.to_owned());
    Answer::of(request).await
}

async fn becomes(ingress: &Running, secrets: &[&str], status: StatusCode) {
    eventually(LIMIT, &format!("a delivery is answered {status}"), || async {
        deliver(ingress, secrets, BODY).await.status == status
    })
    .await;
}

#[tokio::test]
async fn a_signed_event_is_stored_once_with_its_own_time() {
    let bench = Bench::new().await;
    let admin = admin(&bench).await;
    configure(&admin, Some("new"), None).await;
    let ingress = bench.start().await;
    becomes(&ingress, &["new"], StatusCode::OK).await;
    assert_eq!(deliver(&ingress, &["new"], BODY).await.body["duplicate"], true);
    let stored: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT source::text, event_type, (extract(epoch FROM occurred_at) * 1000)::bigint FROM ingress.webhook_events",
    )
    .fetch_all(&admin)
    .await
    .expect("rows");
    assert_eq!(stored, [("flasherp".to_owned(), "customer.updated".to_owned(), 1_795_512_600_123)]);
}

#[tokio::test]
async fn without_a_configuration_or_a_secret_it_is_503_and_stripe_is_served_all_the_same() {
    let bench = Bench::new().await;
    let admin = admin(&bench).await;
    let ingress = bench.start().await;
    eventually(LIMIT, "it is known that there is no configuration", || async {
        deliver(&ingress, &["new"], BODY).await.body["code"] == "CONFIG_NOT_FOUND"
    })
    .await;
    let answer = deliver(&ingress, &["new"], BODY).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.header("retry-after").is_some());
    assert!(!ingress.deliver(event("evt_1")).await);

    configure(&admin, None, None).await;
    eventually(LIMIT, "the missing secret is named", || async {
        let answer = deliver(&ingress, &["new"], BODY).await;
        answer.body["message"].as_str().is_some_and(|message| message.starts_with("No secret is set"))
    })
    .await;
    assert!(!ingress.deliver(event("evt_2")).await);
}

#[tokio::test]
async fn switched_off_it_is_503_and_says_by_what() {
    let bench = Bench::new().await;
    let admin = admin(&bench).await;
    configure(&admin, Some("new"), None).await;
    let ingress = bench.start().await;
    becomes(&ingress, &["new"], StatusCode::OK).await;
    run(&admin, "UPDATE config.erp_configurations SET enable_webhooks = false").await;
    becomes(&ingress, &["new"], StatusCode::SERVICE_UNAVAILABLE).await;
    insta::assert_snapshot!(deliver(&ingress, &["new"], BODY).await.redacted(), @r#"
    503 Service Unavailable
    {
      "code": "CONFIG_DISABLED",
      "details": [
        {
          "field": "disabledBy",
          "issue": "configuration"
        }
      ],
      "error": "Service Unavailable",
      "message": "FlashERP's webhooks are switched off; send the event again later.",
      "requestId": "[request id]"
    }
    "#);
    run(&admin, "UPDATE config.erp_configurations SET enable_webhooks = true, is_enabled = false").await;
    becomes(&ingress, &["new"], StatusCode::SERVICE_UNAVAILABLE).await;
    assert!(!ingress.deliver(event("evt_1")).await, "Stripe's does not care");
    run(&admin, "UPDATE config.erp_configurations SET is_enabled = true").await;
    becomes(&ingress, &["new"], StatusCode::OK).await;

    let rolled_back = bench.start_with(&[("FLASHERP_ENABLED", "false")]).await;
    let answer = deliver(&rolled_back, &["new"], BODY).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.body["details"][0]["issue"], "environment");
    assert!(!rolled_back.deliver(event("evt_2")).await);
}

#[tokio::test]
async fn a_replaced_secret_holds_until_its_time_is_over_and_each_use_is_noted() {
    let bench = Bench::new().await;
    let admin = admin(&bench).await;
    configure(&admin, Some("new"), Some(("old", 3600))).await;
    let ingress = bench.start_with(&[("FLASHERP_WEBHOOK_SECRET", "beside")]).await;
    becomes(&ingress, &["old"], StatusCode::OK).await;
    let noted = |which: &'static str| {
        let admin = admin.clone();
        async move {
            sqlx::query_scalar::<_, (bool, bool)>(
                "SELECT (webhook_secret_last_used_at IS NOT NULL, previous_webhook_secret_last_used_at IS NOT NULL)
                 FROM config.erp_configurations",
            )
            .fetch_one(&admin)
            .await
            .map(|(current, previous)| if which == "current" { current } else { previous })
            .expect("the configuration")
        }
    };
    eventually(LIMIT, "the old secret's use is noted", || noted("previous")).await;
    assert!(!noted("current").await);
    // while FlashERP rotates it sends both signatures
    assert_eq!(deliver(&ingress, &["old", "new"], BODY).await.status, StatusCode::OK);
    eventually(LIMIT, "the new secret's use is noted", || noted("current")).await;
    assert_eq!(deliver(&ingress, &["beside"], BODY).await.status, StatusCode::OK);
    assert_eq!(deliver(&ingress, &["wrong"], BODY).await.status, StatusCode::UNAUTHORIZED);

    run(&admin, "UPDATE config.erp_configurations SET previous_webhook_secret_until = now() - interval '1 second'")
        .await;
    becomes(&ingress, &["old"], StatusCode::UNAUTHORIZED).await;
    assert_eq!(deliver(&ingress, &["new"], BODY).await.status, StatusCode::OK);
}

#[tokio::test]
async fn unsigned_stale_or_repeated_headers_are_401_and_too_many_429() {
    let bench = Bench::new().await;
    configure(&admin(&bench).await, Some("new"), None).await;
    let ingress = bench.start_with(&[("WEBHOOK_RATE_LIMIT_FLASHERP", "10000")]).await;
    becomes(&ingress, &["new"], StatusCode::OK).await;
    let url = format!("http://{}/api/webhooks/flasherp", ingress.address);
    let key = [SigningKey::new(b"new")];
    let signed = |at: i64| {
        ingress
            .client()
            .post(&url)
            .header(flasherp::SIGNATURE_HEADER, flasherp::sign(&key, at, BODY.as_bytes()))
            .header(flasherp::TIMESTAMP_HEADER, at.to_string())
            .body(BODY)
    };
    assert_eq!(Answer::of(ingress.client().post(&url).body(BODY)).await.status, StatusCode::UNAUTHORIZED);
    for off in [-301, 302] {
        assert_eq!(Answer::of(signed(now() + off)).await.status, StatusCode::UNAUTHORIZED, "{off}");
    }
    let repeated = signed(now()).header(flasherp::TIMESTAMP_HEADER, "1");
    assert_eq!(Answer::of(repeated).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        Answer::of(signed(now()).header("content-encoding", "gzip")).await.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE
    );

    let limited = bench.start_with(&[("WEBHOOK_RATE_LIMIT_FLASHERP", "1")]).await;
    deliver(&limited, &["new"], BODY).await;
    // the limit comes before all that could be learnt of the configuration
    assert_eq!(deliver(&limited, &["wrong"], BODY).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn health_answers_for_both_senders_and_waiting_events_are_counted() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    for source in ["stripe", "flasherp"] {
        let url = format!("http://{}/api/webhooks/{source}/health", ingress.address);
        let health: serde_json::Value = ingress
            .client()
            .get(url)
            .timeout(Duration::from_secs(10))
            .send()
            .await
            .expect("an answer")
            .json()
            .await
            .expect("JSON");
        assert_eq!(
            (health["status"].as_str(), health["service"].as_str()),
            (Some("healthy"), Some(format!("{source}-webhooks").as_str()))
        );
    }
    ingress.deliver(event("evt_1")).await;
    let waiting = || async {
        let text = service::metrics::render().expect("metrics");
        text.lines().any(|line| {
            line.starts_with("erp_events_waiting") && line.contains("source=\"stripe\"") && !line.ends_with(" 0")
        })
    };
    eventually(LIMIT, "the waiting event is counted", waiting).await;
}

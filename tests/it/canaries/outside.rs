//! What comes from outside and is wrong: webhooks, FlashERP's and Stripe's answers, servers that are away.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::eventually;
use uuid::Uuid;
use webhooks::signature::{SigningKey, flasherp, stripe};

use super::echo::{MANNERS, Manner};
use super::stage::Stage;
use crate::system::LONG;

fn now() -> i64 {
    time::OffsetDateTime::now_utc().unix_timestamp()
}

/// Both sources: signed well, badly and not at all; of every kind of body.
pub(super) async fn webhooks(stage: &mut Stage) {
    let (name, email, phone) = (stage.of("a name"), stage.of("an e-mail"), stage.of("a phone number"));
    let person = json!({
        "id": "cus_canary", "object": "customer", "created": now(), "livemode": false, "name": name, "email": email, "phone": phone,
        "address": {"line1": name, "city": name}, "shipping": {"name": name, "phone": phone}, "metadata": {},
    });
    let event = |id: &str, kind: &str, object: &Value| {
        json!({
            "id": id, "object": "event", "type": kind, "created": now(), "livemode": false, "api_version": "2024-06-20",
            "data": {"object": object}, "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null},
        })
    };
    let mut strange = person.clone();
    strange["created"] = json!(name);
    let stripe_bodies = [
        event("evt_customer", "customer.created", &person).to_string(),
        event("evt_unknown", "customer.tax_id.created", &person).to_string(),
        event("evt_strange", "customer.updated", &strange).to_string(),
        event(
            "evt_price",
            "customer.subscription.created",
            &json!({"id": "sub_1", "object": "subscription", "customer": person}),
        )
        .to_string(),
        event("evt_invoice", "invoice.paid", &json!({"id": "in_1", "customer_name": name, "customer_email": email}))
            .to_string(),
        format!("{{\"id\": \"evt_broken\", \"name\": \"{name}\""),
        format!("[\"{email}\"]"),
    ];
    let flasherp_bodies = [
        json!({"id": "fe_1", "type": "customer.updated", "timestamp": "2026-11-24T09:30:00.123Z",
            "data": {"id": "cust_1", "name": name, "email": email, "phone": phone, "upcoachReference": Uuid::nil(), "updatedAt": "2026-11-24T09:30:00.123Z"}})
        .to_string(),
        json!({"id": "fe_2", "type": "customer.exploded", "timestamp": "2026-11-24T09:30:00.123Z", "data": {"name": name}}).to_string(),
        json!({"id": "fe_3", "type": "invoice.created", "timestamp": name, "data": {"email": email}}).to_string(),
        format!("{{\"name\": \"{name}\""),
    ];
    let secrets = [stage.of("STRIPE_WEBHOOK_SECRET"), "another secret".to_owned()];
    for secret in &secrets {
        let key = [SigningKey::new(secret.as_bytes())];
        for body in &stripe_bodies {
            let signature = stripe::sign(&key, now(), body.as_bytes());
            let request = stage.request(Method::POST, "/api/webhooks/stripe").header("stripe-signature", signature);
            stage.send(request.body(body.clone())).await;
        }
    }
    for secret in
        [stage.of("FLASHERP_WEBHOOK_SECRET"), stage.of("a webhook secret that was saved"), stage.of("a password")]
    {
        let key = [SigningKey::new(secret.as_bytes())];
        for body in &flasherp_bodies {
            let at = now();
            let request = stage
                .request(Method::POST, "/api/webhooks/flasherp")
                .header(flasherp::SIGNATURE_HEADER, flasherp::sign(&key, at, body.as_bytes()))
                .header(flasherp::TIMESTAMP_HEADER, at.to_string());
            stage.send(request.body(body.clone())).await;
            // A secret where the signature should be.
            let request =
                stage.request(Method::POST, "/api/webhooks/flasherp").header(flasherp::SIGNATURE_HEADER, &secret);
            stage.send(request.body(body.clone())).await;
        }
    }
    eventually(LONG, "the events have been worked on", || async {
        let left = "SELECT count(*) FROM ingress.webhook_events WHERE attempts = 0 AND due_at IS NOT NULL";
        sqlx::query_scalar::<_, i64>(left).fetch_one(&stage.pool).await.expect("a count") == 0
    })
    .await;
}

/// FlashERP and Stripe answer in every manner, to everything that asks them.
pub(super) async fn answers(stage: &mut Stage) {
    let (name, email) = (stage.of("a name"), stage.of("an e-mail"));
    let candidate = json!({
        "baseURL": format!("http://127.0.0.1:{}/v1", stage.echo.port), "apiKey": stage.of("a candidate"), "apiSecret": stage.of("a candidate"),
    });
    for (round, manner) in MANNERS.into_iter().enumerate() {
        let user = Uuid::new_v4();
        sqlx::query("INSERT INTO upcoach.users (id, email, name) VALUES ($1, $2, $3)")
            .bind(user)
            .bind(format!("{round}.{email}"))
            .bind(&name)
            .execute(&stage.pool)
            .await
            .expect("a user");
        stage.echo.behave(manner);
        stage.post("/api/erp/config/test", &json!({})).await;
        stage.post("/api/erp/config/test", &candidate).await;
        stage.post(&format!("/api/erp/sync/customer/{user}?wait=2"), &json!({})).await;
        let request = stage.admin(Method::GET, &format!("/api/erp/preview/customer/{user}"));
        stage.send(request).await;
        stage.post("/api/erp/sync/reconcile?wait=5", &json!({"entityTypes": ["customer"], "cutoffSeconds": 0})).await;
        for job in ["health-check", "pull-missed-events"] {
            stage.post(&format!("/api/erp/jobs/{job}/run"), &json!({})).await;
        }
        eventually(LONG, "the jobs have run", || async {
            let left = "SELECT count(*) FROM scheduling.job_runs WHERE finished_at IS NULL";
            sqlx::query_scalar::<_, i64>(left).fetch_one(&stage.pool).await.expect("a count") == 0
        })
        .await;
        stage.echo.behave(Manner::Well);
        // A changed configuration lifts what a refusal has stopped.
        let request = stage.admin(Method::PUT, "/api/erp/config").json(&json!({"syncInterval": 3600 + round}));
        assert_eq!(stage.send(request).await.0, 200);
    }
    eventually(LONG, "it was tried to tell people, by Slack and by mail", || async {
        let tried = "SELECT count(DISTINCT channel) FROM scheduling.alert_notices WHERE attempts > 0";
        sqlx::query_scalar::<_, i64>(tried).fetch_one(&stage.pool).await.expect("a count") == 2
    })
    .await;
    let port = stage.echo.port;
    for url in [
        format!("https://127.0.0.1:{port}/v1"),
        "http://127.0.0.1:1/v1".to_owned(),
        "https://does-not-exist.invalid/v1".to_owned(),
    ] {
        let mut body = candidate.clone();
        body["baseURL"] = json!(url);
        stage.post("/api/erp/config/test", &body).await;
    }
}

/// Database and broker go away and come back while things are asked for.
pub(super) async fn away(stage: &mut Stage) {
    stage.broker.nats.kill().await.expect("killed");
    let user = Uuid::new_v4();
    stage.post(&format!("/api/erp/sync/customer/{user}"), &json!({})).await;
    stage.database.postgres.kill().await.expect("killed");
    for path in ["/api/erp/status", "/api/erp/config"] {
        let request = stage.admin(Method::GET, path);
        stage.send(request).await;
    }
    let body = json!({"apiKey": stage.of("a candidate")});
    let request = stage.admin(Method::PUT, "/api/erp/config").json(&body);
    stage.send(request).await;
    stage.database.postgres.restart().await.expect("it starts again");
    stage.broker.nats.restart().await.expect("it starts again");
    for service in &mut stage.services {
        service.until_ready(LONG).await.expect("ready again");
    }
}

//! The audit trail of everything that can be changed: who, where from, what it was before and what it is after.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::Answer;
use crate::world::World;

const USER_AGENT: &str = "panel/1";
const ADDRESS: &str = "203.0.113.9";

/// A change, and what the trail has to say of it.
struct Change {
    /// The description's `operationId`.
    id: &'static str,
    method: Method,
    path: String,
    body: Value,
    /// One audit row for each.
    operations: &'static [&'static str],
    /// Members of `before` and `after`, where what is changed has a state that is there at once.
    states: Option<(Value, Value)>,
}

fn post(id: &'static str, path: impl Into<String>, body: Value, operations: &'static [&'static str]) -> Change {
    Change { id, method: Method::POST, path: format!("/api/erp/{}", path.into()), body, operations, states: None }
}

impl Change {
    fn states(self, before: Value, after: Value) -> Self {
        Self { states: Some((before, after)), ..self }
    }

    fn by(self, method: Method) -> Self {
        Self { method, ..self }
    }
}

/// What is there to be changed.
struct Things {
    user: Uuid,
    payment: Uuid,
    subscription: Uuid,
    /// To be retried and skipped, one by one and by a list of ids.
    failed: [Uuid; 4],
    /// Fingerprints of two kinds of failures.
    kinds: [String; 2],
    batch: Uuid,
    run: Uuid,
    /// To be accepted, ignored and healed; one more is left to be healed with all.
    findings: [Uuid; 3],
    event: Uuid,
}

impl Things {
    async fn of(world: &World) -> Self {
        let user = world.user().await;
        let payment = world.payment(user, 500, "jpy").await;
        let subscription = world
            .value(
                "INSERT INTO upcoach.subscriptions (id, user_id, plan, status, billing_interval, amount, currency)
                 VALUES (gen_random_uuid(), $1, 'pro', 'active', 'monthly', 1000, 'usd') RETURNING id",
                user,
            )
            .await;
        let mut failed = [Uuid::nil(); 4];
        for sync in &mut failed {
            *sync = world.sync("customer", "failed", Some("TIMEOUT")).await;
        }
        let mut kinds = [String::new(), String::new()];
        for (kind, code) in kinds.iter_mut().zip(["VALIDATION_ERROR", "SERVER_ERROR"]) {
            let sync = world.sync("invoice", "failed", Some(code)).await;
            *kind = world.value("SELECT error_fingerprint FROM sync.erp_syncs WHERE id = $1", sync).await;
        }
        let batch = world
            .value(
                "SELECT id FROM sync.batch_create('full_sync', '{customer}', NULL, false, '{}', NULL, 'ada', NULL, $1, NULL, NULL)",
                Uuid::new_v4(),
            )
            .await;
        let run = world
            .value(
                "INSERT INTO reconciliation.runs (id, status, window_from, window_to, entity_types, finished_at)
                 VALUES ($1, 'completed', now() - interval '1 day', now(), '{customer}', now()) RETURNING id",
                Uuid::new_v4(),
            )
            .await;
        let mut findings = Vec::new();
        for _ in 0..4 {
            let finding = "INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id)
                 VALUES ($1, 'missing_in_flasherp', 'customer', gen_random_uuid()) RETURNING id";
            findings.push(world.value(finding, run).await);
        }
        let event = world
            .value(
                "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, due_at, attempts, error_code)
                 VALUES (uuidv7(), 'stripe', $1::text, 'invoice.paid', 'failed', '{}', NULL, 5, 'VALIDATION_ERROR') RETURNING id",
                Uuid::new_v4(),
            )
            .await;
        let others = "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, due_at)
             VALUES (uuidv7(), 'stripe', 'another', 'invoice.paid', 'applied', '{}', NULL);
             INSERT INTO scheduling.jobs (name, cron, next_run_at) VALUES ('prune', '30 3 * * *', '2099-01-01T00:00:00Z')";
        sqlx::raw_sql(others).execute(&world.pool).await.expect("an event and a job");
        let findings = [findings[0], findings[1], findings[2]];
        Self { user, payment, subscription, failed, kinds, batch, run, findings, event }
    }
}

/// All changes, in an order in which each finds what it changes.
fn changes(things: &Things) -> Vec<Change> {
    let Things { user, payment, subscription, failed, kinds, batch, run, findings, event } = things;
    let group = |kind: usize, action: &str| format!("error-groups/{}/{action}", kinds[kind]);
    let finding = |place: usize, action: &str| format!("reconciliations/{run}/findings/{}/{action}", findings[place]);
    let (open, by) = (json!({"decision": "open", "decidedBy": null}), "admin@test");
    let created = (json!(null), json!({"status": "pending"}));
    let batch_made = |change: Change| change.states(created.0.clone(), created.1.clone());
    vec![
        batch_made(post("syncFull", "sync/full", json!({"entityTypes": ["customer"]}), &["batch.created"])),
        post("cancelBatch", format!("batches/{batch}"), json!({}), &["batch.cancelled"])
            .by(Method::DELETE)
            .states(json!({"status": "pending"}), json!({"status": "cancelled"})),
        post("retrySync", format!("retry/{}", failed[0]), json!({}), &["sync.retried"]).states(
            json!({"syncStatus": "failed", "errorCode": "TIMEOUT"}),
            json!({"syncStatus": "pending", "retryCount": 0}),
        ),
        post("skipSync", format!("skip/{}", failed[1]), json!({"reason": "test data"}), &["sync.skipped"]).states(
            json!({"syncStatus": "failed", "skipReason": null, "skippedByHand": false}),
            json!({"syncStatus": "skipped", "skipReason": "test data", "skippedByHand": true}),
        ),
        batch_made(post("retrySyncs", "syncs/retry", json!({"ids": [failed[2]]}), &["batch.created"])),
        batch_made(post("skipSyncs", "syncs/skip", json!({"ids": [failed[3]]}), &["batch.created"])),
        post(
            "acknowledgeErrorGroup",
            group(0, "acknowledge"),
            json!({"note": "told them"}),
            &["error_group.acknowledged"],
        )
        .states(json!(null), json!({"by": by, "note": "told them"})),
        post("acknowledgeErrorGroup", group(0, "acknowledge"), json!({"note": "again"}), &["error_group.acknowledged"])
            .states(json!({"by": by, "note": "told them"}), json!({"by": by, "note": "again"})),
        batch_made(post("retryErrorGroup", group(0, "retry"), json!({}), &["batch.created"])),
        batch_made(post("skipErrorGroup", group(1, "skip"), json!({}), &["batch.created"])),
        post("pauseOutbound", "pause", json!({"reason": "month end"}), &["outbound.paused"]).states(
            json!({"paused": false, "reason": null}),
            json!({"paused": true, "pausedBy": by, "reason": "month end"}),
        ),
        // What changes nothing is told of, too, with what was so already.
        post("pauseOutbound", "pause", json!({"reason": "another"}), &["outbound.paused"])
            .states(json!({"paused": true, "reason": "month end"}), json!({"paused": true, "reason": "month end"})),
        post("resumeOutbound", "resume", json!({}), &["outbound.resumed"]).states(
            json!({"paused": true, "pausedBy": by, "reason": "month end"}),
            json!({"paused": false, "reason": null}),
        ),
        post("pauseJob", "jobs/prune/pause", json!({"reason": "slow"}), &["job.paused"]).states(
            json!({"paused": false, "pauseReason": null}),
            json!({"paused": true, "pausedBy": by, "pauseReason": "slow"}),
        ),
        post("resumeJob", "jobs/prune/resume", json!({}), &["job.resumed"])
            .states(json!({"paused": true, "pauseReason": "slow"}), json!({"paused": false, "pauseReason": null})),
        post("runJob", "jobs/prune/run", json!({}), &["job.run"])
            .states(json!({"nextRunAt": "2099-01-01T00:00:00.000Z"}), json!({"paused": false})),
        post("acceptFinding", finding(0, "accept"), json!({"note": "by hand"}), &["finding.accepted"])
            .states(open.clone(), json!({"decision": "accepted", "decidedBy": by, "note": "by hand"})),
        post("ignoreFinding", finding(1, "ignore"), json!({}), &["finding.ignored"])
            .states(open.clone(), json!({"decision": "ignored", "decidedBy": by})),
        post("healFinding", finding(2, "heal"), json!({}), &["finding.healed"])
            .states(open, json!({"decision": "healing", "decidedBy": by})),
        post("healReconciliation", format!("reconciliations/{run}/heal"), json!({}), &["reconciliation.healed"]),
        post("reconcile", "sync/reconcile?wait=0", json!({}), &["reconciliation.requested"]),
        post("syncCustomer", format!("sync/customer/{user}?wait=0"), json!({}), &["sync.requested"]),
        post("syncTransaction", format!("sync/transaction/{payment}?wait=0"), json!({}), &["sync.requested"]),
        post("syncSubscription", format!("sync/subscription/{subscription}?wait=0"), json!({}), &["sync.requested"]),
        post("replayWebhook", format!("webhooks/{event}/replay"), json!({}), &["webhook.replayed"]).states(
            json!({"status": "failed", "attempts": 5, "errorCode": "VALIDATION_ERROR"}),
            json!({"status": "received", "attempts": 0, "errorCode": null}),
        ),
        post("replayWebhooks", "webhooks/replay", json!({"since": "2020-01-01T00:00:00Z"}), &["webhooks.replayed"]),
        post("importRecords", "import", json!({}), &["import.begun", "import.ended"]),
        post("testConnection", "config/test", json!({}), &["config.tested"]),
        post("saveConfiguration", "config", json!({"syncInterval": 7200}), &["config.updated"])
            .by(Method::PUT)
            .states(json!({"syncInterval": 3600}), json!({"syncInterval": 7200})),
        post("deleteConfiguration", "config", json!({}), &["config.deleted"])
            .by(Method::DELETE)
            .states(json!({"syncInterval": 7200, "isEnabled": true}), json!(null)),
    ]
}

/// Whether all that is expected is there, whatever there is beside it.
fn holds(expected: &Value, told: &Value) -> bool {
    match (expected, told) {
        (Value::Object(expected), Value::Object(told)) => {
            expected.iter().all(|(name, value)| told.get(name).is_some_and(|told| holds(value, told)))
        }
        _ => expected == told,
    }
}

/// What an audit row has of a request: operation, who, from where, with what, and what came of it.
type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<Value>);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_is_told_with_who_where_from_before_and_after() {
    let world = World::with_api(|options| options.env("TRUSTED_PROXIES", "127.0.0.1")).await;
    let changes = changes(&Things::of(&world).await);
    let document = serde_json::to_value(config_api::openapi::of_this_service()).expect("JSON");
    let items = document["paths"].as_object().expect("paths").values().filter_map(Value::as_object).flatten();
    let described: BTreeSet<&str> = items
        .filter(|(method, _)| *method != "get")
        .filter_map(|(_, operation)| operation["operationId"].as_str())
        .collect();
    assert_eq!(changes.iter().map(|change| change.id).collect::<BTreeSet<_>>(), described, "none is forgotten");

    for Change { id, method, path, body, operations, states } in changes {
        let request_id = Uuid::new_v4();
        let request = world
            .api
            .request(method.clone(), &path)
            .header("user-agent", USER_AGENT)
            .header("x-forwarded-for", ADDRESS)
            .header("x-request-id", request_id.to_string());
        let request = if id == "importRecords" {
            let line = json!({"entityType": "customer", "id": request_id, "email": "a@example.com", "name": "Ada"});
            request.header("content-type", "application/x-ndjson").body(format!("{line}\n"))
        } else if method == Method::DELETE {
            request
        } else {
            request.json(&body)
        };
        let answer = Answer::of(request).await;
        assert!((200..300).contains(&answer.status), "{id}: {answer:?}");

        let rows: Vec<Row> = sqlx::query_as(
            "SELECT metadata ->> 'operation', performed_by, host(ip_address), user_agent, response_payload
             FROM audit.erp_audit_logs WHERE request_id = $1 ORDER BY created_at, id",
        )
        .bind(request_id)
        .fetch_all(&world.pool)
        .await
        .expect("audit rows");
        let told: Vec<_> = rows.iter().map(|row| row.0.as_deref()).collect();
        assert_eq!(told, operations.iter().copied().map(Some).collect::<Vec<_>>(), "{id}");
        for (_, who, address, user_agent, response) in rows {
            let from = (who.as_deref(), address.as_deref(), user_agent.as_deref());
            assert_eq!(from, (Some("admin@test"), Some(ADDRESS), Some(USER_AGENT)), "{id}");
            if let Some((before, after)) = &states {
                let response = response.unwrap_or_else(|| panic!("{id}: nothing is said of before and after"));
                let there = response.get("before").is_some() && response.get("after").is_some();
                assert!(there && holds(before, &response["before"]), "{id}, before: {response}");
                assert!(holds(after, &response["after"]), "{id}, after: {response}");
            }
        }
    }
    world.stop().await;
}

//! Reconciliations through the API: asked for and waited for, reported, listed, exported, and what is done about findings.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::api::{Answer, DEADLINE};
use crate::world::World;

/// Three payments on both sides, of which FlashERP holds one otherwise, one no more, and one that nobody knows.
async fn three_differences() -> (World, [Uuid; 2], String) {
    let mut world = World::new().await;
    let user = world.user().await;
    let mut payments = Vec::new();
    for amount in [500, 700, 900] {
        payments.push(world.payment(user, amount, "jpy").await);
    }
    world.start_worker().await;
    testkit::eventually(DEADLINE, "all is in FlashERP", || async {
        world.sandbox.counters().await.records_of("transactions") == 3
            && world
                .value::<i64>(
                    "SELECT count(*) FROM sync.erp_syncs WHERE sync_status <> 'synced' AND $1::uuid IS NOT NULL",
                    user,
                )
                .await
                == 0
    })
    .await;
    let records = world.sandbox.records("transactions").await;
    let of = |id: Uuid| records.iter().find(|record| record.reference() == id.to_string()).expect("it is there");
    world.sandbox.edit_record("transactions", &of(payments[0]).id(), json!({"amount": 499})).await;
    world.sandbox.remove_record("transactions", &of(payments[1]).id()).await;
    let strange = json!({
        "customerId": of(payments[0]).text("customerId"), "amount": 1, "currency": "JPY", "status": "completed", "type": "payment",
        "upcoachReference": "=1+1",
    });
    let strange = world.sandbox.create_record("transactions", strange).await.id();
    (world, [payments[0], payments[1]], strange)
}

async fn reconcile(world: &World, key: &str, body: Value) -> Answer {
    Answer::of(world.api.request(Method::POST, "/api/erp/sync/reconcile").header("idempotency-key", key).json(&body))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconciliation_is_waited_for_reported_healed_and_decided_on() {
    let (mut world, [differing, missing], strange) = three_differences().await;
    let body = json!({"entityTypes": ["transaction", "customer"], "cutoffSeconds": 0});
    // Nobody carries it out yet.
    let path = "/api/erp/sync/reconcile?wait=0";
    let started =
        Answer::of(world.api.request(Method::POST, path).header("idempotency-key", "today").json(&body)).await;
    let run = started.json()["runId"].as_str().expect("a run").to_owned();
    assert_eq!((started.status, &started.json()["status"]), (202, &json!("pending")));
    let path = format!("/api/erp/reconciliations/{run}");
    assert_eq!(started.header("location"), path);
    assert_eq!(world.api.get(&path).await.json()["proven"], json!(null));
    world.start_reconciler().await;

    // The same key is the same run.
    let done = reconcile(&world, "today", body).await;
    assert_eq!(done.status, 200, "{done:?}");
    let report = done.json();
    assert_eq!(
        (&report["runId"], &report["status"], &report["proven"]),
        (&json!(run), &json!("completed"), &json!(true)),
        "{report}"
    );
    assert_eq!(report["missingInFlashERP"], json!([format!("transaction:{missing}")]));
    assert_eq!(report["missingInUpCoach"], json!([format!("transaction:{strange}")]));
    let counts =
        ["totalRecords", "totalChecked", "matched", "missing", "discrepancies"].map(|name| report[name].clone());
    assert_eq!(counts, [5, 5, 2, 2, 3].map(|count| json!(count)), "{report}");
    let transactions = &report["details"][1];
    let counts = [
        "upcoachCount",
        "flasherpCount",
        "matched",
        "missingInFlasherp",
        "missingInUpcoach",
        "mismatched",
        "duplicates",
    ];
    assert_eq!(
        counts.map(|name| transactions[name].clone()),
        [3, 3, 1, 1, 1, 1, 0].map(|count| json!(count)),
        "{report}"
    );
    let other = reconcile(&world, "today", json!({"autoHeal": true})).await;
    assert_eq!((other.status, &other.json()["code"]), (409, &json!("RESOURCE_CONFLICT")));
    for (name, at) in [("from", "2025-01-01T00:00:00Z"), ("to", "2025-06-01T00:00:00Z")] {
        let mut window = json!({"entityTypes": ["transaction", "customer"], "cutoffSeconds": 0});
        window[name] = json!(at);
        let other = reconcile(&world, "today", window).await;
        assert_eq!(
            (other.status, &other.json()["code"]),
            (409, &json!("RESOURCE_CONFLICT")),
            "another window's {name}"
        );
    }
    let reordered =
        reconcile(&world, "today", json!({"entityTypes": ["customer", "transaction"], "cutoffSeconds": 0})).await;
    assert_eq!(reordered.json()["runId"], json!(run), "the same in another order");
    let asked = world.audited(&run).await;
    assert_eq!(asked, [("manual_sync".to_owned(), json!("reconciliation.requested"), asked[0].2.clone())]);

    let one = world.api.get(&path).await.json();
    let yen = &one["currencies"][0];
    let sums = ["currency", "upcoach", "flasherp", "difference", "explained", "proven"].map(|name| yen[name].clone());
    assert_eq!(sums, [json!("JPY"), json!("2100"), json!("1400"), json!("700"), json!("700"), json!(true)], "{one}");
    let listed = world.api.get("/api/erp/reconciliations?status=completed").await.json();
    assert_eq!((&listed["data"][0]["id"], &listed["pagination"]["total"]), (&json!(run), &json!(1)));

    let findings = format!("{path}/findings");
    let found = world.api.get(&format!("{findings}?class=mismatch")).await.json();
    let mismatch = &found["data"][0];
    let shown = ["sourceId", "field", "ours", "theirs", "difference", "decision"].map(|name| mismatch[name].clone());
    assert_eq!(
        shown,
        [json!(differing), json!("amount"), json!("500"), json!("499"), json!({"JPY": "1"}), json!("open")],
        "{found}"
    );
    let first = world.api.get(&format!("{findings}?limit=2")).await.json();
    let cursor = first["pagination"]["nextCursor"].as_str().expect("more").to_owned();
    let second = world.api.get(&format!("{findings}?limit=2&cursor={cursor}")).await.json();
    assert_eq!((first["data"].as_array().map(Vec::len), second["data"].as_array().map(Vec::len)), (Some(2), Some(1)));
    let csv = Answer::of(world.api.request(Method::GET, &findings).header("accept", "text/csv")).await;
    assert_eq!((csv.status, csv.text.lines().count()), (200, 4), "{}", csv.text);
    assert!(csv.text.starts_with("createdAt,id,runId,class,"), "{}", csv.text);

    // What a sync mends is mended; what is right as it is is accepted, with a reason.
    let mismatch = format!("{findings}/{}", mismatch["id"].as_str().expect("an id"));
    let healed = world.post(&format!("{mismatch}/heal")).await;
    assert_eq!((healed.status, &healed.json()["decision"]), (200, &json!("healing")), "{healed:?}");
    assert_eq!(world.post(&format!("{mismatch}/heal")).await.status, 409, "it is under way");
    let all = world.api.post(&format!("{path}/heal"), &json!({"dryRun": true})).await.json();
    assert_eq!(all, json!({"matched": 1, "asked": 0}));
    assert_eq!(world.post(&format!("{path}/heal")).await.json(), json!({"matched": 1, "asked": 1}));
    let strange = world.api.get(&format!("{findings}?class=missing_in_upcoach")).await.json()["data"][0]["id"].clone();
    let strange = format!("{findings}/{}", strange.as_str().expect("an id"));
    assert_eq!(world.post(&format!("{strange}/heal")).await.status, 409, "no sync mends it");
    assert_eq!(world.post(&format!("{strange}/accept")).await.wrong_fields(), ["note"]);
    let accepted = world.api.post(&format!("{strange}/accept"), &json!({"note": "booked by hand"})).await;
    assert_eq!((accepted.status, &accepted.json()["note"]), (200, &json!("booked by hand")), "{accepted:?}");
    assert_eq!(world.post(&format!("{strange}/ignore")).await.status, 409, "it is accepted");
    let id = strange.rsplit('/').next().expect("an id");
    assert_eq!(world.audited(id).await.last().map(|row| row.1.clone()), Some(json!("finding.accepted")));
    testkit::eventually(DEADLINE, "what could be healed is", || async {
        world.api.get(&format!("{findings}?decision=healed")).await.json()["pagination"]["total"] == 2
    })
    .await;
    let timeline = world.api.get(&format!("/api/erp/timeline?q={differing}")).await.json();
    let kinds: Vec<&str> =
        timeline["entries"].as_array().expect("entries").iter().filter_map(|entry| entry["kind"].as_str()).collect();
    assert!(kinds.contains(&"finding"), "{timeline}");

    let next = world
        .api
        .post("/api/erp/sync/reconcile", &json!({"entityTypes": ["transaction"], "cutoffSeconds": 0}))
        .await
        .json();
    assert_eq!((&next["discrepancies"], &next["proven"]), (&json!(0), &json!(true)), "{next}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_or_not_understood_is_refused() {
    let world = World::new().await;
    let nobody = Uuid::new_v4();
    let path = format!("/api/erp/reconciliations/{nobody}");
    for path in [path.clone(), format!("{path}/findings")] {
        assert_eq!(world.api.get(&path).await.status, 404, "{path}");
    }
    for path in
        [format!("{path}/heal"), format!("{path}/findings/{nobody}/ignore"), format!("{path}/findings/{nobody}/heal")]
    {
        assert_eq!(world.post(&path).await.status, 404, "{path}");
    }
    let none = world.api.get(&format!("/api/erp/reconciliations/{}/findings", Uuid::nil())).await;
    assert_eq!((none.status, &none.json()["pagination"]["total"]), (200, &json!(0)));
    let wrong = json!({"from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z", "entityTypes": ["financial_report"], "cutoffSeconds": -1, "x": 1});
    let mut fields = world.api.post("/api/erp/sync/reconcile", &wrong).await.wrong_fields();
    fields.sort_unstable();
    assert_eq!(fields, ["cutoffSeconds", "entityTypes", "to", "x"]);
    let future = world.api.post("/api/erp/sync/reconcile", &json!({"from": "2126-02-01T00:00:00Z"})).await;
    assert_eq!((future.status, future.wrong_fields()), (400, vec!["from".to_owned()]), "{future:?}");
    let nothing = json!({"from": "2026-02-01T00:00:00.0000001Z", "to": "2026-02-01T00:00:00.0000002Z"});
    assert_eq!(
        world.api.post("/api/erp/sync/reconcile", &nothing).await.wrong_fields(),
        ["to"],
        "no microsecond of it"
    );
    sqlx::query("UPDATE config.erp_configurations SET is_enabled = false").execute(&world.pool).await.expect("off");
    let off = world.post("/api/erp/sync/reconcile").await;
    assert_eq!((off.status, &off.json()["code"]), (503, &json!("CONFIG_DISABLED")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_of_the_end_by_the_fact_and_does_not_keep_looking() {
    let mut world = World::new().await;
    let body = json!({"entityTypes": ["customer"], "cutoffSeconds": 0});
    let ask = |wait: u32| {
        let path = format!("/api/erp/sync/reconcile?wait={wait}");
        tokio::spawn(Answer::of(world.api.request(Method::POST, &path).json(&body)))
    };
    let waiting = ask(30);
    testkit::eventually(DEADLINE, "it was asked for", || async {
        world.value::<i64>("SELECT count(*) FROM reconciliation.runs WHERE $1::uuid IS NOT NULL", Uuid::nil()).await
            == 1
    })
    .await;
    // An end that nobody tells of, which only who looks can see.
    let ended: Uuid = sqlx::query_scalar(
        "UPDATE reconciliation.runs SET status = 'completed', started_at = now(), finished_at = now(), proven = true RETURNING id",
    )
    .fetch_one(&world.pool)
    .await
    .expect("ended");
    let other = ask(3).await.expect("no panic");
    assert_eq!(other.status, 202, "{other:?}");
    assert!(!waiting.is_finished(), "it was looked for all the while");
    // The other one's end is told, and whoever waits looks.
    world.start_reconciler().await;
    let done = waiting.await.expect("no panic");
    assert_eq!((done.status, &done.json()["runId"]), (200, &json!(ended)), "{done:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_broker_a_reconciliations_end_is_seen_by_the_clock() {
    let mut world = World::with_api(|options| options.env("NATS_URL", "nats://nobody:nothing@127.0.0.1:9")).await;
    world.start_reconciler().await;
    let body = json!({"entityTypes": ["customer"], "cutoffSeconds": 0});
    let done = reconcile(&world, "without", body).await;
    assert_eq!((done.status, &done.json()["status"]), (200, &json!("completed")), "{done:?}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finding_is_ignored_once_with_or_without_a_note() {
    let world = World::new().await;
    // Doubles that workers met are under the nil UUID.
    crate::rows::runs(&world.pool, 1).await;
    crate::rows::findings(&world.pool, 12).await;
    let path = format!("/api/erp/reconciliations/{}/findings", Uuid::nil());
    let found = world.api.get(&path).await.json();
    for (n, note) in [json!({}), json!({"note": "known"})].into_iter().enumerate() {
        let id = found["data"][n]["id"].as_str().expect("an id").to_owned();
        let ignored = world.api.post(&format!("{path}/{id}/ignore"), &note).await;
        assert_eq!(ignored.status, 200, "{ignored:?}");
        let shown = ignored.json();
        assert_eq!((&shown["decision"], &shown["note"]), (&json!("ignored"), &note["note"]), "{shown}");
        assert!(shown["decidedBy"].is_string() && shown["decidedAt"].is_string(), "{shown}");
        assert_eq!(world.api.post(&format!("{path}/{id}/ignore"), &note).await.status, 409, "it was decided on");
        assert_eq!(world.audited(&id).await.last().map(|row| row.1.clone()), Some(json!("finding.ignored")));
    }
    let open = world.api.get(&format!("{path}?decision=ignored")).await.json();
    assert_eq!(open["pagination"]["total"], 2);
    world.stop().await;
}

//! No list reads a table from end to end: every statement, for every filter and at every place, is planned on an index.

use config_api::audit_log::filter::LogFilter;
use config_api::input::{Fields, FromFields};
use config_api::listing::{self, List, Place};
use config_api::paging::Cursor;
use config_api::records::history::History;
use config_api::webhooks::Webhooks;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgPool, Postgres, QueryBuilder};
use testkit::TestDatabase;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::rows::{self, superuser};

const ROWS: i32 = 60_000;

/// The tables that a plan reads from end to end, but for those with next to nothing in them (partitions of months to come).
fn scanned(plan: &Value, found: &mut Vec<String>) {
    let rows = plan["Plan Rows"].as_i64().unwrap_or_default();
    if plan["Node Type"] == "Seq Scan" && rows > 100 {
        found.push(plan["Relation Name"].as_str().unwrap_or_default().to_owned());
    }
    for inner in plan["Plans"].as_array().into_iter().flatten() {
        scanned(inner, found);
    }
}

const EXPLAIN: &str = "EXPLAIN (FORMAT JSON) ";

async fn check(pool: &PgPool, what: &str, mut explained: QueryBuilder<Postgres>) {
    let Json(plan): Json<Value> = explained.build_query_scalar().persistent(false).fetch_one(pool).await.expect(what);
    let mut found = Vec::new();
    scanned(&plan[0]["Plan"], &mut found);
    assert!(found.is_empty(), "{what} reads all of {found:?}: {plan:#}");
}

async fn check_list<L: List + FromFields>(pool: &PgPool, queries: &[String]) {
    let middle = Cursor { at: OffsetDateTime::now_utc() - time::Duration::hours(8), id: Uuid::nil() };
    for query in queries {
        let filter: L = Fields::of_query(query).read().expect(query);
        let places = [
            ("page 1", Place { behind: None, offset: 0, limit: 26 }),
            ("page 40", Place { behind: None, offset: 1_000, limit: 26 }),
            ("by cursor", Place { behind: Some(middle), offset: 0, limit: 26 }),
        ];
        for (name, place) in places {
            check(pool, &format!("{} ? {query}, {name}", L::FROM), listing::statement(EXPLAIN, &filter, place)).await;
        }
        check(pool, &format!("{} ? {query}, the count", L::FROM), listing::count_statement(EXPLAIN, &filter)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_list_reads_a_whole_table() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::syncs(&owner, ROWS).await;
    rows::audit_rows(&owner, ROWS).await;
    rows::webhooks(&owner, ROWS).await;
    rows::analyze(&owner).await;
    let pool = database.pool("erp_config_api").await;
    let id = rows::ids(&owner, "SELECT source_id AS id FROM sync.erp_syncs LIMIT 1").await[0];
    let history = [
        "",
        "status=failed",
        "status=synced",
        "sourceType=invoice",
        "sourceType=invoice&status=failed",
        "sourceSystem=upcoach",
        "sourceSystem=flasherp",
        "errorCode=TIMEOUT",
        "errorCode=TIMEOUT&sourceType=invoice&status=failed",
        "from=2026-10-31T20:00:00Z&to=2026-10-31T21:00:00Z",
        "status=failed&from=2026-10-31T20:00:00Z",
    ];
    let history: Vec<String> =
        history.iter().map(|query| (*query).to_owned()).chain([format!("sourceId={id}")]).collect();
    check_list::<History>(&pool, &history).await;
    let log = [
        "",
        "action=sync",
        "action=manual_sync&status=failed",
        "status=success",
        "status=failed",
        "entityType=invoice",
        "performedBy=ada",
        "performedBy=nobody",
        "from=2026-01-01T00:00:00Z",
    ];
    let log: Vec<String> = log
        .iter()
        .map(|query| (*query).to_owned())
        .chain([format!("entityId={id}"), format!("requestId={id}")])
        .collect();
    check_list::<LogFilter>(&pool, &log).await;
    let webhooks = [
        "",
        "source=flasherp",
        "status=applied",
        "status=failed",
        "eventType=type.3",
        "eventId=evt_17",
        "from=2026-11-01T02:00:00Z&to=2026-11-01T03:00:00Z",
    ];
    let webhooks: Vec<String> = webhooks.iter().map(|query| (*query).to_owned()).collect();
    check_list::<Webhooks>(&pool, &webhooks).await;
}

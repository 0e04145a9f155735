//! No list reads more than it gives: every statement, for every value of every filter, for every two filters together, and at every place, is run over
//! a filled table, and what it read is held against what it was to give. Which filters there are is taken from the API's description, so that a new
//! one is either tried here or refused for having no example.

use std::collections::BTreeMap;
use std::sync::Mutex;

use config_api::audit_log::filter::LogFilter;
use config_api::input::{Fields, FromFields};
use config_api::jobs::Runs as JobRuns;
use config_api::listing::{self, List, Place};
use config_api::openapi;
use config_api::paging::Cursor;
use config_api::reconciliations::findings::Findings;
use config_api::reconciliations::runs::Runs;
use config_api::records::batches::Batches;
use config_api::records::history::History;
use config_api::webhooks::Webhooks;
use serde_json::Value;
use sqlx::types::Json;
use sqlx::{AssertSqlSafe, PgPool, Postgres, QueryBuilder};
use testkit::TestDatabase;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::rows::{self, superuser};

const ROWS: i32 = 60_000;
const ANALYZE: &str = "EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, FORMAT JSON) ";
/// Rows that may be read beside those that are given, whatever is asked: a sixtieth of the table.
const BESIDE: i64 = 1_000;
/// So many may be read for each that is given or passed over: a filter that fits one row of a few needs no index of its own.
const FOR_EACH: i64 = 10;
/// Pages of 8 kB that may be touched for each row that is read, and beside them: an index that is read from end to end without giving a row has more.
const PAGES_FOR_EACH: i64 = 4;
const PAGES_BESIDE: i64 = 100;

/// What a statement read.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    /// From tables and indexes, also what was thrown away.
    rows: i64,
    /// Pages of 8 kB.
    pages: i64,
}

impl Cost {
    fn of(plan: &Value) -> Self {
        // Rows are an average over loops, and may be a fraction: rounded up.
        let number = |name: &str| {
            let text = plan[name].to_string();
            let (whole, part) = text.split_once('.').unwrap_or((&text, ""));
            whole.parse::<i64>().unwrap_or_default() + i64::from(part.bytes().any(|digit| digit != b'0'))
        };
        let mut cost = Self { rows: 0, pages: number("Shared Hit Blocks") + number("Shared Read Blocks") };
        let scans = plan.get("Relation Name").is_some() || plan["Node Type"] == "Bitmap Index Scan";
        if scans {
            let each =
                number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
            cost.rows = each * number("Actual Loops");
        }
        // The pages of what is below are in a node's own count.
        cost.rows += plan["Plans"].as_array().into_iter().flatten().map(|inner| Self::of(inner).rows).sum::<i64>();
        cost
    }
}

/// A list, and examples of what its filters are asked.
struct Checked<L> {
    pool: PgPool,
    /// As the API's description has it.
    path: &'static str,
    /// Of filters that have no fixed set of words.
    examples: BTreeMap<&'static str, Vec<String>>,
    /// What the path says beside the query.
    prepare: fn(L) -> L,
    /// What was wrong so far.
    issues: Mutex<Vec<String>>,
    /// In the middle and near the end.
    cursors: Vec<(&'static str, Cursor)>,
}

/// Names and values.
type Filters = Vec<(String, String)>;

impl<L: List + FromFields> Checked<L> {
    async fn new(
        pool: &PgPool,
        owner: &PgPool,
        path: &'static str,
        examples: &[(&'static str, &[&str])],
        only: &str,
        prepare: fn(L) -> L,
    ) -> Self {
        let mut cursors = Vec::new();
        for (name, share, beside) in [("in the middle", "/ 2", 0), ("near the end", "", 30)] {
            let (from, at) = (L::FROM, L::AT);
            let order = at.map_or_else(|| "id DESC".to_owned(), |at| format!("{at} DESC, id DESC"));
            let statement = format!(
                "SELECT {}, id FROM {from} WHERE {only} ORDER BY {order}
                 OFFSET (SELECT count(*) {share} - {beside} FROM {from} WHERE {only}) LIMIT 1",
                at.unwrap_or("now()")
            );
            let (at, id): (OffsetDateTime, Uuid) =
                sqlx::query_as(AssertSqlSafe(statement)).fetch_one(owner).await.expect("a row");
            cursors.push((name, Cursor { at, id }));
        }
        let examples = examples.iter().map(|(name, values)| (*name, values.iter().map(ToString::to_string).collect()));
        Self { pool: pool.clone(), path, examples: examples.collect(), prepare, issues: Mutex::default(), cursors }
    }

    /// Every value that is tried of every filter that the description has.
    fn values(&self) -> Vec<Vec<(String, String)>> {
        let description = serde_json::to_value(openapi::document()).expect("JSON");
        let parameters = description["paths"][self.path]["get"]["parameters"].as_array().expect("parameters").clone();
        let filters = parameters.iter().filter(|parameter| {
            let name = parameter["name"].as_str().unwrap_or_default();
            parameter["in"] == "query" && !["page", "limit", "cursor"].contains(&name)
        });
        filters
            .map(|parameter| {
                let name = parameter["name"].as_str().expect("a name");
                let words = parameter["schema"]["enum"].as_array();
                let words =
                    words.map(|words| words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect());
                let values: Vec<String> = words
                    .or_else(|| self.examples.get(name).cloned())
                    .unwrap_or_else(|| panic!("{}: give an example of the filter {name} here", self.path));
                values.into_iter().map(|value| (name.to_owned(), value)).collect()
            })
            .collect()
    }

    async fn check(&self) {
        let mut single = BTreeMap::new();
        self.hold(&Vec::new(), 0).await;
        let values = self.values();
        for filter in values.iter().flatten() {
            single.insert(filter.clone(), self.hold(&vec![filter.clone()], 0).await);
        }
        for (at, some) in values.iter().enumerate() {
            for others in &values[at + 1..] {
                // The rarest and the commonest of each, which is what tells a good plan from a bad one.
                for (one, other) in [
                    (rarest(some, &single), commonest(others, &single)),
                    (commonest(some, &single), rarest(others, &single)),
                ] {
                    // One of the two leads; what it matches may be read, and looked up.
                    let led = 2 * single[one].min(single[other]);
                    self.hold(&vec![one.clone(), other.clone()], led).await;
                }
            }
        }
        let issues = self.issues.lock().expect("no panic before");
        assert!(issues.is_empty(), "{} statements read too much:\n{}", issues.len(), issues.join("\n"));
    }

    /// Refuses plans that read too much, so many beside what else may be. How many rows match.
    async fn hold(&self, filters: &Filters, led: i64) -> i64 {
        let query: Vec<String> = filters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let query = query.join("&");
        let filter = (self.prepare)(Fields::of_query(&query).read().expect(&query));
        let matched: i64 =
            listing::count_statement("", &filter).build_query_scalar().fetch_one(&self.pool).await.expect(&query);
        self.run(
            &format!("{} ? {query}, the count", self.path),
            listing::count_statement(ANALYZE, &filter),
            matched,
            led,
        )
        .await;
        let mut places = vec![
            ("page 1", Place { behind: None, offset: 0, limit: 26 }),
            ("page 40", Place { behind: None, offset: 1_000, limit: 26 }),
        ];
        places.extend(self.cursors.iter().map(|(name, at)| (*name, Place { behind: Some(*at), offset: 0, limit: 26 })));
        for (name, place) in places {
            let given = matched.min(place.offset + place.limit);
            let statement = listing::statement(ANALYZE, &filter, place);
            self.run(&format!("{} ? {query}, {name}", self.path), statement, given, led).await;
        }
        matched
    }

    async fn run(&self, what: &str, mut explained: QueryBuilder<Postgres>, given: i64, led: i64) {
        let statement = explained.build_query_scalar().persistent(false);
        let Json(plan): Json<Value> = statement.fetch_one(&self.pool).await.expect(what);
        let cost = Cost::of(&plan[0]["Plan"]);
        let (rows, pages) = (BESIDE + FOR_EACH * given + led, PAGES_BESIDE + PAGES_FOR_EACH * cost.rows);
        if cost.rows > rows || cost.pages > pages {
            self.issues.lock().expect("no panic before").push(format!(
                "{what} gives {given} rows and reads {cost:?}, where {rows} rows and {pages} pages are the most: {plan}"
            ));
        }
    }
}

fn rarest<'a>(values: &'a [(String, String)], matched: &BTreeMap<(String, String), i64>) -> &'a (String, String) {
    values.iter().min_by_key(|value| matched[*value]).expect("a value")
}

fn commonest<'a>(values: &'a [(String, String)], matched: &BTreeMap<(String, String), i64>) -> &'a (String, String) {
    values.iter().max_by_key(|value| matched[*value]).expect("a value")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_of_the_history_or_the_audit_log_reads_more_than_it_gives() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::syncs(&owner, ROWS).await;
    rows::audit_rows(&owner, ROWS).await;
    rows::analyze(&owner).await;
    let pool = database.pool("erp_config_api").await;
    let id = rows::ids(&owner, "SELECT source_id AS id FROM sync.erp_syncs LIMIT 1").await[0].to_string();
    let request = rows::ids(&owner, "SELECT request_id AS id FROM audit.erp_audit_logs LIMIT 1").await[0].to_string();
    let nobody = Uuid::nil().to_string();
    let history: &[(&str, &[&str])] = &[
        ("sourceId", &[&id, &nobody]),
        ("from", &["2026-10-31T20:00:00Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
        ("to", &["2026-10-31T20:00:00Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
    ];
    Checked::<History>::new(&pool, &owner, "/api/erp/sync-history", history, "true", |filter| filter)
        .await
        .check()
        .await;
    let hours_ago = (OffsetDateTime::now_utc() - time::Duration::hours(5))
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a time");
    let log: &[(&str, &[&str])] = &[
        ("entityType", &["invoice", "transaction", "configuration"]),
        ("entityId", &[&id, "nobody"]),
        ("requestId", &[&request, "nobodys"]),
        ("performedBy", &["ada", "sync-worker", "nobody"]),
        ("from", &[&hours_ago, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
        ("to", &[&hours_ago, "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
    ];
    Checked::<LogFilter>::new(&pool, &owner, "/api/erp/audit-logs", log, "true", |filter| filter).await.check().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_filter_of_webhooks_batches_runs_or_findings_reads_more_than_it_gives() {
    let database = TestDatabase::new().await;
    let owner = superuser(&database).await;
    rows::webhooks(&owner, ROWS).await;
    rows::batches(&owner, ROWS).await;
    rows::runs(&owner, ROWS).await;
    rows::findings(&owner, ROWS).await;
    rows::job_runs(&owner, ROWS).await;
    rows::analyze(&owner).await;
    let pool = database.pool("erp_config_api").await;
    let webhooks: &[(&str, &[&str])] = &[
        ("eventType", &["type.3", "nobodys"]),
        ("eventId", &["evt_17", "nobodys"]),
        ("from", &["2026-11-01T02:00:00Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
        ("to", &["2026-11-01T02:00:00Z", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00Z"]),
    ];
    Checked::<Webhooks>::new(&pool, &owner, "/api/erp/webhooks", webhooks, "true", |filter| filter).await.check().await;
    Checked::<Batches>::new(&pool, &owner, "/api/erp/batches", &[], "true", |filter| filter).await.check().await;
    Checked::<Runs>::new(&pool, &owner, "/api/erp/reconciliations", &[], "true", |filter| filter).await.check().await;
    let of_a_job: fn(JobRuns) -> JobRuns = |mut filter| {
        filter.job = rows::JOB.to_owned();
        filter
    };
    let only = format!("job_name = '{}'", rows::JOB);
    Checked::new(&pool, &owner, "/api/erp/jobs/{name}/runs", &[], &only, of_a_job).await.check().await;
    let source =
        rows::ids(&owner, "SELECT source_id AS id FROM reconciliation.findings WHERE run_id IS NOT NULL LIMIT 1");
    let (source, nobody) = (source.await[0].to_string(), Uuid::nil().to_string());
    let path = "/api/erp/reconciliations/{id}/findings";
    let findings: &[(&str, &[&str])] = &[("sourceId", &[&source, &nobody])];
    let of_a_run: fn(Findings) -> Findings = |mut filter| {
        filter.run = rows::RUN;
        filter
    };
    let only = format!("run_id = '{}'", rows::RUN);
    Checked::new(&pool, &owner, path, findings, &only, of_a_run).await.check().await;
    Checked::<Findings>::new(&pool, &owner, path, findings, "run_id IS NULL", |filter| filter).await.check().await;
}

//! Making, asking, counting and ending batches, as config-api and a worker may.

use domain::{BatchId, BatchStatus, EntityType, ErrorCode, SourceSystem, SyncId};
use sqlx::PgPool;
use syncs::batch::{self, Asked, Created, NewBatch, Progress, SyncFilter, What};
use testkit::TestDatabase;
use time::macros::datetime;
use uuid::Uuid;

/// The owner, who looks and changes as UpCoach does, and the two roles that batches are for.
struct Pools {
    _database: TestDatabase,
    owner: PgPool,
    config_api: PgPool,
    worker: PgPool,
}

impl Pools {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let (owner, config_api, worker) = (
            database.pool("erp_owner").await,
            database.pool("erp_config_api").await,
            database.pool("erp_sync_worker").await,
        );
        sqlx::query(
            "INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, is_enabled)
             VALUES ('https://erp.example.com', '', '', true)",
        )
        .execute(&owner)
        .await
        .expect("a configuration");
        Self { _database: database, owner, config_api, worker }
    }

    async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.owner).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    async fn count(&self, statement: &'static str) -> i64 {
        sqlx::query_scalar(statement).fetch_one(&self.owner).await.expect("a count")
    }

    async fn create(&self, what: What) -> BatchId {
        match batch::create(&self.config_api, &new(what, None)).await.expect("it is made") {
            Created::New(id) => id,
            other => panic!("{other:?}"),
        }
    }

    async fn progress(&self, id: BatchId) -> Progress {
        batch::progress(&self.config_api, id).await.expect("it can be read").expect("it is there")
    }

    /// Asks chunk by chunk until nothing is left; answers the chunks.
    async fn ask_all(&self, id: BatchId, chunk: i64) -> Vec<i64> {
        let mut chunks = Vec::new();
        while let Some(asked) = batch::ask(&self.config_api, id, chunk).await.expect("it asks") {
            chunks.push(asked);
        }
        chunks
    }

    async fn failed(&self, kind: EntityType, code: ErrorCode) -> SyncId {
        let source = Uuid::new_v4();
        let id = SyncId::of(SourceSystem::Upcoach, kind, source);
        sqlx::query(
            "INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, error_code, retry_count, last_sync_attempt)
             VALUES ($1, $2::text::sync.entity_type, $3, 'failed', $4, 5, now())",
        )
        .bind(id.as_uuid())
        .bind(kind.as_str())
        .bind(source)
        .bind(code.as_str())
        .execute(&self.owner)
        .await
        .expect("a failed sync");
        id
    }
}

fn new(what: What, key: Option<&str>) -> NewBatch {
    let asked = Asked { by: "ada".to_owned(), reason: Some("month end".to_owned()), ..Asked::default() };
    NewBatch { what, asked, idempotency_key: key.map(str::to_owned) }
}

fn full(entity_types: &[EntityType]) -> What {
    What::FullSync { entity_types: entity_types.to_vec(), since: None, force: false }
}

const RECORDS: &str = "WITH u AS (INSERT INTO upcoach.users (id, email) SELECT uuidv7(), n || '@example.com' FROM generate_series(1, 5) n RETURNING id)
    INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency)
    SELECT uuidv7(), u.id, 'payment', 'completed', 100, 'usd' FROM u, generate_series(1, 2)";

#[tokio::test]
async fn a_full_sync_asks_for_each_record_in_scope_once_customers_first() {
    let pools = Pools::new().await;
    pools.run(RECORDS).await;
    pools.run("INSERT INTO upcoach.invoices (id, user_id, status, amount, currency) VALUES (uuidv7(), uuidv7(), 'open', 1, 'usd')").await;
    pools.run("DELETE FROM sync.requests").await;
    assert_eq!(batch::count(&pools.config_api, &full(&[])).await.expect("counted"), 15);

    let id = pools.create(full(&[])).await;
    assert_eq!(pools.progress(id).await.status, BatchStatus::Pending);
    assert_eq!(pools.ask_all(id, 4).await, [4, 1, 4, 4, 2]);
    let progress = pools.progress(id).await;
    assert_eq!((progress.status, progress.total, progress.asked), (BatchStatus::Running, Some(15), 15));
    // Invoices are out of the default scope.
    let asked: Vec<(String, i64, bool)> = sqlx::query_as(
        "SELECT entity_type::text, count(DISTINCT source_id), bool_and(origin = 'batch' AND batch_id = $1 AND NOT force)
         FROM sync.requests GROUP BY entity_type ORDER BY min(id)",
    )
    .bind(id.as_uuid())
    .fetch_all(&pools.owner)
    .await
    .expect("requests");
    assert_eq!(asked, [("customer".to_owned(), 5, true), ("transaction".to_owned(), 10, true)]);
    assert_eq!(batch::unfinished(&pools.worker).await.expect("listed"), [id]);
    assert_eq!(batch::settle(&pools.worker, id).await.expect("settled"), Some(15));
    let audited: i64 = pools
        .count("SELECT count(*) FROM audit.erp_audit_logs WHERE metadata ->> 'operation' = 'batch.created' AND performed_by = 'ada'")
        .await;
    assert_eq!(audited, 1);
}

#[tokio::test]
async fn types_since_and_force_are_what_was_asked() {
    let pools = Pools::new().await;
    pools.run(RECORDS).await;
    pools.run("UPDATE upcoach.transactions SET updated_at = '2026-01-01'").await;
    pools.run("UPDATE upcoach.transactions SET updated_at = '2026-03-01' WHERE id IN (SELECT id FROM upcoach.transactions LIMIT 3)").await;
    pools.run("DELETE FROM sync.requests").await;
    let what = What::FullSync {
        entity_types: vec![EntityType::Transaction],
        since: Some(datetime!(2026-02-01 00:00 UTC)),
        force: true,
    };
    let id = pools.create(what).await;
    assert_eq!(pools.ask_all(id, 100).await, [3]);
    assert_eq!(pools.count("SELECT count(*) FROM sync.requests WHERE force AND entity_type = 'transaction'").await, 3);
}

#[tokio::test]
async fn two_that_ask_at_once_ask_for_nothing_twice() {
    let pools = Pools::new().await;
    pools.run(RECORDS).await;
    pools.run("DELETE FROM sync.requests").await;
    let id = pools.create(full(&[])).await;
    let (config_api, worker) = (pools.config_api.clone(), pools.worker.clone());
    let asking = async |pool: PgPool| {
        while batch::ask(&pool, id, 1).await.expect("it asks").is_some() {}
    };
    tokio::join!(asking(config_api), asking(worker.clone()), asking(worker));
    assert_eq!(pools.count("SELECT count(*) FROM sync.requests").await, 15);
    assert_eq!(pools.count("SELECT count(DISTINCT source_id) FROM sync.requests").await, 15);
    assert_eq!(pools.progress(id).await.asked, 15);
}

#[tokio::test]
async fn a_full_sync_of_nothing_is_over_at_once_and_recorded() {
    let pools = Pools::new().await;
    let id = pools.create(full(&[])).await;
    assert_eq!(batch::ask(&pools.worker, id, 100).await.expect("it asks"), None);
    assert_eq!(batch::settle(&pools.worker, id).await.expect("settled"), None);
    let progress = pools.progress(id).await;
    assert_eq!((progress.status, progress.total, progress.asked), (BatchStatus::Completed, Some(0), 0));
    let recorded = "SELECT count(*) FROM config.erp_configurations WHERE last_sync_status = 'success' AND last_full_sync IS NOT NULL";
    assert_eq!(pools.count(recorded).await, 1);
}

#[tokio::test]
async fn the_same_key_makes_one_batch_and_another_wish_under_it_none() {
    let pools = Pools::new().await;
    let wish = new(full(&[]), Some("k"));
    let Created::New(id) = batch::create(&pools.config_api, &wish).await.expect("made") else { panic!("not new") };
    assert_eq!(batch::create(&pools.config_api, &wish).await.expect("there"), Created::Before(id));
    let other = new(full(&[EntityType::Invoice]), Some("k"));
    assert_eq!(batch::create(&pools.config_api, &other).await.expect("there"), Created::KeyInUse(id));
    pools.run("UPDATE sync.batches SET created_at = now() - interval '25 hours'").await;
    assert!(matches!(batch::create(&pools.config_api, &other).await.expect("made"), Created::New(_)));
}

#[tokio::test]
async fn a_bulk_retry_queues_what_matches_and_nothing_else() {
    let pools = Pools::new().await;
    let mut mine = vec![
        pools.failed(EntityType::Transaction, ErrorCode::Timeout).await,
        pools.failed(EntityType::Transaction, ErrorCode::Timeout).await,
    ];
    mine.sort_unstable();
    pools.failed(EntityType::Customer, ErrorCode::Timeout).await;
    pools.failed(EntityType::Transaction, ErrorCode::ValidationError).await;
    let filter = SyncFilter {
        source_type: Some(EntityType::Transaction),
        error_code: Some(ErrorCode::Timeout),
        ..SyncFilter::default()
    };
    assert_eq!(batch::count(&pools.config_api, &What::Retry(filter.clone())).await.expect("counted"), 2);
    let id = pools.create(What::Retry(filter)).await;
    assert_eq!(pools.ask_all(id, 1).await, [1, 1]);
    let pending: Vec<Uuid> = sqlx::query_scalar(
        "SELECT id FROM sync.erp_syncs WHERE sync_status = 'pending' AND retry_count = 0 AND origin = 'manual' AND batch_id = $1 ORDER BY id",
    )
    .bind(id.as_uuid())
    .fetch_all(&pools.owner)
    .await
    .expect("rows");
    assert_eq!(pending.into_iter().map(SyncId).collect::<Vec<_>>(), mine);
    assert_eq!(batch::settle(&pools.worker, id).await.expect("settled"), Some(2));

    // What comes to rest without a worker's finish, by hand say, is an answer too.
    sqlx::query("SELECT sync.skip($1, 'no longer wanted')")
        .bind(mine.iter().map(SyncId::as_uuid).collect::<Vec<_>>())
        .execute(&pools.config_api)
        .await
        .expect("skipped");
    assert_eq!(batch::settle(&pools.worker, id).await.expect("settled"), None);
    let progress = pools.progress(id).await;
    assert_eq!((progress.status, progress.done, progress.failed, progress.skipped), (BatchStatus::Completed, 0, 0, 2));
}

#[tokio::test]
async fn a_bulk_skip_is_done_with_the_asking() {
    let pools = Pools::new().await;
    let (first, second) = (
        pools.failed(EntityType::Invoice, ErrorCode::ValidationError).await,
        pools.failed(EntityType::Invoice, ErrorCode::ValidationError).await,
    );
    let id = pools.create(What::Skip(SyncFilter { ids: Some(vec![first]), ..SyncFilter::default() })).await;
    assert_eq!(pools.ask_all(id, 100).await, [1]);
    assert_eq!(batch::settle(&pools.worker, id).await.expect("settled"), None);
    let progress = pools.progress(id).await;
    assert_eq!((progress.status, progress.total, progress.done), (BatchStatus::Completed, Some(1), 1));
    let left: Uuid = sqlx::query_scalar(
        "SELECT id FROM sync.erp_syncs WHERE sync_status = 'failed' AND (SELECT skip_reason FROM sync.erp_syncs WHERE id = $1) = 'month end'",
    )
    .bind(first.as_uuid())
    .fetch_one(&pools.owner)
    .await
    .expect("the other one, and the reason");
    assert_eq!(left, second.as_uuid());
}

#[tokio::test]
async fn a_cancelled_batch_takes_back_what_nobody_has_taken() {
    let pools = Pools::new().await;
    pools.run(RECORDS).await;
    pools.run("DELETE FROM sync.requests WHERE id % 2 = 0").await;
    let changes = pools.count("SELECT count(*) FROM sync.requests").await;
    let id = pools.create(full(&[])).await;
    batch::ask(&pools.worker, id, 3).await.expect("it asks");
    let asked = Asked { by: "bob".to_owned(), ..Asked::default() };
    assert!(batch::cancel(&pools.config_api, id, &asked).await.expect("cancelled"));
    assert!(!batch::cancel(&pools.config_api, id, &asked).await.expect("asked again"), "it is over");
    assert_eq!(batch::ask(&pools.worker, id, 3).await.expect("nothing more"), None);
    assert_eq!(batch::settle(&pools.worker, id).await.expect("nothing more"), None);
    assert_eq!(pools.count("SELECT count(*) FROM sync.requests").await, changes, "what changed is still wanted");
    assert_eq!(pools.progress(id).await.status, BatchStatus::Cancelled);
    assert_eq!(batch::latest(&pools.config_api, 10).await.expect("listed").len(), 1);
}

//! Rows for lists: many of them, of every kind, made by one statement each as the superuser.

use sqlx::{PgPool, Row as _};
use testkit::TestDatabase;
use uuid::Uuid;

/// The superuser's pool.
pub(crate) async fn superuser(database: &TestDatabase) -> PgPool {
    PgPool::connect(&database.admin_url()).await.expect("the superuser gets in")
}

/// So many syncs, one a second back from 2026-11-01: of each type in turn, every 50th failed, 70th pending and never tried, 90th skipped, each of
/// FlashERP's system where none of these and divisible by 97.
pub(crate) async fn syncs(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO sync.erp_syncs (id, source_system, source_type, source_id, target_id, sync_status, last_sync_attempt, created_at,
            sync_duration_ms, error_code, error_message)
         SELECT md5('sync' || n)::uuid, CASE WHEN n % 97 = 0 THEN 'flasherp' ELSE 'upcoach' END::sync.source_system,
            (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4]::sync.entity_type, md5('source' || n)::uuid,
            CASE WHEN status = 'synced' THEN 'fe_' || n END, status::sync.sync_status,
            CASE WHEN status <> 'pending' THEN tried END, tried - interval '1 hour' * (n % 3), 10 + n % 500,
            CASE WHEN status = 'failed' THEN (ARRAY['VALIDATION_ERROR', 'TIMEOUT', 'SERVER_ERROR'])[1 + n % 3] END,
            CASE WHEN status = 'failed' THEN '=1+' || n END
         FROM generate_series(1, $1) AS n,
            LATERAL (SELECT CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 70 = 0 THEN 'pending' WHEN n % 90 = 0 THEN 'skipped' ELSE 'synced'
                END AS status, timestamptz '2026-11-01' - n * interval '1 second' AS tried) AS made",
    )
    .bind(count)
    .execute(pool)
    .await
    .expect("syncs");
}

/// So many audit rows, one a second back from now; every fifth of a webhook that told of a transaction.
pub(crate) async fn audit_rows(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload, duration_ms, performed_by,
            request_id, metadata, created_at)
         SELECT (ARRAY['sync', 'webhook_received', 'sync', 'manual_sync', 'health_check'])[1 + n % 5]::audit.action,
            (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4], md5('source' || n)::uuid::text, md5('sync' || n)::uuid,
            CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 300 = 1 THEN 'initiated' ELSE 'success' END::audit.status, '{\"amount\": 10.99}',
            n % 900, CASE WHEN n % 10 = 0 THEN 'ada' ELSE 'sync-worker' END, md5('request' || n)::uuid,
            CASE WHEN n % 5 = 1 THEN jsonb_build_object('records', jsonb_build_array('transaction:' || md5('source' || n)::uuid)) ELSE '{}' END,
            now() - n * interval '1 second'
         FROM generate_series(1, $1) AS n",
    )
    .bind(count)
    .execute(pool)
    .await
    .expect("audit rows");
}

/// So many webhooks, one a second from 2026-11-01 on: every third of FlashERP's, of 20 types, every 50th failed, 70th parked, 90th waiting.
pub(crate) async fn webhooks(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, received_at, due_at, wait_key, attempts)
         SELECT uuidv7(received - clock_timestamp()), CASE WHEN n % 3 = 0 THEN 'flasherp' ELSE 'stripe' END::ingress.source, 'evt_' || n,
            'type.' || n % 20, status::ingress.event_status, '{\"amount\": 10.99}', received, CASE WHEN status = 'received' THEN received END,
            CASE WHEN status = 'parked' THEN 'user:' || n END, 1
         FROM generate_series(1, $1) AS n,
            LATERAL (SELECT timestamptz '2026-11-01T00:00:00Z' + n * interval '1 second' AS received,
                CASE WHEN n % 50 = 0 THEN 'failed' WHEN n % 70 = 0 THEN 'parked' WHEN n % 90 = 0 THEN 'received' ELSE 'applied' END AS status) AS made",
    )
    .bind(count)
    .execute(pool)
    .await
    .expect("webhooks");
    // Those that wait have not been tried.
    sqlx::query("UPDATE ingress.webhook_events SET attempts = 0 WHERE status = 'received'")
        .execute(pool)
        .await
        .expect("set");
}

/// So many batches, one a minute back from now: of all kinds, nearly all completed, every 500th failed, none cancelled, and three of them running.
pub(crate) async fn batches(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO sync.batches (id, kind, status, created_at, started_at, asked_at, finished_at)
         SELECT md5('batch' || n)::uuid, CASE WHEN n % 300 = 0 THEN 'bulk_skip' WHEN n % 3 = 0 THEN 'bulk_retry' ELSE 'full_sync' END::sync.batch_kind,
            CASE WHEN n <= 3 THEN 'running' WHEN n % 500 = 0 THEN 'failed' ELSE 'completed' END::sync.batch_status,
            made, made, CASE WHEN n > 3 THEN made END, CASE WHEN n > 3 THEN made END
         FROM generate_series(1, $1) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS made) AS made",
    )
    .bind(count)
    .execute(pool)
    .await
    .expect("batches");
}

/// The run that [`findings`] are of.
pub(crate) const RUN: Uuid = Uuid::from_u128(0x0193_b7d2_0000_7000_8000_0000_0000_0001);

/// So many reconciliations, one an hour back from now, and [`RUN`]: nearly all completed, every 500th incomplete, none failed.
pub(crate) async fn runs(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO reconciliation.runs (id, status, window_from, window_to, entity_types, created_at, started_at, finished_at)
         SELECT CASE WHEN n = 0 THEN $2 ELSE md5('run' || n)::uuid END,
            CASE WHEN n % 500 = 7 THEN 'incomplete' ELSE 'completed' END::reconciliation.reconciliation_status,
            made - interval '1 day', made, '{transaction}', made, made, made
         FROM generate_series(0, $1) AS n, LATERAL (SELECT now() - n * interval '1 hour' AS made) AS made",
    )
    .bind(count)
    .bind(RUN)
    .execute(pool)
    .await
    .expect("runs");
}

/// So many runs of the minutely job, the newest now: all succeeded but every 500th, which failed; of another job, as often, one after each.
pub(crate) async fn job_runs(pool: &PgPool, count: i32) {
    let jobs =
        "INSERT INTO scheduling.jobs (name, interval_secs, next_run_at) VALUES ($1, 60, now()), ('beside', 60, now())";
    sqlx::query(jobs).bind(JOB).execute(pool).await.expect("jobs");
    sqlx::query(
        "INSERT INTO scheduling.job_runs (job_name, scheduled_for, status, started_at, finished_at)
         SELECT job, made, CASE WHEN n % 500 = 7 THEN 'failed' ELSE 'succeeded' END::scheduling.job_run_status, made, made
         FROM generate_series(1, $1) AS n, unnest(ARRAY[$2, 'beside']) AS job,
            LATERAL (SELECT now() - n * interval '1 minute' AS made) AS at",
    )
    .bind(count)
    .bind(JOB)
    .execute(pool)
    .await
    .expect("runs of jobs");
}

/// The job that has been run often.
pub(crate) const JOB: &str = "minutely";

/// So many findings of [`RUN`], and a third as many of no run: nearly all open mismatches of transactions; every 300th is missing in FlashERP, was
/// accepted, or is a customer's; none is an invoice's.
pub(crate) async fn findings(pool: &PgPool, count: i32) {
    sqlx::query(
        "INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id, target_id, field, decision)
         SELECT CASE WHEN n % 4 > 0 THEN $2 END,
            CASE WHEN n % 300 = 0 THEN 'missing_in_flasherp' ELSE 'mismatch' END::reconciliation.finding_class,
            CASE WHEN n % 300 = 1 THEN 'customer' ELSE 'transaction' END::sync.entity_type, md5('source' || n)::uuid, 'fe_' || n, 'amount',
            CASE WHEN n % 300 = 2 THEN 'accepted' ELSE 'open' END::reconciliation.decision
         FROM generate_series(1, $1 / 3 * 4) AS n",
    )
    .bind(count)
    .bind(RUN)
    .execute(pool)
    .await
    .expect("findings");
}

/// Tells the planner what there is.
pub(crate) async fn analyze(pool: &PgPool) {
    for statement in [
        "VACUUM ANALYZE sync.erp_syncs",
        "VACUUM ANALYZE audit.erp_audit_logs",
        "VACUUM ANALYZE ingress.webhook_events",
        "VACUUM ANALYZE sync.batches",
        "VACUUM ANALYZE reconciliation.runs",
        "VACUUM ANALYZE reconciliation.findings",
        "VACUUM ANALYZE scheduling.job_runs",
    ] {
        sqlx::raw_sql(statement).execute(pool).await.expect(statement);
    }
}

/// The ids that a statement selects, as the superuser.
pub(crate) async fn ids(pool: &PgPool, statement: &'static str) -> Vec<Uuid> {
    let rows = sqlx::query(statement).fetch_all(pool).await.expect(statement);
    rows.iter().map(|row| row.get("id")).collect()
}

//! Rows as a system that has run for 60 days has them, made by the database itself.

use sqlx::PgPool;
use uuid::Uuid;

/// Rows made by one statement.
const CHUNK: i64 = 100_000;
/// The reconciliation that the findings are of.
pub(crate) const RUN: Uuid = Uuid::from_u128(0x0193_b7d2_0000_7000_8000_0000_0000_0001);

/// Of 100 syncs one failed, of each type as many, of 1000 a few wait or were skipped; FlashERP's audit rows to it.
pub(crate) async fn fill(pool: &PgPool, rows: i64) -> anyhow::Result<()> {
    let mut first = 1;
    while first <= rows {
        let last = (first + CHUNK - 1).min(rows);
        for statement in [
            "INSERT INTO sync.erp_syncs (id, source_system, source_type, source_id, target_id, sync_status, last_sync_attempt, created_at,
                sync_duration_ms, error_code, error_message, waiting_since)
             SELECT md5('sync' || n)::uuid, CASE WHEN n % 100000 = 7 THEN 'flasherp' ELSE 'upcoach' END::sync.source_system,
                (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4]::sync.entity_type, md5('source' || n)::uuid,
                CASE WHEN status = 'synced' THEN 'fe_' || n END, status::sync.sync_status, CASE WHEN status <> 'pending' THEN tried END, tried,
                (10 + n % 500)::integer, CASE WHEN status = 'failed' THEN (ARRAY['VALIDATION_ERROR', 'TIMEOUT', 'SERVER_ERROR'])[1 + n % 3] END,
                CASE WHEN status = 'failed' THEN 'record ' || n || ' was refused' END, CASE WHEN status IN ('failed', 'pending') THEN tried END
             FROM generate_series($1, $2) AS n, LATERAL (SELECT CASE WHEN n / 4 % 100 = 0 THEN 'failed' WHEN n % 333 = 0 THEN 'pending'
                WHEN n % 499 = 0 THEN 'skipped' ELSE 'synced' END AS status, now() - interval '60 days' * (n::numeric / $3)::double precision AS tried) AS made",
            "INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, erp_sync_id, status, request_payload, response_payload, duration_ms,
                performed_by, request_id, metadata, created_at)
             SELECT CASE WHEN n % 3 = 0 THEN 'webhook_received' WHEN n % 100 = 1 THEN 'manual_sync' ELSE 'sync' END::audit.action,
                (ARRAY['transaction', 'subscription', 'customer', 'invoice'])[1 + n % 4], md5('source' || n)::uuid::text, md5('sync' || n)::uuid,
                CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 1000 = 1 THEN 'initiated' ELSE 'success' END::audit.status,
                '{\"amount\": 10.99, \"currency\": \"USD\"}', '{\"id\": \"fe_1\"}', (n % 900)::integer,
                CASE WHEN n % 1000 = 0 THEN 'ada' ELSE 'sync-worker' END, md5('request' || n)::uuid,
                CASE WHEN n % 3 = 0 THEN jsonb_build_object('records', jsonb_build_array('transaction:' || md5('source' || n)::uuid)) ELSE '{}' END,
                now() - interval '60 days' * (n::numeric / $3)::double precision
             FROM generate_series($1, $2) AS n",
        ] {
            sqlx::query(statement).bind(first).bind(last).bind(rows).execute(pool).await?;
        }
        first = last + 1;
    }
    upcoach(pool, rows).await?;
    webhooks(pool, rows / 10).await?;
    beside(pool, rows).await?;
    // UpCoach's records asked for syncs, as any change does.
    for statement in [
        "DELETE FROM sync.requests",
        "VACUUM ANALYZE sync.erp_syncs",
        "VACUUM ANALYZE audit.erp_audit_logs",
        "VACUUM ANALYZE upcoach.users",
        "VACUUM ANALYZE upcoach.transactions",
        "VACUUM ANALYZE upcoach.subscriptions",
        "VACUUM ANALYZE upcoach.invoices",
        "VACUUM ANALYZE sync.requests",
        "VACUUM ANALYZE sync.batches",
        "VACUUM ANALYZE ingress.webhook_events",
        "VACUUM ANALYZE reconciliation.runs",
        "VACUUM ANALYZE reconciliation.findings",
        "VACUUM ANALYZE scheduling.job_runs",
    ] {
        sqlx::query(statement).execute(pool).await?;
    }
    Ok(())
}

/// What failed or waits, with Stripe's ids, and a few subscriptions and invoices.
async fn upcoach(pool: &PgPool, rows: i64) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO upcoach.transactions (id, user_id, type, status, amount, currency, stripe_transaction_id, stripe_charge_id, stripe_refund_id,
            stripe_invoice_id)
         SELECT source_id, source_id, 'payment', 'completed', 1099, 'usd', 'pi_' || source_id, 'ch_' || source_id, 're_' || source_id, 'in_' || source_id
         FROM sync.erp_syncs WHERE source_type = 'transaction' AND sync_status IN ('failed', 'pending') ON CONFLICT DO NOTHING",
    )
    .execute(pool)
    .await?;
    for statement in [
        "INSERT INTO upcoach.users (id, email, stripe_customer_id)
         SELECT md5('source' || n)::uuid, n || '@example.com', 'cus_' || n FROM generate_series(2, $1, 400) AS n",
        "INSERT INTO upcoach.subscriptions (id, user_id, stripe_subscription_id, plan, status, billing_interval, amount, currency)
         SELECT md5('source' || n)::uuid, md5('source' || n)::uuid, 'sub_' || n, 'pro', 'active', 'monthly', 1099, 'usd'
         FROM generate_series(1, $1, 400) AS n",
        "INSERT INTO upcoach.invoices (id, user_id, stripe_invoice_id, status, amount, currency)
         SELECT md5('source' || n)::uuid, md5('source' || n)::uuid, 'in_' || n, 'paid', 1099, 'usd' FROM generate_series(3, $1, 400) AS n",
    ] {
        sqlx::query(statement).bind(rows).execute(pool).await?;
    }
    Ok(())
}

/// Of 100 webhooks one failed; of 1000 a few are parked; one of 50 is FlashERP's. None is quarantined.
async fn webhooks(pool: &PgPool, rows: i64) -> anyhow::Result<()> {
    sqlx::query(
        "INSERT INTO ingress.webhook_events (id, source, event_id, event_type, status, body, received_at, due_at, wait_key, attempts)
         SELECT uuidv7(received - clock_timestamp()), CASE WHEN n % 50 = 0 THEN 'flasherp' ELSE 'stripe' END::ingress.source, 'evt_' || n,
            (ARRAY['payment_intent.succeeded', 'charge.updated', 'invoice.paid', 'customer.updated'])[1 + n % 4], status::ingress.event_status,
            '{\"amount\": 10.99}', received, CASE WHEN status = 'received' THEN received END, CASE WHEN status = 'parked' THEN 'user:' || n END, 1
         FROM generate_series(1, $1) AS n, LATERAL (SELECT now() - interval '60 days' * (1 - n::numeric / $1)::double precision AS received,
            CASE WHEN n % 100 = 0 THEN 'failed' WHEN n % 333 = 0 THEN 'parked' WHEN n % 499 = 0 THEN 'ignored' WHEN n + 10 > $1 THEN 'received'
                ELSE 'applied' END AS status) AS made",
    )
    .bind(rows)
    .execute(pool)
    .await?;
    Ok(())
}

/// Batches, reconciliations, findings and runs of jobs: more of each than a system keeps.
async fn beside(pool: &PgPool, rows: i64) -> anyhow::Result<()> {
    for statement in [
        "INSERT INTO sync.batches (kind, status, created_at, started_at, asked_at, finished_at)
         SELECT CASE WHEN n % 1000 = 0 THEN 'import' WHEN n % 3 = 0 THEN 'bulk_retry' ELSE 'full_sync' END::sync.batch_kind,
            CASE WHEN n <= 3 THEN 'running' WHEN n % 500 = 0 THEN 'failed' ELSE 'completed' END::sync.batch_status,
            made, made, CASE WHEN n > 3 THEN made END, CASE WHEN n > 3 THEN made END
         FROM generate_series(1, $1 / 100) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS made) AS made",
        "INSERT INTO scheduling.jobs (name, interval_secs, next_run_at)
         SELECT 'job-' || n, 600, now() + interval '1 hour' FROM generate_series(1, least(12, $1)) AS n",
        "INSERT INTO scheduling.job_runs (job_name, scheduled_for, status, started_at, finished_at)
         SELECT 'job-' || 1 + n % 12, made, CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'succeeded' END::scheduling.job_run_status, made, made
         FROM generate_series(1, $1 / 50) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS made) AS made",
    ] {
        sqlx::query(statement).bind(rows).execute(pool).await?;
    }
    for statement in [
        "INSERT INTO reconciliation.runs (id, status, window_from, window_to, entity_types, created_at, started_at, finished_at)
         SELECT CASE WHEN n = 0 THEN $2 ELSE uuidv7() END,
            CASE WHEN n % 500 = 7 THEN 'incomplete' ELSE 'completed' END::reconciliation.reconciliation_status,
            made - interval '1 day', made, '{transaction}', made, made, made
         FROM generate_series(0, $1 / 100) AS n, LATERAL (SELECT now() - n * interval '1 hour' AS made) AS made",
        "INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id, target_id, field, decision)
         SELECT $2, CASE WHEN n % 300 = 0 THEN 'missing_in_flasherp' ELSE 'mismatch' END::reconciliation.finding_class,
            CASE WHEN n % 300 = 1 THEN 'customer' ELSE 'transaction' END::sync.entity_type, md5('source' || n)::uuid, 'fe_' || n, 'amount',
            CASE WHEN n % 300 = 2 THEN 'accepted' ELSE 'open' END::reconciliation.decision
         FROM generate_series(1, $1 / 20) AS n",
    ] {
        sqlx::query(statement).bind(rows).bind(RUN).execute(pool).await?;
    }
    Ok(())
}

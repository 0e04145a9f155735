//! Each role can do what it needs and nothing else. The snapshot is the whole list: a new grant shows up in review.

use sqlx::PgPool;
use testkit::TestDatabase;

/// What a role was granted, a line per object: `table audit.seals: SELECT` or `function sync.retry(...)`.
async fn grants_of(pool: &PgPool, role: &str) -> String {
    let lines: Vec<String> = sqlx::query_scalar(
        "SELECT line FROM (
            SELECT 'table ' || n.nspname || '.' || c.relname || ': ' || string_agg(a.privilege_type, ', ' ORDER BY a.privilege_type)
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace, aclexplode(c.relacl) a
            WHERE a.grantee = $1::regrole AND c.relkind IN ('r', 'p', 'v', 'S') GROUP BY n.nspname, c.relname
            UNION ALL
            SELECT 'columns ' || n.nspname || '.' || c.relname || ': ' || x.privilege_type || ' '
                || string_agg(t.attname, ', ' ORDER BY t.attnum)
            FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace,
                aclexplode(t.attacl) x
            WHERE x.grantee = $1::regrole GROUP BY n.nspname, c.relname, x.privilege_type
            UNION ALL
            SELECT 'function ' || n.nspname || '.' || p.proname
            FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace, aclexplode(p.proacl) x
            WHERE x.grantee = $1::regrole
            UNION ALL
            SELECT 'schema ' || n.nspname || ': ' || string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type)
            FROM pg_namespace n, aclexplode(n.nspacl) x WHERE x.grantee = $1::regrole GROUP BY n.nspname
         ) AS lines (line) ORDER BY line",
    )
    .bind(role)
    .fetch_all(pool)
    .await
    .expect("grants can be listed");
    lines.join("\n")
}

#[tokio::test]
async fn every_role_has_just_its_grants() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    for role in ["erp_ingress", "erp_sync_worker", "erp_config_api", "erp_scheduler", "erp_reconciler"] {
        insta::assert_snapshot!(role, grants_of(&owner, role).await);
    }
}

#[tokio::test]
async fn nobody_else_may_do_anything() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    let public: Vec<String> = sqlx::query_scalar(
        "SELECT 'table ' || n.nspname || '.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
            aclexplode(c.relacl) a WHERE a.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')
         UNION ALL
         SELECT 'function ' || n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')
            AND (p.proacl IS NULL OR EXISTS (SELECT FROM aclexplode(p.proacl) a WHERE a.grantee = 0))
         UNION ALL
         SELECT 'schema ' || n.nspname FROM pg_namespace n, aclexplode(n.nspacl) a
         WHERE a.grantee = 0 AND n.nspname NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(&owner)
    .await
    .expect("grants can be listed");
    assert_eq!(public, Vec::<String>::new(), "granted to PUBLIC");
}

#[tokio::test]
async fn command_functions_run_as_the_owner_with_a_fixed_search_path() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    let loose: Vec<String> = sqlx::query_scalar(
        "SELECT n.nspname || '.' || p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
         WHERE n.nspname IN ('audit', 'config', 'ingress', 'reconciliation', 'scheduling', 'sync', 'upcoach')
            AND (NOT coalesce(p.proconfig, '{}') @> ARRAY['search_path=pg_catalog, pg_temp']
                OR (NOT p.prosecdef AND p.prorettype <> 'trigger'::regtype))",
    )
    .fetch_all(&owner)
    .await
    .expect("functions can be listed");
    assert_eq!(loose, Vec::<String>::new());
}

async fn refused(pool: &PgPool, statement: &'static str) {
    let error = sqlx::query(statement).execute(pool).await.expect_err(statement);
    let code = error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
    assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
}

#[tokio::test]
async fn ingress_cannot_read_api_keys_nor_anything_but_its_own() {
    let database = TestDatabase::new().await;
    let ingress = database.pool("erp_ingress").await;
    refused(&ingress, "SELECT api_key_enc FROM config.erp_configurations").await;
    refused(&ingress, "SELECT * FROM config.for_sync_worker").await;
    refused(&ingress, "SELECT * FROM sync.erp_syncs").await;
    refused(&ingress, "SELECT * FROM upcoach.users").await;
    refused(&ingress, "SELECT ingress.replay(NULL, NULL, NULL, now(), 1)").await;
    sqlx::query("SELECT webhook_secret_enc FROM config.for_ingress").fetch_all(&ingress).await.expect("its own view");
}

#[tokio::test]
async fn services_write_no_schema_but_their_own() {
    let database = TestDatabase::new().await;
    let worker = database.pool("erp_sync_worker").await;
    refused(&worker, "UPDATE ingress.webhook_events SET status = 'ignored', due_at = NULL").await;
    refused(&worker, "UPDATE config.erp_configurations SET is_enabled = false").await;
    refused(
        &worker,
        "INSERT INTO scheduling.alerts (kind, severity, fingerprint, message) VALUES ('a', 'info', 'b', 'c')",
    )
    .await;
    let config_api = database.pool("erp_config_api").await;
    refused(&config_api, "UPDATE sync.erp_syncs SET retry_count = 0").await;
    refused(
        &config_api,
        "INSERT INTO sync.requests (entity_type, source_id, origin) VALUES ('customer', gen_random_uuid(), 'manual')",
    )
    .await;
    refused(&config_api, "DELETE FROM config.erp_configurations").await;
    refused(&config_api, "DELETE FROM config.error_acknowledgements").await;
    refused(&config_api, "SELECT * FROM sync.requests").await;
    refused(&config_api, "SELECT lease_owner FROM sync.erp_syncs").await;
    refused(&config_api, "INSERT INTO upcoach.users (id) VALUES (gen_random_uuid())").await;
    let scheduler = database.pool("erp_scheduler").await;
    refused(&scheduler, "DELETE FROM ingress.webhook_events").await;
    refused(&scheduler, "UPDATE sync.outbound_gate SET paused_at = now(), pause_reason = 'x'").await;
    let reconciler = database.pool("erp_reconciler").await;
    refused(&reconciler, "UPDATE upcoach.transactions SET amount = 0").await;
    for role in ["erp_ingress", "erp_sync_worker", "erp_config_api", "erp_scheduler", "erp_reconciler"] {
        let pool = database.pool(role).await;
        refused(&pool, "CREATE TABLE public.mine (id integer)").await;
        refused(&pool, "CREATE SCHEMA mine").await;
    }
}

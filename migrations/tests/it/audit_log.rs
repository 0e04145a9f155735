//! The audit log is appended to by all and changed by none, the owner included.

use sqlx::{Executor as _, PgPool};
use testkit::TestDatabase;

const APPEND: &str = "INSERT INTO audit.erp_audit_logs (action, entity_type, status, performed_by) VALUES ('sync', 'transaction', 'success', 'test')";

/// The partition that holds the only row, with its schema whatever the search path.
const PARTITION: &str = "SELECT format('%I.%I', n.nspname, c.relname)
    FROM audit.erp_audit_logs l JOIN pg_class c ON c.oid = l.tableoid JOIN pg_namespace n ON n.oid = c.relnamespace";

async fn fails(pool: &PgPool, statement: &'static str) -> String {
    pool.execute(statement).await.expect_err(statement).to_string()
}

#[tokio::test]
async fn every_service_can_append_and_none_can_change_or_truncate() {
    let database = TestDatabase::new().await;
    for role in ["erp_ingress", "erp_sync_worker", "erp_config_api", "erp_scheduler", "erp_reconciler"] {
        let pool = database.pool(role).await;
        pool.execute(APPEND).await.expect(role);
        for statement in [
            "UPDATE audit.erp_audit_logs SET status = 'failed'",
            "DELETE FROM audit.erp_audit_logs",
            "TRUNCATE audit.erp_audit_logs",
            "DELETE FROM audit.seals",
            "TRUNCATE audit.epochs CASCADE",
        ] {
            assert!(fails(&pool, statement).await.contains("permission denied"), "{role}: {statement}");
        }
    }
}

#[tokio::test]
async fn no_service_may_give_time_transaction_or_epoch_of_its_own() {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_sync_worker").await;
    for column in ["created_at", "xid", "epoch"] {
        let value = if column == "created_at" { "now()" } else { "'1'" };
        let statement = format!(
            "INSERT INTO audit.erp_audit_logs (action, entity_type, status, {column}) VALUES ('sync', 'x', 'success', {value})"
        );
        let error = sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&pool).await.expect_err(column);
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
}

#[tokio::test]
async fn neither_the_owner_nor_a_replica_session_gets_past_the_triggers() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    owner.execute(APPEND).await.expect("the owner appends");
    let superuser = PgPool::connect(&database.admin_url()).await.expect("the superuser gets in");
    let partition: String = sqlx::query_scalar(PARTITION).fetch_one(&owner).await.expect("the row's partition");
    assert_ne!(partition, "audit.erp_audit_logs_default");
    for pool in [&owner, &superuser] {
        for statement in [
            "UPDATE audit.erp_audit_logs SET status = 'failed'".to_owned(),
            "DELETE FROM audit.erp_audit_logs".to_owned(),
            "TRUNCATE audit.erp_audit_logs".to_owned(),
            format!("UPDATE {partition} SET status = 'failed'"),
            format!("DELETE FROM {partition}"),
            format!("TRUNCATE {partition}"),
        ] {
            let error = sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(pool).await.expect_err(&statement);
            assert!(error.to_string().contains("append-only"), "{statement}: {error}");
        }
    }
    let mut session = superuser.acquire().await.expect("a session");
    session.execute("SET session_replication_role = replica").await.expect("a superuser may");
    let error = session.execute("DELETE FROM audit.erp_audit_logs").await.expect_err("refused all the same");
    assert!(error.to_string().contains("append-only"), "{error}");
}

#[tokio::test]
async fn a_month_without_a_partition_falls_into_the_default_one_and_making_them_again_changes_nothing() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    let made: i32 = sqlx::query_scalar("SELECT audit.ensure_partitions()").fetch_one(&owner).await.expect("again");
    assert_eq!(made, 0);
    owner
        .execute("INSERT INTO audit.erp_audit_logs (action, entity_type, status, created_at) VALUES ('sync', 'x', 'success', '2090-01-01')")
        .await
        .expect("no month is refused");
    let partition: String = sqlx::query_scalar(PARTITION).fetch_one(&owner).await.expect("the row");
    assert_eq!(partition, "audit.erp_audit_logs_default");
}

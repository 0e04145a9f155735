//! `erpctl audit`.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{Executor as _, PgPool};
use testkit::{TestDatabase, eventually};

use crate::erpctl::erpctl;

const SOON: std::time::Duration = std::time::Duration::from_secs(60);

async fn sealed(owner: &PgPool) -> String {
    owner
        .execute("INSERT INTO audit.erp_audit_logs (action, entity_type, status) SELECT 'sync', 'transaction', 'success' FROM generate_series(1, 9)")
        .await
        .expect("rows");
    // Transactions of other tests hold it up.
    eventually(SOON, "a seal", || async {
        let mut transaction = owner.begin().await.expect("a transaction");
        let made = audit::seal_next(&mut transaction, 100).await.expect("sealed").is_some();
        transaction.commit().await.expect("committed");
        made
    })
    .await;
    sqlx::query_scalar("SELECT encode(head, 'hex') FROM audit.seals ORDER BY number DESC LIMIT 1")
        .fetch_one(owner)
        .await
        .expect("a head")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_is_whole_is_told_with_its_head_also_to_who_may_only_read() {
    let database = TestDatabase::new().await;
    let head = sealed(&database.pool("erp_owner").await).await;
    for role in ["erp_owner", "erp_config_api"] {
        let run =
            erpctl(&["audit", "verify", "--head", &format!("1:{head}")], &[("DATABASE_URL", &database.url_for(role))]);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        let told: Value = serde_json::from_str(&run.out).expect("JSON");
        assert_eq!(
            (&told["intact"], &told["head"], &told["rowsChecked"]),
            (&true.into(), &head.clone().into(), &9.into())
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_row_fails_the_check_and_the_export_and_is_named() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    sealed(&owner).await;
    owner
        .execute(
            "ALTER TABLE audit.erp_audit_logs DISABLE TRIGGER append_only;
             UPDATE audit.erp_audit_logs SET performed_by = 'mallory' WHERE id = (SELECT id FROM audit.erp_audit_logs ORDER BY created_at, id LIMIT 1)",
        )
        .await
        .expect("an owner can");
    let id: String = sqlx::query_scalar("SELECT id::text FROM audit.erp_audit_logs WHERE performed_by = 'mallory'")
        .fetch_one(&owner)
        .await
        .expect("the row");
    let folder = tempfile::tempdir().expect("a folder");
    let url = database.url_for("erp_owner");
    let to = folder.path().to_str().expect("UTF-8");
    for args in [vec!["audit", "verify"], vec!["audit", "archive", "--to", to]] {
        let run = erpctl(&args, &[("DATABASE_URL", &url)]);
        assert_eq!(run.code, 1, "{args:?}");
        assert!(
            run.err.contains(&format!("row {id} of")) && run.err.contains("under seal 1, was changed"),
            "{}",
            run.err
        );
        assert!(run.err.contains("table erp_audit_logs: trigger append_only is gone"), "{}", run.err);
    }
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_is_not_over_is_not_exported_and_only_the_owner_exports() {
    let database = TestDatabase::new().await;
    sealed(&database.pool("erp_owner").await).await;
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().to_str().expect("UTF-8");
    let run = erpctl(&["audit", "archive", "--to", to], &[("DATABASE_URL", &database.url_for("erp_owner"))]);
    assert!(run.code == 0 && run.out.is_empty() && run.err.contains("no month is over"), "{}{}", run.out, run.err);
    let other = erpctl(&["audit", "archive", "--to", to], &[("DATABASE_URL", &database.url_for("erp_config_api"))]);
    assert!(other.code == 2 && other.err.contains("this runs as erp_owner"), "{}", other.err);
}

#[test]
fn a_head_that_is_none_is_wrong_use() {
    let run = erpctl(&["audit", "verify", "--head", "17:xyz"], &[]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("64 hexadecimal digits"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_that_is_over_is_exported_once_and_the_log_is_whole_without_its_rows() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    for statement in [
        "CREATE TABLE audit.erp_audit_logs_2026_03 PARTITION OF audit.erp_audit_logs FOR VALUES FROM ('2026-03-01 00:00Z') TO ('2026-04-01 00:00Z')",
        "CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.erp_audit_logs_2026_03 FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()",
        "ALTER TABLE audit.erp_audit_logs_2026_03 ENABLE ALWAYS TRIGGER append_only_truncate",
        "INSERT INTO audit.erp_audit_logs (action, entity_type, status, created_at)
         SELECT 'sync', 'transaction', 'success', timestamptz '2026-03-15 12:00Z' + n * interval '1 second' FROM generate_series(1, 40) AS n",
    ] {
        owner.execute(statement).await.expect(statement);
    }
    sealed(&owner).await;
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().to_str().expect("UTF-8");
    let url = database.url_for("erp_owner");
    let run = |args: &[&str]| erpctl(args, &[("DATABASE_URL", &url)]);
    // Not before all that may still come into it is behind every transaction, those of other tests too.
    let exported = testkit::eventually_some(SOON, "the month is exported", || async {
        let run = run(&["audit", "archive", "--to", to, "--by", "grace"]);
        assert_eq!(run.code, 0, "{}", run.err);
        (!run.out.is_empty()).then_some(run)
    })
    .await;
    let (sha256, rest) = exported.out.split_once("  ").expect("as sha256sum has it");
    let path = rest.strip_suffix(" (40 rows)\n").unwrap_or_else(|| panic!("{}", exported.out));
    let bytes = std::fs::read(path).expect("the file");
    assert_eq!(hex::encode(Sha256::digest(&bytes)), sha256);
    assert!(exported.err.contains("DETACH PARTITION audit.erp_audit_logs_2026_03"), "{}", exported.err);
    let by: String = sqlx::query_scalar(
        "SELECT performed_by FROM audit.erp_audit_logs WHERE metadata ->> 'operation' = 'audit.archived'",
    )
    .fetch_one(&owner)
    .await
    .expect("an audit row");
    assert_eq!(by, "grace");
    let again = run(&["audit", "archive", "--to", to]);
    assert!(again.code == 0 && again.out.is_empty(), "{}{}", again.out, again.err);

    owner
        .execute("ALTER TABLE audit.erp_audit_logs DETACH PARTITION audit.erp_audit_logs_2026_03")
        .await
        .expect("detached");
    let verified = run(&["audit", "verify", "--archives", to]);
    assert_eq!(verified.code, 0, "{}{}", verified.out, verified.err);
    let told: Value = serde_json::from_str(&verified.out).expect("JSON");
    assert_eq!((&told["intact"], &told["rowsInArchives"]), (&true.into(), &40.into()));
    std::fs::write(path, &bytes[1..]).expect("shortened");
    assert_eq!(run(&["audit", "verify", "--archives", to]).code, 1, "the file counts");
}

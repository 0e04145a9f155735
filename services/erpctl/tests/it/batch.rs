//! `erpctl batch`, and what `preview` and `adopt` say without a configuration.

use testkit::TestDatabase;

use crate::erpctl::erpctl;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_counted_made_listed_and_cancelled() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    sqlx::query(
        "INSERT INTO upcoach.users (id, email) SELECT uuidv7(), n || '@example.com' FROM generate_series(1, 3) n",
    )
    .execute(&owner)
    .await
    .expect("users");
    let url = database.url_for("erp_owner");
    let run = |args: &[&str]| erpctl(args, &[("DATABASE_URL", &url)]);
    let counted = run(&["batch", "full-sync", "--type", "customer", "--dry-run"]);
    assert_eq!((counted.code, counted.out.as_str()), (0, "3 records\n"), "{}", counted.err);
    assert_eq!(run(&["batch", "list"]).out, "");

    let id =
        run(&["batch", "full-sync", "--type", "customer", "--by", "grace", "--reason", "first"]).out.trim().to_owned();
    let list = run(&["batch", "list"]).out;
    assert!(list.starts_with(&format!("{id} full_sync pending of ?: 0 done")), "{list}");
    assert!(list.contains("by grace at"), "{list}");
    assert_eq!(run(&["batch", "cancel", &id]).code, 0);
    let over = run(&["batch", "cancel", &id]);
    assert!(over.code == 1 && over.err.contains("is not under way"), "{}", over.err);

    let none = run(&["batch", "retry", "--error-code", "TIMEOUT", "--from", "2026-11-24T00:00:00Z", "--dry-run"]);
    assert_eq!((none.code, none.out.as_str()), (0, "0 records\n"), "{}", none.err);
    let wrong = run(&["batch", "retry", "--error-code", "OUCH"]);
    assert!(wrong.code == 2 && wrong.err.contains("OUCH"), "{}", wrong.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_configuration_there_is_nobody_to_ask() {
    let database = TestDatabase::new().await;
    let keys = erpctl(&["keys", "generate"], &[]).out;
    let url = database.url_for("erp_owner");
    for command in [&["adopt"][..], &["preview", "customer", "00000000-0000-0000-0000-000000000001"]] {
        let run = erpctl(command, &[("DATABASE_URL", &url), ("ERP_ENCRYPTION_KEYS", keys.trim())]);
        assert_eq!(run.code, 1);
        assert!(run.err.contains("there is no configuration yet"), "{}", run.err);
        let without = erpctl(command, &[("DATABASE_URL", &url)]);
        assert!(without.code == 2 && without.err.contains("ERP_ENCRYPTION_KEYS"), "{}", without.err);
    }
}

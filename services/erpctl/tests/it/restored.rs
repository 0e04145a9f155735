//! `erpctl restored`.

use sqlx::types::time::OffsetDateTime;
use testkit::TestDatabase;

use crate::erpctl::erpctl;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_epoch_names_the_head_restored_from_and_nothing_is_sent_until_old_writes_have_settled() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    sqlx::raw_sql(
        "INSERT INTO audit.seals (number, epoch, from_xid, until_xid, row_count, rows_sha256, previous_head, head, sealed_at)
            VALUES (1, 1, '1', '2', 1, decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), decode(repeat('ab', 32), 'hex'), now());
         INSERT INTO config.erp_configurations (base_url, api_key_enc, api_secret_enc, is_enabled, adopted_at)
            VALUES ('https://erp.example.com', '', '', true, '2020-01-01')",
    )
    .execute(&owner)
    .await
    .expect("a sealed database");
    let url = database.url_for("erp_owner");
    let run = erpctl(
        &["restored", "--note", "backup of 2026-11-23", "--by", "grace"],
        &[("DATABASE_URL", &url), ("FLASHERP_SETTLE_SECS", "3600")],
    );
    assert_eq!(run.code, 0, "{}", run.err);
    let head = "ab".repeat(32);
    assert!(
        run.out.starts_with(&format!("epoch 2 of the audit log continues from {head}; nothing is sent")),
        "{}",
        run.out
    );

    let (adopted, held): (OffsetDateTime, bool) = sqlx::query_as(
        "SELECT c.adopted_at, g.not_before > clock_timestamp() + interval '59 minutes'
         FROM config.erp_configurations c, sync.outbound_gate g",
    )
    .fetch_one(&owner)
    .await
    .expect("rows");
    assert!(held && adopted.year() > 2020);
    let audited: Vec<(i32, String, String)> = sqlx::query_as(
        "SELECT l.epoch, l.metadata ->> 'restoredHead', l.performed_by FROM audit.erp_audit_logs l
         JOIN audit.epochs e ON e.epoch = l.epoch AND encode(e.restored_head, 'hex') = l.metadata ->> 'restoredHead'",
    )
    .fetch_all(&owner)
    .await
    .expect("audit rows");
    assert_eq!(audited, [(2, head, "grace".to_owned())]);

    let again = erpctl(&["restored"], &[("DATABASE_URL", &url)]);
    assert!(again.code == 0 && again.out.starts_with("epoch 3"), "{}{}", again.out, again.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_owner_may_say_so() {
    let database = TestDatabase::new().await;
    let run = erpctl(&["restored"], &[("DATABASE_URL", &database.url_for("erp_config_api"))]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("connects as erp_config_api; this runs as erp_owner"), "{}", run.err);
}

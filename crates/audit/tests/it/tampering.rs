//! Owners who change the log, and what is found of it.

use audit::verify::Problem;
use sqlx::Executor as _;
use uuid::Uuid;

use crate::kit::{Log, run};

/// The row in the middle of what is sealed, by time.
async fn middle(log: &Log) -> Uuid {
    sqlx::query_scalar(
        "SELECT id FROM audit.erp_audit_logs ORDER BY created_at, id OFFSET (SELECT count(*) / 2 FROM audit.erp_audit_logs) LIMIT 1",
    )
    .fetch_one(&log.owner)
    .await
    .expect("a row")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_row_is_named_whichever_column_was_changed() {
    let changes = [
        "status = 'failed'",
        "action = 'manual_sync'",
        "entity_type = 'invoice'",
        "entity_id = NULL",
        "erp_sync_id = NULL",
        "request_payload = request_payload || '{\"amount\": 12.5}'",
        "response_payload = NULL",
        "error_details = '{}'",
        "duration_ms = duration_ms + 1",
        "ip_address = '10.0.0.1'",
        "user_agent = NULL",
        "performed_by = 'mallory'",
        "request_id = NULL",
        "metadata = '{\"x\": 1}'",
    ];
    let log = Log::sealed(3, 5).await;
    let id = middle(&log).await;
    for change in changes {
        let copy =
            Log { database: log.database.copy().await, owner: log.owner.clone(), scheduler: log.scheduler.clone() };
        let copy = Log { owner: copy.database.pool("erp_owner").await, ..copy };
        copy.tamper(&format!("UPDATE audit.erp_audit_logs SET {change} WHERE id = '{id}'")).await;
        let verdict = copy.verify().await;
        assert!(!verdict.intact && verdict.unprotected.is_empty(), "{change}: {verdict:?}");
        match verdict.problem {
            Some(Problem::RowChanged { seal: 2, id: named, .. }) => assert_eq!(named, id, "{change}"),
            other => panic!("{change}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_row_a_moved_row_and_one_slipped_in_are_named() {
    let log = Log::sealed(2, 5).await;
    let id = middle(&log).await;
    let found = async |statement: String| {
        let database = log.database.copy().await;
        let copy = Log { owner: database.pool("erp_owner").await, scheduler: log.scheduler.clone(), database };
        copy.tamper(&statement).await;
        copy.verify().await.problem.unwrap_or_else(|| panic!("nothing was found after {statement}"))
    };
    let removed = found(format!("DELETE FROM audit.erp_audit_logs WHERE id = '{id}'")).await;
    assert!(matches!(removed, Problem::RowMissing { seal: 2, id: named, .. } if named == id), "{removed:?}");
    let moved = found(format!("UPDATE audit.erp_audit_logs SET xid = '9000000000' WHERE id = '{id}'")).await;
    assert!(matches!(moved, Problem::RowMissing { id: named, .. } if named == id), "{moved:?}");
    let new = Uuid::from_u128(7);
    let insert = "INSERT INTO audit.erp_audit_logs (id, action, entity_type, status, xid, epoch)";
    let added = found(format!(
        "{insert} SELECT '{new}', 'sync', 'transaction', 'success', xid, epoch FROM audit.erp_audit_logs WHERE id = '{id}'"
    ))
    .await;
    assert!(matches!(added, Problem::RowAdded { id: named, .. } if named == new), "{added:?}");
    let elsewhere = found(format!("{insert} VALUES ('{new}', 'sync', 'transaction', 'success', '1', 7)")).await;
    assert!(matches!(elsewhere, Problem::RowAdded { id: named, .. } if named == new), "{elsewhere:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changed_seals_gaps_and_changed_lists_are_named() {
    let log = Log::sealed(4, 3).await;
    let found = async |statement: &str| {
        let database = log.database.copy().await;
        let copy = Log { owner: database.pool("erp_owner").await, scheduler: log.scheduler.clone(), database };
        copy.tamper(statement).await;
        copy.verify().await.problem.unwrap_or_else(|| panic!("nothing was found after {statement}"))
    };
    for change in
        ["row_count = row_count + 1", "sealed_at = now()", "rows_sha256 = sha256('x')", "previous_head = sha256('x')"]
    {
        let problem = found(&format!("UPDATE audit.seals SET {change} WHERE number = 3")).await;
        assert_eq!(problem, Problem::SealChanged { seal: 3 }, "{change}");
    }
    let gap = found("DELETE FROM audit.seal_leaves WHERE seal = 2; DELETE FROM audit.seals WHERE number = 2").await;
    assert_eq!(gap, Problem::SealMissing { seal: 2 });
    let lists =
        found("UPDATE audit.seal_leaves SET leaves = overlay(leaves PLACING '\\x00'::bytea FROM 30) WHERE seal = 3")
            .await;
    assert_eq!(lists, Problem::LeavesChanged { seal: 3 });
    let lists = found("DELETE FROM audit.seal_leaves WHERE seal = 3").await;
    assert_eq!(lists, Problem::LeavesChanged { seal: 3 });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_cut_off_with_its_rows_is_found_against_a_kept_head_only() {
    let log = Log::sealed(4, 3).await;
    let kept = log.verify().await.head.expect("a head");
    log.tamper(
        "DELETE FROM audit.erp_audit_logs l USING audit.seals s WHERE s.number >= 3 AND l.epoch = s.epoch AND l.xid >= s.from_xid AND l.xid < s.until_xid;
         DELETE FROM audit.seal_leaves WHERE seal >= 3;
         DELETE FROM audit.seals WHERE number >= 3",
    )
    .await;
    let unaware = log.verify().await;
    assert!(unaware.intact, "nothing inside tells of it: {unaware:?}");
    let numbered = log.verify_against(&[&format!("4:{kept}")]).await;
    assert_eq!(numbered.problem, Some(Problem::TailCut { seal: 4, last: 2 }));
    let bare = log.verify_against(&[&kept]).await;
    assert_eq!(bare.problem, Some(Problem::HeadUnknown { head: kept }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_makes_all_seals_anew_is_found_against_a_kept_head() {
    let log = Log::sealed(3, 3).await;
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT number || ':' || encode(head, 'hex') FROM audit.seals ORDER BY number")
            .fetch_all(&log.owner)
            .await
            .expect("heads");
    let id = middle(&log).await;
    log.tamper(&format!(
        "UPDATE audit.erp_audit_logs SET performed_by = 'mallory' WHERE id = '{id}';
         DELETE FROM audit.seal_leaves; DELETE FROM audit.seals"
    ))
    .await;
    log.seal_rest(4).await;
    assert!(log.verify().await.intact, "it looks like any log");
    let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
    let verdict = log.verify_against(&kept).await;
    assert!(matches!(verdict.problem, Some(Problem::Rewritten { .. })), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_epoch_that_says_otherwise_than_it_did_breaks_its_first_seal() {
    let log = Log::sealed(1, 2).await;
    let mut owner = log.owner.acquire().await.expect("a connection");
    owner
        .execute(
            "ALTER TABLE audit.epochs DISABLE TRIGGER USER; UPDATE audit.epochs SET note = 'nothing happened';
             ALTER TABLE audit.epochs ENABLE ALWAYS TRIGGER append_only; ALTER TABLE audit.epochs ENABLE ALWAYS TRIGGER append_only_truncate",
        )
        .await
        .expect("changed");
    assert_eq!(log.verify().await.problem, Some(Problem::SealChanged { seal: 1 }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_the_protection_away_is_told() {
    let log = Log::sealed(1, 2).await;
    assert!(log.verify().await.unprotected.is_empty());
    for (statement, words) in [
        ("ALTER TABLE audit.erp_audit_logs DISABLE TRIGGER append_only", "erp_audit_logs: trigger append_only "),
        (
            "ALTER TABLE audit.erp_audit_logs_default ENABLE TRIGGER append_only",
            "erp_audit_logs_default: trigger append_only ",
        ),
        ("ALTER TABLE audit.seals DISABLE TRIGGER append_only_truncate", "seals: trigger append_only_truncate"),
        ("DROP TRIGGER append_only ON audit.seal_leaves", "seal_leaves: trigger append_only "),
        (
            "CREATE OR REPLACE FUNCTION audit.refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
            "audit.refuse_change is not",
        ),
        ("CREATE RULE quiet AS ON INSERT TO audit.erp_audit_logs DO INSTEAD NOTHING", "erp_audit_logs: a rule"),
        (
            "ALTER TABLE audit.erp_audit_logs ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON audit.erp_audit_logs USING (true)",
            "row security",
        ),
        ("GRANT DELETE ON audit.erp_audit_logs TO erp_scheduler", "role erp_scheduler may DELETE"),
    ] {
        let database = log.database.copy().await;
        let copy = Log { owner: database.pool("erp_owner").await, scheduler: log.scheduler.clone(), database };
        run(&mut copy.owner.acquire().await.expect("a connection"), statement).await;
        let verdict = copy.verify().await;
        assert!(!verdict.intact && verdict.problem.is_none(), "{statement}: {verdict:?}");
        assert!(verdict.unprotected.iter().any(|told| told.contains(words)), "{statement}: {:?}", verdict.unprotected);
    }
}

//! Months that are over, exported, detached, and checked from their files.

use std::path::Path;

use audit::archive::{ArchiveError, Archived, archive, file_name};
use audit::verify::{Options, Problem, Verdict};

use crate::kit::Log;

const PARTITION: &str = "erp_audit_logs_2026_03";

/// A log with rows of a month that is long over, and of today, all sealed.
async fn with_an_old_month() -> Log {
    let log = Log::new().await;
    let mut owner = log.owner.acquire().await.expect("a connection");
    crate::kit::run(
        &mut owner,
        "CREATE TABLE audit.erp_audit_logs_2026_03 PARTITION OF audit.erp_audit_logs FOR VALUES FROM ('2026-03-01 00:00Z') TO ('2026-04-01 00:00Z');
         CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.erp_audit_logs_2026_03
            FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
         ALTER TABLE audit.erp_audit_logs_2026_03 ENABLE ALWAYS TRIGGER append_only_truncate",
    )
    .await;
    for day in [1, 15, 31] {
        crate::kit::run(
            &mut owner,
            &format!(
                "INSERT INTO audit.erp_audit_logs (action, entity_type, status, created_at, metadata)
                 SELECT 'sync', 'transaction', 'success', timestamptz '2026-03-{day:02} 12:00Z' - n * interval '1 second', '{{\"a\": [1, \"\\\\n\"]}}'
                 FROM generate_series(1, 40) AS n"
            ),
        )
        .await;
        log.append(3).await;
        log.seal_rest(30).await;
    }
    log
}

async fn export(log: &Log, folder: &Path) -> Result<Vec<Archived>, ArchiveError> {
    archive(&mut log.owner.acquire().await.expect("a connection"), folder, "ada").await
}

async fn verify_with_files(log: &Log, folder: &Path) -> Verdict {
    log.verify_with(Options { archives: Some(folder.to_owned()), ..Options::default() }).await
}

async fn detach(log: &Log) {
    let mut owner = log.owner.acquire().await.expect("a connection");
    crate::kit::run(&mut owner, "ALTER TABLE audit.erp_audit_logs DETACH PARTITION audit.erp_audit_logs_2026_03").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_is_exported_once_and_the_chain_holds_without_its_rows() {
    let log = with_an_old_month().await;
    let folder = tempfile::tempdir().expect("a folder");
    let archived = export(&log, folder.path()).await.expect("exported");
    assert_eq!(
        archived.iter().map(|month| (month.partition.as_str(), month.rows)).collect::<Vec<_>>(),
        [(PARTITION, 120)]
    );
    assert!(export(&log, folder.path()).await.expect("nothing to do").is_empty());
    assert!(log.verify().await.intact);
    detach(&log).await;
    log.seal_rest(1_000).await;
    let without = log.verify().await;
    // the three times three rows of today, and the one that tells of the archive
    assert!(without.intact && without.rows_in_archives == 120 && without.rows_sealed == 130, "{without:?}");
    let with = verify_with_files(&log, folder.path()).await;
    assert!(with.intact && with.rows_in_archives == 120, "{with:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_changed_shortened_lengthened_or_lost_is_named() {
    let log = with_an_old_month().await;
    let folder = tempfile::tempdir().expect("a folder");
    export(&log, folder.path()).await.expect("exported");
    detach(&log).await;
    let path = folder.path().join(file_name(PARTITION));
    let whole = std::fs::read_to_string(&path).expect("the file");
    let shortened: String = whole.lines().take(119).flat_map(|line| [line, "\n"]).collect();
    for (text, words) in [
        (whole.replacen("success", "failed", 1), "line 1 is not row"),
        (shortened, "line 120 is not row"),
        (format!("{whole}{{}}\n"), "more after line 120"),
    ] {
        std::fs::write(&path, text).expect("changed");
        match verify_with_files(&log, folder.path()).await.problem {
            Some(Problem::ArchiveChanged { partition, what }) => {
                assert!(partition == PARTITION && what.contains(words), "{what}");
            }
            other => panic!("{words}: {other:?}"),
        }
    }
    std::fs::remove_file(&path).expect("removed");
    let lost = verify_with_files(&log, folder.path()).await;
    assert!(lost.message.is_some_and(|message| message.contains("can't be read")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_with_rows_that_no_seal_is_over_is_not_exported() {
    let log = with_an_old_month().await;
    let mut owner = log.owner.acquire().await.expect("a connection");
    crate::kit::run(
        &mut owner,
        "INSERT INTO audit.erp_audit_logs (action, entity_type, status, created_at) VALUES ('sync', 'x', 'success', '2026-03-09 09:00Z')",
    )
    .await;
    let folder = tempfile::tempdir().expect("a folder");
    assert!(export(&log, folder.path()).await.expect("looked").is_empty());
    log.seal_rest(1_000).await;
    assert_eq!(export(&log, folder.path()).await.expect("exported").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_detached_before_it_was_exported_is_rows_missing() {
    let log = with_an_old_month().await;
    detach(&log).await;
    let verdict = log.verify().await;
    assert!(matches!(verdict.problem, Some(Problem::RowMissing { seal: 1, .. })), "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_removed_before_the_export_is_still_missed_after_the_month_was_detached() {
    let log = with_an_old_month().await;
    log.tamper("DELETE FROM audit.erp_audit_logs WHERE created_at = '2026-03-15 11:59:50Z'").await;
    let folder = tempfile::tempdir().expect("a folder");
    export(&log, folder.path()).await.expect("exported");
    detach(&log).await;
    let verdict = log.verify().await;
    assert!(matches!(verdict.problem, Some(Problem::ArchiveChanged { .. })), "{verdict:?}");
    let named = verify_with_files(&log, folder.path()).await;
    assert!(named.message.is_some_and(|message| message.contains("is not row")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_one_who_died_before_noting_it_is_written_again_just_so() {
    let log = with_an_old_month().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(file_name(PARTITION));
    let copy = Log { scheduler: log.scheduler.clone(), owner: log.owner.clone(), database: log.database.copy().await };
    let copy = Log { owner: copy.database.pool("erp_owner").await, ..copy };
    export(&copy, folder.path()).await.expect("exported, and in this database not noted");
    let first = std::fs::read(&path).expect("the file");
    let again = export(&log, folder.path()).await.expect("exported");
    assert_eq!((again.len(), std::fs::read(&path).expect("the file")), (1, first));
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left");
}

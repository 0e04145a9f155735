//! What seals are over, whoever makes them, and whatever is under way meanwhile.

use audit::{NO_HEAD, seal_next};
use sqlx::{Connection as _, Executor as _, PgConnection};

use testkit::eventually;

use crate::kit::{Log, SOON, append};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_comes_under_one_seal_and_the_chain_holds() {
    let log = Log::new().await;
    assert!(log.seal().await.is_none(), "nothing to seal");
    let empty = log.verify().await;
    assert!(empty.intact && empty.seals == 0 && empty.head.is_none(), "{empty:?}");
    log.append(5).await;
    let first = log.seal_soon().await;
    assert_eq!((first.number, first.row_count, first.previous_head), (1, 5, NO_HEAD));
    assert!(log.seal().await.is_none(), "nothing new");
    log.append(1).await;
    let second = log.seal_soon().await;
    assert_eq!((second.number, second.row_count, second.previous_head), (2, 1, first.head()));
    assert_eq!(second.from_xid, first.until_xid);
    log.append(3).await;
    let verdict = log.verify_against(&[&hex(&first.head()), &format!("2:{}", hex(&second.head()))]).await;
    assert!(verdict.intact, "{verdict:?}");
    assert_eq!((verdict.seals, verdict.rows_sealed, verdict.rows_checked, verdict.rows_unsealed), (2, 6, 6, 3));
    assert_eq!(verdict.head, Some(hex(&second.head())));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_whose_transaction_is_under_way_comes_under_a_later_seal_and_no_row_after_it_before() {
    let log = Log::sealed(1, 2).await;
    let mut slow = log.scheduler.begin().await.expect("a transaction");
    append(&mut slow, 1).await;
    log.append(4).await;
    assert!(log.seal().await.is_none_or(|seal| seal.row_count == 0), "four rows are committed after one that is not");
    slow.commit().await.expect("committed");
    assert_eq!(log.seal_soon().await.row_count, 5);
    let verdict = log.verify().await;
    assert!(verdict.intact && verdict.rows_checked == 7, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_is_sealed_in_parts_and_a_transaction_larger_than_a_part_whole() {
    let log = Log::new().await;
    for _ in 0..10 {
        log.append(1).await;
    }
    log.append(30).await;
    log.append(1).await;
    let counts = log.seal_rest(4).await;
    assert_eq!(counts.iter().sum::<u64>(), 41);
    assert_eq!(counts.iter().max(), Some(&30));
    assert!(counts.iter().filter(|count| **count != 30).all(|count| *count <= 4), "{counts:?}");
    let verdict = log.verify().await;
    assert!(verdict.intact && verdict.rows_checked == 41, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_seal_at_once_make_one_chain() {
    let log = Log::new().await;
    let url = log.database.url_for("erp_scheduler");
    let sealers = (0..4).map(|_| async {
        let mut connection = PgConnection::connect(&url).await.expect("connected");
        let mut rows = 0;
        for _ in 0..20 {
            append(&mut connection, 2).await;
            let mut transaction = connection.begin().await.expect("a transaction");
            rows += seal_next(&mut transaction, 7).await.expect("sealed").map_or(0, |seal| seal.row_count);
            transaction.commit().await.expect("committed");
        }
        rows
    });
    let mut sealed: u64 = futures::future::join_all(sealers).await.into_iter().sum();
    sealed += log.seal_rest(1_000).await.iter().sum::<u64>();
    assert_eq!(sealed, 160);
    let verdict = log.verify().await;
    assert!(verdict.intact && verdict.rows_checked == 160, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_seal_that_is_not_committed_was_never_made() {
    let log = Log::new().await;
    log.append(3).await;
    eventually(SOON, "a seal that is rolled back", || async {
        let mut lost = log.scheduler.begin().await.expect("a transaction");
        let made = seal_next(&mut lost, 100).await.expect("sealed").is_some();
        lost.rollback().await.expect("rolled back");
        made
    })
    .await;
    assert_eq!(log.verify().await.rows_unsealed, 3);
    let seal = log.seal_soon().await;
    assert_eq!((seal.number, seal.row_count), (1, 3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restore_the_old_epochs_rows_are_sealed_and_the_new_one_goes_on_from_the_head_restored() {
    let log = Log::sealed(2, 3).await;
    log.append(2).await;
    let restored =
        syncs::restored(&log.owner, "grace", Some("backup"), std::time::Duration::ZERO).await.expect("marked");
    log.append(4).await;
    let old = log.seal_soon().await;
    assert_eq!((old.epoch.epoch, old.row_count), (1, 2));
    let new = log.seal_soon().await;
    // four rows, and the one that says that it was restored
    assert_eq!((new.epoch.epoch, new.row_count, new.from_xid), (2, 5, 0));
    assert_eq!(new.epoch.restored_head, restored.head);
    let verdict = log.verify().await;
    assert!(verdict.intact && verdict.epoch == 2 && verdict.rows_checked == 13, "{verdict:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rows_line_does_not_depend_on_the_sessions_settings() {
    let log = Log::sealed(1, 20).await;
    let settings = "ALTER ROLE erp_config_api IN DATABASE {} SET";
    let superuser = PgConnection::connect(&log.database.admin_url()).await;
    let mut superuser = superuser.expect("the superuser gets in");
    for setting in [
        "TimeZone = 'Asia/Kolkata'",
        "DateStyle = 'German, DMY'",
        "IntervalStyle = 'sql_standard'",
        "extra_float_digits = 0",
        "bytea_output = 'escape'",
    ] {
        let statement = format!("{} {setting}", settings.replace("{}", log.database.name()));
        superuser.execute(sqlx::AssertSqlSafe(statement)).await.expect("set");
    }
    let verdict = log.verify().await;
    assert!(verdict.intact && verdict.rows_checked == 20, "{verdict:?}");
}

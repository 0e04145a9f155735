//! Imports with a key: gone on with after whatever ended them.

use std::io;

use bytes::Bytes;
use domain::EntityType;
use futures::{StreamExt as _, stream};
use import::{ImportError, Options};

use crate::kit::{Bench, keyed, ndjson, user};

fn users(numbers: std::ops::Range<u128>) -> String {
    numbers.map(|n| user(n, "Ada")).collect()
}

#[tokio::test]
async fn after_its_file_broke_off_an_import_goes_on_behind_what_was_committed() {
    let bench = Bench::new().await;
    let file = users(0..2500);
    let half = Bytes::copy_from_slice(&file.as_bytes()[..file.len() / 2]);
    let broken = stream::iter([Ok(half), Err(io::Error::other("the line is dead"))]);
    let ended = bench.import_stream(broken, &keyed("k")).await;
    assert!(matches!(ended.result, Err(ImportError::Source(_))));
    let state = "SELECT status || ' ' || done || ' ' || coalesce(error, '') FROM sync.batches";
    assert_eq!(
        bench.one::<String>(state).await,
        "failed 1000 after 1000 records: the file can't be read any further: the line is dead"
    );
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 1000);

    let ended = bench.import(&file, &keyed("k")).await;
    assert_eq!(ended.counts(), [2500, 0, 0, 0, 0]);
    assert!(ended.result.expect("it went well").is_resumed);
    assert_eq!(bench.one::<String>(state).await, "completed 2500 ");
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 2500);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM sync.requests").await, 2500);
}

#[tokio::test]
async fn a_key_is_of_one_file_with_one_set_of_options() {
    let bench = Bench::new().await;
    let file = users(0..1500);
    let broken = stream::iter([Ok(Bytes::copy_from_slice(file.as_bytes())), Err(io::Error::other("dead"))]);
    bench.import_stream(broken, &keyed("k")).await;
    for other in [users(1..1500), users(0..900)] {
        let ended = bench.import(&other, &keyed("k")).await;
        assert!(matches!(ended.result, Err(ImportError::Differs { records: 1000 })), "{:?}", ended.result);
    }
    let options = Options { entity_type: Some(EntityType::Customer), ..keyed("k") };
    assert!(matches!(bench.import(&file, &options).await.result, Err(ImportError::KeyTaken)));
    bench.run("INSERT INTO sync.batches (kind, idempotency_key) VALUES ('full_sync', 'theirs')").await;
    assert!(matches!(bench.import(&file, &keyed("theirs")).await.result, Err(ImportError::KeyTaken)));
    assert_eq!(bench.import(&file, &keyed("k")).await.counts(), [1500, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_cancelled_import_writes_nothing_more() {
    let bench = Bench::new().await;
    let cancel = stream::once(async {
        bench.run("UPDATE sync.batches SET status = 'cancelled', finished_at = now()").await;
        Ok::<_, io::Error>(Bytes::from(users(1000..2500)))
    });
    let source = stream::iter([Ok(Bytes::from(users(0..1000)))]).chain(cancel);
    let ended = bench.import_stream(source, &keyed("k")).await;
    assert!(matches!(ended.result, Err(ImportError::NoLongerOurs)), "{:?}", ended.result);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 1000);
    assert!(matches!(bench.import(&users(0..1), &keyed("k")).await.result, Err(ImportError::NoLongerOurs)));
}

#[tokio::test]
async fn of_two_runs_of_one_import_at_once_one_gives_way() {
    let bench = Bench::new().await;
    let other = Bytes::from(users(1000..2500));
    // The second run begins and ends while the first one waits for more of its file.
    let between = stream::once(async {
        assert_eq!(bench.import(&users(0..2500), &keyed("k")).await.counts()[0], 2500);
        Ok::<_, io::Error>(other.clone())
    });
    let source = stream::iter([Ok(Bytes::from(users(0..1000)))]).chain(between);
    let ended = Box::pin(bench.import_stream(source, &keyed("k"))).await;
    assert!(matches!(ended.result, Err(ImportError::NoLongerOurs)), "{:?}", ended.result);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users").await, 2500);
    assert_eq!(bench.one::<i64>("SELECT done FROM sync.batches").await, 2500);
}

#[tokio::test]
async fn an_import_waits_out_a_deadlock_with_a_worker() {
    let bench = Bench::new().await;
    bench.import(&users(0..10), &ndjson()).await;
    // A worker that holds the last row and wants the first: whichever PostgreSQL ends, both changes are there in the end.
    let mut worker = bench.pool.begin().await.expect("a transaction");
    let touch = "UPDATE upcoach.users SET email = 'worker@example.com' WHERE email = ANY (ARRAY['u9@example.com'])";
    sqlx::query(touch).execute(&mut *worker).await.expect("the last row");
    let file = (0..10).map(|n| user(n, "Eve")).collect::<String>();
    let options = ndjson();
    let importing = bench.import(&file, &options);
    let working = async {
        testkit::eventually(std::time::Duration::from_secs(60), "the import waits for the last row", || async {
            bench.one::<i64>("SELECT count(*) FROM pg_locks WHERE NOT granted").await > 0
        })
        .await;
        let first = sqlx::query("UPDATE upcoach.users SET name = name WHERE email = 'u0@example.com'")
            .execute(&mut *worker)
            .await;
        match first {
            Ok(_) => worker.commit().await.expect("committed"),
            Err(_) => worker.rollback().await.expect("rolled back"),
        }
    };
    let (ended, ()) = tokio::join!(importing, working);
    assert_eq!(ended.counts(), [0, 10, 0, 0, 0]);
    assert_eq!(bench.one::<i64>("SELECT count(*) FROM upcoach.users WHERE name = 'Eve'").await, 10);
}

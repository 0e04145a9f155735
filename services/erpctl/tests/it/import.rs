//! `erpctl import`, also killed in the middle, against a real PostgreSQL.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use sqlx::PgPool;
use testkit::{TestDatabase, eventually};
use uuid::Uuid;

use crate::erpctl::erpctl;

const SOON: Duration = Duration::from_secs(280);

/// Where an import dies in its second batch, and how much of two batches it has committed by then.
const DEATHS: [(&str, i64); 2] = [("import.before_commit", 1000), ("import.after_commit", 2000)];

/// NDJSON of users `from..to`.
fn users(numbers: std::ops::Range<u128>) -> String {
    numbers.fold(String::new(), |mut file, n| {
        let id = Uuid::from_u128(n);
        writeln!(file, r#"{{"entityType":"customer","id":"{id}","email":"u{n}@example.com","name":"User {n}"}}"#)
            .expect("a line");
        file
    })
}

/// An import that reads what is written to it.
struct Fed {
    process: Child,
    input: ChildStdin,
}

impl Fed {
    fn start(database: &TestDatabase, args: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_erpctl"))
            .args(["import", "-", "--format", "ndjson"])
            .args(args)
            .env_clear()
            .env("DATABASE_URL", database.url_for("erp_config_api"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let input = process.stdin.take().expect("piped");
        Self { process, input }
    }

    fn feed(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).expect("it reads");
    }

    /// Ends its input and gives its output.
    fn end(self) -> serde_json::Value {
        drop(self.input);
        let output = self.process.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("a summary")
    }

    fn kill(mut self) {
        self.process.kill().expect("killed");
        self.process.wait().expect("it ended");
    }

    /// Resident memory in KiB.
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

async fn count(pool: &PgPool, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(pool).await.expect("a count")
}

async fn users_become(pool: &PgPool, expected: i64) {
    eventually(SOON, "records are committed", || async {
        count(pool, "SELECT count(*) FROM upcoach.users").await == expected
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn good_lines_are_imported_and_bad_ones_told_and_kept() {
    let database = TestDatabase::new().await;
    let url = database.url_for("erp_config_api");
    let folder = tempfile::tempdir().expect("a folder");
    let (file, rejects) = (folder.path().join("users.csv"), folder.path().join("rejects.csv"));
    let [one, two, three] = [1, 2, 3].map(Uuid::from_u128);
    let text = format!(
        "id,email,createdAt\n{one},a@example.com,\n{two},b@example.com,yesterday\nnobody,c@example.com,\n{three},d@example.com,2020-01-01T00:00:00Z\n"
    );
    std::fs::write(&file, text).expect("written");
    let [file, rejects] = [&file, &rejects].map(|path| path.to_str().expect("UTF-8"));
    let args = ["import", file, "--entity-type", "customer", "--rejects", rejects];
    let run = erpctl(&args, &[("DATABASE_URL", &url)]);
    assert_eq!(run.code, 1);
    let expected = format!(
        "erpctl: line 3 (customer {two}): createdAt: is not a time of RFC 3339, such as 2026-11-24T09:30:00Z
erpctl: line 4: id: is not a UUID
erpctl: 2 of 4 records could not be imported, all others are; mend those and import them again
"
    );
    assert_eq!(run.err, expected);
    let summary: serde_json::Value = serde_json::from_str(&run.out).expect("JSON");
    assert_eq!((&summary["records"], &summary["created"], &summary["rejected"]), (&4.into(), &2.into(), &2.into()));
    let kept = std::fs::read_to_string(rejects).expect("kept");
    assert_eq!(kept, format!("id,email,createdAt\n{two},b@example.com,yesterday\nnobody,c@example.com,\n"));

    std::fs::write(rejects, kept.replace("yesterday", "").replace("nobody", &Uuid::from_u128(4).to_string()))
        .expect("mended");
    let run = erpctl(&["import", rejects, "--entity-type", "customer"], &[("DATABASE_URL", &url)]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let pool = database.pool("erp_owner").await;
    assert_eq!(count(&pool, "SELECT count(*) FROM upcoach.users").await, 4);
    assert_eq!(count(&pool, "SELECT count(*) FROM sync.requests").await, 4);
    assert_eq!(
        count(&pool, "SELECT count(*) FROM sync.batches WHERE kind = 'import' AND status = 'completed'").await,
        2
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_use_is_explained() {
    let database = TestDatabase::new().await;
    let url = database.url_for("erp_config_api");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users.csv");
    std::fs::write(&file, "id;email\n").expect("written");
    let file = file.to_str().expect("UTF-8");
    for (args, code, told) in [
        (&["import", "-"][..], 2, "add --format ndjson or --format csv"),
        (&["import", "/no/such.csv"], 1, "can't read /no/such.csv"),
        (&["import", file, "--entity-type", "customer"], 2, "\"id;email\" is no field; separated by commas there are"),
    ] {
        let run = erpctl(args, &[("DATABASE_URL", &url)]);
        assert_eq!(run.code, code, "{}", run.err);
        assert!(run.err.contains(told), "{}", run.err);
    }
    let pool = database.pool("erp_owner").await;
    let failed = "SELECT count(*) FROM sync.batches WHERE status = 'failed' AND error LIKE 'after 0 records: %'";
    assert_eq!(count(&pool, failed).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_dies_at_a_commit_goes_on_behind_what_it_has_committed() {
    for (point, committed) in DEATHS {
        let database = TestDatabase::new().await;
        let pool = database.pool("erp_owner").await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("users.ndjson");
        std::fs::write(&file, users(0..2500)).expect("written");
        let mut import = Command::new(env!("CARGO_BIN_EXE_erpctl"))
            .args(["import", file.to_str().expect("UTF-8"), "--key", "k"])
            .env_clear()
            .env("DATABASE_URL", database.url_for("erp_config_api"))
            .env("ERP_FAILPOINT", format!("{point}:2"))
            .spawn()
            .expect("it starts");
        let ended = import.wait().expect("it ends");
        assert!(ended.signal().is_some(), "it died at {point}: {ended}");
        assert_eq!(count(&pool, "SELECT count(*) FROM upcoach.users").await, committed);

        let url = database.url_for("erp_config_api");
        let run = erpctl(&["import", file.to_str().expect("UTF-8"), "--key", "k"], &[("DATABASE_URL", &url)]);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert_eq!(count(&pool, "SELECT count(*) FROM upcoach.users").await, 2500);
        assert_eq!(count(&pool, "SELECT count(*) FROM sync.requests").await, 2500, "each is asked for once");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_killed_in_the_middle_leaves_whole_batches_and_goes_on_behind_them() {
    let database = TestDatabase::new().await;
    // Only a superuser sees what others wait for.
    let pool = database.pool("postgres").await;
    let mut import = Fed::start(&database, &["--key", "k"]);
    import.feed(&users(0..2500));
    users_become(&pool, 2000).await;

    // It dies within a batch's transaction: a lock of ours keeps it there.
    let mut other = pool.begin().await.expect("a transaction");
    sqlx::query("LOCK TABLE upcoach.users IN EXCLUSIVE MODE").execute(&mut *other).await.expect("locked");
    import.feed(&users(2500..3200));
    eventually(SOON, "it waits within its transaction", || async {
        count(
            &pool,
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND application_name = 'erpctl' AND wait_event_type = 'Lock'",
        )
        .await
            == 1
    })
    .await;
    import.kill();
    other.rollback().await.expect("unlocked");
    let state: (String, i64, i64) =
        sqlx::query_as("SELECT status::text, done, (resume_after ->> 'records')::bigint FROM sync.batches")
            .fetch_one(&pool)
            .await
            .expect("its row");
    assert_eq!(state, ("running".to_owned(), 2000, 2000));
    assert_eq!(count(&pool, "SELECT count(*) FROM upcoach.users").await, 2000);

    // another file is not gone on with
    let wrong = ["{}\n", &users(0..3200)].concat();
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("users.ndjson");
    std::fs::write(&file, wrong).expect("written");
    let url = database.url_for("erp_config_api");
    let run = erpctl(&["import", file.to_str().expect("UTF-8"), "--key", "k"], &[("DATABASE_URL", &url)]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("it differs from its first 2000 records"), "{}", run.err);

    let mut again = Fed::start(&database, &["--key", "k"]);
    again.feed(&users(0..3200));
    let summary = again.end();
    assert_eq!(
        (&summary["created"], &summary["records"], &summary["isResumed"]),
        (&3200.into(), &3200.into(), &true.into())
    );
    assert_eq!(count(&pool, "SELECT count(*) FROM upcoach.users").await, 3200);
    assert_eq!(count(&pool, "SELECT count(*) FROM sync.requests").await, 3200);

    // done is done
    let mut done = Fed::start(&database, &["--key", "k"]);
    done.feed(&users(0..3200));
    assert_eq!(done.end(), summary);
    std::fs::write(&file, users(0..3201)).expect("written");
    let run = erpctl(&["import", file.to_str().expect("UTF-8"), "--key", "k"], &[("DATABASE_URL", &url)]);
    assert!((run.code, run.err.contains("it differs")) == (2, true), "not taken for imported: {}", run.err);
    // and without the key everything is found unchanged
    let mut unkeyed = Fed::start(&database, &[]);
    unkeyed.feed(&users(0..3200));
    let unchanged = unkeyed.end();
    assert_eq!((&unchanged["unchanged"], &unchanged["created"]), (&3200.into(), &0.into()));
    assert_eq!(count(&pool, "SELECT count(*) FROM sync.requests").await, 3200);
}

/// 20,000 records; `IMPORT_RECORDS=1000000` for so many.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_memory_does_not_grow_with_the_file() {
    let thousands = std::env::var("IMPORT_RECORDS").map_or(20, |count| count.parse::<u128>().expect("a number") / 1000);
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_owner").await;
    let mut import = Fed::start(&database, &[]);
    import.feed(&users(0..3000));
    users_become(&pool, 3000).await;
    let early = import.resident();
    let begun = std::time::Instant::now();
    for thousand in 3..thousands {
        import.feed(&users(thousand * 1000..(thousand + 1) * 1000));
    }
    users_become(&pool, i64::try_from(thousands).expect("a count") * 1000).await;
    let late = import.resident();
    eprintln!("{early} KiB after 3,000 records, {late} KiB after {thousands},000, {:?}", begun.elapsed());
    assert!(late < early + 8 * 1024, "{early} KiB after 3,000 records, {late} KiB after {thousands},000");
    assert_eq!(import.end()["created"], u64::try_from(thousands).expect("a count") * 1000);
}

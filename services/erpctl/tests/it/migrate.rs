//! `erpctl migrate`.

use std::process::Stdio;
use std::time::Duration;

use sqlx::PgPool;
use testkit::{PrivateDatabase, TestDatabase, eventually};

use crate::erpctl::erpctl;

const DEADLINE: Duration = Duration::from_secs(60);

/// Makes an empty database beside the test's own and gives its owner's URL.
async fn empty_database(database: &TestDatabase) -> (String, String) {
    let name = format!("{}_empty", database.name());
    let admin = database.pool("postgres").await;
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name} OWNER erp_owner")))
        .execute(&admin)
        .await
        .expect("made");
    let url = database.url_for("erp_owner").replace(database.name(), &name);
    (name, url)
}

async fn drop_database(database: &TestDatabase, name: &str) {
    let admin = database.pool("postgres").await;
    sqlx::query(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)")))
        .execute(&admin)
        .await
        .expect("dropped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_gets_the_schema_from_two_starters_at_once_and_a_third_run_changes_nothing() {
    let database = TestDatabase::new().await;
    let (name, url) = empty_database(&database).await;
    let start = || {
        std::process::Command::new(env!("CARGO_BIN_EXE_erpctl"))
            .arg("migrate")
            .env_clear()
            .env("DATABASE_URL", &url)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts")
    };
    let (mut first, mut second) = (start(), start());
    assert!(first.wait().expect("it ends").success());
    assert!(second.wait().expect("it ends").success());

    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url)]);
    let version = migrations::schema_version();
    let expected = format!("erpctl: the schema is at version {version}; new partitions of the audit log: 0\n");
    assert_eq!((run.code, run.err), (0, expected));
    let pool = PgPool::connect(&url).await.expect("connects");
    let found: i64 =
        sqlx::query_scalar("SELECT version FROM public.schema_version").fetch_one(&pool).await.expect("a version");
    assert_eq!(found, version);
    pool.close().await;
    drop_database(&database, &name).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_usual_mistakes_are_explained() {
    let database = TestDatabase::new().await;
    let owner = database.url_for("erp_owner");
    let missing = owner.replace(database.name(), "no_such_database");
    let (scheme_and_user, rest) = owner.split_once("erp_owner:").expect("a URL with a password");
    let wrong_password = format!("{scheme_and_user}erp_owner:hunter2@{}", rest.split_once('@').expect("a host").1);
    for (url, code, told) in [
        (database.url_for("erp_ingress"), 2, "DATABASE_URL connects as erp_ingress; migrations run as erp_owner"),
        (missing, 1, "as a superuser: CREATE DATABASE no_such_database OWNER erp_owner"),
        (wrong_password, 1, "refuses the role erp_owner; check user and password in DATABASE_URL"),
        ("postgres://erp_owner:hunter2@127.0.0.1:1/erp".to_owned(), 1, "PostgreSQL at 127.0.0.1:1 can't be reached"),
    ] {
        let run = erpctl(&["migrate"], &[("DATABASE_URL", &url)]);
        assert_eq!(run.code, code, "{}", run.err);
        assert!(run.err.contains(told) && !run.err.contains("hunter2"), "{}", run.err);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_newer_database_and_a_changed_migration_are_explained() {
    let database = TestDatabase::new().await;
    let owner = database.pool("erp_owner").await;
    let url = database.url_for("erp_owner");
    let newer = "INSERT INTO public._sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'next', true, '', 0)";
    sqlx::query(newer).execute(&owner).await.expect("inserted");
    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url)]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("has migration 9999, which this erpctl does not know"), "{}", run.err);

    sqlx::raw_sql("DELETE FROM public._sqlx_migrations WHERE version = 9999; UPDATE public._sqlx_migrations SET checksum = '\\x00' WHERE version = 1")
        .execute(&owner)
        .await
        .expect("changed");
    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url)]);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("migration 1 ran here with other contents"), "{}", run.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_wait_it_waits_for_a_database_that_comes_later() {
    let mut database = PrivateDatabase::start().await;
    let url = database.url_for("erp_owner");
    database.postgres.stop().await.expect("stopped");
    let log = tempfile::NamedTempFile::new().expect("a file");
    let mut waiting = std::process::Command::new(env!("CARGO_BIN_EXE_erpctl"))
        .args(["migrate", "--wait", "--timeout-secs", "60"])
        .env_clear()
        .env("DATABASE_URL", &url)
        .stderr(log.reopen().expect("reopened"))
        .spawn()
        .expect("it starts");
    eventually(DEADLINE, "it says that it waits", || async {
        std::fs::read_to_string(log.path()).is_ok_and(|text| text.contains("waiting for the database"))
    })
    .await;
    assert!(waiting.try_wait().expect("asked").is_none());
    database.postgres.restart().await.expect("back");
    assert!(waiting.wait().expect("it ends").success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_views_it_says_what_comes_next_and_what_does_not_fit() {
    let database = TestDatabase::new().await;
    let url = database.url_for("erp_owner");
    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url), ("UPCOACH_MODE", "views")]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(run.err.contains("now run deploy/upcoach-views.sql as a superuser"), "{}", run.err);

    testkit::Platform::new(&database, domain::upcoach::UpcoachMode::Views).await;
    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url), ("UPCOACH_MODE", "views")]);
    assert_eq!((run.code, run.err.contains("now run")), (0, false), "{}", run.err);
    let run = erpctl(&["migrate"], &[("DATABASE_URL", &url)]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.err.contains("set UPCOACH_MODE=views"), "{}", run.err);
    let run = erpctl(&["import", "-", "--format", "csv"], &[("DATABASE_URL", &url), ("UPCOACH_MODE", "views")]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("change them in UpCoach"), "{}", run.err);
}

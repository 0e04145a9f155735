//! Databases of a test's own.

use sqlx::{Connection as _, PgConnection, PgPool};
use testkit::{PrivateDatabase, TestDatabase};

async fn schema_version(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT version FROM public.schema_version")
        .fetch_one(pool)
        .await
        .expect("every role may read it")
}

#[tokio::test]
async fn every_role_reaches_a_test_database_that_has_all_migrations() {
    let database = TestDatabase::new().await;
    for role in migrations::ROLES {
        let pool = database.pool(role).await;
        if role != "erp_owner" {
            assert_eq!(schema_version(&pool).await, migrations::schema_version(), "{role}");
        }
    }
}

#[tokio::test]
async fn two_test_databases_share_nothing_and_are_dropped_with_their_values() {
    let (one, two) = tokio::join!(TestDatabase::new(), TestDatabase::new());
    assert_ne!(one.name(), two.name());
    sqlx::query("CREATE TABLE mine ()").execute(&one.pool("postgres").await).await.expect("made");
    let there: bool = sqlx::query_scalar("SELECT to_regclass('mine') IS NOT NULL")
        .fetch_one(&two.pool("postgres").await)
        .await
        .expect("asked");
    assert!(!there);
    let (name, other) = (one.name().to_owned(), two.pool("postgres").await);
    drop(one);
    let left: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&other)
        .await
        .expect("asked");
    assert!(!left);
}

#[tokio::test]
async fn what_was_committed_survives_killing_the_whole_server_and_what_was_not_does_not() {
    let mut database = PrivateDatabase::start().await;
    let url = database.admin_url();
    let mut session = PgConnection::connect(&url).await.expect("connected");
    sqlx::query("CREATE TABLE kept AS SELECT 1 AS n").execute(&mut session).await.expect("committed");
    let mut open = session.begin().await.expect("begun");
    sqlx::query("INSERT INTO kept VALUES (2)").execute(&mut *open).await.expect("inserted");
    let port = database.postgres.port();

    database.postgres.kill().await.expect("killed");
    assert!(sqlx::query("SELECT 1").execute(&mut *open).await.is_err(), "the session died with the server");
    database.postgres.restart().await.expect("recovered");

    assert_eq!(database.postgres.port(), port);
    let rows: Vec<i32> =
        sqlx::query_scalar("SELECT n FROM kept").fetch_all(&database.pool("postgres").await).await.expect("read");
    assert_eq!(rows, [1]);
}

//! Services start in any order, and PostgreSQL may restart under them.

use std::net::SocketAddr;
use std::time::Duration;

use sea_orm::{ConnectionTrait as _, Statement};
use service::database::{self, schema_version, wait_for_schema};
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;
use testkit::proxy::{Link, Proxy};
use testkit::{PrivateDatabase, TestDatabase, eventually};

use crate::kit::{DEADLINE, context};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_waits_for_the_migration_and_says_so_in_its_readiness() {
    let database = TestDatabase::new().await;
    let context = context(&database.url_for("erp_ingress"));
    let there = migrations::schema_version();
    let connection = database::connect(&context, there + 1).expect("a pool");
    let pool = connection.get_postgres_connection_pool().clone();
    context.started();

    let waiting = tokio::spawn({
        let (pool, shutdown) = (pool.clone(), context.shutdown.clone());
        async move { wait_for_schema(&pool, there + 1, &shutdown).await }
    });
    eventually(DEADLINE, "the readiness names the schema's version", || async {
        let readiness = context.health.readiness().await;
        let expected = format!(
            "the database's schema is at version {there}, this service needs {}; run `erpctl migrate`",
            there + 1
        );
        readiness.checks[0].message.as_deref() == Some(&expected)
    })
    .await;
    assert!(!waiting.is_finished());

    let owner = database.pool("erp_owner").await;
    let migrate = "INSERT INTO public._sqlx_migrations (version, description, success, checksum, execution_time) VALUES ($1, 'next', true, '', 0)";
    sqlx::query(migrate).bind(there + 1).execute(&owner).await.expect("the next migration");
    assert!(waiting.await.expect("no panic"));
    assert!(context.health.readiness().await.is_ready());
    assert_eq!(schema_version(&pool).await.expect("readable"), there + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_schema_is_told_as_such() {
    let database = TestDatabase::new().await;
    let admin = database.pool("postgres").await;
    sqlx::query("DROP VIEW public.schema_version").execute(&admin).await.expect("dropped");
    let error = schema_version(&admin).await.expect_err("no schema");
    assert_eq!(error.to_string(), "the database has no schema yet; run `erpctl migrate`");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_the_schema_ends_with_the_service() {
    let context = context("postgres://erp_ingress@127.0.0.1:1/erp");
    let connection = database::connect(&context, 1).expect("a pool, though nobody listens there");
    let pool = connection.get_postgres_connection_pool().clone();
    let shutdown = context.shutdown.clone();
    let waiting = tokio::spawn(async move { wait_for_schema(&pool, 1, &shutdown).await });
    let readiness = context.health.readiness().await;
    let message = readiness.checks[0].message.as_deref().expect("a problem");
    assert!(message.starts_with("the database can't be reached: ") && message.contains("refused"), "{message}");
    context.shutdown.cancel();
    assert!(!waiting.await.expect("no panic"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_says_whose_it_is_and_leaves_no_transaction_open() {
    let database = TestDatabase::new().await;
    let context = context(&database.url_for("erp_ingress"));
    let connection = database::connect(&context, 1).expect("a pool");
    let sql = "SELECT current_setting('application_name') AS name, current_setting('idle_in_transaction_session_timeout') AS idle, \
               current_setting('statement_timeout') AS statement, current_setting('TimeZone') AS zone, \
               current_setting('idle_session_timeout') AS silent";
    // Through sea-orm, so that the two share one pool is seen here.
    let row = connection
        .query_one_raw(Statement::from_string(sea_orm::DbBackend::Postgres, sql))
        .await
        .expect("answers")
        .expect("a row");
    let value = |column: &str| row.try_get::<String>("", column).expect("text");
    assert_eq!(value("name"), format!("ingress/{}", context.instance));
    assert_eq!((value("idle"), value("statement"), value("zone")), ("30s".into(), "30s".into(), "UTC".into()));
    assert_eq!(value("silent"), "3min");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_mends_itself_when_postgres_is_killed_and_comes_back() {
    let mut database = PrivateDatabase::start().await;
    let context = context(&database.url_for("erp_ingress"));
    let connection = database::connect(&context, migrations::schema_version()).expect("a pool");
    let pool = connection.get_postgres_connection_pool().clone();
    context.started();
    eventually(DEADLINE, "the service is ready", || async { context.health.readiness().await.is_ready() }).await;
    // Several connections, all of which the kill leaves dead in the pool.
    let held: Vec<_> = futures::future::join_all((0..3).map(|_| pool.acquire())).await;
    for connection in held {
        connection.expect("a connection").ping().await.expect("alive");
    }

    database.postgres.kill().await.expect("killed");
    assert!(!context.health.readiness().await.is_ready());
    database.postgres.restart().await.expect("back");
    eventually(DEADLINE, "the service is ready again", || async { context.health.readiness().await.is_ready() }).await;
    sqlx::query("SELECT 1").execute(&pool).await.expect("works");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_an_answer_that_the_network_lost_hears_of_it_and_can_go_on() {
    let database = TestDatabase::new().await;
    let url = database.url_for("erp_ingress");
    let options: PgConnectOptions = url.parse().expect("a URL");
    let server = SocketAddr::new(options.get_host().parse().expect("an address"), options.get_port());
    let proxy = Proxy::start(server).await;
    let mut context = context(&proxy.instead_of(server, &url));
    context.common.db_idle_session_timeout = Duration::from_secs(1);
    let connection = database::connect(&context, migrations::schema_version()).expect("a pool");
    let pool = connection.get_postgres_connection_pool().clone();
    let mut session = pool.acquire().await.expect("a session");

    proxy.set(Link::deaf_client());
    let asked = tokio::spawn(async move { sqlx::query("SELECT 2").execute(&mut *session).await });
    let admin = database.pool("postgres").await;
    eventually(DEADLINE, "it is answered, to nobody", || async {
        let answered = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT 2' AND state = 'idle' AND usename = 'erp_ingress'";
        sqlx::query_scalar::<_, i64>(answered).fetch_one(&admin).await.is_ok_and(|sessions| sessions == 1)
    })
    .await;
    proxy.heal();
    let outcome = tokio::time::timeout(DEADLINE, asked).await.expect("it hears of it").expect("no panic");
    assert!(outcome.is_err(), "{outcome:?}");
    sqlx::query("SELECT 3").execute(&pool).await.expect("the next goes by another session");
}

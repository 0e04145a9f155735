//! A database that is away, is not migrated yet, loses an answer or refuses one event of many; and a stop under load.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;
use reqwest::StatusCode;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};
use testkit::{PrivateDatabase, TestDatabase, eventually};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Answer, Bench, LIMIT, event, rows, signature, start};

#[tokio::test]
async fn while_the_database_is_down_nothing_is_acknowledged_and_the_retry_is_stored_once() {
    let mut database = PrivateDatabase::start().await;
    let ingress = start(&database.url_for("erp_ingress"), &[]).await;
    assert!(!ingress.deliver(event("evt_before")).await);

    database.postgres.kill().await.expect("killed");
    let down = join_all((0..20).map(|n| Answer::of(ingress.signed(event(&format!("evt_{n}")))))).await;
    for answer in down {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert!(answer.header("retry-after").is_some());
    }

    database.postgres.restart().await.expect("restarted");
    let duplicates = join_all((0..20).map(|n| ingress.deliver(event(&format!("evt_{n}"))))).await;
    assert!(duplicates.iter().all(|duplicate| !duplicate), "nothing of what was refused had been stored");
    assert!(ingress.deliver(event("evt_before")).await, "what was acknowledged is there");
    let pool = database.pool("erp_ingress").await;
    assert_eq!(rows(&pool, "evt_7").await, 1);
}

#[tokio::test]
async fn started_before_the_migration_it_answers_503_until_the_schema_is_there() {
    let database = TestDatabase::new().await;
    // The migrated database under another name, as if it were not there yet; then an empty one; then the migrated one.
    let name = database.name().to_owned();
    let admin: PgConnectOptions = database.admin_url().parse().expect("a URL");
    let admin = admin.database("postgres");
    let mut admin = PgConnection::connect_with(&admin).await.expect("the superuser");
    admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name} RENAME TO {name}_later"))).await.expect("renamed");
    let ingress = start(&database.url_for("erp_ingress"), &[]).await;
    assert_eq!(Answer::of(ingress.signed(event("evt_1"))).await.status, StatusCode::SERVICE_UNAVAILABLE);

    admin.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("created");
    assert_eq!(Answer::of(ingress.signed(event("evt_1"))).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(!ingress.health.readiness().await.is_ready());

    admin.execute(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await.expect("dropped");
    admin.execute(AssertSqlSafe(format!("ALTER DATABASE {name}_later RENAME TO {name}"))).await.expect("renamed");
    eventually(LIMIT, "ready", async || ingress.health.readiness().await.is_ready()).await;
    assert!(!ingress.deliver(event("evt_1")).await);
}

#[tokio::test]
async fn an_event_that_the_database_refuses_fails_alone() {
    let bench = Bench::new().await;
    let owner = bench.database.pool("erp_owner").await;
    owner
        .execute("ALTER TABLE ingress.webhook_events ADD CONSTRAINT poison CHECK (event_id <> 'evt_poison')")
        .await
        .expect("the owner may");
    let ingress = bench.start_with(&[("HTTP_WORKERS", "1")]).await;
    let superuser = bench.database.pool("postgres").await;
    // Everything arrives while the table is locked, so that it is committed together.
    let mut lock = owner.begin().await.expect("a transaction");
    lock.execute("LOCK TABLE ingress.webhook_events IN EXCLUSIVE MODE").await.expect("locked");
    let deliveries = (0..20).map(|n| {
        let id = if n == 7 { "evt_poison".to_owned() } else { format!("evt_{n}") };
        let request = ingress.signed(event(&id));
        tokio::spawn(async move { (id, Answer::of(request).await) })
    });
    let deliveries: Vec<_> = deliveries.collect();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually(LIMIT, "a commit waits for the lock", async || {
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&superuser).await.expect("activity") > 0
    })
    .await;
    lock.rollback().await.expect("unlocked");
    for delivery in deliveries {
        let (id, answer) = delivery.await.expect("an answer");
        let expected = if id == "evt_poison" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "{id}: {answer:?}");
        if expected == StatusCode::OK {
            assert_eq!(answer.body["duplicate"], false, "{id}");
            assert_eq!(rows(&owner, &id).await, 1);
        }
    }
}

/// Stands between ingress and the database, and loses the answer to the first statement that holds `LOST`.
struct LossyProxy {
    address: SocketAddr,
    lost: Arc<AtomicBool>,
}

const LOST: &str = "evt_whose_answer_is_lost";

impl LossyProxy {
    async fn start(database: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let lost = Arc::new(AtomicBool::new(false));
        let already_lost = Arc::clone(&lost);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&database).await.expect("the database");
                tokio::spawn(pass_on(client, server, Arc::clone(&already_lost)));
            }
        });
        Self { address, lost }
    }
}

/// Passes bytes on both ways. The answer to lose is swallowed, and the connection with it; PostgreSQL sends the answer to a statement of its
/// own after its commit.
async fn pass_on(mut client: TcpStream, mut server: TcpStream, lost: Arc<AtomicBool>) {
    let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut losing = false;
    loop {
        tokio::select! {
            read = client.read(&mut from_client) => {
                let Ok(read @ 1..) = read else { return };
                let statement = &from_client[..read];
                if statement.windows(LOST.len()).any(|window| window == LOST.as_bytes()) {
                    losing = !lost.swap(true, Ordering::SeqCst);
                }
                if server.write_all(statement).await.is_err() {
                    return;
                }
            }
            read = server.read(&mut from_server) => {
                let Ok(read @ 1..) = read else { return };
                if losing || client.write_all(&from_server[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_no_duplicate_and_is_stored_once() {
    let bench = Bench::new().await;
    let url = bench.database.url_for("erp_ingress");
    let (start_of_url, rest) = url.split_once('@').expect("a URL");
    let (database, name) = rest.split_once('/').expect("a database");
    let proxy = LossyProxy::start(database.to_owned()).await;
    let ingress = start(&format!("{start_of_url}@{}/{name}", proxy.address), &[("HTTP_WORKERS", "1")]).await;
    // The connection is there and its statements are prepared: what is lost next is the answer to a commit.
    assert!(!ingress.deliver(event("evt_1")).await);

    assert!(!ingress.deliver(event(LOST)).await, "ours, and not a duplicate");
    assert!(proxy.lost.load(Ordering::SeqCst), "an answer was lost");
    assert_eq!(rows(&bench.pool().await, LOST).await, 1);
    assert!(ingress.deliver(event(LOST)).await);
}

#[tokio::test]
async fn a_stop_under_load_loses_no_accepted_event() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    let url = ingress.url();
    let senders: Vec<_> = (0..16)
        .map(|sender| {
            let (client, url) = (ingress.client().clone(), url.clone());
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for n in 0.. {
                    let body = event(&format!("evt_{sender}_{n}"));
                    let request = client.post(&url).header("stripe-signature", signature(body.as_bytes())).body(body);
                    match request.send().await {
                        Ok(answer) if answer.status() == StatusCode::OK => accepted.push(format!("evt_{sender}_{n}")),
                        // Refused, or cut off before the answer: the sender would come again.
                        Ok(_) | Err(_) => break,
                    }
                }
                accepted
            })
        })
        .collect();
    let pool = bench.pool().await;
    eventually(LIMIT, "events are coming in", async || {
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM ingress.webhook_events")
            .fetch_one(&pool)
            .await
            .expect("rows")
            > 200
    })
    .await;

    tokio::time::timeout(LIMIT, ingress.stop()).await.expect("in time").expect("joins").expect("stops in order");
    let mut accepted = Vec::new();
    for sender in senders {
        accepted.extend(sender.await.expect("a sender"));
    }
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT event_id FROM ingress.webhook_events WHERE event_id = ANY ($1)")
            .bind(&accepted)
            .fetch_all(&pool)
            .await
            .expect("rows");
    assert!(accepted.len() > 100);
    assert_eq!(stored.len(), accepted.len());
}

//! Services start in any order, and the same event may come to two of them at once.

use std::time::Duration;

use sqlx::Connection as _;
use testkit::sandbox::Sandbox;
use testkit::{Service, eventually};

use crate::system::{LONG, Plan, System};

#[tokio::test]
async fn services_started_before_the_migration_wait_for_it() {
    let plan = Plan::new().await;
    // A database that nobody has migrated yet, under the name that the services were given.
    let mut admin =
        sqlx::PgConnection::connect(&plan.database.postgres.admin_url()).await.expect("the superuser gets in");
    for statement in ["DROP DATABASE erp WITH (FORCE)", "CREATE DATABASE erp OWNER erp_owner"] {
        sqlx::query(statement).execute(&mut admin).await.expect(statement);
    }
    let flasherp = plan.flasherp().await;
    let sandbox = Sandbox::at(flasherp.url(""));
    let mut services = Vec::new();
    let reconciler = plan.service("reconciler", "erp_reconciler").env("ERP_ALLOW_PRIVATE_BASE_URL", "true");
    for options in [plan.config_api(&sandbox.api_url()), plan.worker(), plan.ingress(), reconciler] {
        services.push(Service::start(options).await.expect("it starts without a schema"));
    }
    for service in &services {
        let readiness = reqwest_status(&service.management_url("/readyz")).await;
        assert_eq!(readiness, 503, "{} is not ready without a schema", service.name());
    }
    let migrate = tokio::process::Command::new(testkit::binary("erpctl"))
        .arg("migrate")
        .env_clear()
        .env("DATABASE_URL", plan.database.url_for("erp_owner"))
        .output()
        .await
        .expect("erpctl runs");
    assert!(migrate.status.success(), "{}", String::from_utf8_lossy(&migrate.stderr));
    for service in &mut services {
        service.until_ready(LONG).await.expect("ready once migrated");
    }
    let pool = plan.database.pool("erp_owner").await;
    eventually(LONG, "the configuration row is there", || async {
        let rows: i64 =
            sqlx::query_scalar("SELECT count(*) FROM config.erp_configurations").fetch_one(&pool).await.unwrap_or(-1);
        rows == 1
    })
    .await;
}

/// At least 600 ids; `SYSTEM_EVENTS=10000` for so many.
#[tokio::test]
async fn the_same_events_to_three_ingress_processes_at_once_are_applied_once() {
    let ids = std::env::var("SYSTEM_EVENTS").map_or(600, |count| count.parse::<u32>().expect("a number"));
    let plan = Plan::new().await;
    let mut others = Vec::new();
    for name in ["second", "third"] {
        let mut options = plan.ingress();
        options.port_file = options.port_file.with_file_name(format!("{name}.json"));
        options.log = options.log.with_file_name(format!("{name}.log"));
        others.push(Service::start(options).await.expect("a further ingress"));
    }
    let system = plan.start().await;
    for other in &mut others {
        other.until_ready(LONG).await.expect("ready");
    }
    // Each story is a customer and a payment; the three are sent the same ones in the same order, each as fast as it answers.
    let to = |ingress: &Service| testkit::sandbox::StripeSend {
        count: ids / 2,
        seed: Some(7),
        concurrency: Some(32),
        duplicate_rate: Some(0.0),
        target: Some(ingress.url("/api/webhooks/stripe")),
        deadline_secs: Some(LONG.as_secs()),
        payments_per_customer: Some(1),
        kinds: Some(vec!["customer".to_owned(), "payment".to_owned()]),
        ..Default::default()
    };
    let (to_first, to_second, to_third) = (to(&system.ingress), to(&others[0]), to(&others[1]));
    let (one, two, three) = tokio::join!(
        system.sandbox.send_stripe(&to_first),
        system.sandbox.send_stripe(&to_second),
        system.sandbox.send_stripe(&to_third)
    );
    for send in [two, three] {
        let progress = system.sandbox.wait_send_done(send.id, LONG).await;
        assert_eq!((progress.accepted, progress.failed), (progress.events, 0), "{:?}", progress.last_error);
    }
    let progress = system.ends_with_every_payment_once(one.id).await;
    let sent = i64::try_from(progress.events).expect("a count");
    assert!(sent >= i64::from(ids), "{sent} ids");
    let pool = system.database.pool("erp_owner").await;
    let applied: (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(DISTINCT entity_id) FROM audit.erp_audit_logs
         WHERE action = 'webhook_received' AND metadata ->> 'status' = 'applied'",
    )
    .fetch_one(&pool)
    .await
    .expect("the audit trail");
    assert_eq!(applied, (sent, sent), "each was applied once");
}

#[tokio::test]
async fn every_service_is_ready_again_soon_after_its_database_and_says_so_when_it_is_away() {
    let mut system = System::new().await;
    system.database.postgres.kill().await.expect("killed");
    for service in [&system.ingress, &system.worker, &system.config_api] {
        let url = service.management_url("/readyz");
        eventually(LONG, "it says that it is not ready", || async { reqwest_status(&url).await == 503 }).await;
        assert_eq!(reqwest_status(&service.management_url("/healthz")).await, 200);
    }
    system.database.postgres.restart().await.expect("the database starts again");
    for service in [&mut system.ingress, &mut system.worker, &mut system.config_api] {
        service.until_ready(LONG).await.expect("ready again");
    }
}

async fn reqwest_status(url: &str) -> u16 {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().expect("a client");
    client.get(url).send().await.map_or(0, |answer| answer.status().as_u16())
}

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
    for options in [plan.config_api(&sandbox.api_url()), plan.worker(), plan.ingress()] {
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

#[tokio::test]
async fn the_same_events_to_two_ingress_processes_at_once_are_applied_once() {
    let plan = Plan::new().await;
    let mut second = Service::start({
        let mut options = plan.ingress();
        options.port_file = options.port_file.with_file_name("second.json");
        options
    })
    .await
    .expect("a second ingress");
    let system = plan.start().await;
    second.until_ready(LONG).await.expect("ready");
    let to_second = testkit::sandbox::StripeSend {
        count: 100,
        seed: Some(7),
        concurrency: Some(32),
        target: Some(second.url("/api/webhooks/stripe")),
        deadline_secs: Some(LONG.as_secs()),
        payments_per_customer: Some(1),
        kinds: Some(vec!["customer".to_owned(), "payment".to_owned()]),
        ..Default::default()
    };
    let to_first =
        testkit::sandbox::StripeSend { target: Some(system.ingress.url("/api/webhooks/stripe")), ..to_second.clone() };
    let (one, two) = tokio::join!(system.sandbox.send_stripe(&to_first), system.sandbox.send_stripe(&to_second));
    system.sandbox.wait_send_done(two.id, LONG).await;
    system.ends_with_every_payment_once(one.id).await;
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

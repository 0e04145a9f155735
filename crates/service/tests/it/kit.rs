//! A running service's context, for tests.

use std::net::SocketAddr;
use std::time::Duration;

use service::health::Health;
use service::settings::{Common, Env};
use service::{Binary, Context};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// How long anything may take that has to come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// The context of an ingress on free ports, with this database.
pub(crate) fn context(database_url: &str) -> Context {
    let pairs = [
        ("DATABASE_URL", database_url),
        ("NATS_URL", "nats://ingress:pw@127.0.0.1:1"),
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("MANAGEMENT_ADDR", "127.0.0.1:0"),
        ("HTTP_WORKERS", "1"),
        ("ERP_DB_ACQUIRE_TIMEOUT_SECS", "1"),
        ("ERP_SHUTDOWN_GRACE_SECS", "5"),
    ];
    let common = service::settings::read(Env::from_pairs(Binary::Ingress, pairs), Common::read).expect("good settings");
    let (instance, shutdown) = (Uuid::new_v4(), CancellationToken::new());
    let health = Health::new(Binary::Ingress, instance, shutdown.clone());
    Context {
        binary: Binary::Ingress,
        instance,
        common,
        shutdown,
        health,
        management: SocketAddr::from(([127, 0, 0, 1], 0)),
    }
}

/// The context of a service whose database is not used.
pub(crate) fn context_without_database() -> Context {
    context("postgres://erp_ingress@127.0.0.1:1/erp")
}

/// A client that goes nowhere but to the address it is given.
pub(crate) fn client() -> reqwest::Client {
    service::bootstrap::install_tls_provider();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(DEADLINE)
        .build()
        .expect("a client")
}

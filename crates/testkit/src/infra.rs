//! The servers that all tests of a run share: those that the run's environment names, else this process's own.

use std::env::var;
use std::path::Path;

use local_stack::binaries::Binaries;
use local_stack::nats::url;
use local_stack::passwords::random_password;
use local_stack::{Nats, NatsOptions, Postgres, PostgresOptions, Scratch};
use messaging::topology::{ADMIN, server_config};
use tokio::sync::OnceCell;

use crate::broker::passwords;

/// How the shared servers are reached.
#[derive(Debug)]
pub(crate) struct Infra {
    /// The superuser's way into the database `postgres`.
    pub(crate) pg_admin_url: String,
    /// The broker, as its admin.
    pub(crate) nats_url: String,
    /// Kept for as long as this process runs, when the servers are its own. They end with it.
    _own: Option<(Postgres, Nats, Scratch)>,
}

/// The shared servers; the first caller starts them when the environment names none.
pub(crate) async fn shared() -> &'static Infra {
    static SHARED: OnceCell<Infra> = OnceCell::const_new();
    SHARED
        .get_or_init(|| async {
            match (var("TEST_PG_ADMIN_URL"), var("TEST_NATS_URL")) {
                (Ok(pg_admin_url), Ok(nats_url)) => Infra { pg_admin_url, nats_url, _own: None },
                _ => own().await,
            }
        })
        .await
}

/// The programs to start private servers from.
///
/// # Panics
/// With words on what to do when they are missing.
pub(crate) fn binaries() -> Binaries {
    Binaries::find().unwrap_or_else(|error| panic!("tests need real servers. {error}"))
}

/// A folder for the caller's servers.
pub(crate) fn scratch() -> Scratch {
    Scratch::new().unwrap_or_else(|error| panic!("{error}"))
}

async fn own() -> Infra {
    let (binaries, scratch) = (binaries(), scratch());
    let postgres = start_postgres(&binaries, scratch.path(), &scratch).await;
    let passwords = passwords();
    let nats = start_nats(&binaries, scratch.path(), &scratch, server_config(&passwords)).await;
    let password = passwords.get(ADMIN).map(String::as_str).unwrap_or_default();
    let (pg_admin_url, nats_url) = (postgres.admin_url(), url(ADMIN, password, nats.port()));
    Infra { pg_admin_url, nats_url, _own: Some((postgres, nats, scratch)) }
}

/// A server with its data in `folder` and its log in `scratch`.
pub(crate) async fn start_postgres(binaries: &Binaries, folder: &Path, scratch: &Scratch) -> Postgres {
    let options = PostgresOptions {
        dir: folder.join("postgres"),
        log: scratch.join("postgres.log"),
        port: None,
        password: random_password(),
    };
    Postgres::start(binaries, options).await.unwrap_or_else(|error| panic!("{error}"))
}

/// A broker with its data in `folder` and its log in `scratch`.
pub(crate) async fn start_nats(binaries: &Binaries, folder: &Path, scratch: &Scratch, users: String) -> Nats {
    let options =
        NatsOptions { dir: folder.join("nats"), log: scratch.join("nats.log"), port: None, monitor_port: None, users };
    Nats::start(binaries, options).await.unwrap_or_else(|error| panic!("{error}"))
}

//! The settings that every service has.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::{Env, Setting, table};

/// The settings that every service has; what it has beyond them is a struct in its own crate.
#[derive(Clone, Debug)]
pub struct Common {
    /// `DATABASE_URL`; `None` only for a binary that uses no database.
    pub database_url: Option<SecretString>,
    /// `ERP_DB_MAX_CONNECTIONS`.
    pub db_max_connections: u32,
    /// `ERP_DB_ACQUIRE_TIMEOUT_SECS`.
    pub db_acquire_timeout: Duration,
    /// `ERP_DB_STATEMENT_TIMEOUT_SECS`; zero for none.
    pub db_statement_timeout: Duration,
    /// `ERP_DB_IDLE_SESSION_TIMEOUT_SECS`; zero for none.
    pub db_idle_session_timeout: Duration,
    /// `NATS_URL`; `None` only for a binary that uses no broker.
    pub nats_url: Option<SecretString>,
    /// `NATS_SUBJECT_PREFIX`; empty, or ends with a dot.
    pub nats_subject_prefix: String,
    /// `HTTP_ADDR`; `None` only for a binary that serves no HTTP beyond management.
    pub http_addr: Option<SocketAddr>,
    /// `HTTP_WORKERS`: threads of the HTTP server.
    pub http_workers: usize,
    /// `MANAGEMENT_ADDR`.
    pub management_addr: SocketAddr,
    /// `ERP_PORT_FILE`.
    pub port_file: Option<PathBuf>,
    /// `RUST_LOG`.
    pub log_filter: String,
    /// `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub otlp_endpoint: Option<Url>,
    /// `ERP_SHUTDOWN_GRACE_SECS`.
    pub shutdown_grace: Duration,
    /// `ERP_WORKER_THREADS`: threads of the runtime.
    pub worker_threads: usize,
}

impl Common {
    /// Reads those of the common settings that the binary has.
    pub fn read(env: &mut Env) -> Self {
        let has_database = env.has(&table::DATABASE_URL);
        let has_broker = env.has(&table::NATS_URL);
        let serves_http = env.has(&table::HTTP_ADDR);
        let of_database =
            |env: &mut Env, setting: &Setting| if has_database { env.duration(setting) } else { Duration::ZERO };
        Self {
            database_url: has_database.then(|| env.secret(&table::DATABASE_URL)),
            db_max_connections: if has_database { env.u32(&table::ERP_DB_MAX_CONNECTIONS) } else { 0 },
            db_acquire_timeout: of_database(env, &table::ERP_DB_ACQUIRE_TIMEOUT_SECS),
            db_statement_timeout: of_database(env, &table::ERP_DB_STATEMENT_TIMEOUT_SECS),
            db_idle_session_timeout: of_database(env, &table::ERP_DB_IDLE_SESSION_TIMEOUT_SECS),
            nats_url: has_broker.then(|| env.secret(&table::NATS_URL)),
            nats_subject_prefix: if has_broker { subject_prefix(env) } else { String::new() },
            http_addr: serves_http.then(|| env.socket_addr(&table::HTTP_ADDR)),
            http_workers: if serves_http { env.usize(&table::HTTP_WORKERS) } else { 0 },
            management_addr: env.socket_addr(&table::MANAGEMENT_ADDR),
            port_file: env.opt_path(&table::ERP_PORT_FILE),
            log_filter: log_filter(env),
            otlp_endpoint: env.opt_url(&table::OTEL_EXPORTER_OTLP_ENDPOINT),
            shutdown_grace: env.duration(&table::ERP_SHUTDOWN_GRACE_SECS),
            worker_threads: env.usize(&table::ERP_WORKER_THREADS),
        }
    }
}

fn subject_prefix(env: &mut Env) -> String {
    env.parsed(&table::NATS_SUBJECT_PREFIX, String::new, |text| {
        let token = |token: &str| {
            !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        };
        let well_formed = text.strip_suffix('.').is_some_and(|rest| rest.split('.').all(token));
        if well_formed {
            Ok(text.to_owned())
        } else {
            Err("write letters, digits, `-` and `_`, ending with a dot, like `t1.`".into())
        }
    })
}

fn log_filter(env: &mut Env) -> String {
    env.parsed(&table::RUST_LOG, String::new, |text| match tracing_subscriber::EnvFilter::builder().parse(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(format!("`{text}` is no log filter; write something like `info` or `info,sqlx=debug`")),
    })
}

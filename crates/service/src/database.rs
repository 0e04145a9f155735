//! The service's way to PostgreSQL: a pool that is made without a connection, so that services start in any order, and that mends
//! itself when PostgreSQL restarts.
//!
//! A statement under way while PostgreSQL goes down fails, and its caller tries again; the pool throws the connection away and makes
//! a new one. A connection that has lain idle is pinged before it is handed out. PostgreSQL ends a session that leaves a transaction
//! open for 30 s, so that a frozen process holds no locks for ever; and one that is silent for longer than the pool keeps it, so that
//! who waits for an answer that the network has lost hears of it and does not wait for ever.

mod schema;
mod upcoach;

pub use schema::{SchemaError, schema_version, wait_for_schema};
pub use upcoach::{UpcoachError, check_upcoach, wait_for_upcoach};

use std::str::FromStr as _;
use std::time::Duration;

use anyhow::Context as _;
use sea_orm::{DatabaseConnection, SqlxPostgresConnector};
use secrecy::ExposeSecret as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection as _, PgPool};

use crate::Context;
use crate::metrics::Counter;

/// A connection that was used within this time is handed out without a ping, which would cost a round trip for each statement.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// Connections that are not used for this long are closed, so that an idle service is small.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// A connection's end, so that load spreads again after a failover.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 60);

/// The service's pool, by its settings, with a required check `database` that also tells when the schema is older than `schema`
/// (the highest migration the service was built with).
///
/// # Errors
/// The binary has no `DATABASE_URL`, or it is not PostgreSQL's.
pub fn connect(context: &Context, schema: i64) -> anyhow::Result<DatabaseConnection> {
    let common = &context.common;
    let url = common.database_url.as_ref().context("this binary has no DATABASE_URL")?;
    // The cause would repeat parts of the URL, and with it maybe the password.
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| {
            anyhow::anyhow!("DATABASE_URL is not a PostgreSQL URL; write postgres://role:password@host:5432/database")
        })?
        .application_name(&format!("{}/{}", context.binary, context.instance))
        .options([
            ("statement_timeout", common.db_statement_timeout.as_millis().to_string()),
            ("idle_in_transaction_session_timeout", "30000".to_owned()),
            ("idle_session_timeout", common.db_idle_session_timeout.as_millis().to_string()),
            ("timezone", "UTC".to_owned()),
            ("search_path", entities::SEARCH_PATH.to_owned()),
        ]);
    let pool = lazy_pool(options, common.db_max_connections, common.db_acquire_timeout);
    let checked = pool.clone();
    context.health.required("database", move || {
        let pool = checked.clone();
        async move { schema::check(&pool, schema).await.map_err(|error| error.to_string()) }
    });
    Ok(SqlxPostgresConnector::from_sqlx_postgres_pool(pool))
}

/// A pool that connects at first use; also for tests and the command line.
#[must_use]
pub fn lazy_pool(options: PgConnectOptions, max_connections: u32, acquire_timeout: Duration) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        .idle_timeout(IDLE_TIMEOUT)
        .max_lifetime(MAX_LIFETIME)
        .test_before_acquire(false)
        .before_acquire(|connection, meta| {
            Box::pin(async move {
                if meta.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(|_, _| {
            Counter::DatabaseConnected.increment(&[]);
            Box::pin(std::future::ready(Ok(())))
        })
        .connect_lazy_with(options)
}

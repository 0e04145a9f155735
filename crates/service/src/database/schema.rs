//! Waits for `erpctl migrate`, so that services and migration can be started in any order, and says what is wrong meanwhile.

use std::time::Duration;

use rand::Rng as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgExecutor, PgPool};
use tokio_util::sync::CancellationToken;

/// The longest wait between two looks, so that a service is ready within a second of its database.
const LONGEST_WAIT: Duration = Duration::from_millis(400);
/// How long one look may take.
const LOOK_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the pool may take for a readiness check.
const POOL_TIMEOUT: Duration = Duration::from_millis(2_500);
/// After this time without an answer from the pool, a connection of its own finds out why: the pool itself tries on and says nothing.
const SUSPICION: Duration = Duration::from_millis(300);

/// Why the database can't be worked with yet.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    #[error("the database can't be reached: {0}")]
    Unreachable(String),
    #[error("the database has no schema yet; run `erpctl migrate`")]
    Missing,
    #[error("the database's schema is at version {found}, this service needs {needed}; run `erpctl migrate`")]
    TooOld { found: i64, needed: i64 },
}

/// Waits until the database is reachable and its schema is at least `needed`, trying again with growing, jittered waits. Returns
/// early, `false`, when the service is to stop. What it waits for is logged when it changes.
pub async fn wait_for_schema(pool: &PgPool, needed: i64, shutdown: &CancellationToken) -> bool {
    let mut wait = Duration::from_millis(25);
    let mut logged = None;
    loop {
        // Not by the pool: it would go on trying by itself, with waits of its own.
        let problem = match shutdown.run_until_cancelled(look(pool, needed)).await {
            None => return false,
            Some(Ok(())) => {
                if logged.is_some() {
                    tracing::info!(schema = needed, "the database is there");
                }
                return true;
            }
            Some(Err(error)) => error.to_string(),
        };
        if logged.as_ref() != Some(&problem) {
            tracing::warn!(problem, "waiting for the database");
            logged = Some(problem);
        }
        let jittered = wait.mul_f64(rand::rng().random_range(0.5..1.0));
        if shutdown.run_until_cancelled(tokio::time::sleep(jittered)).await.is_none() {
            return false;
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// The highest migration applied.
///
/// # Errors
/// Unreachable, or no migration has run.
pub async fn schema_version(database: impl PgExecutor<'_>) -> Result<i64, SchemaError> {
    let found: Result<Option<i64>, _> =
        sqlx::query_scalar("SELECT max(version)::bigint FROM public.schema_version").fetch_one(database).await;
    match found {
        Ok(version) => version.ok_or(SchemaError::Missing),
        // undefined_table, invalid_schema_name
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "3F000")) => {
            Err(SchemaError::Missing)
        }
        Err(error) => Err(SchemaError::Unreachable(error.to_string())),
    }
}

/// Whether the pool gives connections to a database that will do; if not, why.
pub(super) async fn check(pool: &PgPool, needed: i64) -> Result<(), SchemaError> {
    let mut by_pool = std::pin::pin!(tokio::time::timeout(POOL_TIMEOUT, schema_version(pool)));
    let answer = tokio::select! {
        answer = &mut by_pool => answer,
        () = tokio::time::sleep(SUSPICION) => {
            look(pool, needed).await?;
            by_pool.await
        }
    };
    match answer {
        Ok(Ok(found)) => new_enough(found, needed),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(SchemaError::Unreachable("it answers, but the service's pool gives no connection".to_owned())),
    }
}

/// Looks by a connection of its own.
async fn look(pool: &PgPool, needed: i64) -> Result<(), SchemaError> {
    let options = pool.connect_options();
    let looking = async {
        let mut connection =
            PgConnection::connect_with(&options).await.map_err(|error| SchemaError::Unreachable(error.to_string()))?;
        let found = schema_version(&mut connection).await?;
        // It has answered; that it can't say goodbye changes nothing.
        drop(connection.close().await);
        new_enough(found, needed)
    };
    tokio::time::timeout(LOOK_TIMEOUT, looking)
        .await
        .unwrap_or_else(|_| Err(SchemaError::Unreachable(format!("no answer within {} s", LOOK_TIMEOUT.as_secs()))))
}

fn new_enough(found: i64, needed: i64) -> Result<(), SchemaError> {
    if found >= needed { Ok(()) } else { Err(SchemaError::TooOld { found, needed }) }
}

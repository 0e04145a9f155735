//! Whether schema `upcoach` is what `UPCOACH_MODE` says. A service of the one mode on a database of the other would write UpCoach's tables, or
//! leave Stripe's events unapplied.

use std::time::Duration;

use domain::upcoach::UpcoachMode;
use sqlx::{PgExecutor, PgPool};
use tokio_util::sync::CancellationToken;

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(400);

/// Why the database and `UPCOACH_MODE` don't fit.
#[derive(Debug, thiserror::Error)]
pub enum UpcoachError {
    #[error(
        "UPCOACH_MODE is views, but schema upcoach holds tables of ours; run deploy/upcoach-views.sql, or set UPCOACH_MODE=tables"
    )]
    Tables,
    #[error("UPCOACH_MODE is tables, but schema upcoach holds views over UpCoach's own tables; set UPCOACH_MODE=views")]
    Views,
    #[error("the database can't be asked whether schema upcoach holds tables or views")]
    Database(#[from] sqlx::Error),
}

/// Looks once.
///
/// # Errors
/// They don't fit, or the database can't be asked.
pub async fn check_upcoach(database: impl PgExecutor<'_>, mode: UpcoachMode) -> Result<(), UpcoachError> {
    let are_views: bool =
        sqlx::query_scalar("SELECT relkind = 'v' FROM pg_catalog.pg_class WHERE oid = 'upcoach.users'::regclass")
            .fetch_one(database)
            .await?;
    match (mode, are_views) {
        (UpcoachMode::Tables, false) | (UpcoachMode::Views, true) => Ok(()),
        (UpcoachMode::Tables, true) => Err(UpcoachError::Views),
        (UpcoachMode::Views, false) => Err(UpcoachError::Tables),
    }
}

/// Waits until they fit; what is wrong is logged when it changes. Returns early, `false`, when the service is to stop.
pub async fn wait_for_upcoach(pool: &PgPool, mode: UpcoachMode, shutdown: &CancellationToken) -> bool {
    let mut logged = None;
    loop {
        let problem = match shutdown.run_until_cancelled(check_upcoach(pool, mode)).await {
            None => return false,
            Some(Ok(())) => return true,
            Some(Err(error)) => error.to_string(),
        };
        if logged.as_ref() != Some(&problem) {
            tracing::error!(problem, "waiting for the database and UPCOACH_MODE to fit");
            logged = Some(problem);
        }
        if shutdown.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            return false;
        }
    }
}

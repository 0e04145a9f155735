//! Takes the first configuration from the environment, once: with a configuration, or the tombstone of one, the environment's values
//! are not looked at again (but for `FLASHERP_ENABLED=false`, which every service heeds by itself).

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::Config;
use crate::store::{self, Known, SaveError};

/// Waits between tries: a name that does not resolve yet, a database that is restarting.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How it stands with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// There was one, and it rules.
    AlreadyThere,
    /// It was deleted; only an admin can save a new one.
    Deleted,
    /// The environment's was saved.
    Saved(Uuid),
    /// There is none, and the environment lacks these variables.
    Missing(Vec<&'static str>),
}

/// Tries until it is settled, and logs how.
pub async fn until_settled(pool: &PgPool, config: &Config) -> Settled {
    let mut wait = FIRST_WAIT;
    let mut logged = None;
    loop {
        match settle(pool, config).await {
            Ok(settled) => {
                tell(&settled);
                return settled;
            }
            Err(error) => {
                let problem = match &error {
                    SaveError::BaseUrl(_) => error.to_string(),
                    SaveError::Database(cause) => format!("{error}: {cause}"),
                };
                if logged.as_ref() != Some(&problem) {
                    tracing::warn!(problem, "the first configuration can't be saved yet; trying again");
                    logged = Some(problem);
                }
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Looks once, and saves the environment's configuration if there is none.
///
/// # Errors
/// [`SaveError`]; nothing is saved then.
pub async fn settle(pool: &PgPool, config: &Config) -> Result<Settled, SaveError> {
    match store::known(pool).await? {
        Known::Configuration => return Ok(Settled::AlreadyThere),
        Known::Tombstone => return Ok(Settled::Deleted),
        Known::Nothing => {}
    }
    let first = match config.first.complete() {
        Ok(first) => first,
        Err(missing) => return Ok(Settled::Missing(missing)),
    };
    match store::save_first(pool, &config.keyring, config.allow_private_base_url, &first).await? {
        Some(id) => Ok(Settled::Saved(id)),
        // Somebody was first; what they saved rules, be it a tombstone.
        None => Ok(match store::known(pool).await? {
            Known::Tombstone => Settled::Deleted,
            Known::Configuration | Known::Nothing => Settled::AlreadyThere,
        }),
    }
}

fn tell(settled: &Settled) {
    match settled {
        Settled::AlreadyThere => tracing::info!("there is a configuration; it rules"),
        Settled::Deleted => {
            tracing::warn!(
                "the configuration was deleted; the environment does not bring it back. An admin can save a new one"
            );
        }
        Settled::Saved(id) => {
            tracing::info!(configuration_id = %id, "the first configuration was taken from the environment")
        }
        Settled::Missing(missing) => tracing::warn!(
            missing = missing.join(", "),
            "there is no configuration, and the environment has not enough for one: set the missing variables and start again"
        ),
    }
}

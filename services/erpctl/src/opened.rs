//! The database as its owner, and the FlashERP that the configuration row names.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use flasherp::{Client, Options, SharedGate};
use secrecy::ExposeSecret as _;
use secrets::Keyring;
use service::Binary;
use service::settings::{self, Env};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use syncs::StoredConfiguration;
use syncs::target::gate_settings;

use crate::connect::{check_owner, connect};
use crate::failure::Failure;

const CONNECTIONS: u32 = 4;
const ACQUIRE_WITHIN: Duration = Duration::from_secs(10);

/// Reads this program's settings.
pub(crate) fn read<C>(config: impl FnOnce(&mut Env) -> C) -> Result<C, Failure> {
    Ok(settings::read(Env::from_process(Binary::Erpctl), config)?)
}

/// A pool as the owner, on a database of this program's schema.
pub(crate) async fn database() -> Result<PgPool, Failure> {
    let url = read(|env| env.secret(&settings::DATABASE_URL))?;
    // The usual mistakes are explained by a connection of its own.
    let mut connection = connect(settings::DATABASE_URL.name, &url, None).await?;
    check_owner(&mut connection, "this runs as").await?;
    drop(connection);
    let options = PgConnectOptions::from_str(url.expose_secret())
        .map_err(|_| Failure::Usage("DATABASE_URL is not a PostgreSQL URL".to_owned()))?
        .application_name("erpctl")
        .options([("timezone", "UTC"), ("search_path", entities::SEARCH_PATH)]);
    let pool = service::database::lazy_pool(options, CONNECTIONS, ACQUIRE_WITHIN);
    let (found, needed) = (schema(&pool).await?, migrations::schema_version());
    if found != needed {
        return Err(Failure::Failed(format!(
            "the database's schema is at version {found}, this erpctl is of version {needed}; run `erpctl migrate`, or use the erpctl of that version"
        )));
    }
    Ok(pool)
}

async fn schema(pool: &PgPool) -> Result<i64, Failure> {
    service::database::schema_version(pool)
        .await
        .map_err(|error| Failure::failed("the database's schema can't be read; has `erpctl migrate` run?", error))
}

/// The keys of the secrets in the database.
pub(crate) fn keyring() -> Result<Keyring, Failure> {
    read(keys)
}

/// Notes what is wrong with them.
fn keys(env: &mut Env) -> Keyring {
    Keyring::parse(env.secret(&settings::ERP_ENCRYPTION_KEYS).expose_secret()).unwrap_or_else(|error| {
        env.mistake(&settings::ERP_ENCRYPTION_KEYS, error.to_string());
        Keyring::random()
    })
}

/// FlashERP, called like by any service: through the shared gate and its cap.
pub(crate) async fn flasherp(pool: &PgPool) -> Result<(StoredConfiguration, Client), Failure> {
    let (keyring, timeout, allow_private, gate) = read(|env| {
        let keyring = keys(env);
        let gate = gate_settings(env);
        let timeout = env.duration(&settings::FLASHERP_TIMEOUT_SECS);
        (keyring, timeout, env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL), gate)
    })?;
    let stored = StoredConfiguration::load(pool)
        .await
        .map_err(|error| Failure::failed("the configuration can't be read", error))?
        .ok_or_else(|| Failure::Failed("there is no configuration yet; save one first".to_owned()))?;
    let options =
        stored.options(&keyring).map_err(|error| Failure::failed("the configuration can't be used", error))?;
    let gate = SharedGate::start(pool.clone(), gate, Arc::new(|_| {}));
    let client = Client::with(Options { timeout, allow_private, ..options }, gate.of_version(stored.version()), None)
        .map_err(|error| Failure::failed("FlashERP can't be called", error))?;
    Ok((stored, client))
}

//! `erpctl migrate`: brings the schema up to this version, as its owner.
//!
//! Each migration is a transaction of its own and an advisory lock keeps a second starter waiting, so it may be killed or run twice
//! at any moment. Services wait for it by themselves. With `UPCOACH_MODE=views` it does the same; deploy/upcoach-views.sql comes after it.

use std::time::Duration;

use migrations::migrator;
use service::Binary;
use service::database::{UpcoachError, check_upcoach};
use service::settings::{self, Env};
use sqlx::migrate::MigrateError;

use crate::connect::{check_owner, connect};
use crate::failure::Failure;

pub(crate) async fn run(wait_secs: Option<u64>) -> Result<(), Failure> {
    let (url, mode) = settings::read(Env::from_process(Binary::Erpctl), |env| {
        (env.secret(&settings::DATABASE_URL), env.upcoach_mode())
    })?;
    let mut connection = connect(settings::DATABASE_URL.name, &url, wait_secs.map(Duration::from_secs)).await?;
    check_owner(&mut connection, "migrations run as").await?;
    migrator().run(&mut connection).await.map_err(|error| explain(&error))?;
    let partitions: i32 =
        sqlx::query_scalar("SELECT audit.ensure_partitions()").fetch_one(&mut connection).await.map_err(|error| {
            Failure::failed("the schema is up to date, but the audit log's partitions could not be made", error)
        })?;
    eprintln!(
        "erpctl: the schema is at version {}; new partitions of the audit log: {partitions}",
        migrations::schema_version()
    );
    match check_upcoach(&mut connection, mode).await {
        Ok(()) => Ok(()),
        Err(UpcoachError::Tables) => {
            eprintln!(
                "erpctl: UPCOACH_MODE is views: now run deploy/upcoach-views.sql as a superuser; until then services wait"
            );
            Ok(())
        }
        Err(error) => Err(Failure::failed("the schema is up to date", error)),
    }
}

fn explain(error: &MigrateError) -> Failure {
    match error {
        MigrateError::VersionMissing(version) => Failure::Failed(format!(
            "the database has migration {version}, which this erpctl does not know; it is older than the database. Use the newest one"
        )),
        MigrateError::VersionMismatch(version) => Failure::Failed(format!(
            "migration {version} ran here with other contents than this erpctl has. Use the erpctl of that version, or, where the data may \
             go, drop the database and make it anew"
        )),
        MigrateError::ExecuteMigration(cause, version) => {
            Failure::failed(&format!("migration {version} failed and was rolled back; those before it stay"), cause)
        }
        other => Failure::failed("the migrations could not be run", other),
    }
}

//! The database before the services: it exists, the roles are there with the data folder's password, and the schema is
//! this version's. All of it may be done again, also after a death half-way.

use std::process::{Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{DATABASE, StackSettings};
use crate::error::IoContext;
use crate::{Postgres, Result, StackError};

/// Makes roles, database and schema. Answers the schema's version.
pub(super) async fn database(settings: &StackSettings, postgres: &Postgres) -> Result<i64> {
    let password = settings.secrets.postgres_password();
    let admin = postgres.admin_url();
    erpctl(settings, &["roles"], &[("ERP_ADMIN_DATABASE_URL", &admin), ("ERP_ROLE_PASSWORD", password)])?;
    make(&admin)
        .await
        .map_err(|source| StackError::Database { what: format!("can't make the database {DATABASE}"), source })?;
    let owner = postgres.url("erp_owner", DATABASE);
    erpctl(settings, &["migrate"], &[("DATABASE_URL", &owner)])?;
    version(&owner)
        .await
        .map_err(|source| StackError::Database { what: "can't read the schema's version".to_owned(), source })
}

async fn make(admin_url: &str) -> std::result::Result<(), sqlx::Error> {
    let mut admin = connect(admin_url).await?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)")
        .bind(DATABASE)
        .fetch_one(&mut admin)
        .await?;
    if !there {
        admin.execute(AssertSqlSafe(format!("CREATE DATABASE {DATABASE} OWNER erp_owner"))).await?;
    }
    admin.close().await
}

async fn version(owner_url: &str) -> std::result::Result<i64, sqlx::Error> {
    let mut owner = connect(owner_url).await?;
    let version = sqlx::query_scalar("SELECT version FROM public.schema_version").fetch_one(&mut owner).await?;
    owner.close().await?;
    Ok(version)
}

async fn connect(url: &str) -> std::result::Result<PgConnection, sqlx::Error> {
    PgConnection::connect_with(&url.parse::<PgConnectOptions>()?).await
}

/// Runs the operator's own command, as in production.
fn erpctl(settings: &StackSettings, arguments: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let output = Command::new(settings.program("erpctl"))
        .args(arguments)
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .output()
        .doing(|| "can't run erpctl".to_owned())?;
    if output.status.success() {
        return Ok(());
    }
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    let program = format!("erpctl {}", arguments.join(" "));
    Err(StackError::ProgramFailed { program, status: output.status.to_string(), output: text })
}

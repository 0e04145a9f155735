//! `erpctl roles`: the cluster's roles, made by a superuser once, outside the migrations.
//!
//! One transaction: a process that dies half-way leaves nothing. Run again it changes nothing but the passwords.

use secrecy::{ExposeSecret as _, SecretString};
use service::Binary;
use service::settings::{self, Env};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use crate::connect::{connect, sqlstate};
use crate::failure::Failure;

pub(crate) async fn run() -> Result<(), Failure> {
    let (url, password) = settings::read(Env::from_process(Binary::Erpctl), |env| {
        let url = env.opt_secret(&settings::ERP_ADMIN_DATABASE_URL);
        if url.is_none() {
            env.mistake(
                &settings::ERP_ADMIN_DATABASE_URL,
                "is missing; set it to a superuser's, like `postgres://postgres:password@host:5432/postgres`",
            );
        }
        (url.unwrap_or_default(), env.opt_secret(&settings::ERP_ROLE_PASSWORD))
    })?;
    let mut connection = connect(settings::ERP_ADMIN_DATABASE_URL.name, &url, None).await?;
    make(&mut connection, password.as_ref()).await.map_err(|error| match sqlstate(&error).as_deref() {
        Some("42501") => {
            Failure::Failed("ERP_ADMIN_DATABASE_URL's role may not make roles; use a superuser's".to_owned())
        }
        _ => Failure::failed("the roles could not be made; nothing was changed", error),
    })?;
    let roles = migrations::ROLES.join(", ");
    match password {
        Some(_) => eprintln!("erpctl: these roles are there, with the password of ERP_ROLE_PASSWORD: {roles}"),
        None => eprintln!(
            "erpctl: these roles are there; ERP_ROLE_PASSWORD is not set, so their passwords are as they were: {roles}"
        ),
    }
    Ok(())
}

async fn make(connection: &mut PgConnection, password: Option<&SecretString>) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    // Passwords must not reach the server's log with the statements that set them.
    if is_superuser(&mut transaction).await? {
        let quiet = "SET LOCAL log_statement = 'none'; SET LOCAL log_min_duration_statement = -1; SET LOCAL log_min_error_statement = 'panic'";
        transaction.execute(quiet).await?;
    }
    transaction.execute(AssertSqlSafe(migrations::ROLES_SQL)).await?;
    if let Some(password) = password {
        for role in migrations::ROLES {
            let statement: String = sqlx::query_scalar("SELECT format('ALTER ROLE %I PASSWORD %L', $1, $2)")
                .bind(role)
                .bind(password.expose_secret())
                .fetch_one(&mut *transaction)
                .await?;
            // Quoted by PostgreSQL itself.
            transaction.execute(AssertSqlSafe(statement)).await?;
        }
    }
    transaction.commit().await
}

async fn is_superuser(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetch_one(connection).await
}

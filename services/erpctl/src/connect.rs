//! One connection to PostgreSQL, with the usual mistakes explained.

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::failure::Failure;

const BETWEEN_TRIES: Duration = Duration::from_millis(250);
const ONE_TRY: Duration = Duration::from_secs(10);

/// Connects. `variable` is where the URL came from, to name it in errors. With `wait`, a server that can't be reached, or is still
/// starting, is tried again for that long.
pub(crate) async fn connect(
    variable: &str,
    url: &SecretString,
    wait: Option<Duration>,
) -> Result<PgConnection, Failure> {
    // The parser's own words could repeat parts of the URL.
    let options = PgConnectOptions::from_str(url.expose_secret()).map_err(|_| {
        Failure::Usage(format!("{variable} is not a PostgreSQL URL; write postgres://role:password@host:5432/database"))
    })?;
    let options = options.application_name("erpctl");
    let give_up = wait.map(|wait| Instant::now() + wait);
    let mut told = false;
    loop {
        let error = match tokio::time::timeout(ONE_TRY, PgConnection::connect_with(&options)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => sqlx::Error::Io(std::io::ErrorKind::TimedOut.into()),
        };
        let waiting = is_away(&error) && give_up.is_some_and(|give_up| Instant::now() < give_up);
        if !waiting {
            return Err(explain(variable, &options, &error));
        }
        if !told {
            eprintln!("erpctl: waiting for the database: {}", explain(variable, &options, &error));
            told = true;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
}

/// Who owns all objects: a table made by another role could not be changed by the next migration, and no other role may do all that this program does.
const OWNER: &str = "erp_owner";

/// Refuses a session of another role. `who_runs_as` begins the sentence that says so.
pub(crate) async fn check_owner(connection: &mut PgConnection, who_runs_as: &str) -> Result<(), Failure> {
    let role: String = sqlx::query_scalar("SELECT current_user::text")
        .fetch_one(connection)
        .await
        .map_err(|error| Failure::failed("PostgreSQL does not say who this session is", error))?;
    if role == OWNER {
        return Ok(());
    }
    Err(Failure::Usage(format!("DATABASE_URL connects as {role}; {who_runs_as} {OWNER}, who owns everything")))
}

/// The code of PostgreSQL's own error.
pub(crate) fn sqlstate(error: &sqlx::Error) -> Option<String> {
    error.as_database_error().and_then(|error| error.code()).map(Into::into)
}

/// Whether waiting may help: nobody answers, or the server says that it is starting or stopping.
fn is_away(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(_)) || sqlstate(error).is_some_and(|code| code.starts_with("57P0"))
}

fn explain(variable: &str, options: &PgConnectOptions, error: &sqlx::Error) -> Failure {
    let place = format!("{}:{}", options.get_host(), options.get_port());
    let role = options.get_username();
    let database = options.get_database().unwrap_or(role);
    let text = match sqlstate(error).as_deref() {
        Some("28P01" | "28000") => format!(
            "PostgreSQL at {place} refuses the role {role}; check user and password in {variable}, and that `erpctl roles` has run"
        ),
        Some("3D000") => format!(
            "PostgreSQL at {place} has no database {database}; as a superuser: CREATE DATABASE {database} OWNER erp_owner"
        ),
        _ if is_away(error) => {
            format!("PostgreSQL at {place} can't be reached ({error}); check {variable}, and that the server runs")
        }
        _ => format!("PostgreSQL at {place} can't be worked with: {error}"),
    };
    Failure::Failed(text)
}

//! A committer's own connection: made when it is needed, given up when anything about it is in doubt.

use std::time::Duration;

use service::metrics::Counter;
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

/// How long the server may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// Postgres gives a statement up after this long, so that a lock held by others delays a sender and does not keep it for ever.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3);

/// A server that is this much later than its own timeout is not there any more.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// Why a statement has no outcome.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    #[error("PostgreSQL refused the statement")]
    Statement(#[source] sqlx::Error),
    #[error("PostgreSQL lets nobody in")]
    Connect(#[source] sqlx::Error),
    #[error("PostgreSQL does not answer")]
    Silent,
}

#[derive(Debug)]
pub(super) struct Connection {
    options: PgConnectOptions,
    live: Option<PgConnection>,
}

impl Connection {
    pub(super) fn new(options: PgConnectOptions) -> Self {
        let milliseconds = STATEMENT_TIMEOUT.as_millis().to_string();
        // Plans for the arrays at hand would be no better, and cost as much as the statement.
        let settings = [("statement_timeout", milliseconds.as_str()), ("plan_cache_mode", "force_generic_plan")];
        Self { options: options.options(settings), live: None }
    }

    /// Runs one statement. After a failure that leaves the session in doubt the next one gets a new session.
    pub(super) async fn run<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut PgConnection) -> sqlx::Result<T>,
    ) -> Result<T, Error> {
        let mut connection = match self.live.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        // A connection that is dropped in the middle of a statement is closed, and the statement with it.
        let outcome =
            tokio::time::timeout(ANSWER_TIMEOUT, statement(&mut connection)).await.map_err(|_| Error::Silent)?;
        if !outcome.as_ref().is_err_and(super::statement::ends_connection) {
            self.live = Some(connection);
        }
        outcome.map_err(Error::Statement)
    }

    async fn connect(&self) -> Result<PgConnection, Error> {
        let connecting = PgConnection::connect_with(&self.options);
        let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
            .await
            .map_err(|_| Error::Silent)?
            .map_err(Error::Connect)?;
        Counter::DatabaseConnected.increment(&[]);
        Ok(connection)
    }
}

impl Error {
    /// Whether other events of the same batch are worth trying without each other.
    pub(super) fn may_be_one_events_fault(&self) -> bool {
        matches!(self, Self::Statement(error) if super::statement::may_be_one_events_fault(error))
    }

    /// A short name of the kind, for metrics.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Statement(sqlx::Error::Database(_)) => "refused",
            Self::Statement(_) => "connection_lost",
            Self::Connect(_) => "no_connection",
            Self::Silent => "silent",
        }
    }
}

//! The end of a worker that is told to stop: what is in hand is finished as long as there is a database to finish it in. One that has gone, or
//! that takes connections and answers nothing, would hold the worker for ever: then all is left as a death would leave it, to leases that run
//! out and to the next worker, which is what whoever runs out of patience with it does to it anyway.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection, PgPool};

/// How often the database is asked whether it is there.
const ASK: Duration = Duration::from_secs(1);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(3);
/// After so long without an answer it is given up: a restart is over by then.
const PATIENCE: Duration = Duration::from_secs(5);

/// Carries `work` to its end, unless the database stops answering meanwhile. Whether it came to its end.
pub(crate) async fn as_long_as_the_database_answers(pool: &PgPool, work: impl Future<Output = ()>) -> bool {
    tokio::select! {
        biased;
        () = work => true,
        () = it_is_gone(pool) => false,
    }
}

async fn it_is_gone(pool: &PgPool) {
    let mut answered = Instant::now();
    while answered.elapsed() < PATIENCE {
        tokio::time::sleep(ASK).await;
        if answers(pool).await {
            answered = Instant::now();
        }
    }
}

/// Asks over a connection of its own: those of the pool may all be busy, or wait for an answer that never comes.
async fn answers(pool: &PgPool) -> bool {
    let ask = async {
        match PgConnection::connect_with(&pool.connect_options()).await {
            Ok(mut connection) => connection.ping().await.is_ok(),
            // It says no, but it says something: it may have too many connections, or be about to go or to come.
            Err(error) => matches!(error, sqlx::Error::Database(_)),
        }
    };
    tokio::time::timeout(ANSWER, ask).await.unwrap_or(false)
}

//! A database of a test's own, and imports into it as the admin API would run them.

use std::convert::Infallible;

use bytes::Bytes;
use domain::EntityType;
use futures::{Stream, stream};
use import::{Asked, Format, ImportError, Options, Rejected, Summary};
use sqlx::PgPool;
use testkit::TestDatabase;
use uuid::Uuid;

pub(crate) struct Bench {
    /// As the owner, for looking.
    pub(crate) pool: PgPool,
    config_api: PgPool,
    _database: TestDatabase,
}

/// What an import ended with, and the lines that it refused.
pub(crate) struct Ended {
    pub(crate) result: Result<Summary, ImportError>,
    pub(crate) rejected: Vec<String>,
}

impl Ended {
    /// Created, updated, unchanged, left to Stripe, rejected.
    pub(crate) fn counts(&self) -> [u64; 5] {
        let counts = &self.result.as_ref().expect("it went well").counts;
        [counts.created, counts.updated, counts.unchanged, counts.left_to_stripe, counts.rejected]
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::new().await;
        let (pool, config_api) = (database.pool("erp_owner").await, database.pool("erp_config_api").await);
        Self { pool, config_api, _database: database }
    }

    /// A file in one piece.
    pub(crate) async fn import(&self, file: &str, options: &Options) -> Ended {
        let chunk = Bytes::copy_from_slice(file.as_bytes());
        self.import_stream(stream::iter([Ok::<_, Infallible>(chunk)]), options).await
    }

    pub(crate) async fn import_stream<E>(
        &self,
        source: impl Stream<Item = Result<Bytes, E>>,
        options: &Options,
    ) -> Ended
    where
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut connection = self.config_api.acquire().await.expect("a connection");
        let mut rejected = Vec::new();
        let tell = |line: Rejected<'_>| rejected.push(line.error.to_string());
        let result = import::run(&mut connection, source, options, tell).await;
        Ended { result, rejected }
    }

    pub(crate) async fn one<T>(&self, statement: &'static str) -> T
    where
        T: Send + Unpin + sqlx::Type<sqlx::Postgres> + for<'r> sqlx::Decode<'r, sqlx::Postgres>,
    {
        sqlx::query_scalar(statement).fetch_one(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"))
    }

    pub(crate) async fn run(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

pub(crate) fn ndjson() -> Options {
    Options {
        format: Format::Ndjson,
        entity_type: None,
        key: None,
        asked: Asked { by: Some("ada".to_owned()), ..Asked::default() },
    }
}

pub(crate) fn csv_of(kind: EntityType) -> Options {
    Options { format: Format::Csv, entity_type: Some(kind), ..ndjson() }
}

pub(crate) fn keyed(key: &str) -> Options {
    Options { key: Some(key.to_owned()), ..ndjson() }
}

/// A user's line.
pub(crate) fn user(n: u128, name: &str) -> String {
    let id = Uuid::from_u128(n);
    format!("{{\"entityType\":\"customer\",\"id\":\"{id}\",\"email\":\"u{n}@example.com\",\"name\":\"{name}\"}}\n")
}

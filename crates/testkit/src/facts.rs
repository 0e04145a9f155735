//! Facts as services state them: kept as they come into an outbox, since the relay takes them away, and held against their committed schemas.

use std::path::Path;

use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};

/// From here on keeps a copy of each fact that comes into the schema's outbox. `pool`: the superuser's.
///
/// # Panics
/// The database refuses.
pub async fn keep(pool: &PgPool, schema: &str) {
    let statements = format!(
        "CREATE TABLE {schema}.stated (id bigint PRIMARY KEY, event_id uuid NOT NULL, body bytea NOT NULL);
         CREATE FUNCTION {schema}.keep_stated() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
         BEGIN
            INSERT INTO {schema}.stated VALUES (NEW.id, NEW.event_id, NEW.body);
            RETURN NULL;
         END
         $$;
         CREATE TRIGGER keep_stated AFTER INSERT ON {schema}.outbox FOR EACH ROW EXECUTE FUNCTION {schema}.keep_stated()"
    );
    sqlx::raw_sql(AssertSqlSafe(statements)).execute(pool).await.expect("facts are kept");
}

/// What the facts of this type say (`upcoach.erp.job.finished.v1`), in the order of their statement. Each is as its schema has it.
///
/// # Panics
/// One is not, or there is no such schema.
pub async fn stated(pool: &PgPool, schema: &str, kind: &str) -> Vec<Value> {
    let rows: Vec<(uuid::Uuid, Vec<u8>)> =
        sqlx::query_as(AssertSqlSafe(format!("SELECT event_id, body FROM {schema}.stated ORDER BY id")))
            .fetch_all(pool)
            .await
            .expect("facts");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../proto-schemas/events/{kind}.json"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let committed: Value = serde_json::from_str(&text).expect("JSON");
    let validator =
        jsonschema::options().should_validate_formats(true).build(&committed).expect("a schema can be compiled");
    let mut said = Vec::new();
    for (id, body) in rows {
        let mut fact: Value = serde_json::from_slice(&body).expect("JSON");
        if fact["type"] != kind {
            continue;
        }
        let wrong: Vec<String> = validator.iter_errors(&fact).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{fact:#} is not as {} has it: {wrong:?}", file.display());
        assert_eq!(fact["id"], id.to_string(), "it is known by the same id wherever it comes");
        said.push(fact["data"].take());
    }
    said
}

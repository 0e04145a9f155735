//! Every entity has just the columns, types and nullability that the migrated database has, and every table has an
//! entity: a migration that forgets its entity, or the other way round, fails here.

use std::collections::BTreeMap;

use sea_orm::{ActiveEnum, ColumnTrait, ColumnType, EntityTrait, IdenStatic, Iterable};
use sqlx::Row;
use testkit::TestDatabase;

/// (schema.table) to (column to "type" or "type null"), spelled as Postgres' format_type spells them.
type Shape = BTreeMap<String, BTreeMap<String, String>>;

fn spell(kind: &ColumnType) -> String {
    match kind {
        ColumnType::Uuid => "uuid".into(),
        ColumnType::Text | ColumnType::String(_) => "text".into(),
        ColumnType::Integer => "integer".into(),
        ColumnType::BigInteger => "bigint".into(),
        ColumnType::Boolean => "boolean".into(),
        ColumnType::TimestampWithTimeZone => "timestamp with time zone".into(),
        ColumnType::Date => "date".into(),
        ColumnType::JsonBinary => "jsonb".into(),
        ColumnType::VarBinary(_) => "bytea".into(),
        ColumnType::Custom(name) => name.to_string(),
        ColumnType::Enum { name, .. } => name.to_string(),
        ColumnType::Array(of) => format!("{}[]", spell(of)),
        other => format!("{other:?}"),
    }
}

fn add<E: EntityTrait>(shape: &mut Shape) {
    let entity = E::default();
    let table = format!("{}.{}", entity.schema_name().expect("schema_name is set"), entity.table_name());
    let columns = E::Column::iter()
        .map(|column| {
            let definition = column.def();
            let null = if definition.is_null() { " null" } else { "" };
            (column.as_str().to_owned(), spell(definition.get_column_type()) + null)
        })
        .collect();
    assert!(shape.insert(table.clone(), columns).is_none(), "{table} has two entities");
}

fn of_entities() -> Shape {
    let mut shape = Shape::new();
    add::<entities::audit::epoch::Entity>(&mut shape);
    add::<entities::audit::audit_log::Entity>(&mut shape);
    add::<entities::audit::seal::Entity>(&mut shape);
    add::<entities::audit::seal_leaf::Entity>(&mut shape);
    add::<entities::audit::archive::Entity>(&mut shape);
    add::<entities::config::configuration::Entity>(&mut shape);
    add::<entities::config::error_acknowledgement::Entity>(&mut shape);
    add::<entities::config::outbox::Entity>(&mut shape);
    add::<entities::ingress::webhook_event::Entity>(&mut shape);
    add::<entities::upcoach::cost_entry::Entity>(&mut shape);
    add::<entities::upcoach::invoice::Entity>(&mut shape);
    add::<entities::upcoach::subscription::Entity>(&mut shape);
    add::<entities::upcoach::transaction::Entity>(&mut shape);
    add::<entities::upcoach::user_stripe_customer::Entity>(&mut shape);
    add::<entities::upcoach::user::Entity>(&mut shape);
    add::<entities::sync::batch::Entity>(&mut shape);
    add::<entities::sync::batch_item::Entity>(&mut shape);
    add::<entities::sync::erp_sync::Entity>(&mut shape);
    add::<entities::sync::outbound_gate::Entity>(&mut shape);
    add::<entities::sync::outbox::Entity>(&mut shape);
    add::<entities::sync::request::Entity>(&mut shape);
    add::<entities::sync::stray_write::Entity>(&mut shape);
    add::<entities::sync::stripe_read::Entity>(&mut shape);
    add::<entities::scheduling::alert::Entity>(&mut shape);
    add::<entities::scheduling::alert_notice::Entity>(&mut shape);
    add::<entities::scheduling::health_check::Entity>(&mut shape);
    add::<entities::scheduling::job_run::Entity>(&mut shape);
    add::<entities::scheduling::job::Entity>(&mut shape);
    add::<entities::scheduling::outbox::Entity>(&mut shape);
    add::<entities::scheduling::report::Entity>(&mut shape);
    add::<entities::reconciliation::finding::Entity>(&mut shape);
    add::<entities::reconciliation::outbox::Entity>(&mut shape);
    add::<entities::reconciliation::run::Entity>(&mut shape);
    add::<entities::reconciliation::slice::Entity>(&mut shape);
    add::<entities::reconciliation::staged_record::Entity>(&mut shape);
    add::<entities::reconciliation::suspect::Entity>(&mut shape);
    shape
}

async fn of_database(pool: &sqlx::PgPool) -> Shape {
    let rows = sqlx::query(
        "SELECT n.nspname || '.' || c.relname AS table, a.attname AS column,
            CASE WHEN t.typtype = 'e' THEN t.typname
                 WHEN e.typtype = 'e' THEN e.typname || '[]'
                 ELSE format_type(a.atttypid, a.atttypmod) END
            || CASE WHEN a.attnotnull THEN '' ELSE ' null' END AS type
         FROM pg_class c
         JOIN pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         JOIN pg_type t ON t.oid = a.atttypid
         LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typlen = -1
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition
            AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'public') AND n.nspname NOT LIKE 'pg_%'",
    )
    .fetch_all(pool)
    .await
    .expect("catalog");
    let mut shape = Shape::new();
    for row in rows {
        shape.entry(row.get("table")).or_default().insert(row.get("column"), row.get("type"));
    }
    shape
}

#[tokio::test]
async fn every_entity_matches_its_table_column_by_column() {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_owner").await;
    assert_eq!(of_entities(), of_database(&pool).await);
}

async fn labels(pool: &sqlx::PgPool, schema: &str, name: &str) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT e.enumlabel::text FROM pg_enum e JOIN pg_type t ON t.oid = e.enumtypid
         JOIN pg_namespace n ON n.oid = t.typnamespace
         WHERE n.nspname = $1 AND t.typname = $2 ORDER BY e.enumsortorder",
    )
    .bind(schema)
    .bind(name)
    .fetch_all(pool)
    .await
    .expect("labels")
}

async fn same_labels<E: ActiveEnum<Value = String>>(pool: &sqlx::PgPool, schema: &str) {
    let name = E::name().to_string();
    assert_eq!(E::values(), labels(pool, schema, &name).await, "{schema}.{name}");
}

#[tokio::test]
async fn every_enum_has_the_labels_of_its_type_in_order() {
    let database = TestDatabase::new().await;
    let pool = database.pool("erp_owner").await;
    same_labels::<entities::audit::kinds::Action>(&pool, "audit").await;
    same_labels::<entities::audit::kinds::Status>(&pool, "audit").await;
    same_labels::<entities::config::kinds::ConflictPolicy>(&pool, "config").await;
    same_labels::<entities::config::kinds::HealthStatus>(&pool, "config").await;
    same_labels::<entities::config::kinds::SyncResult>(&pool, "config").await;
    same_labels::<entities::ingress::kinds::EventStatus>(&pool, "ingress").await;
    same_labels::<entities::ingress::kinds::Source>(&pool, "ingress").await;
    same_labels::<entities::reconciliation::kinds::Decision>(&pool, "reconciliation").await;
    same_labels::<entities::reconciliation::kinds::FindingClass>(&pool, "reconciliation").await;
    same_labels::<entities::reconciliation::kinds::ReconciliationStatus>(&pool, "reconciliation").await;
    same_labels::<entities::reconciliation::kinds::SliceStatus>(&pool, "reconciliation").await;
    same_labels::<entities::scheduling::kinds::JobRunStatus>(&pool, "scheduling").await;
    same_labels::<entities::scheduling::kinds::ReportPeriod>(&pool, "scheduling").await;
    same_labels::<entities::scheduling::kinds::Severity>(&pool, "scheduling").await;
    same_labels::<entities::sync::kinds::BatchKind>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::BatchResult>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::BatchStatus>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::EntityType>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::GateState>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::Origin>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::Outcome>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::SourceSystem>(&pool, "sync").await;
    same_labels::<entities::sync::kinds::SyncStatus>(&pool, "sync").await;
}

//! How many rows a filter matches: counted up to 10,000, above that the planner's estimate.

use serde_json::Value;
use sqlx::types::Json;
use sqlx::{PgConnection, Postgres, QueryBuilder};

use super::{Conditions, List};
use crate::paging::{COUNTED_UP_TO, Total};

pub(super) async fn total<L: List>(connection: &mut PgConnection, filter: &L) -> Result<Total, sqlx::Error> {
    let counted: i64 =
        count_statement("", filter).build_query_scalar().persistent(false).fetch_one(&mut *connection).await?;
    if counted <= COUNTED_UP_TO {
        return Ok(Total::counted_or(counted, || counted));
    }
    let Json(plan): Json<Value> =
        estimate_statement(filter).build_query_scalar().persistent(false).fetch_one(connection).await?;
    Ok(Total::counted_or(counted, || planned_rows(&plan)))
}

/// The statement that counts what a filter matches, up to one above what is counted exactly. In the order of an index, so that it is read from
/// one; `before` as with [`super::statement`].
#[must_use]
pub fn count_statement<L: List>(before: &'static str, filter: &L) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(format!("{before}SELECT count(*) FROM (SELECT FROM {} AS r", L::FROM));
    filter.conditions(&mut Conditions::new(&mut sql));
    sql.push(format!(" ORDER BY r.{} DESC LIMIT {}) AS counted", L::AT.unwrap_or("id"), COUNTED_UP_TO + 1));
    sql
}

fn estimate_statement<L: List>(filter: &L) -> QueryBuilder<Postgres> {
    let mut sql = QueryBuilder::new(format!("EXPLAIN (FORMAT JSON) SELECT FROM {} AS r", L::FROM));
    filter.conditions(&mut Conditions::new(&mut sql));
    sql
}

fn planned_rows(plan: &Value) -> i64 {
    plan.pointer("/0/Plan/Plan Rows").and_then(Value::as_i64).unwrap_or_default()
}

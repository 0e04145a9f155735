//! What must hold of a list's rows, as it is added to a statement.

use sqlx::postgres::PgTypeInfo;
use sqlx::{Encode, Postgres, QueryBuilder, Type};
use time::OffsetDateTime;

/// Adds conditions to a statement: the first after WHERE, the others after AND.
pub struct Conditions<'a> {
    sql: &'a mut QueryBuilder<Postgres>,
    is_first: bool,
}

impl<'a> Conditions<'a> {
    /// On a statement that has no condition yet.
    pub fn new(sql: &'a mut QueryBuilder<Postgres>) -> Self {
        Self { sql, is_first: true }
    }

    /// For the next condition.
    pub fn and(&mut self) -> &mut QueryBuilder<Postgres> {
        let word = if self.is_first { " WHERE " } else { " AND " };
        self.is_first = false;
        self.sql.push(word)
    }

    /// The column has this label, which is one of the program's own words.
    pub fn label(&mut self, column: &str, label: Option<&'static str>) {
        if let Some(label) = label {
            self.and().push(format!("r.{column} = '{label}'"));
        }
    }

    /// The column has this value.
    pub fn equals<T>(&mut self, column: &str, value: Option<T>)
    where
        T: for<'q> Encode<'q, Postgres> + Type<Postgres> + Send + 'static,
        Postgres: sqlx::Database<TypeInfo = PgTypeInfo>,
    {
        if let Some(value) = value {
            self.and().push(format!("r.{column} = ")).push_bind(value);
        }
    }

    /// The column is at or after `from`, and before `to`.
    pub fn within(&mut self, column: &str, from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) {
        if let Some(from) = from {
            self.and().push(format!("r.{column} >= ")).push_bind(from);
        }
        if let Some(to) = to {
            self.and().push(format!("r.{column} < ")).push_bind(to);
        }
    }
}

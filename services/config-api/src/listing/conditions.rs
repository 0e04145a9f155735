//! What must hold of a list's rows, as it is added to a statement.

use sqlx::postgres::PgTypeInfo;
use sqlx::{Encode, Postgres, QueryBuilder, Type};
use time::OffsetDateTime;

/// Adds conditions to a statement: the first after WHERE, the others after AND.
pub struct Conditions<'a> {
    sql: &'a mut QueryBuilder<Postgres>,
    is_first: bool,
    /// All rows are at this time or before.
    until: Option<OffsetDateTime>,
}

impl<'a> Conditions<'a> {
    /// On a statement that has no condition yet.
    pub fn new(sql: &'a mut QueryBuilder<Postgres>) -> Self {
        Self { sql, is_first: true, until: None }
    }

    /// The same, where only rows at this time or before are asked for anyway.
    pub fn until(self, until: Option<OffsetDateTime>) -> Self {
        Self { until, ..self }
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

    /// The column, by which the list is ordered, is at or after `from`, and before `to`.
    pub fn within(&mut self, column: &str, from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) {
        if let Some(from) = from {
            self.and().push(format!("r.{column} >= ")).push_bind(from);
        }
        // Of two upper bounds, a time and a row's place, PostgreSQL begins at the time and reads all up to the place.
        if let Some(to) = to.filter(|to| self.until.is_none_or(|until| until >= *to)) {
            self.and().push(format!("r.{column} < ")).push_bind(to);
        }
    }
}

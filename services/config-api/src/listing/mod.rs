//! Lists of rows, newest first: read by page or by cursor, counted, or exported whole.
//!
//! A list says where its rows are, by which never-null time they are ordered and what a filter asks of them; the statements are made here. What a
//! filter gives as text is always bound, never written into the statement; what it chooses from a fixed set of labels is written, so that
//! PostgreSQL plans with partial indexes and the label's own frequency. Reads only.

mod conditions;
pub mod csv;
pub mod export;
mod total;

use sqlx::postgres::PgRow;
use sqlx::{FromRow, PgConnection, PgPool, Postgres, QueryBuilder};

pub use conditions::Conditions;
pub use total::count_statement;

use crate::input::{Fields, FromFields};
use crate::paging::{Cursor, Page, Paging};

/// A list's filter, and what it is a filter of.
pub trait List: FromFields + Clone + Send + Sync + 'static {
    /// A row as it is shown.
    type Row: for<'row> FromRow<'row, PgRow> + Send + Unpin + 'static;
    /// Table or view.
    const FROM: &'static str;
    /// What is selected of it, as `r`.
    const COLUMNS: &'static str;
    /// The time by which it is ordered, before the id; none where ids are in the order of time.
    const AT: Option<&'static str>;

    /// What must hold of a row.
    fn conditions(&self, only: &mut Conditions<'_>);
    /// Where the list goes on behind a row.
    fn place(row: &Self::Row) -> Cursor;
}

/// What a list is asked: a filter, and a page of what it matches.
#[derive(Clone, Debug)]
pub struct Listed<L> {
    /// Which rows.
    pub filter: L,
    /// Which of them.
    pub paging: Paging,
    /// Whether a page was named, which an export has none of.
    pub is_paged: bool,
}

impl<L: FromFields> FromFields for Listed<L> {
    fn read(fields: &mut Fields) -> Self {
        let is_paged = ["page", "limit", "cursor"].iter().any(|name| fields.has(name));
        Self { paging: Paging::read(fields), filter: L::read(fields), is_paged }
    }
}

/// A page of what a filter matches, with its total.
///
/// # Errors
/// The database.
pub async fn page<L: List>(pool: &PgPool, filter: &L, paging: Paging) -> Result<Page<L::Row>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    let rows = rows(&mut connection, filter, Place::of(paging)).await?;
    let total = total::total(&mut connection, filter).await?;
    Ok(Page::of(paging, rows, total, L::place))
}

/// Which rows of those that match are read.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// Behind this row.
    pub behind: Option<Cursor>,
    /// After passing over so many.
    pub offset: i64,
    /// So many.
    pub limit: i64,
}

impl Place {
    /// One more than the page has, which tells whether there are more.
    #[must_use]
    pub fn of(paging: Paging) -> Self {
        Self { behind: paging.cursor, offset: paging.offset(), limit: paging.limit + 1 }
    }
}

/// The rows at a place.
///
/// # Errors
/// The database.
pub async fn rows<L: List>(
    connection: &mut PgConnection,
    filter: &L,
    place: Place,
) -> Result<Vec<L::Row>, sqlx::Error> {
    // Planned anew each time: which index is best depends on what is asked for.
    statement("", filter, place).build_query_as().persistent(false).fetch_all(connection).await
}

/// The statement of [`rows`]; `before` stands before it, for whoever wants to see its plan.
#[must_use]
pub fn statement<L: List>(before: &'static str, filter: &L, place: Place) -> QueryBuilder<Postgres> {
    let (from, columns, order) = (L::FROM, L::COLUMNS, order::<L>());
    // What is passed over is read from the index alone: the rows themselves are fetched by their keys once the page is found.
    let passes_over = place.offset > 0;
    let keys =
        L::AT.map_or_else(|| "r.id AS place_id".to_owned(), |at| format!("r.{at} AS place_at, r.id AS place_id"));
    let mut sql = QueryBuilder::new(match passes_over {
        false => format!("{before}SELECT {columns} FROM {from} AS r"),
        true => format!("{before}SELECT {columns} FROM (SELECT {keys} FROM {from} AS r"),
    });
    let mut only = Conditions::new(&mut sql).until(place.behind.filter(|_| L::AT.is_some()).map(|behind| behind.at));
    filter.conditions(&mut only);
    match (place.behind, L::AT) {
        (None, _) => {}
        (Some(Cursor { at: time, id }), Some(at)) => {
            only.and().push(format!("(r.{at}, r.id) < (")).push_bind(time).push(", ").push_bind(id).push(")");
        }
        (Some(Cursor { id, .. }), None) => {
            only.and().push("r.id < ").push_bind(id);
        }
    }
    sql.push(format!(" ORDER BY {order} LIMIT {}", place.limit));
    if passes_over {
        let same_time = L::AT.map(|at| format!(" AND r.{at} = place_at")).unwrap_or_default();
        sql.push(format!(
            " OFFSET {}) AS place JOIN {from} AS r ON r.id = place_id{same_time} ORDER BY {order}",
            place.offset
        ));
    }
    sql
}

/// Newest first.
fn order<L: List>() -> String {
    L::AT.map_or_else(|| "r.id DESC".to_owned(), |at| format!("r.{at} DESC, r.id DESC"))
}

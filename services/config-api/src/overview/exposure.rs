//! Money not yet in FlashERP, per currency and age: transactions that it is to hold and does not, whatever the reason (not looked at yet, waiting,
//! failed, unknown), but for those that somebody skipped. Invoices tell of the same money and are not added.

use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::amounts::{AtStake, decimal};

/// A sum and of how many.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Aged {
    #[schema(required, example = "1234.50")]
    pub amount: Option<String>,
    pub count: i64,
}

/// One currency's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Exposed {
    #[serde(flatten)]
    pub all: AtStake,
    pub under5_minutes: Aged,
    pub under1_hour: Aged,
    pub under24_hours: Aged,
    pub older: Aged,
}

/// Of all currencies, in order of their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Exposure {
    pub currencies: Vec<Exposed>,
}

#[derive(sqlx::FromRow)]
struct Row {
    currency: String,
    ages: Vec<i64>,
    counts: Vec<i64>,
}

/// Reads it.
///
/// # Errors
/// The database.
pub async fn read(pool: &PgPool) -> Result<Exposure, sqlx::Error> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT currency,
            ARRAY[coalesce(sum(amount) FILTER (WHERE age = 0), 0), coalesce(sum(amount) FILTER (WHERE age = 1), 0),
                coalesce(sum(amount) FILTER (WHERE age = 2), 0), coalesce(sum(amount) FILTER (WHERE age = 3), 0)]::bigint[] AS ages,
            ARRAY[count(*) FILTER (WHERE age = 0), count(*) FILTER (WHERE age = 1), count(*) FILTER (WHERE age = 2),
                count(*) FILTER (WHERE age = 3)] AS counts
         FROM (SELECT lower(t.currency) AS currency, abs(t.amount) AS amount,
                CASE WHEN w.since > clock_timestamp() - interval '5 minutes' THEN 0
                    WHEN w.since > clock_timestamp() - interval '1 hour' THEN 1
                    WHEN w.since > clock_timestamp() - interval '24 hours' THEN 2 ELSE 3 END AS age
            FROM sync.waiting_for_readers w JOIN upcoach.transactions t ON t.id = w.source_id
            WHERE w.entity_type = 'transaction') AS waiting
         GROUP BY currency ORDER BY currency",
    )
    .fetch_all(pool)
    .await?;
    Ok(Exposure { currencies: rows.iter().map(Exposed::of).collect() })
}

impl Exposed {
    fn of(row: &Row) -> Self {
        let aged = |age: usize| Aged {
            amount: decimal(row.ages.get(age).copied().unwrap_or_default(), &row.currency),
            count: row.counts.get(age).copied().unwrap_or_default(),
        };
        Self {
            all: AtStake::of(row.ages.iter().sum(), &row.currency, row.counts.iter().sum()),
            under5_minutes: aged(0),
            under1_hour: aged(1),
            under24_hours: aged(2),
            older: aged(3),
        }
    }
}

//! Money not yet in FlashERP, per currency and age: transactions that it is to hold and does not, whatever the reason (not looked at yet, waiting, failed,
//! unknown), but for those that somebody skipped. Invoices tell of the same money and are not added. Reads only.

use sqlx::{FromRow, PgPool};

/// The ages, from the youngest: under 5 minutes, under an hour, under a day, older.
pub const AGES: [&str; 4] = ["under_5m", "under_1h", "under_24h", "older"];

/// One currency's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// As Stripe writes it.
    pub currency: String,
    /// Sums without signs, in Stripe's units, by age.
    pub units: [i64; AGES.len()],
    /// Of how many transactions, by age.
    pub counts: [i64; AGES.len()],
}

/// Reads it, of all currencies, in order of their names.
///
/// # Errors
/// The database.
pub async fn read(pool: &PgPool) -> Result<Vec<Exposed>, sqlx::Error> {
    #[derive(FromRow)]
    struct Row {
        currency: String,
        age: i32,
        units: i64,
        count: i64,
    }
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT currency, age, sum(amount)::bigint AS units, count(*) AS count
         FROM (SELECT lower(t.currency) AS currency, abs(t.amount) AS amount,
                CASE WHEN w.since > clock_timestamp() - interval '5 minutes' THEN 0
                    WHEN w.since > clock_timestamp() - interval '1 hour' THEN 1
                    WHEN w.since > clock_timestamp() - interval '24 hours' THEN 2 ELSE 3 END AS age
            FROM sync.waiting_for_readers w JOIN upcoach.transactions t ON t.id = w.source_id
            WHERE w.entity_type = 'transaction') AS waiting
         GROUP BY currency, age ORDER BY currency, age",
    )
    .fetch_all(pool)
    .await?;
    let mut all: Vec<Exposed> = Vec::new();
    for row in rows {
        if all.last().is_none_or(|last| last.currency != row.currency) {
            all.push(Exposed { currency: row.currency, units: [0; AGES.len()], counts: [0; AGES.len()] });
        }
        if let (Some(last), Ok(age)) = (all.last_mut(), usize::try_from(row.age)) {
            (last.units[age], last.counts[age]) = (row.units, row.count);
        }
    }
    Ok(all)
}

//! What the books say of each day and currency, in Stripe's units: one statement for all days, integers only.

use sqlx::PgConnection;
use time::Date;

/// The sums of a day in a currency, in Stripe's units.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Sums {
    pub(super) day: Date,
    /// Upper case.
    pub(super) currency: String,
    /// Payments less refunds and chargebacks, with adjustments.
    pub(super) revenue: i64,
    /// Fees and other costs.
    pub(super) costs: i64,
    /// What the subscriptions that ran at the day's end bring in a year.
    pub(super) yearly: i64,
    /// Whether the fee of a payment is not known.
    pub(super) fees_incomplete: bool,
}

/// Those of each day from `from` on and before `until` of which the books say anything, in order.
pub(super) async fn read(connection: &mut PgConnection, from: Date, until: Date) -> Result<Vec<Sums>, sqlx::Error> {
    sqlx::query_as(
        "WITH days AS (
            SELECT d::date AS day, d::date::timestamp AT TIME ZONE 'UTC' AS begins, (d::date + 1)::timestamp AT TIME ZONE 'UTC' AS ends
            FROM generate_series($1::date, $2::date - 1, interval '1 day') AS d
         ), told AS (
            SELECT (t.created_at AT TIME ZONE 'UTC')::date AS day, upper(t.currency) AS currency,
                sum(CASE
                    WHEN t.type = 'payment' AND t.status IN ('completed', 'refunded', 'partially_refunded') THEN t.amount
                    WHEN t.type = 'refund' AND t.status = 'completed' THEN -t.amount
                    WHEN t.type = 'chargeback' AND t.status IN ('pending', 'completed') THEN -t.amount
                    WHEN t.type = 'adjustment' AND t.status = 'completed' THEN t.amount
                    ELSE 0 END) AS revenue,
                sum(CASE WHEN t.type <> 'payout' THEN coalesce(t.fee, 0) ELSE 0 END) AS costs,
                0::numeric AS yearly,
                bool_or(t.type = 'payment' AND t.status IN ('completed', 'refunded', 'partially_refunded')
                    AND t.fee IS NULL AND t.stripe_transaction_id IS NOT NULL) AS fees_incomplete
            FROM upcoach.transactions t
            WHERE t.created_at >= ($1::date)::timestamp AT TIME ZONE 'UTC' AND t.created_at < ($2::date)::timestamp AT TIME ZONE 'UTC'
                AND (t.status <> 'failed' OR t.fee IS NOT NULL)
            GROUP BY 1, 2
            UNION ALL
            SELECT c.incurred_on, upper(c.currency), 0, sum(c.amount), 0, false
            FROM upcoach.cost_entries c WHERE c.incurred_on >= $1 AND c.incurred_on < $2 GROUP BY 1, 2
            UNION ALL
            SELECT d.day, upper(s.currency), 0, 0,
                sum(s.amount * CASE s.billing_interval WHEN 'monthly' THEN 12 WHEN 'quarterly' THEN 4 WHEN 'yearly' THEN 1 END), false
            FROM days d JOIN upcoach.subscriptions s ON s.created_at < d.ends
                AND (s.status IN ('active', 'past_due') OR (s.status = 'canceled' AND s.canceled_at >= d.ends))
                AND (s.trial_end IS NULL OR s.trial_end < d.ends)
            WHERE s.amount > 0
            GROUP BY 1, 2
         )
         SELECT day, currency, sum(revenue)::bigint AS revenue, sum(costs)::bigint AS costs, sum(yearly)::bigint AS yearly,
            bool_or(fees_incomplete) AS fees_incomplete
         FROM told GROUP BY day, currency ORDER BY day, currency",
    )
    .bind(from)
    .bind(until)
    .fetch_all(connection)
    .await
}

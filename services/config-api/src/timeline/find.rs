//! What an id is of: records, events, a request.

use std::collections::BTreeSet;

use service::http::RequestId;
use sqlx::PgConnection;
use uuid::Uuid;

/// Records of one story at most.
const MOST_RECORDS: i64 = 50;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// Type and UpCoach's id.
    pub(super) records: BTreeSet<(String, Uuid)>,
    /// Rows of received events.
    pub(super) webhooks: BTreeSet<Uuid>,
    /// As the audit log has it.
    pub(super) request: Option<Uuid>,
}

pub(super) async fn find(connection: &mut PgConnection, query: &str) -> Result<Found, sqlx::Error> {
    let mut found = Found { request: RequestId::parse(query).map(|id| id.uuid()), ..Found::default() };
    found.add(match Uuid::try_parse(query) {
        Ok(id) => of_uuid(connection, id).await?,
        Err(_) => of_text(connection, query).await?,
    });
    if let Some(request) = found.request {
        found.add(of_request(connection, request).await?);
    }
    let told = told_of(connection, &found.webhooks).await?;
    found.add(told);
    let related = related(connection, &found.records).await?;
    found.add(related);
    Ok(found)
}

impl Found {
    fn add(&mut self, rows: Vec<(String, Uuid)>) {
        for (kind, id) in rows {
            if kind == "webhook" {
                self.webhooks.insert(id);
            } else {
                self.records.insert((kind, id));
            }
        }
    }

    /// As the audit log names them: `transaction:<id>`.
    pub(super) fn names(&self) -> Vec<String> {
        self.records.iter().map(|(kind, id)| format!("{kind}:{id}")).collect()
    }
}

async fn of_uuid(connection: &mut PgConnection, id: Uuid) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT 'customer', id FROM upcoach.users WHERE id = $1
         UNION ALL SELECT 'transaction', id FROM upcoach.transactions WHERE id = $1
         UNION ALL SELECT 'subscription', id FROM upcoach.subscriptions WHERE id = $1
         UNION ALL SELECT 'invoice', id FROM upcoach.invoices WHERE id = $1
         UNION ALL SELECT source_type::text, source_id FROM sync.for_readers WHERE id = $1
         UNION ALL SELECT source_type::text, source_id FROM sync.for_readers WHERE source_id = $1
         UNION ALL SELECT entity_type::text, source_id FROM reconciliation.findings_for_readers WHERE id = $1 AND source_id IS NOT NULL
         UNION ALL SELECT 'webhook', id FROM ingress.for_config_api WHERE id = $1",
    )
    .bind(id)
    .fetch_all(connection)
    .await
}

/// Stripe's ids, FlashERP's, and both senders' ids of events.
async fn of_text(connection: &mut PgConnection, text: &str) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT 'transaction', id FROM upcoach.transactions WHERE stripe_transaction_id = $1
         UNION ALL (SELECT 'transaction', id FROM upcoach.transactions WHERE stripe_charge_id = $1 LIMIT $2)
         UNION ALL SELECT 'transaction', id FROM upcoach.transactions WHERE stripe_refund_id = $1
         UNION ALL (SELECT 'transaction', id FROM upcoach.transactions WHERE stripe_invoice_id = $1 LIMIT $2)
         UNION ALL SELECT 'subscription', id FROM upcoach.subscriptions WHERE stripe_subscription_id = $1
         UNION ALL SELECT 'invoice', id FROM upcoach.invoices WHERE stripe_invoice_id = $1
         UNION ALL SELECT 'invoice', id FROM upcoach.invoices WHERE flasherp_invoice_id = $1
         UNION ALL SELECT 'customer', id FROM upcoach.users WHERE stripe_customer_id = $1
         UNION ALL SELECT 'customer', user_id FROM upcoach.user_stripe_customers WHERE stripe_customer_id = $1
         UNION ALL (SELECT source_type::text, source_id FROM sync.for_readers WHERE target_id = $1 LIMIT $2)
         UNION ALL SELECT 'webhook', id FROM ingress.for_config_api WHERE source = 'stripe' AND event_id = $1
         UNION ALL SELECT 'webhook', id FROM ingress.for_config_api WHERE source = 'flasherp' AND event_id = $1",
    )
    .bind(text)
    .bind(MOST_RECORDS)
    .fetch_all(connection)
    .await
}

/// What was done in a request.
async fn of_request(connection: &mut PgConnection, request: Uuid) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    sqlx::query_as(
        "SELECT DISTINCT entity_type, entity_id::uuid FROM (SELECT entity_type, entity_id FROM audit.erp_audit_logs
            WHERE request_id = $1 ORDER BY created_at DESC LIMIT $2) AS done
         WHERE entity_type IN ('transaction', 'subscription', 'customer', 'invoice', 'financial_report', 'webhook')
            AND pg_input_is_valid(entity_id, 'uuid')",
    )
    .bind(request)
    .bind(MOST_RECORDS)
    .fetch_all(connection)
    .await
}

/// The records that events told of.
async fn told_of(connection: &mut PgConnection, webhooks: &BTreeSet<Uuid>) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<String> = webhooks.iter().map(Uuid::to_string).collect();
    sqlx::query_as(
        "SELECT DISTINCT split_part(record, ':', 1), split_part(record, ':', 2)::uuid
         FROM audit.erp_audit_logs l, jsonb_array_elements_text(l.metadata -> 'records') AS record
         WHERE l.entity_id = ANY ($1) AND l.action = 'webhook_received' AND jsonb_typeof(l.metadata -> 'records') = 'array'
            AND pg_input_is_valid(split_part(record, ':', 2), 'uuid')
         LIMIT $2",
    )
    .bind(ids)
    .bind(MOST_RECORDS)
    .fetch_all(connection)
    .await
}

/// A payment's refunds and chargebacks, what these belong to, and the invoice that tells of the same money.
async fn related(
    connection: &mut PgConnection,
    records: &BTreeSet<(String, Uuid)>,
) -> Result<Vec<(String, Uuid)>, sqlx::Error> {
    let of =
        |wanted: &str| -> Vec<Uuid> { records.iter().filter(|(kind, _)| kind == wanted).map(|(_, id)| *id).collect() };
    sqlx::query_as(
        "SELECT * FROM (
            SELECT 'transaction' AS type, r.id FROM upcoach.transactions r WHERE r.original_id = ANY ($1)
            UNION SELECT 'transaction', t.original_id FROM upcoach.transactions t WHERE t.id = ANY ($1) AND t.original_id IS NOT NULL
            UNION SELECT 'invoice', i.id FROM upcoach.transactions t JOIN upcoach.invoices i ON i.stripe_invoice_id = t.stripe_invoice_id
                WHERE t.id = ANY ($1)
            UNION SELECT 'transaction', i.transaction_id FROM upcoach.invoices i WHERE i.id = ANY ($2) AND i.transaction_id IS NOT NULL
            UNION SELECT 'transaction', t.id FROM upcoach.invoices i JOIN upcoach.transactions t ON t.stripe_invoice_id = i.stripe_invoice_id
                WHERE i.id = ANY ($2)) AS related LIMIT $3",
    )
    .bind(of("transaction"))
    .bind(of("invoice"))
    .bind(MOST_RECORDS)
    .fetch_all(connection)
    .await
}

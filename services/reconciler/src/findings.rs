//! Findings written: a batch in one statement.
//!
//! A difference that somebody has accepted or ignored in an earlier run, and that is the same still, is written as decided. A double that a worker has
//! reported outside of any run is the run's now.

use std::collections::BTreeMap;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::verdict::Finding;

/// Writes them; of each whether nobody had decided on it.
///
/// # Errors
/// The database; the transaction is then to be rolled back.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    run: Uuid,
    found: &[Finding],
) -> Result<Vec<(String, String, bool)>, sqlx::Error> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let targets: Vec<Option<&str>> =
        found.iter().map(|finding| finding.target.as_ref().map(|id| id.as_str())).collect();
    sqlx::query(
        "DELETE FROM reconciliation.findings f USING unnest($1::text[], $2::text[], $3::text[]) AS n (class, type, target)
         WHERE f.run_id IS NULL AND f.decision = 'open' AND f.target_id = n.target
            AND f.class = n.class::reconciliation.finding_class AND f.entity_type = n.type::sync.entity_type",
    )
    .bind(found.iter().map(|finding| finding.class.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.kind.as_str()).collect::<Vec<_>>())
    .bind(&targets)
    .execute(&mut *connection)
    .await?;
    sqlx::query_as(
        "WITH n AS MATERIALIZED (
            SELECT class::reconciliation.finding_class, type::sync.entity_type, source, sync, target, field, ours::jsonb, theirs::jsonb,
                difference::jsonb, place
            FROM unnest($2::text[], $3::text[], $4::uuid[], $5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[])
                WITH ORDINALITY AS n (class, type, source, sync, target, field, ours, theirs, difference, place)
         )
         INSERT INTO reconciliation.findings (run_id, class, entity_type, source_id, sync_id, target_id, field, ours, theirs, difference,
            decision, decided_at, decided_by, note)
         SELECT $1, n.class, n.type, n.source, n.sync, n.target, n.field, n.ours, n.theirs, n.difference,
            coalesce(before.decision, 'open'), before.decided_at, before.decided_by, before.note
         FROM n LEFT JOIN LATERAL (
            SELECT f.decision, f.decided_at, f.decided_by, f.note
            FROM (
                SELECT * FROM reconciliation.findings s WHERE s.source_id = n.source
                UNION ALL
                SELECT * FROM reconciliation.findings t WHERE n.source IS NULL AND t.source_id IS NULL AND t.target_id = n.target
            ) AS f
            WHERE f.run_id IS DISTINCT FROM $1 AND f.decision IN ('accepted', 'ignored') AND f.class = n.class
                AND f.entity_type = n.type AND f.target_id IS NOT DISTINCT FROM n.target AND f.field IS NOT DISTINCT FROM n.field
                AND (f.run_id IS NULL OR (f.ours IS NOT DISTINCT FROM n.ours AND f.theirs IS NOT DISTINCT FROM n.theirs))
            ORDER BY f.decided_at DESC LIMIT 1
         ) AS before ON true
         ORDER BY n.place
         RETURNING entity_type::text, class::text, decision = 'open'",
    )
    .bind(run)
    .bind(found.iter().map(|finding| finding.class.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.kind.as_str()).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.source).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.sync.map(|sync| sync.as_uuid())).collect::<Vec<_>>())
    .bind(&targets)
    .bind(found.iter().map(|finding| finding.field.map(|field| field.as_str())).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.ours.as_deref()).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| finding.theirs.as_deref()).collect::<Vec<_>>())
    .bind(found.iter().map(|finding| difference(&finding.difference)).collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// JSON of whole numbers; nothing where no money differs.
fn difference(difference: &BTreeMap<&'static str, i128>) -> Option<String> {
    let members: Vec<String> = difference.iter().map(|(currency, minor)| format!("\"{currency}\":{minor}")).collect();
    (!members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
}

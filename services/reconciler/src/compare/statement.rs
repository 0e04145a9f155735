//! The statement that joins a type's staged records with ours: one statement, and so one moment of our side.
//!
//! Each of FlashERP's records is one row, whatever our window says of its counterpart: it belongs to the sync whose target it is, else to the record
//! that it refers to. Of several for one record the target comes first (`x_place` 1), else the oldest; the others are too many. A record of ours is a row
//! of its own (`x_place` 0) if none of FlashERP's belongs to it and it is in the window: by when FlashERP made its target, else, that being unknown, by
//! when it was made here.
//!
//! A record that FlashERP's pages gave twice is one row, as it was changed last.

use domain::EntityType;

/// The statement; its parameters are the window's start and end. Without `absent`, only FlashERP's records are rows: a part of them may not have
/// been read, and then nothing can be said of what is missing.
pub(super) fn joined(kind: EntityType, staging: &str, absent: bool) -> String {
    let ours = syncs::select_all(kind);
    let label = kind.as_str();
    let (customer, customers) = match kind {
        EntityType::Customer | EntityType::FinancialReport => ("NULL::text", String::new()),
        EntityType::Transaction | EntityType::Subscription | EntityType::Invoice => (
            "c.target_id",
            "LEFT JOIN sync.for_readers c ON c.source_system = 'upcoach' AND c.source_type = 'customer' AND c.source_id = o.user_id"
                .to_owned(),
        ),
    };
    let absent = if absent {
        "UNION ALL
         SELECT s.source_id, 0, NULL, NULL, NULL, NULL, NULL, NULL FROM syncs s
         WHERE s.target_id IS NOT NULL AND s.target_created_at >= $1 AND s.target_created_at < $2
            AND NOT EXISTS (SELECT FROM placed p WHERE p.source = s.source_id)
         UNION ALL
         SELECT o.id, 0, NULL, NULL, NULL, NULL, NULL, NULL FROM ours o LEFT JOIN syncs s ON s.source_id = o.id
         WHERE o.created_at >= $1 AND o.created_at < $2 AND (s.target_id IS NULL OR s.target_created_at IS NULL)
            AND NOT EXISTS (SELECT FROM placed p WHERE p.source = o.id)
         UNION ALL
         SELECT s.source_id, 0, NULL, NULL, NULL, NULL, NULL, NULL FROM syncs s
         WHERE s.created_at >= $1 AND s.created_at < $2 AND (s.target_id IS NULL OR s.target_created_at IS NULL)
            AND NOT EXISTS (SELECT FROM ours o WHERE o.id = s.source_id)
            AND NOT EXISTS (SELECT FROM placed p WHERE p.source = s.source_id)"
    } else {
        "WHERE $1::timestamptz < $2::timestamptz"
    };
    let staged = once(staging, &format!("'{label}'"));
    format!(
        "WITH ours AS NOT MATERIALIZED ({ours}
         ), syncs AS NOT MATERIALIZED (
            SELECT id, source_id, target_id, target_created_at, created_at FROM sync.for_readers
            WHERE source_system = 'upcoach' AND source_type = '{label}'
         ), holders AS NOT MATERIALIZED (
            SELECT DISTINCT ON (target_id) target_id, source_id FROM syncs WHERE target_id IS NOT NULL ORDER BY target_id, id
         ), staged AS NOT MATERIALIZED (
            {staged}
         ), belonging AS NOT MATERIALIZED (
            SELECT coalesce(h.source_id, t.source_id) AS source, h.source_id IS NULL AS by_reference,
                t.target_id, t.target_created_at, t.target_updated_at, t.marks, t.currency, t.minor
            FROM staged t LEFT JOIN holders h ON h.target_id = t.target_id
         ), placed AS MATERIALIZED (
            SELECT source, row_number() OVER (PARTITION BY source ORDER BY by_reference, target_created_at, target_id) AS place,
                target_id, target_created_at, target_updated_at, marks, currency, minor
            FROM belonging
         ), keys AS NOT MATERIALIZED (
            SELECT source, place, target_id, target_created_at, target_updated_at, marks, currency, minor FROM placed
            {absent}
         )
         SELECT o.*, o.id IS NOT NULL AS x_is_ours, k.source AS x_source, k.place AS x_place, k.target_id AS x_target,
            k.target_created_at AS x_born, k.target_updated_at AS x_updated, k.marks AS x_marks, k.currency AS x_currency,
            k.minor AS x_minor, s.id AS x_sync, s.target_id AS x_known_target, s.target_created_at IS NULL AS x_birth_unknown,
            {customer} AS x_customer
         FROM keys k LEFT JOIN ours o ON o.id = k.source LEFT JOIN syncs s ON s.source_id = k.source {customers}"
    )
}

/// What is staged of a type: records, and what they count for by currency.
pub(super) fn staged_sums(staging: &str) -> String {
    format!(
        "SELECT count(*), currency, coalesce(sum(minor), 0)::text FROM {staging}
         WHERE entity_type = $1::text::sync.entity_type GROUP BY currency"
    )
}

/// The same where a record was given twice: each counts once.
pub(super) fn sums_of_each(staging: &str) -> String {
    let staged = once(staging, "$1::text::sync.entity_type");
    format!("SELECT count(*), currency, coalesce(sum(minor), 0)::text FROM ({staged}) AS staged GROUP BY currency")
}

fn once(staging: &str, kind: &str) -> String {
    format!(
        "SELECT DISTINCT ON (target_id) target_id, source_id, target_created_at, target_updated_at, marks, currency, minor FROM {staging}
         WHERE entity_type = {kind} ORDER BY target_id, target_updated_at DESC"
    )
}

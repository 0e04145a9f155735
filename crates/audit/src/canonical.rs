//! What of a row is sealed: all of it, as one line of JSON in UTF-8.
//!
//! The line is made by PostgreSQL, whose functions for it are its own (`pg_catalog`) and give the same whatever the session's settings are: time zone,
//! date style and search path have no part in it. An archive's file holds these very lines, so that `sha256sum` is all that one needs to check one.

/// SQL for the canonical line of the row `l` of `audit.erp_audit_logs`, as text.
macro_rules! canonical_row {
    () => {
        "pg_catalog.json_build_object(
            'id', l.id,
            'createdAt', pg_catalog.to_char(pg_catalog.timezone('UTC', l.created_at), 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),
            'epoch', l.epoch, 'xid', l.xid::text,
            'action', l.action, 'entityType', l.entity_type, 'entityId', l.entity_id, 'erpSyncId', l.erp_sync_id,
            'status', l.status, 'requestPayload', l.request_payload, 'responsePayload', l.response_payload,
            'errorDetails', l.error_details, 'duration', l.duration_ms, 'ipAddress', l.ip_address, 'userAgent', l.user_agent,
            'performedBy', l.performed_by, 'requestId', l.request_id, 'metadata', l.metadata)::text"
    };
}

/// SQL for the SHA-256 of it.
macro_rules! canonical_sha256 {
    () => {
        concat!("pg_catalog.sha256(pg_catalog.convert_to(", crate::canonical::canonical_row!(), ", 'UTF8'))")
    };
}

pub(crate) use {canonical_row, canonical_sha256};

-- The audit trail (design section 8): appended to by all, changed by none. UPDATE, DELETE and TRUNCATE are refused by
-- grant and, also for the owner and under session_replication_role = replica, by triggers that are ENABLE ALWAYS.
CREATE TYPE audit.action AS ENUM ('sync', 'webhook_received', 'config_updated', 'manual_sync', 'health_check');
CREATE TYPE audit.status AS ENUM ('initiated', 'success', 'failed');

-- An epoch begins with the system and after each restore from backup; rows and seals carry it.
CREATE TABLE audit.epochs (
    epoch         integer PRIMARY KEY,
    began_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    restored_head bytea CHECK (octet_length(restored_head) = 32),
    note          text
);
INSERT INTO audit.epochs (epoch, note) VALUES (1, 'first');

CREATE FUNCTION audit.current_epoch() RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT max(epoch) FROM audit.epochs';

CREATE TABLE audit.erp_audit_logs (
    id               uuid NOT NULL DEFAULT uuidv7(),
    action           audit.action NOT NULL,
    entity_type      text NOT NULL,
    entity_id        text,
    erp_sync_id      uuid,
    status           audit.status NOT NULL,
    request_payload  jsonb,
    response_payload jsonb,
    error_details    jsonb,
    duration_ms      integer CHECK (duration_ms >= 0),
    ip_address       inet,
    user_agent       text,
    performed_by     text,
    request_id       uuid,
    metadata         jsonb NOT NULL DEFAULT '{}',
    created_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Sequence numbers commit out of order; the transaction's own id tells when a row can no longer appear.
    xid              xid8 NOT NULL DEFAULT pg_current_xact_id(),
    epoch            integer NOT NULL DEFAULT audit.current_epoch(),
    PRIMARY KEY (created_at, id)
) PARTITION BY RANGE (created_at);
COMMENT ON COLUMN audit.erp_audit_logs.duration_ms IS 'milliseconds; the seed calls it duration';

-- newest first, and by cursor: the primary key. The rest serve one filter of GET /api/erp/audit-logs each.
CREATE INDEX erp_audit_logs_action ON audit.erp_audit_logs (action, created_at DESC);
CREATE INDEX erp_audit_logs_entity_type ON audit.erp_audit_logs (entity_type, created_at DESC);
-- an id is one of few whatever its type
CREATE INDEX erp_audit_logs_entity ON audit.erp_audit_logs (entity_id, created_at DESC) WHERE entity_id IS NOT NULL;
CREATE INDEX erp_audit_logs_sync ON audit.erp_audit_logs (erp_sync_id, created_at DESC) WHERE erp_sync_id IS NOT NULL;
CREATE INDEX erp_audit_logs_request ON audit.erp_audit_logs (request_id) WHERE request_id IS NOT NULL;
CREATE INDEX erp_audit_logs_performed_by ON audit.erp_audit_logs (performed_by, created_at DESC)
    WHERE performed_by IS NOT NULL;
-- nearly all are successes: those are found on the way along the primary key
CREATE INDEX erp_audit_logs_status ON audit.erp_audit_logs (status, created_at DESC) WHERE status <> 'success';
-- failures of one action and of one type, which may be none among all failures
CREATE INDEX erp_audit_logs_action_status ON audit.erp_audit_logs (action, status, created_at DESC) WHERE status <> 'success';
CREATE INDEX erp_audit_logs_type_status ON audit.erp_audit_logs (entity_type, status, created_at DESC) WHERE status <> 'success';
-- metrics: attempts by the minute, with how long they took, read from the index alone
CREATE INDEX erp_audit_logs_attempts ON audit.erp_audit_logs (created_at) INCLUDE (status, duration_ms)
    WHERE action IN ('sync', 'manual_sync') AND erp_sync_id IS NOT NULL;
-- timeline: the events that told of a record
CREATE INDEX erp_audit_logs_records ON audit.erp_audit_logs USING gin ((metadata -> 'records')) WHERE action = 'webhook_received';
-- what the next seal takes: rows of an epoch since the last seal's transaction id
CREATE INDEX erp_audit_logs_xid ON audit.erp_audit_logs (epoch, xid);

-- The chain (docs/audit-seals.md): each seal is over the rows of an epoch whose transaction ids are from from_xid up to, not including, until_xid.
CREATE TABLE audit.seals (
    -- its place in the chain, from 1, without gaps
    number        bigint PRIMARY KEY CHECK (number > 0),
    epoch         integer NOT NULL REFERENCES audit.epochs (epoch),
    from_xid      xid8 NOT NULL,
    until_xid     xid8 NOT NULL,
    row_count     bigint NOT NULL CHECK (row_count > 0),
    -- over the leaves, in order
    rows_sha256   bytea NOT NULL CHECK (octet_length(rows_sha256) = 32),
    previous_head bytea NOT NULL CHECK (octet_length(previous_head) = 32),
    head          bytea NOT NULL UNIQUE CHECK (octet_length(head) = 32),
    sealed_at     timestamptz NOT NULL,
    CHECK (until_xid > from_xid),
    UNIQUE (epoch, from_xid),
    UNIQUE (epoch, until_xid)
);

-- What a seal is over, row by row: time (8 bytes, microseconds), id (16), SHA-256 (32) of each, in the order of time and id. They tell which row
-- was changed, and carry the chain on when a month's rows are kept in an archive only.
CREATE TABLE audit.seal_leaves (
    seal   bigint NOT NULL REFERENCES audit.seals (number),
    piece  integer NOT NULL CHECK (piece >= 0),
    leaves bytea NOT NULL CHECK (octet_length(leaves) > 0 AND octet_length(leaves) % 56 = 0),
    PRIMARY KEY (seal, piece)
);
-- hashes don't get smaller
ALTER TABLE audit.seal_leaves ALTER COLUMN leaves SET STORAGE EXTERNAL;

-- Months that were exported whole; their partition may be detached.
CREATE TABLE audit.archives (
    partition   text PRIMARY KEY CHECK (partition ~ '^erp_audit_logs_[0-9]{4}_[0-9]{2}$'),
    rows_from   timestamptz NOT NULL,
    rows_until  timestamptz NOT NULL,
    row_count   bigint NOT NULL CHECK (row_count >= 0),
    file_sha256 bytea NOT NULL CHECK (octet_length(file_sha256) = 32),
    -- of the last seal when it was exported
    head        bytea NOT NULL CHECK (octet_length(head) = 32),
    archived_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    archived_by text NOT NULL,
    CHECK (rows_until > rows_from)
);

CREATE FUNCTION audit.refuse_change() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    RAISE EXCEPTION 'audit records are append-only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.erp_audit_logs
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.erp_audit_logs
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.seals
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.seals
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.seal_leaves
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.seal_leaves
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.archives
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.archives
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit.epochs
    FOR EACH ROW EXECUTE FUNCTION audit.refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.epochs
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();

ALTER TABLE audit.erp_audit_logs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.erp_audit_logs ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE audit.seals ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.seals ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE audit.seal_leaves ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.seal_leaves ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE audit.archives ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.archives ENABLE ALWAYS TRIGGER append_only_truncate;
ALTER TABLE audit.epochs ENABLE ALWAYS TRIGGER append_only;
ALTER TABLE audit.epochs ENABLE ALWAYS TRIGGER append_only_truncate;

-- Makes a partition for this month and the three that follow, by the database's clock. Called by `erpctl migrate` and
-- daily by a job. Rows of a month without a partition go to the default one, so that no call ever fails for the want of it; a
-- month that has rows there already stays there, with a warning. Making one waits for those who are writing to the log, and all others behind it: it gives
-- up soon, and the next day's job tries again.
CREATE FUNCTION audit.ensure_partitions() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s'
    AS $$
DECLARE
    month      timestamptz := date_trunc('month', clock_timestamp(), 'UTC');
    name       text;
    until      timestamptz;
    made       integer := 0;
    row_exists boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('audit.ensure_partitions', 0));
    FOR ahead IN 0..3 LOOP
        until := date_trunc('month', month + interval '32 days', 'UTC');
        name := 'erp_audit_logs_' || to_char(month AT TIME ZONE 'UTC', 'YYYY_MM');
        IF to_regclass('audit.' || name) IS NULL THEN
            SELECT EXISTS (
                SELECT FROM audit.erp_audit_logs_default d WHERE d.created_at >= month AND d.created_at < until
            ) INTO row_exists;
            IF row_exists THEN
                RAISE WARNING 'audit: rows of % are in the default partition and stay there', to_char(month, 'YYYY-MM');
            ELSE
                EXECUTE format('CREATE TABLE audit.%I PARTITION OF audit.erp_audit_logs FOR VALUES FROM (%L) TO (%L)',
                    name, month, until);
                EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.%I
                    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change()', name);
                EXECUTE format('ALTER TABLE audit.%I ENABLE ALWAYS TRIGGER append_only_truncate', name);
                made := made + 1;
            END IF;
        END IF;
        month := until;
    END LOOP;
    RETURN made;
END
$$;

CREATE TABLE audit.erp_audit_logs_default PARTITION OF audit.erp_audit_logs DEFAULT;
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON audit.erp_audit_logs_default
    FOR EACH STATEMENT EXECUTE FUNCTION audit.refuse_change();
ALTER TABLE audit.erp_audit_logs_default ENABLE ALWAYS TRIGGER append_only_truncate;
SELECT audit.ensure_partitions();

-- created_at, xid and epoch are the database's word: no service may give them.
GRANT INSERT (id, action, entity_type, entity_id, erp_sync_id, status, request_payload, response_payload, error_details,
    duration_ms, ip_address, user_agent, performed_by, request_id, metadata)
    ON audit.erp_audit_logs
    TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT SELECT ON audit.erp_audit_logs, audit.seals, audit.seal_leaves, audit.archives, audit.epochs TO erp_config_api, erp_scheduler;
GRANT INSERT ON audit.seals, audit.seal_leaves TO erp_scheduler;
GRANT EXECUTE ON FUNCTION audit.current_epoch()
    TO erp_config_api, erp_ingress, erp_sync_worker, erp_scheduler, erp_reconciler;
GRANT EXECUTE ON FUNCTION audit.ensure_partitions() TO erp_scheduler;

-- Reconciliation (design section 7): runs, what FlashERP answered, and what differs.
CREATE TYPE reconciliation.reconciliation_status AS ENUM ('pending', 'running', 'completed', 'incomplete', 'failed');
CREATE TYPE reconciliation.slice_status AS ENUM ('pending', 'running', 'done', 'failed');
CREATE TYPE reconciliation.finding_class AS ENUM (
    'missing_in_flasherp', 'missing_in_upcoach', 'mismatch', 'duplicate_in_flasherp', 'orphaned_sync',
    'pending_sync', 'failed_sync', 'skipped_sync', 'unknown_sync');
CREATE TYPE reconciliation.decision AS ENUM ('open', 'healing', 'healed', 'accepted', 'ignored');

CREATE TABLE reconciliation.runs (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    status          reconciliation.reconciliation_status NOT NULL DEFAULT 'pending',
    window_from     timestamptz NOT NULL,
    window_to       timestamptz NOT NULL,
    cutoff_secs     integer NOT NULL DEFAULT 300 CHECK (cutoff_secs >= 0),
    entity_types    sync.entity_type[] NOT NULL,
    auto_heal       boolean NOT NULL DEFAULT false,
    idempotency_key text UNIQUE CHECK (length(idempotency_key) <= 255),
    requested_by    text,
    lease_owner     uuid,
    lease_until     timestamptz,
    -- per entity type and per currency; sums are minor units of ISO 4217
    totals          jsonb NOT NULL DEFAULT '{}',
    -- ours minus theirs equals the sum of the classified differences
    proven          boolean,
    error           text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    finished_at     timestamptz,
    CHECK (window_to > window_from),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
CREATE INDEX runs_created ON reconciliation.runs (created_at DESC);
-- what a reconciler takes up next, also after another died
CREATE INDEX runs_unfinished ON reconciliation.runs (created_at) WHERE status IN ('pending', 'running');

-- A part of a run's window that is paged on its own; page and checkpoint are committed together.
CREATE TABLE reconciliation.slices (
    run_id      uuid NOT NULL REFERENCES reconciliation.runs (id) ON DELETE CASCADE,
    entity_type sync.entity_type NOT NULL,
    slice_from  timestamptz NOT NULL,
    slice_to    timestamptz NOT NULL,
    status      reconciliation.slice_status NOT NULL DEFAULT 'pending',
    cursor      text,
    records     bigint NOT NULL DEFAULT 0,
    error       text,
    PRIMARY KEY (run_id, entity_type, slice_from),
    CHECK (slice_to > slice_from)
);

CREATE TABLE reconciliation.staging (
    run_id            uuid NOT NULL REFERENCES reconciliation.runs (id) ON DELETE CASCADE,
    entity_type       sync.entity_type NOT NULL,
    target_id         text NOT NULL,
    upcoach_reference text,
    slice_from        timestamptz NOT NULL,
    target_created_at timestamptz NOT NULL,
    target_updated_at timestamptz NOT NULL,
    record            jsonb NOT NULL,
    PRIMARY KEY (run_id, entity_type, target_id)
);
-- the join with ours, and duplicates by reference
CREATE INDEX staging_reference ON reconciliation.staging (run_id, entity_type, upcoach_reference);

CREATE TABLE reconciliation.findings (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    -- null: met by a worker, outside of any run
    run_id      uuid REFERENCES reconciliation.runs (id) ON DELETE CASCADE,
    class       reconciliation.finding_class NOT NULL,
    entity_type sync.entity_type NOT NULL,
    source_id   uuid,
    sync_id     uuid,
    target_id   text,
    -- of a mismatch
    field       text,
    ours        jsonb,
    theirs      jsonb,
    currency    text,
    -- ours minus theirs, minor units of ISO 4217
    difference  bigint,
    decision    reconciliation.decision NOT NULL DEFAULT 'open',
    decided_at  timestamptz,
    decided_by  text,
    note        text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- a run's findings by class, paged
CREATE INDEX findings_run ON reconciliation.findings (run_id, class, id);
-- the timeline of one record
CREATE INDEX findings_source ON reconciliation.findings (source_id) WHERE source_id IS NOT NULL;
CREATE INDEX findings_target ON reconciliation.findings (target_id) WHERE target_id IS NOT NULL;

CREATE TABLE reconciliation.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     text NOT NULL,
    event_id    uuid NOT NULL,
    body        bytea NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Asks for a run. The same idempotency key within 24 h answers the run that it made.
CREATE FUNCTION reconciliation.request(p_from timestamptz, p_to timestamptz, p_types sync.entity_type[],
    p_auto_heal boolean, p_cutoff_secs integer, p_by text, p_idempotency_key text
) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    run uuid;
BEGIN
    -- a key older than 24 h is free again
    UPDATE reconciliation.runs SET idempotency_key = NULL
    WHERE idempotency_key = p_idempotency_key AND created_at < clock_timestamp() - interval '24 hours';
    INSERT INTO reconciliation.runs
        (window_from, window_to, entity_types, auto_heal, cutoff_secs, requested_by, idempotency_key)
    VALUES (p_from, p_to, p_types, p_auto_heal, p_cutoff_secs, p_by, p_idempotency_key)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING id INTO run;
    IF run IS NULL THEN
        SELECT id INTO STRICT run FROM reconciliation.runs WHERE idempotency_key = p_idempotency_key;
    END IF;
    RETURN run;
END
$$;
-- Decides on an open finding; says whether it changed anything.
CREATE FUNCTION reconciliation.decide(p_finding uuid, p_decision reconciliation.decision, p_by text, p_note text)
    RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH decided AS (
        UPDATE reconciliation.findings
        SET decision = p_decision, decided_at = clock_timestamp(), decided_by = p_by, note = p_note
        WHERE id = p_finding AND decision = 'open' AND p_decision <> 'open'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM decided)
$$;

-- Doubles in FlashERP that a worker met, outside of any run: a finding for each record that is too many, unless there is one already, decided or
-- not. How many are new.
CREATE FUNCTION reconciliation.note_duplicates(p_types sync.entity_type[], p_sources uuid[], p_syncs uuid[], p_targets text[])
    RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH made AS (
        INSERT INTO reconciliation.findings (class, entity_type, source_id, sync_id, target_id)
        SELECT 'duplicate_in_flasherp', d.type, d.source, d.sync, d.target
        FROM unnest(p_types, p_sources, p_syncs, p_targets) AS d (type, source, sync, target)
        WHERE NOT EXISTS (SELECT FROM reconciliation.findings f
            WHERE f.class = 'duplicate_in_flasherp' AND f.entity_type = d.type AND f.target_id = d.target)
        RETURNING 1
    )
    SELECT count(*)::integer FROM made
$$;

CREATE VIEW reconciliation.runs_for_readers AS
    SELECT id, status, window_from, window_to, cutoff_secs, entity_types, auto_heal, requested_by, totals, proven, error,
        created_at, started_at, finished_at
    FROM reconciliation.runs;
CREATE VIEW reconciliation.findings_for_readers AS SELECT * FROM reconciliation.findings;

GRANT SELECT, INSERT, UPDATE, DELETE ON reconciliation.runs, reconciliation.slices, reconciliation.staging,
    reconciliation.findings, reconciliation.outbox TO erp_reconciler;
GRANT SELECT ON reconciliation.runs_for_readers, reconciliation.findings_for_readers TO erp_config_api, erp_scheduler;
GRANT EXECUTE ON FUNCTION reconciliation.request(timestamptz, timestamptz, sync.entity_type[], boolean, integer, text,
    text) TO erp_config_api, erp_sync_worker, erp_scheduler;
GRANT EXECUTE ON FUNCTION reconciliation.decide(uuid, reconciliation.decision, text, text) TO erp_config_api;
GRANT EXECUTE ON FUNCTION reconciliation.note_duplicates(sync.entity_type[], uuid[], uuid[], text[]) TO erp_sync_worker;

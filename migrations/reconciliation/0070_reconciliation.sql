-- Reconciliation (design section 7): runs, what FlashERP answered, and what differs.
CREATE TYPE reconciliation.reconciliation_status AS ENUM ('pending', 'running', 'completed', 'incomplete', 'failed');
CREATE TYPE reconciliation.slice_status AS ENUM ('pending', 'running', 'done', 'failed');
CREATE TYPE reconciliation.finding_class AS ENUM (
    'missing_in_flasherp', 'missing_in_upcoach', 'mismatch', 'duplicate_in_flasherp', 'orphaned_sync',
    'pending_sync', 'failed_sync', 'skipped_sync', 'unknown_sync');
CREATE TYPE reconciliation.decision AS ENUM ('open', 'healing', 'healed', 'accepted', 'ignored');
-- why a record is read again before anything is said of it: both sides differ; only ours is there; only theirs; one of theirs too many; a sync
-- row without its record
CREATE TYPE reconciliation.suspicion AS ENUM ('pair', 'ours', 'theirs', 'duplicate', 'orphan');

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
    -- what the request named, as the admin API tells it apart from another under the same key
    asked           jsonb,
    lease_owner     uuid,
    lease_until     timestamptz,
    -- what changed then or later on either side is left out on both; set when the run is first taken up
    cutoff_at       timestamptz,
    -- which FlashERP and which types it is of, noted when it is first taken up: under another configuration it begins anew
    basis           text,
    -- names the table of its staged records (open_staging) while there is one
    staging         uuid,
    -- when all pages were compared: from then on what is in doubt is in suspects, and staging is not needed any more
    compared_at     timestamptz,
    -- counts and control totals (crates/syncs, reconciliation); sums are minor units of ISO 4217
    totals          jsonb NOT NULL DEFAULT '{}',
    heals_requested integer NOT NULL DEFAULT 0 CHECK (heals_requested >= 0),
    -- ours minus theirs equals the sum of the classified differences
    proven          boolean,
    error           text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    finished_at     timestamptz,
    CHECK (window_to > window_from),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL))
);
-- the list, newest first: all; by where they stand
CREATE INDEX runs_created ON reconciliation.runs (created_at DESC);
CREATE INDEX runs_status ON reconciliation.runs (status, created_at DESC);
-- what a reconciler takes up next, also after another died
CREATE INDEX runs_unfinished ON reconciliation.runs (created_at) WHERE status IN ('pending', 'running');

-- A part of a run's window that is paged on its own; page and checkpoint are committed together. Slices and staged records are unlogged, both:
-- after a crash of the database both are empty, and the run begins to read anew. The run's owner stands in each of its slices, so that a page is
-- fenced by its checkpoint's own statement, without touching a logged table.
CREATE UNLOGGED TABLE reconciliation.slices (
    run_id      uuid NOT NULL,
    entity_type sync.entity_type NOT NULL,
    slice_from  timestamptz NOT NULL,
    slice_to    timestamptz NOT NULL,
    owner       uuid NOT NULL,
    status      reconciliation.slice_status NOT NULL DEFAULT 'pending',
    cursor      text,
    -- how often FlashERP has refused its cursor
    restarts    integer NOT NULL DEFAULT 0,
    records     bigint NOT NULL DEFAULT 0,
    pages       bigint NOT NULL DEFAULT 0,
    error       text,
    PRIMARY KEY (run_id, entity_type, slice_from),
    CHECK (slice_to > slice_from)
);

-- FlashERP's records as a run has paged them, reduced to what is compared. Only the pattern: each run has a table of its own like this, without an
-- index, which is dropped when it was compared (open_staging, close_staging). A table that a frozen process still holds keeps nobody waiting: each time
-- that a window is cut, a table of a new name is made, and what could not be dropped is dropped later.
CREATE UNLOGGED TABLE reconciliation.staging (
    entity_type       sync.entity_type NOT NULL,
    target_id         text NOT NULL,
    -- the upcoachReference, if it is an id of ours at all
    source_id         uuid,
    slice_from        timestamptz NOT NULL,
    target_created_at timestamptz NOT NULL,
    target_updated_at timestamptz NOT NULL,
    -- a mark per field (crates/domain, mapping::Marks): equal marks are equal values
    marks             bytea NOT NULL,
    -- what it counts for in the control totals: minor units of ISO 4217, signed by type
    currency          text,
    minor             bigint
);

-- What a run has found to differ, or could not find: to be read again on both sides before it becomes a finding.
CREATE TABLE reconciliation.suspects (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    run_id      uuid NOT NULL REFERENCES reconciliation.runs (id) ON DELETE CASCADE,
    entity_type sync.entity_type NOT NULL,
    suspicion   reconciliation.suspicion NOT NULL,
    source_id   uuid,
    target_id   text,
    PRIMARY KEY (run_id, id)
);

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
    -- ours minus theirs per currency, minor units of ISO 4217; null where no money differs
    difference  jsonb,
    decision    reconciliation.decision NOT NULL DEFAULT 'open',
    decided_at  timestamptz,
    decided_by  text,
    note        text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- a run's findings, paged: all; by class; by what was decided; by type
CREATE INDEX findings_run ON reconciliation.findings (run_id, id);
CREATE INDEX findings_run_class ON reconciliation.findings (run_id, class, id);
CREATE INDEX findings_run_decision ON reconciliation.findings (run_id, decision, id);
CREATE INDEX findings_run_type ON reconciliation.findings (run_id, entity_type, id);
-- those whose sync is waited for
CREATE INDEX findings_healing ON reconciliation.findings (decided_at) WHERE decision = 'healing';
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

-- Asks for a run. The same idempotency key within 24 h answers the run that it made: whether the run is new, and if not, whether it was asked for in
-- the same words.
CREATE FUNCTION reconciliation.request_once(p_from timestamptz, p_to timestamptz, p_types sync.entity_type[],
    p_auto_heal boolean, p_cutoff_secs integer, p_by text, p_idempotency_key text, p_asked jsonb,
    OUT id uuid, OUT is_new boolean, OUT same boolean
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- a key older than 24 h is free again
    UPDATE reconciliation.runs SET idempotency_key = NULL
    WHERE idempotency_key = p_idempotency_key AND created_at < clock_timestamp() - interval '24 hours';
    INSERT INTO reconciliation.runs
        (window_from, window_to, entity_types, auto_heal, cutoff_secs, requested_by, idempotency_key, asked)
    VALUES (p_from, p_to, p_types, p_auto_heal, p_cutoff_secs, p_by, p_idempotency_key, p_asked)
    -- waits for whoever asks at the same moment with the same key
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING runs.id INTO request_once.id;
    request_once.is_new := request_once.id IS NOT NULL;
    request_once.same := true;
    IF NOT request_once.is_new THEN
        SELECT r.id, r.asked IS NOT DISTINCT FROM p_asked INTO STRICT request_once.id, request_once.same
        FROM reconciliation.runs r WHERE r.idempotency_key = p_idempotency_key;
    END IF;
END
$$;
-- The same for who asks always in the same way under one key.
CREATE FUNCTION reconciliation.request(p_from timestamptz, p_to timestamptz, p_types sync.entity_type[],
    p_auto_heal boolean, p_cutoff_secs integer, p_by text, p_idempotency_key text
) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT id FROM reconciliation.request_once(p_from, p_to, p_types, p_auto_heal, p_cutoff_secs, p_by, p_idempotency_key, NULL)
$$;

-- A new table for a run's staged records; the run bears its name.
CREATE FUNCTION reconciliation.open_staging(p_run uuid) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_staging uuid := gen_random_uuid();
    v_table text := 'staging_' || replace(v_staging::text, '-', '');
BEGIN
    UPDATE reconciliation.runs SET staging = v_staging WHERE id = p_run AND status IN ('pending', 'running');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no run % under way', p_run;
    END IF;
    EXECUTE format('CREATE UNLOGGED TABLE reconciliation.%I (LIKE reconciliation.staging) WITH (autovacuum_enabled = false)', v_table);
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON reconciliation.%I TO erp_reconciler', v_table);
    RETURN v_staging;
END
$$;
-- Once all is in it: lets the planner know.
CREATE FUNCTION reconciliation.analyze_staging(p_run uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    EXECUTE (SELECT format('ANALYZE reconciliation.%I', 'staging_' || replace(staging::text, '-', ''))
        FROM reconciliation.runs WHERE id = p_run AND staging IS NOT NULL);
END
$$;
-- Drops the tables of staged records that no run needs any more. One that somebody holds is left to the next time.
CREATE FUNCTION reconciliation.sweep_staging() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms'
    AS $$
DECLARE
    v_table name;
BEGIN
    FOR v_table IN
        SELECT c.relname FROM pg_class c
        WHERE c.relnamespace = 'reconciliation'::regnamespace AND c.relkind = 'r' AND c.relname ~ '^staging_[0-9a-f]{32}$'
            AND NOT EXISTS (SELECT FROM reconciliation.runs r
                WHERE r.status IN ('pending', 'running') AND 'staging_' || replace(r.staging::text, '-', '') = c.relname)
    LOOP
        BEGIN
            EXECUTE format('DROP TABLE IF EXISTS reconciliation.%I', v_table);
        EXCEPTION WHEN lock_not_available THEN
            NULL;
        END;
    END LOOP;
END
$$;
-- A run needs its staged records no more.
CREATE FUNCTION reconciliation.close_staging(p_run uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE reconciliation.runs SET staging = NULL WHERE id = p_run AND staging IS NOT NULL;
    SELECT reconciliation.sweep_staging()
$$;

-- Heals open findings of a run that has ended, or the one named, so many at most: their records are asked to be synced with force, and all that was
-- found of these records is being healed. Only what a sync can mend, and of that only these classes. Says which records.
CREATE FUNCTION reconciliation.heal(p_run uuid, p_finding uuid, p_classes reconciliation.finding_class[], p_by text, p_note text,
    p_limit bigint
) RETURNS TABLE (entity_type sync.entity_type, source_id uuid)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    v_classes reconciliation.finding_class[] := ARRAY(
        SELECT c.class FROM unnest(ARRAY['missing_in_flasherp', 'mismatch', 'pending_sync', 'failed_sync',
            'unknown_sync']::reconciliation.finding_class[]) AS c (class)
        WHERE p_classes IS NULL OR c.class = ANY (p_classes));
BEGIN
    RETURN QUERY
        WITH chosen AS MATERIALIZED (
            SELECT f.id, f.entity_type, f.source_id FROM reconciliation.findings f
            WHERE f.run_id = p_run AND (p_finding IS NULL OR f.id = p_finding) AND f.decision = 'open'
                AND f.class = ANY (v_classes) AND f.source_id IS NOT NULL
            ORDER BY f.id LIMIT p_limit
        ), records AS MATERIALIZED (
            SELECT DISTINCT c.entity_type, c.source_id FROM chosen c
        ), locked AS MATERIALIZED (
            SELECT f.id FROM reconciliation.findings f JOIN records r ON r.entity_type = f.entity_type AND r.source_id = f.source_id
            WHERE f.run_id = p_run AND f.decision = 'open' AND f.class = ANY (v_classes) ORDER BY f.id FOR UPDATE OF f
        ), healing AS (
            UPDATE reconciliation.findings f
            SET decision = 'healing', decided_at = clock_timestamp(), decided_by = p_by, note = p_note
            FROM locked l WHERE f.id = l.id AND f.decision = 'open'
            RETURNING f.entity_type, f.source_id
        ), healed AS MATERIALIZED (
            SELECT DISTINCT h.entity_type, h.source_id FROM healing h
        ), asked AS MATERIALIZED (
            SELECT sum(sync.request(of_type.kind, of_type.sources, 'heal', true, NULL)) AS count
            FROM (SELECT h.entity_type AS kind, array_agg(h.source_id) AS sources FROM healed h GROUP BY h.entity_type) AS of_type
        )
        SELECT h.entity_type, h.source_id FROM healed h, asked WHERE asked.count > 0;
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
    SELECT id, status, window_from, window_to, cutoff_secs, entity_types, auto_heal, requested_by, totals, proven, heals_requested, error,
        created_at, started_at, finished_at
    FROM reconciliation.runs;
-- Until a run has ended it says nothing. A value, and no EXISTS, which would be planned as a join with all runs there are: asked row by row, a page of
-- findings costs a look-up for each.
CREATE VIEW reconciliation.findings_for_readers AS
    SELECT f.* FROM reconciliation.findings f
    WHERE f.run_id IS NULL OR (SELECT r.finished_at IS NOT NULL FROM reconciliation.runs r WHERE r.id = f.run_id);

GRANT SELECT, INSERT, UPDATE, DELETE ON reconciliation.runs, reconciliation.slices, reconciliation.suspects,
    reconciliation.findings, reconciliation.outbox TO erp_reconciler;
GRANT EXECUTE ON FUNCTION reconciliation.open_staging(uuid), reconciliation.analyze_staging(uuid), reconciliation.close_staging(uuid)
    TO erp_reconciler;
GRANT EXECUTE ON FUNCTION reconciliation.heal(uuid, uuid, reconciliation.finding_class[], text, text, bigint)
    TO erp_reconciler, erp_config_api;
GRANT EXECUTE ON FUNCTION reconciliation.request_once(timestamptz, timestamptz, sync.entity_type[], boolean, integer, text, text,
    jsonb) TO erp_config_api;
GRANT SELECT ON reconciliation.runs_for_readers, reconciliation.findings_for_readers TO erp_config_api, erp_scheduler;
GRANT EXECUTE ON FUNCTION reconciliation.request(timestamptz, timestamptz, sync.entity_type[], boolean, integer, text,
    text) TO erp_config_api, erp_sync_worker, erp_scheduler;
GRANT EXECUTE ON FUNCTION reconciliation.decide(uuid, reconciliation.decision, text, text) TO erp_config_api;
GRANT EXECUTE ON FUNCTION reconciliation.note_duplicates(sync.entity_type[], uuid[], uuid[], text[]) TO erp_sync_worker;

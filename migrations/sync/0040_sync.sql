-- Outbound sync (design section 4): what is asked for, one row of state per record, and the gate that all calls pass.
CREATE TYPE sync.source_system AS ENUM ('upcoach', 'flasherp');
CREATE TYPE sync.entity_type AS ENUM ('transaction', 'subscription', 'customer', 'invoice', 'financial_report');
CREATE TYPE sync.sync_status AS ENUM ('pending', 'syncing', 'synced', 'failed', 'skipped');
CREATE TYPE sync.outcome AS ENUM ('known', 'unknown');
-- from weakest to strongest: the fold keeps the greatest
CREATE TYPE sync.origin AS ENUM ('adopt', 'job', 'batch', 'change', 'heal', 'manual');
CREATE TYPE sync.gate_state AS ENUM ('closed', 'open', 'half_open');
CREATE TYPE sync.batch_kind AS ENUM ('full_sync', 'bulk_retry', 'bulk_skip', 'import');
CREATE TYPE sync.batch_result AS ENUM ('done', 'failed', 'skipped');
CREATE TYPE sync.batch_status AS ENUM ('pending', 'running', 'completed', 'failed', 'cancelled');

CREATE TABLE sync.batches (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    kind            sync.batch_kind NOT NULL,
    status          sync.batch_status NOT NULL DEFAULT 'pending',
    entity_types    sync.entity_type[] NOT NULL DEFAULT '{}',
    filter          jsonb NOT NULL DEFAULT '{}',
    since           timestamptz,
    force           boolean NOT NULL DEFAULT false,
    -- null until counted
    total           bigint CHECK (total >= 0),
    -- asked for so far, and what came of it, as last counted from the items
    asked           bigint NOT NULL DEFAULT 0 CHECK (asked >= 0),
    done            bigint NOT NULL DEFAULT 0 CHECK (done >= 0),
    failed          bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    skipped         bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    -- where the chunked INSERT ... SELECT goes on after a crash
    resume_after    jsonb,
    idempotency_key text UNIQUE CHECK (length(idempotency_key) <= 255),
    requested_by    text,
    reason          text,
    error           text,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at      timestamptz,
    -- when nothing was left to ask for
    asked_at        timestamptz,
    finished_at     timestamptz
);
-- batches to go on with after a crash
CREATE INDEX batches_unfinished ON sync.batches (created_at) WHERE status IN ('pending', 'running');
-- the list, newest first: all; of a kind; by where they stand
CREATE INDEX batches_created ON sync.batches (created_at DESC);
CREATE INDEX batches_kind ON sync.batches (kind, created_at DESC);
CREATE INDEX batches_status ON sync.batches (status, created_at DESC);

-- What a batch asked for and what came of it: one row per record, made by the fold that takes its request, settled when the record's sync
-- has come to rest. Counted from these, a batch's progress is right whoever died when, and whichever batches share a record.
CREATE TABLE sync.batch_items (
    batch_id   uuid NOT NULL REFERENCES sync.batches (id) ON DELETE CASCADE,
    sync_id    uuid NOT NULL,
    result     sync.batch_result,
    settled_at timestamptz,
    PRIMARY KEY (batch_id, sync_id),
    CHECK ((result IS NULL) = (settled_at IS NULL))
);
-- what a finished sync settles
CREATE INDEX batch_items_open ON sync.batch_items (sync_id) WHERE result IS NULL;
-- what of a batch is still to be settled, and what of it failed
CREATE INDEX batch_items_result ON sync.batch_items (batch_id, result);

-- Append-only; one row per wish. No unique key and no foreign key, so that UpCoach's own transaction never waits for
-- a lock of ours.
CREATE TABLE sync.requests (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entity_type  sync.entity_type NOT NULL,
    source_id    uuid NOT NULL,
    origin       sync.origin NOT NULL,
    force        boolean NOT NULL DEFAULT false,
    batch_id     uuid,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- a hint brings source ids
CREATE INDEX requests_source ON sync.requests (source_id, entity_type);
-- what a change or a person asked for is folded before what a full sync did
CREATE INDEX requests_urgent ON sync.requests (id) WHERE origin IN ('change', 'heal', 'manual');
-- a cancelled batch takes back what it has asked for
CREATE INDEX requests_batch ON sync.requests (batch_id) WHERE batch_id IS NOT NULL;

CREATE TABLE sync.erp_syncs (
    -- UUIDv5 of (source system, source type, source id)
    id                uuid PRIMARY KEY,
    source_system     sync.source_system NOT NULL DEFAULT 'upcoach',
    source_type       sync.entity_type NOT NULL,
    source_id         uuid NOT NULL,
    target_system     sync.source_system NOT NULL DEFAULT 'flasherp',
    target_id         text CHECK (length(target_id) BETWEEN 1 AND 64),
    sync_status       sync.sync_status NOT NULL DEFAULT 'pending',
    last_sync_attempt timestamptz,
    last_sync_success timestamptz,
    -- of the last attempt, claim to finish
    sync_duration_ms  integer CHECK (sync_duration_ms >= 0),
    retry_count       integer NOT NULL DEFAULT 0 CHECK (retry_count >= 0),
    next_retry_at     timestamptz,
    error_code        text,
    error_message     text,
    error_details     jsonb,
    -- of the last call that failed
    http_status       integer,
    -- what the holder must answer: the strongest origin asked for, and whether even an equal record is written
    origin            sync.origin NOT NULL DEFAULT 'change',
    force             boolean NOT NULL DEFAULT false,
    -- the batch that asked last, until it has its answer; no foreign key: a request may name a batch that has been pruned since
    batch_id          uuid,
    -- requests folded so far, and how many of them the holder took
    requested         bigint NOT NULL DEFAULT 0,
    taken             bigint NOT NULL DEFAULT 0,
    -- the counter at the last claim that began from a known outcome: while it stands there, all attempts since wanted the same
    taken_known       bigint NOT NULL DEFAULT 0,
    -- when a request came last that gives the retries back (a change, a hand, a heal)
    restarted_at      timestamptz,
    -- since when a wish is unanswered
    waiting_since     timestamptz,
    -- when it may be claimed; null: nothing to do, or in hand, or waiting for another sync
    due_at            timestamptz,
    -- lease, on the database's clock; lease_owner is new for every claim and is the fence
    lease_owner       uuid,
    lease_until       timestamptz,
    claimed_at        timestamptz,
    -- the customer's sync that must succeed first
    waits_for         uuid,
    -- from Retry-After of this record
    not_before        timestamptz,
    outcome           sync.outcome NOT NULL DEFAULT 'known',
    unknown_since     timestamptz,
    settle_until      timestamptz,
    -- part of the idempotency key of a create: raised when FlashERP is known to hold nothing for an earlier one
    generation        integer NOT NULL DEFAULT 0 CHECK (generation >= 0),
    base_payload      jsonb,
    target_created_at timestamptz,
    target_updated_at timestamptz,
    skip_reason       text,
    skipped_by_hand   boolean NOT NULL DEFAULT false,
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- where it stands in lists, newest attempt first: its last attempt, and before the first its birth
    tried_at          timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(last_sync_attempt, created_at)) STORED,
    -- failures of one kind: of the same code, about the same field, in the same words but for ids, amounts, addresses and what is quoted
    error_fingerprint text GENERATED ALWAYS AS (CASE WHEN error_code IS NOT NULL THEN
        md5(error_code || '|' || coalesce(error_details #>> '{0,field}', '') || '|' || regexp_replace(coalesce(error_message, ''),
            '"[^"]*"|''[^'']*''|[^[:space:]]*[0-9@][^[:space:]]*', '#', 'g')) END) STORED,
    UNIQUE (source_system, source_type, source_id),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK ((sync_status = 'syncing') = (lease_owner IS NOT NULL)),
    CHECK ((outcome = 'unknown') = (unknown_since IS NOT NULL)),
    CHECK ((outcome = 'unknown') = (settle_until IS NOT NULL)),
    CHECK (due_at IS NULL OR (lease_owner IS NULL AND waits_for IS NULL))
);
COMMENT ON COLUMN sync.erp_syncs.sync_duration_ms IS 'milliseconds; the seed calls it syncDuration';

-- the claim by timer
CREATE INDEX erp_syncs_due ON sync.erp_syncs (due_at) WHERE due_at IS NOT NULL;
-- the same while automatic sync is off, past the backlog that waits for it
CREATE INDEX erp_syncs_due_by_hand ON sync.erp_syncs (due_at) WHERE due_at IS NOT NULL AND origin IN ('manual', 'heal');
-- the sweep of expired leases
CREATE INDEX erp_syncs_lease ON sync.erp_syncs (lease_until) WHERE lease_until IS NOT NULL;
-- waking those that wait for a customer
CREATE INDEX erp_syncs_waits_for ON sync.erp_syncs (waits_for) WHERE waits_for IS NOT NULL;
-- the seed's retry queue, shown by status and metrics
CREATE INDEX erp_syncs_retry ON sync.erp_syncs (sync_status, next_retry_at) WHERE next_retry_at IS NOT NULL;
-- GET /api/erp/sync-history, newest attempt first: all; by status; by type; by type and status; by error code; by the one
-- system that few come from; by UpCoach's id; by FlashERP's id. The first also counts the attempts of a day for GET /api/erp/status.
CREATE INDEX erp_syncs_tried ON sync.erp_syncs (tried_at DESC, id DESC) INCLUDE (last_sync_attempt);
CREATE INDEX erp_syncs_status ON sync.erp_syncs (sync_status, tried_at DESC, id DESC);
CREATE INDEX erp_syncs_type ON sync.erp_syncs (source_type, tried_at DESC, id DESC);
CREATE INDEX erp_syncs_type_status ON sync.erp_syncs (source_type, sync_status, tried_at DESC, id DESC);
CREATE INDEX erp_syncs_error ON sync.erp_syncs (error_code, tried_at DESC, id DESC) WHERE error_code IS NOT NULL;
CREATE INDEX erp_syncs_of_flasherp ON sync.erp_syncs (tried_at DESC, id DESC) WHERE source_system = 'flasherp';
-- error groups: their counts, the newest of each, the money at stake; without a look at the rows, which lie scattered
CREATE INDEX erp_syncs_fingerprint ON sync.erp_syncs (error_fingerprint, tried_at DESC) INCLUDE (source_type, source_id, next_retry_at)
    WHERE sync_status = 'failed';
CREATE INDEX erp_syncs_source ON sync.erp_syncs (source_id);
CREATE INDEX erp_syncs_target ON sync.erp_syncs (target_id, source_type) WHERE target_id IS NOT NULL;
-- money not yet in FlashERP, by age; likewise
CREATE INDEX erp_syncs_waiting ON sync.erp_syncs (source_type, waiting_since) INCLUDE (source_id)
    WHERE waiting_since IS NOT NULL AND target_id IS NULL AND source_system = 'upcoach';
-- reconciliation's window on FlashERP's clock
CREATE INDEX erp_syncs_target_created ON sync.erp_syncs (source_type, target_created_at)
    WHERE target_created_at IS NOT NULL;

-- The gate that every call to FlashERP passes: one row.
CREATE TABLE sync.outbound_gate (
    singleton         boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    -- breaker: closed lets through, open holds back, half_open lets one probe through
    state             sync.gate_state NOT NULL DEFAULT 'closed',
    failures          integer NOT NULL DEFAULT 0 CHECK (failures >= 0),
    -- the records that failed in a row, two at most: it takes two different ones to open, or a failed health check
    failed_records    uuid[] NOT NULL DEFAULT '{}',
    health_failed     boolean NOT NULL DEFAULT false,
    opened_at         timestamptz,
    retry_at          timestamptz,
    probe_owner       uuid,
    probe_until       timestamptz,
    last_probe        uuid,
    -- 429 and quota hold everyone
    not_before        timestamptz,
    not_before_reason text,
    -- 401 or 403: stopped until the configuration changes or health passes
    stopped_reason    text,
    stopped_at        timestamptz,
    stopped_version   bigint,
    paused_at         timestamptz,
    paused_by         text,
    pause_reason      text,
    -- the shared requests-per-second cap: until when requests are granted
    next_grant_at     timestamptz,
    -- raised by every change but grants: changes are by compare-and-set
    version           bigint NOT NULL DEFAULT 0,
    updated_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((state = 'closed') = (opened_at IS NULL)),
    CHECK ((state = 'open') = (retry_at IS NOT NULL)),
    CHECK ((state = 'half_open') = (probe_owner IS NOT NULL)),
    CHECK ((probe_owner IS NULL) = (probe_until IS NULL)),
    CHECK ((not_before IS NULL) = (not_before_reason IS NULL)),
    CHECK ((stopped_reason IS NULL) = (stopped_version IS NULL)),
    CHECK ((stopped_reason IS NULL) = (stopped_at IS NULL)),
    CHECK ((paused_at IS NULL) = (pause_reason IS NULL))
);
INSERT INTO sync.outbound_gate DEFAULT VALUES;

-- What the claim's own conditions read: one row. No configuration counts as disabled.
CREATE VIEW sync.outbound_conditions AS
    SELECT coalesce(c.is_enabled, false) AS enabled,
        coalesce(c.enable_auto_sync, false) AS auto_sync,
        nothing_holds AND g.state = 'closed' AS gate_open,
        -- who may claim a record to probe with, if anybody
        CASE WHEN nothing_holds AND g.probe_until > clock_timestamp() THEN g.probe_owner END AS probe_owner,
        g.last_probe
    FROM sync.outbound_gate g LEFT JOIN config.erp_configurations c ON c.deleted_at IS NULL,
        LATERAL (SELECT g.paused_at IS NULL AND g.stopped_reason IS NULL
            AND (g.not_before IS NULL OR g.not_before <= clock_timestamp()) AS nothing_holds) AS h;

-- A 2xx that came for a lease that was lost: its record is looked at again.
CREATE TABLE sync.stray_writes (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    sync_id     uuid NOT NULL REFERENCES sync.erp_syncs (id),
    target_id   text NOT NULL,
    generation  integer NOT NULL,
    lease_owner uuid NOT NULL,
    happened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled_at  timestamptz
);
-- those of one sync, and those still to be looked at
CREATE INDEX stray_writes_sync ON sync.stray_writes (sync_id);
CREATE INDEX stray_writes_unsettled ON sync.stray_writes (happened_at) WHERE settled_at IS NULL;

CREATE TABLE sync.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     text NOT NULL,
    event_id    uuid NOT NULL,
    body        bytea NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Asks for records to be synced; the fold does the rest.
CREATE FUNCTION sync.request(p_type sync.entity_type, p_source_ids uuid[], p_origin sync.origin, p_force boolean,
    p_batch uuid
) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH asked AS (
        INSERT INTO sync.requests (entity_type, source_id, origin, force, batch_id)
        SELECT p_type, source_id, p_origin, p_force, p_batch FROM unnest(p_source_ids) AS ids (source_id)
        RETURNING 1
    )
    SELECT count(*)::integer FROM asked
$$;

-- Asks for one record, makes its row at once so that it can be looked at, and tells the value of the row's request counter by which the wish is
-- answered: all wishes for it that are there now, this one among them, have been folded when the counter has come to it.
CREATE FUNCTION sync.request_counted(p_sync uuid, p_type sync.entity_type, p_source uuid, p_origin sync.origin, p_force boolean)
    RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    INSERT INTO sync.erp_syncs (id, source_type, source_id, origin, waiting_since)
    VALUES (p_sync, p_type, p_source, p_origin, clock_timestamp())
    -- by whichever unique key: a fold may be making the same row, and with one named the other one's conflict would be an error
    ON CONFLICT DO NOTHING;
    INSERT INTO sync.requests (entity_type, source_id, origin, force) VALUES (p_type, p_source, p_origin, p_force);
    RETURN (SELECT s.requested FROM sync.erp_syncs s
            WHERE s.source_system = 'upcoach' AND s.source_type = p_type AND s.source_id = p_source)
        + (SELECT count(*) FROM sync.requests r WHERE r.source_id = p_source AND r.entity_type = p_type);
END
$$;

-- Notes when FlashERP made records whose time of birth there is not known yet, if they are still the targets. How many were noted.
CREATE FUNCTION sync.learn_births(p_sync_ids uuid[], p_targets text[], p_born timestamptz[]) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH told AS MATERIALIZED (
        SELECT s.id, t.born FROM unnest(p_sync_ids, p_targets, p_born) AS t (id, target, born) JOIN sync.erp_syncs s ON s.id = t.id
        WHERE s.target_id = t.target AND s.target_created_at IS NULL
        ORDER BY s.id FOR UPDATE OF s SKIP LOCKED
    ), learned AS (
        UPDATE sync.erp_syncs s SET target_created_at = t.born FROM told t
        WHERE s.id = t.id AND s.target_created_at IS NULL
        RETURNING 1
    )
    SELECT count(*) FROM learned
$$;

-- Queues failed syncs at once, with their retries back; an unknown one still waits for its settle time. Returns what changed.
CREATE FUNCTION sync.retry(p_sync_ids uuid[]) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE sync.erp_syncs s SET
        sync_status = CASE WHEN s.outcome = 'unknown' THEN s.sync_status ELSE 'pending' END,
        retry_count = 0,
        next_retry_at = CASE WHEN s.outcome = 'unknown' THEN s.settle_until END,
        due_at = greatest(clock_timestamp(), s.settle_until, s.not_before),
        origin = 'manual',
        restarted_at = clock_timestamp(),
        requested = s.requested + 1,
        waiting_since = coalesce(s.waiting_since, clock_timestamp()),
        waits_for = NULL,
        updated_at = clock_timestamp()
    WHERE s.id IN (SELECT f.id FROM sync.erp_syncs f
            WHERE f.id = ANY (p_sync_ids) AND f.sync_status = 'failed' ORDER BY f.id FOR UPDATE)
        AND s.sync_status = 'failed'
    RETURNING s.id
$$;

-- Keeps a sync as it is until the transaction ends, so that what is read of it now is what a retry or skip in it changes.
CREATE FUNCTION sync.hold(p_sync uuid) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS 'SELECT FROM sync.erp_syncs WHERE id = p_sync FOR UPDATE';

-- Takes syncs that are neither done nor in a worker's hands out of the way. Returns what changed.
CREATE FUNCTION sync.skip(p_sync_ids uuid[], p_reason text) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE sync.erp_syncs s SET
        sync_status = 'skipped',
        skipped_by_hand = true,
        skip_reason = p_reason,
        next_retry_at = NULL,
        due_at = NULL,
        waiting_since = NULL,
        waits_for = NULL,
        updated_at = clock_timestamp()
    WHERE s.id IN (SELECT f.id FROM sync.erp_syncs f
            WHERE f.id = ANY (p_sync_ids) AND f.sync_status IN ('pending', 'failed') ORDER BY f.id FOR UPDATE)
        AND s.sync_status IN ('pending', 'failed')
    RETURNING s.id
$$;

-- An import of records from a file (crates/import). Its row says how far it is: rows and progress are committed together, so that it can be
-- gone on with after a crash.

-- Begins an import, or goes on with the one of this key: a finished one within 24 h is answered as it ended. None if the key is another
-- batch's.
CREATE FUNCTION sync.import_begin(p_key text, p_types sync.entity_type[], p_filter jsonb, p_by text
) RETURNS TABLE (id uuid, status sync.batch_status, resume_after jsonb, error text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- a key older than 24 h is free again, unless there is something left to go on with
    UPDATE sync.batches b SET idempotency_key = NULL
    WHERE b.idempotency_key = p_key AND b.created_at < clock_timestamp() - interval '24 hours'
        AND b.status IN ('completed', 'cancelled');
    INSERT INTO sync.batches (kind, status, entity_types, filter, idempotency_key, requested_by, started_at)
    VALUES ('import', 'running', p_types, p_filter, p_key, p_by, clock_timestamp())
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING batches.id INTO id;
    IF id IS NULL THEN
        UPDATE sync.batches b SET status = 'running', finished_at = NULL, error = NULL
        WHERE b.idempotency_key = p_key AND b.kind = 'import' AND b.filter = p_filter AND b.status IN ('pending', 'failed');
        RETURN QUERY SELECT b.id, b.status, b.resume_after, b.error FROM sync.batches b
            WHERE b.idempotency_key = p_key AND b.kind = 'import' AND b.filter = p_filter;
    ELSE
        RETURN QUERY SELECT id, 'running'::sync.batch_status, NULL::jsonb, NULL::text;
    END IF;
END
$$;

-- Notes how far an import is, in the transaction that took the lines. Says no when it was cancelled, or when another run of the same import
-- has come further: then nothing of this transaction may stay.
CREATE FUNCTION sync.import_progress(p_id uuid, p_from bigint, p_resume jsonb, p_done bigint, p_failed bigint) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH moved AS (
        UPDATE sync.batches
        SET resume_after = p_resume, asked = asked + p_done + p_failed, done = done + p_done, failed = failed + p_failed
        WHERE id = p_id AND kind = 'import' AND status = 'running' AND coalesce((resume_after ->> 'records')::bigint, 0) = p_from
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM moved)
$$;

-- Ends an import: completed, or failed with what stopped it (its key goes on with it). Says whether it was still running.
CREATE FUNCTION sync.import_end(p_id uuid, p_error text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH ended AS (
        UPDATE sync.batches
        SET status = CASE WHEN p_error IS NULL THEN 'completed' ELSE 'failed' END::sync.batch_status, error = p_error,
            total = CASE WHEN p_error IS NULL THEN done + failed END, finished_at = clock_timestamp()
        WHERE id = p_id AND kind = 'import' AND status = 'running'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM ended)
$$;

-- The gate as its callers read it, with the clock that its times are by.
CREATE VIEW sync.gate_for_callers AS
    SELECT version, clock_timestamp() AS now, state::text, failures, failed_records, health_failed, opened_at, retry_at,
        probe_owner, probe_until, last_probe, not_before, not_before_reason, stopped_reason, stopped_version,
        paused_at IS NOT NULL AS paused
    FROM sync.outbound_gate;

-- Puts a fact about the gate into the outbox.
CREATE FUNCTION sync.gate_fact(p_subject text, p_event_id uuid, p_body bytea, p_traceparent text) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO sync.outbox (subject, event_id, body, traceparent)
    SELECT p_subject, p_event_id, p_body, p_traceparent WHERE p_subject IS NOT NULL
$$;

-- Changes the gate if nobody has since the version that the change is of, and states the fact. The rules are the caller's
-- (crates/domain, gate). Says whether it did.
CREATE FUNCTION sync.gate_write(p_version bigint, p_state text, p_failures integer, p_failed_records uuid[],
    p_health_failed boolean, p_opened_at timestamptz, p_retry_at timestamptz, p_probe_owner uuid,
    p_probe_until timestamptz, p_last_probe uuid, p_not_before timestamptz, p_not_before_reason text,
    p_stopped_reason text, p_stopped_version bigint,
    p_subject text, p_event_id uuid, p_body bytea, p_traceparent text
) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    was_stopped boolean;
BEGIN
    UPDATE sync.outbound_gate g SET
        version = g.version + 1,
        state = p_state::sync.gate_state,
        failures = p_failures,
        failed_records = p_failed_records,
        health_failed = p_health_failed,
        opened_at = p_opened_at,
        retry_at = p_retry_at,
        probe_owner = p_probe_owner,
        probe_until = p_probe_until,
        last_probe = p_last_probe,
        not_before = p_not_before,
        not_before_reason = p_not_before_reason,
        stopped_reason = p_stopped_reason,
        stopped_version = p_stopped_version,
        stopped_at = CASE WHEN p_stopped_reason IS NOT NULL THEN coalesce(g.stopped_at, clock_timestamp()) END,
        updated_at = clock_timestamp()
    WHERE g.version = p_version
    RETURNING old.stopped_reason IS NOT NULL INTO was_stopped;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF p_stopped_reason IS NOT NULL AND NOT was_stopped THEN
        PERFORM config.record_health('down');
    END IF;
    PERFORM sync.gate_fact(p_subject, p_event_id, p_body, p_traceparent);
    RETURN true;
END
$$;

-- Grants requests under the shared cap, evenly spaced: the first after so many microseconds, each further one
-- 1 / p_per_second later. Grants that nobody uses any more are lost, never given twice.
CREATE FUNCTION sync.gate_grant(p_requests integer, p_per_second integer) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE sync.outbound_gate
    SET next_grant_at = greatest(next_grant_at, clock_timestamp()) + p_requests * interval '1 second' / p_per_second
    RETURNING greatest(0, 1000000 * extract(epoch FROM
        next_grant_at - p_requests * interval '1 second' / p_per_second - clock_timestamp()))::bigint
$$;

-- Outbound work by hand: paused until resumed. Both say whether they changed anything; the fact is stated if they did.
CREATE FUNCTION sync.gate_pause(p_by text, p_reason text, p_subject text DEFAULT NULL, p_event_id uuid DEFAULT NULL,
    p_body bytea DEFAULT NULL, p_traceparent text DEFAULT NULL
) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE sync.outbound_gate SET paused_at = clock_timestamp(), paused_by = p_by, pause_reason = p_reason,
        version = version + 1, updated_at = clock_timestamp()
    WHERE paused_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM sync.gate_fact(p_subject, p_event_id, p_body, p_traceparent);
    RETURN true;
END
$$;
CREATE FUNCTION sync.gate_resume(p_subject text DEFAULT NULL, p_event_id uuid DEFAULT NULL, p_body bytea DEFAULT NULL,
    p_traceparent text DEFAULT NULL
) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    UPDATE sync.outbound_gate SET paused_at = NULL, paused_by = NULL, pause_reason = NULL, version = version + 1,
        updated_at = clock_timestamp()
    WHERE paused_at IS NOT NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM sync.gate_fact(p_subject, p_event_id, p_body, p_traceparent);
    RETURN true;
END
$$;

-- What Stripe's events leave open and only its API tells (design section 5): fees, which of two states of one second is the later, refunds that an
-- event counts and does not list. Read beside the applying of events, when the second of the event is over.
CREATE TABLE sync.stripe_reads (
    what       text NOT NULL CHECK (what IN ('customer', 'payment_intent', 'charge', 'refund', 'dispute', 'invoice',
        'subscription', 'refunds_of_charge')),
    object_id  text NOT NULL CHECK (length(object_id) BETWEEN 1 AND 255),
    -- the second of the event; what is read later is at least of it
    as_of      timestamptz NOT NULL,
    livemode   boolean NOT NULL,
    -- also the end of the lease of whoever reads it
    due_at     timestamptz NOT NULL,
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    error      text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (what, object_id, as_of)
);
CREATE INDEX stripe_reads_due ON sync.stripe_reads (due_at);

-- Readers: all but the lease. undisturbed: as the claim has it (services/sync-worker, outbound/claim.rs).
CREATE VIEW sync.for_readers AS
    SELECT id, source_system, source_type, source_id, target_system, target_id, sync_status, last_sync_attempt,
        last_sync_success, sync_duration_ms, retry_count, next_retry_at, error_code, error_message, error_details,
        http_status, origin, force, batch_id, waiting_since, due_at, waits_for, not_before, outcome, unknown_since,
        settle_until, generation, base_payload, target_created_at, target_updated_at, skip_reason, skipped_by_hand,
        metadata, created_at, updated_at, tried_at, error_fingerprint,
        -- how many wishes the last attempt answered, and whether there is none beyond them
        taken,
        requested = taken
            AND NOT EXISTS (SELECT FROM sync.requests r WHERE r.source_id = erp_syncs.source_id AND r.entity_type = erp_syncs.source_type)
            AS nothing_asked,
        outcome = 'unknown' AND requested = taken_known
            AND NOT EXISTS (SELECT FROM sync.requests r WHERE r.source_id = erp_syncs.source_id AND r.entity_type = erp_syncs.source_type)
            AND NOT EXISTS (SELECT FROM sync.stray_writes w WHERE w.sync_id = erp_syncs.id AND w.settled_at IS NULL)
            AS undisturbed
    FROM sync.erp_syncs;
-- Records that FlashERP does not hold yet and is to hold, and since when: also those asked for that no worker has looked at. What somebody skipped
-- is not waited for.
CREATE VIEW sync.waiting_for_readers AS
    SELECT source_type AS entity_type, source_id, waiting_since AS since FROM sync.erp_syncs
    WHERE waiting_since IS NOT NULL AND target_id IS NULL AND source_system = 'upcoach'
    UNION ALL
    SELECT r.entity_type, r.source_id, min(r.requested_at) FROM sync.requests r
    WHERE NOT EXISTS (SELECT FROM sync.erp_syncs s
        WHERE s.source_system = 'upcoach' AND s.source_type = r.entity_type AND s.source_id = r.source_id
            AND (s.waiting_since IS NOT NULL OR s.target_id IS NOT NULL OR s.sync_status = 'skipped'))
    GROUP BY r.entity_type, r.source_id;
CREATE VIEW sync.gate_for_readers AS
    SELECT state, failures, opened_at, retry_at, not_before, not_before_reason, stopped_reason, stopped_at, paused_at,
        paused_by, pause_reason, updated_at
    FROM sync.outbound_gate;

GRANT SELECT, INSERT, UPDATE, DELETE ON sync.requests, sync.erp_syncs, sync.batches, sync.batch_items, sync.stray_writes,
    sync.stripe_reads, sync.outbox TO erp_sync_worker;
GRANT SELECT, UPDATE ON sync.outbound_gate TO erp_sync_worker;
GRANT SELECT ON sync.outbound_conditions TO erp_sync_worker;
-- all who call FlashERP
GRANT SELECT ON sync.gate_for_callers TO erp_sync_worker, erp_config_api, erp_scheduler, erp_reconciler;
GRANT EXECUTE ON FUNCTION sync.gate_write(bigint, text, integer, uuid[], boolean, timestamptz, timestamptz, uuid,
        timestamptz, uuid, timestamptz, text, text, bigint, text, uuid, bytea, text),
    sync.gate_grant(integer, integer)
    TO erp_sync_worker, erp_config_api, erp_scheduler, erp_reconciler;
GRANT SELECT ON sync.for_readers, sync.gate_for_readers TO erp_config_api, erp_scheduler, erp_reconciler;
GRANT SELECT ON sync.waiting_for_readers TO erp_config_api, erp_reconciler, erp_scheduler;
GRANT EXECUTE ON FUNCTION sync.learn_births(uuid[], text[], timestamptz[]) TO erp_reconciler;
GRANT SELECT ON sync.batches, sync.batch_items TO erp_config_api, erp_scheduler;
GRANT EXECUTE ON FUNCTION sync.request(sync.entity_type, uuid[], sync.origin, boolean, uuid)
    TO erp_config_api, erp_scheduler, erp_reconciler;
GRANT EXECUTE ON FUNCTION sync.request_counted(uuid, sync.entity_type, uuid, sync.origin, boolean), sync.retry(uuid[]),
    sync.skip(uuid[], text), sync.hold(uuid) TO erp_config_api;
GRANT EXECUTE ON FUNCTION sync.import_begin(text, sync.entity_type[], jsonb, text),
    sync.import_progress(uuid, bigint, jsonb, bigint, bigint), sync.import_end(uuid, text) TO erp_config_api;
GRANT EXECUTE ON FUNCTION sync.gate_pause(text, text, text, uuid, bytea, text), sync.gate_resume(text, uuid, bytea, text)
    TO erp_config_api;

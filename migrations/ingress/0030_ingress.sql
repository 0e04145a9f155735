-- Received webhooks (design section 5). The table is its own queue: a row with a due_at is to be applied.
CREATE TYPE ingress.source AS ENUM ('stripe', 'flasherp');
CREATE TYPE ingress.event_status AS ENUM ('received', 'applied', 'parked', 'ignored', 'quarantined', 'failed');

CREATE TABLE ingress.webhook_events (
    id             uuid PRIMARY KEY,
    source         ingress.source NOT NULL,
    event_id       text NOT NULL CHECK (length(event_id) BETWEEN 1 AND 255),
    event_type     text NOT NULL CHECK (length(event_type) BETWEEN 1 AND 255),
    status         ingress.event_status NOT NULL DEFAULT 'received',
    -- as received, byte for byte; null once erased (it holds personal data)
    body           bytea STORAGE EXTERNAL,
    body_erased_at timestamptz,
    -- the sender's own time of the event
    occurred_at    timestamptz,
    received_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    applied_at     timestamptz,
    -- when it may be claimed; null: not waiting to be applied
    due_at         timestamptz DEFAULT clock_timestamp(),
    attempts       integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    -- parked: what has to appear first, such as stripe_customer:cus_123
    wait_key       text,
    -- parked: what would do as well, such as user:<id>, where an event names both
    other_wait_key text,
    error_code     text,
    error          text,
    remote_addr    inet,
    user_agent     text,
    request_id     uuid,
    traceparent    text,
    UNIQUE (source, event_id),
    CHECK ((status = 'received') = (due_at IS NOT NULL)),
    CHECK ((status = 'parked') = (wait_key IS NOT NULL)),
    CHECK (other_wait_key IS NULL OR wait_key IS NOT NULL)
) WITH (toast_tuple_target = 8160);
-- Bodies of up to 8 kB stay in the row, and none is compressed: both would cost the webhook's answer more than the disk
-- that they save until the body is erased.


-- the worker's claim by timer, oldest first
CREATE INDEX webhook_events_due ON ingress.webhook_events (due_at) WHERE due_at IS NOT NULL;
-- waking what waits for a key
CREATE INDEX webhook_events_wait_key ON ingress.webhook_events (wait_key) WHERE wait_key IS NOT NULL;
CREATE INDEX webhook_events_other_wait_key ON ingress.webhook_events (other_wait_key) WHERE other_wait_key IS NOT NULL;
-- the API's list: what is not applied, but for what is due, which the index above has; of a type; all others page by id, which is in order of
-- arrival
CREATE INDEX webhook_events_unapplied ON ingress.webhook_events (status, id)
    WHERE status IN ('parked', 'ignored', 'quarantined', 'failed');
CREATE INDEX webhook_events_type ON ingress.webhook_events (event_type, id);
-- bodies to be erased
CREATE INDEX webhook_events_bodies ON ingress.webhook_events (received_at) WHERE body IS NOT NULL AND status IN ('applied', 'ignored');

-- Stores a batch in one statement, durable when it returns. The arrays are parallel, hold no id twice and come sorted by (source, event
-- id), so that two callers with the same ids never wait for each other in a ring. Returns a row per input: the id it was
-- given, and whether the event was there before (then nothing was stored under that id).
CREATE FUNCTION ingress.store(
    p_source ingress.source[], p_id uuid[], p_event_id text[], p_event_type text[], p_body bytea[],
    p_occurred_at timestamptz[], p_remote_addr text[], p_user_agent text[], p_request_id uuid[], p_traceparent text[],
    p_status ingress.event_status[], p_error text[]
) RETURNS TABLE (id uuid, event_id text, duplicate boolean)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(p_source, p_id, p_event_id, p_event_type, p_body, p_occurred_at, p_remote_addr, p_user_agent,
            p_request_id, p_traceparent, p_status, p_error) WITH ORDINALITY
            AS g (source, id, event_id, event_type, body, occurred_at, remote_addr, user_agent, request_id, traceparent,
                status, error, position)
    ), stored AS (
        INSERT INTO ingress.webhook_events
            (source, id, event_id, event_type, body, occurred_at, remote_addr, user_agent, request_id, traceparent,
             status, error, due_at)
        SELECT g.source, g.id, g.event_id, g.event_type, g.body, g.occurred_at, g.remote_addr::inet, g.user_agent,
            g.request_id, g.traceparent, g.status, g.error,
            CASE WHEN g.status = 'received' THEN clock_timestamp() END
        FROM given g ORDER BY g.position
        ON CONFLICT (source, event_id) DO NOTHING
        RETURNING webhook_events.id
    )
    SELECT g.id, g.event_id, s.id IS NULL FROM given g LEFT JOIN stored s ON s.id = g.id
$$;

-- Claims by row lock: the caller applies the events and calls finish in the same transaction. A caller that dies
-- frees them at once, with nothing applied. p_ids null: whatever is due, oldest first.
CREATE FUNCTION ingress.claim(p_ids uuid[], p_limit integer)
    RETURNS TABLE (id uuid, source ingress.source, event_id text, event_type text, body bytea, occurred_at timestamptz,
        received_at timestamptz, attempts integer, remote_addr text, user_agent text, request_id uuid, traceparent text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
BEGIN
    -- two branches, so that each plans with its own index
    IF p_ids IS NULL THEN
        RETURN QUERY SELECT e.id, e.source, e.event_id, e.event_type, e.body, e.occurred_at, e.received_at, e.attempts,
                host(e.remote_addr), e.user_agent, e.request_id, e.traceparent
            FROM ingress.webhook_events e
            WHERE e.due_at <= clock_timestamp()
            ORDER BY e.due_at LIMIT p_limit FOR UPDATE SKIP LOCKED;
    ELSE
        RETURN QUERY SELECT e.id, e.source, e.event_id, e.event_type, e.body, e.occurred_at, e.received_at, e.attempts,
                host(e.remote_addr), e.user_agent, e.request_id, e.traceparent
            FROM ingress.webhook_events e
            WHERE e.id = ANY (p_ids) AND e.due_at <= clock_timestamp()
            ORDER BY e.id LIMIT p_limit FOR UPDATE SKIP LOCKED;
    END IF;
END
$$;

-- Settles claimed events. Parallel arrays. status received with p_retry_secs: tried again then.
CREATE FUNCTION ingress.finish(p_id uuid[], p_status ingress.event_status[], p_wait_key text[], p_other_wait_key text[],
    p_error_code text[], p_error text[], p_retry_secs integer[]
) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH finished AS (
        UPDATE ingress.webhook_events e SET
            status = f.status,
            -- waiting for something is no attempt
            attempts = e.attempts + CASE WHEN f.status = 'parked' THEN 0 ELSE 1 END,
            applied_at = CASE WHEN f.status = 'applied' THEN clock_timestamp() ELSE e.applied_at END,
            due_at = CASE WHEN f.status = 'received'
                THEN clock_timestamp() + make_interval(secs => coalesce(f.retry_secs, 0)) END,
            wait_key = CASE WHEN f.status = 'parked' THEN f.wait_key END,
            other_wait_key = CASE WHEN f.status = 'parked' THEN f.other_wait_key END,
            error_code = f.error_code,
            error = f.error
        FROM unnest(p_id, p_status, p_wait_key, p_other_wait_key, p_error_code, p_error, p_retry_secs)
            AS f (id, status, wait_key, other_wait_key, error_code, error, retry_secs)
        WHERE e.id = f.id
        RETURNING 1
    )
    SELECT count(*)::integer FROM finished
$$;

-- Makes parked events due whose key has appeared; returns their ids.
CREATE FUNCTION ingress.wake(p_wait_keys text[]) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE ingress.webhook_events e
    SET status = 'received', wait_key = NULL, other_wait_key = NULL, due_at = clock_timestamp(), error_code = NULL, error = NULL
    WHERE e.id IN (
            SELECT p.id FROM ingress.webhook_events p
            WHERE p.wait_key = ANY (p_wait_keys) OR p.other_wait_key = ANY (p_wait_keys)
            ORDER BY p.id FOR UPDATE)
        AND e.status = 'parked'
    RETURNING e.id
$$;

-- The keys that parked events wait for, in order of key, after the given one.
CREATE FUNCTION ingress.parked_keys(p_after text, p_limit integer) RETURNS SETOF text
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT key FROM (
        (SELECT DISTINCT wait_key FROM ingress.webhook_events WHERE wait_key > p_after ORDER BY wait_key LIMIT p_limit)
        UNION
        (SELECT DISTINCT other_wait_key FROM ingress.webhook_events WHERE other_wait_key > p_after
            ORDER BY other_wait_key LIMIT p_limit)
    ) AS keys (key) ORDER BY key LIMIT p_limit
$$;

-- Asks for events to be applied again: those of the ids, or all of a source and status since a time. Erased bodies and
-- what is in a worker's hands stay as they are. Returns the ids.
CREATE FUNCTION ingress.replay(p_ids uuid[], p_source ingress.source, p_status ingress.event_status,
    p_since timestamptz, p_limit integer
) RETURNS SETOF uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE ingress.webhook_events e
    SET status = 'received', wait_key = NULL, other_wait_key = NULL, due_at = clock_timestamp(), attempts = 0, error_code = NULL, error = NULL
    WHERE e.id IN (
        SELECT c.id FROM ingress.webhook_events c
        WHERE c.body IS NOT NULL AND c.status <> 'received'
            AND (p_ids IS NULL OR c.id = ANY (p_ids))
            AND (p_ids IS NOT NULL OR p_since IS NOT NULL)
            AND (p_source IS NULL OR c.source = p_source)
            AND (p_status IS NULL OR c.status = p_status)
            AND (p_since IS NULL OR c.received_at >= p_since)
        ORDER BY c.id LIMIT p_limit FOR UPDATE SKIP LOCKED)
    RETURNING e.id
$$;

-- Erases bodies received before a time (personal data); ids stay, so that nothing is applied twice.
CREATE FUNCTION ingress.erase_bodies(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH erased AS (
        UPDATE ingress.webhook_events e SET body = NULL, body_erased_at = clock_timestamp()
        WHERE e.id IN (
            SELECT c.id FROM ingress.webhook_events c
            WHERE c.received_at < p_before AND c.body IS NOT NULL AND c.status IN ('applied', 'ignored')
            ORDER BY c.received_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM erased
$$;

-- Forgets a piece of the events that were applied or ignored before a time, at least 35 days ago: what is fetched goes 30 days back, and an id that is
-- forgotten is a new one. Ids are UUIDv7 of the arrival, so that the primary key leads to the oldest. Returns how many.
CREATE FUNCTION ingress.forget(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH oldest (bound) AS (
        SELECT least(p_before, clock_timestamp() - interval '35 days')
    ), forgotten AS (
        DELETE FROM ingress.webhook_events e WHERE e.id IN (
            SELECT c.id FROM ingress.webhook_events c
            WHERE c.id < (SELECT (lpad(to_hex((1000 * extract(epoch FROM bound))::bigint), 12, '0') || repeat('0', 20))::uuid FROM oldest)
                AND c.received_at < (SELECT bound FROM oldest) AND c.status IN ('applied', 'ignored')
            ORDER BY c.id LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM forgotten
$$;

CREATE VIEW ingress.for_config_api AS
    SELECT id, source, event_id, event_type, status, body, body_erased_at, occurred_at, received_at, applied_at, attempts,
        wait_key, other_wait_key, error_code, error, host(remote_addr) AS remote_addr, user_agent, request_id, due_at
    FROM ingress.webhook_events;
CREATE VIEW ingress.for_scheduler AS
    SELECT id, source, event_id, event_type, status, occurred_at, received_at, applied_at, due_at, attempts, wait_key
    FROM ingress.webhook_events;

GRANT SELECT, INSERT, UPDATE, DELETE ON ingress.webhook_events TO erp_ingress;
GRANT SELECT ON ingress.for_config_api TO erp_config_api;
GRANT SELECT ON ingress.for_scheduler TO erp_scheduler;
GRANT EXECUTE ON FUNCTION ingress.store(ingress.source[], uuid[], text[], text[], bytea[], timestamptz[], text[], text[],
    uuid[], text[], ingress.event_status[], text[]) TO erp_ingress, erp_sync_worker, erp_scheduler;
GRANT EXECUTE ON FUNCTION ingress.claim(uuid[], integer) TO erp_sync_worker;
GRANT EXECUTE ON FUNCTION ingress.finish(uuid[], ingress.event_status[], text[], text[], text[], text[], integer[])
    TO erp_sync_worker;
GRANT EXECUTE ON FUNCTION ingress.wake(text[]) TO erp_sync_worker;
GRANT EXECUTE ON FUNCTION ingress.parked_keys(text, integer) TO erp_sync_worker;
GRANT EXECUTE ON FUNCTION ingress.replay(uuid[], ingress.source, ingress.event_status, timestamptz, integer)
    TO erp_config_api, erp_scheduler;
GRANT EXECUTE ON FUNCTION ingress.erase_bodies(timestamptz, integer), ingress.forget(timestamptz, integer) TO erp_scheduler;

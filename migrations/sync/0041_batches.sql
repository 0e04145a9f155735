-- Batches (design section 4): a full sync, or a retry or skip of many syncs, as a row that goes on after a crash. What is asked for, the place to
-- go on from and the count are one transaction, chunk by chunk; what came of it is counted from sync.batch_items. A batch's row is locked so that
-- folds, whose items refer to it, never wait for it (FOR NO KEY UPDATE).

-- The ids of a type's records, after one of them, in id order.
CREATE FUNCTION sync.batch_sources(p_type sync.entity_type, p_since timestamptz, p_after uuid, p_limit bigint)
    RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    CASE p_type
        WHEN 'customer' THEN RETURN QUERY SELECT r.id FROM upcoach.users r
            WHERE (p_after IS NULL OR r.id > p_after) AND (p_since IS NULL OR r.updated_at >= p_since)
            ORDER BY r.id LIMIT p_limit;
        WHEN 'transaction' THEN RETURN QUERY SELECT r.id FROM upcoach.transactions r
            WHERE (p_after IS NULL OR r.id > p_after) AND (p_since IS NULL OR r.updated_at >= p_since)
            ORDER BY r.id LIMIT p_limit;
        WHEN 'subscription' THEN RETURN QUERY SELECT r.id FROM upcoach.subscriptions r
            WHERE (p_after IS NULL OR r.id > p_after) AND (p_since IS NULL OR r.updated_at >= p_since)
            ORDER BY r.id LIMIT p_limit;
        WHEN 'invoice' THEN RETURN QUERY SELECT r.id FROM upcoach.invoices r
            WHERE (p_after IS NULL OR r.id > p_after) AND (p_since IS NULL OR r.updated_at >= p_since)
            ORDER BY r.id LIMIT p_limit;
        WHEN 'financial_report' THEN RETURN QUERY SELECT r.id FROM scheduling.reports r
            WHERE (p_after IS NULL OR r.id > p_after) AND (p_since IS NULL OR r.updated_at >= p_since)
            ORDER BY r.id LIMIT p_limit;
    END CASE;
END
$$;

-- The ids of the syncs that a bulk action is for, after one of them, in id order. The filter's members are sync-history's, and all must hold.
CREATE FUNCTION sync.batch_matches(p_kind sync.batch_kind, p_filter jsonb, p_after uuid, p_limit bigint) RETURNS SETOF uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT s.id FROM sync.erp_syncs s
    WHERE (p_after IS NULL OR s.id > p_after)
        -- by the index on status: of millions of rows few can be changed
        AND s.sync_status = ANY (CASE p_kind
            WHEN 'bulk_retry' THEN ARRAY['failed']
            WHEN 'bulk_skip' THEN ARRAY['pending', 'failed']
            ELSE '{}' END::sync.sync_status[])
        AND (p_filter -> 'ids' IS NULL
            OR s.id = ANY (ARRAY(SELECT jsonb_array_elements_text(p_filter -> 'ids')::uuid)))
        AND (p_filter ->> 'status' IS NULL OR s.sync_status::text = p_filter ->> 'status')
        AND (p_filter ->> 'sourceType' IS NULL OR s.source_type::text = p_filter ->> 'sourceType')
        AND (p_filter ->> 'sourceSystem' IS NULL OR s.source_system::text = p_filter ->> 'sourceSystem')
        AND (p_filter ->> 'errorCode' IS NULL OR s.error_code = p_filter ->> 'errorCode')
        AND (p_filter ->> 'fingerprint' IS NULL OR s.error_fingerprint = p_filter ->> 'fingerprint')
        AND (p_filter ->> 'sourceId' IS NULL OR s.source_id = (p_filter ->> 'sourceId')::uuid)
        AND (p_filter ->> 'from' IS NULL OR s.tried_at >= (p_filter ->> 'from')::timestamptz)
        AND (p_filter ->> 'to' IS NULL OR s.tried_at < (p_filter ->> 'to')::timestamptz)
    ORDER BY s.id LIMIT p_limit
$$;

-- The types of a full sync, customers first so that nobody waits for one; those in scope when none is named.
CREATE FUNCTION sync.batch_types(p_types sync.entity_type[]) RETURNS sync.entity_type[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT coalesce(array_agg(t.type ORDER BY t.place), '{}') FROM (VALUES
        ('customer'::sync.entity_type, 'customers', 1), ('subscription', 'subscriptions', 2),
        ('transaction', 'transactions', 3), ('invoice', 'invoices', 4), ('financial_report', 'financialReports', 5)
    ) AS t (type, name, place)
    WHERE CASE WHEN cardinality(p_types) > 0 THEN t.type = ANY (p_types)
        ELSE (SELECT coalesce((c.sync_scope ->> t.name)::boolean, false) FROM config.erp_configurations c
            WHERE c.deleted_at IS NULL) END
$$;

-- How many records a batch would be about now: what a dry run answers.
CREATE FUNCTION sync.batch_count(p_kind sync.batch_kind, p_types sync.entity_type[], p_since timestamptz, p_filter jsonb)
    RETURNS bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    SELECT CASE p_kind
        WHEN 'full_sync' THEN (SELECT coalesce(sum((SELECT count(*) FROM sync.batch_sources(t, p_since, NULL, NULL))), 0)::bigint
            FROM unnest(sync.batch_types(p_types)) AS types (t))
        ELSE (SELECT count(*) FROM sync.batch_matches(p_kind, p_filter, NULL, NULL)) END
$$;

-- Makes a batch, and its audit row. The same idempotency key within 24 h names the batch that is there: then is_new is false, and same says
-- whether it was asked the same.
CREATE FUNCTION sync.batch_create(p_kind sync.batch_kind, p_types sync.entity_type[], p_since timestamptz, p_force boolean,
    p_filter jsonb, p_key text, p_by text, p_reason text, p_request uuid, p_address inet, p_user_agent text,
    OUT id uuid, OUT is_new boolean, OUT same boolean
)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
#variable_conflict use_column
DECLARE
    made sync.batches;
    there sync.batches;
BEGIN
    UPDATE sync.batches b SET idempotency_key = NULL
    WHERE b.idempotency_key = p_key AND b.created_at < clock_timestamp() - interval '24 hours';
    INSERT INTO sync.batches AS b (kind, entity_types, since, force, filter, idempotency_key, requested_by, reason)
    VALUES (p_kind, CASE WHEN p_kind = 'full_sync' THEN sync.batch_types(p_types) ELSE '{}' END, p_since, p_force, p_filter,
        p_key, p_by, p_reason)
    ON CONFLICT (idempotency_key) DO NOTHING
    RETURNING * INTO made;
    IF made.id IS NULL THEN
        SELECT b.* INTO STRICT there FROM sync.batches b WHERE b.idempotency_key = p_key;
        batch_create.id := there.id;
        batch_create.is_new := false;
        batch_create.same := (there.kind, there.since, there.force, there.filter)
            IS NOT DISTINCT FROM (p_kind, p_since, p_force, p_filter)
            AND (p_kind <> 'full_sync' OR there.entity_types = sync.batch_types(p_types));
        RETURN;
    END IF;
    INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, response_payload, ip_address, user_agent,
        performed_by, request_id, metadata)
    VALUES ('manual_sync', 'batch', made.id::text, 'initiated',
        jsonb_build_object('kind', p_kind, 'entityTypes', made.entity_types, 'since', p_since, 'force', p_force,
            'filter', p_filter, 'reason', p_reason),
        jsonb_build_object('before', NULL, 'after', jsonb_build_object('status', made.status)),
        p_address, p_user_agent, p_by, p_request, jsonb_build_object('operation', 'batch.created'));
    batch_create.id := made.id;
    batch_create.is_new := true;
    batch_create.same := true;
END
$$;

-- Asks for the next records of a batch, so many at most, and remembers where to go on, in one transaction. How many; null when nothing is left to
-- ask for. Who asks at the same time waits and gets the chunk behind.
CREATE FUNCTION sync.batch_ask(p_batch uuid, p_limit bigint) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    b sync.batches;
    kind_at sync.entity_type;
    after uuid;
    chunk uuid[];
    changed uuid[];
BEGIN
    SELECT * INTO b FROM sync.batches
    WHERE id = p_batch AND status IN ('pending', 'running') AND asked_at IS NULL AND kind <> 'import' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF b.status = 'pending' THEN
        UPDATE sync.batches SET status = 'running', started_at = clock_timestamp(),
            total = sync.batch_count(b.kind, b.entity_types, b.since, b.filter)
        WHERE id = p_batch;
    END IF;
    after := (b.resume_after ->> 'after')::uuid;
    IF b.kind = 'full_sync' THEN
        kind_at := coalesce((b.resume_after ->> 'type')::sync.entity_type, b.entity_types[1]);
        WHILE kind_at IS NOT NULL LOOP
            chunk := ARRAY(SELECT sync.batch_sources(kind_at, b.since, after, p_limit));
            EXIT WHEN cardinality(chunk) > 0;
            kind_at := b.entity_types[array_position(b.entity_types, kind_at) + 1];
            after := NULL;
        END LOOP;
        chunk := coalesce(chunk, '{}');
        INSERT INTO sync.requests (entity_type, source_id, origin, force, batch_id)
        SELECT kind_at, source, 'batch', b.force, p_batch FROM unnest(chunk) AS sources (source);
        changed := chunk;
    ELSE
        chunk := ARRAY(SELECT sync.batch_matches(b.kind, b.filter, after, p_limit));
        IF b.kind = 'bulk_retry' THEN
            changed := ARRAY(SELECT sync.retry(chunk));
            UPDATE sync.erp_syncs SET batch_id = p_batch WHERE id = ANY (changed);
            INSERT INTO sync.batch_items (batch_id, sync_id) SELECT p_batch, unnest(changed);
        ELSE
            changed := ARRAY(SELECT sync.skip(chunk, coalesce(b.reason, 'skipped by hand')));
            INSERT INTO sync.batch_items (batch_id, sync_id, result, settled_at)
            SELECT p_batch, sync, 'done', clock_timestamp() FROM unnest(changed) AS syncs (sync);
        END IF;
    END IF;
    UPDATE sync.batches SET
        asked = asked + cardinality(changed),
        resume_after = jsonb_build_object('type', kind_at, 'after', chunk[cardinality(chunk)]),
        asked_at = CASE WHEN cardinality(chunk) = 0 THEN clock_timestamp() END,
        -- what came or went since it was counted
        total = CASE WHEN cardinality(chunk) = 0 THEN asked + cardinality(changed)
            ELSE greatest(total, asked + cardinality(changed)) END
    WHERE id = p_batch;
    RETURN CASE WHEN cardinality(chunk) > 0 THEN cardinality(changed) END;
END
$$;

-- Settles the items whose sync has come to rest by another way than a finish (skipped by hand, failed before and left alone), counts, and ends the
-- batch when all has its answer. How many requests and items are still open; null when the batch is over, or in another's hands.
CREATE FUNCTION sync.batch_settle(p_batch uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    b sync.batches;
    counted record;
BEGIN
    SELECT * INTO b FROM sync.batches
    WHERE id = p_batch AND status IN ('pending', 'running') AND kind <> 'import' FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    -- A finish that settles the same item holds it: it is passed over.
    UPDATE sync.batch_items i SET
        result = CASE s.sync_status WHEN 'synced' THEN 'done' WHEN 'skipped' THEN 'skipped' ELSE 'failed' END::sync.batch_result,
        settled_at = clock_timestamp()
    FROM sync.erp_syncs s
    WHERE s.id = i.sync_id AND i.batch_id = p_batch AND i.result IS NULL
        AND i.sync_id IN (SELECT o.sync_id FROM sync.batch_items o JOIN sync.erp_syncs r ON r.id = o.sync_id
            -- an unknown one that waits for its customer is yet to be looked up
            WHERE o.batch_id = p_batch AND o.result IS NULL AND r.due_at IS NULL AND r.outcome = 'known'
                AND r.sync_status IN ('synced', 'skipped', 'failed')
            FOR UPDATE OF o SKIP LOCKED);
    SELECT count(*) FILTER (WHERE result = 'done') AS done, count(*) FILTER (WHERE result = 'failed') AS failed,
        count(*) FILTER (WHERE result = 'skipped') AS skipped
    INTO counted FROM sync.batch_items WHERE batch_id = p_batch;
    UPDATE sync.batches SET done = counted.done, failed = counted.failed, skipped = counted.skipped WHERE id = p_batch;
    IF b.asked_at IS NOT NULL AND counted.done + counted.failed + counted.skipped >= b.asked THEN
        UPDATE sync.batches SET status = 'completed', finished_at = clock_timestamp() WHERE id = p_batch;
        IF b.kind = 'full_sync' THEN
            PERFORM config.record_full_sync(CASE WHEN counted.failed = 0 THEN 'success'
                WHEN counted.failed < b.asked THEN 'partial' ELSE 'failed' END::config.sync_result);
        END IF;
        RETURN NULL;
    END IF;
    RETURN b.asked - counted.done - counted.failed - counted.skipped;
END
$$;

-- Ends a batch: nothing more is asked for, and what no worker has taken yet is taken back. What is on its way goes on. Says whether it was under way.
CREATE FUNCTION sync.batch_cancel(p_batch uuid, p_by text, p_reason text, p_request uuid, p_address inet, p_user_agent text)
    RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    was sync.batch_status;
BEGIN
    UPDATE sync.batches SET status = 'cancelled', finished_at = clock_timestamp()
    WHERE id = p_batch AND status IN ('pending', 'running')
    RETURNING old.status INTO was;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    DELETE FROM sync.requests WHERE batch_id = p_batch;
    INSERT INTO audit.erp_audit_logs (action, entity_type, entity_id, status, request_payload, response_payload, ip_address, user_agent,
        performed_by, request_id, metadata)
    VALUES ('manual_sync', 'batch', p_batch::text, 'success', jsonb_build_object('reason', p_reason),
        jsonb_build_object('before', jsonb_build_object('status', was), 'after', jsonb_build_object('status', 'cancelled')),
        p_address, p_user_agent, p_by, p_request, jsonb_build_object('operation', 'batch.cancelled'));
    RETURN true;
END
$$;

GRANT EXECUTE ON FUNCTION
    sync.batch_count(sync.batch_kind, sync.entity_type[], timestamptz, jsonb),
    sync.batch_create(sync.batch_kind, sync.entity_type[], timestamptz, boolean, jsonb, text, text, text, uuid, inet, text),
    sync.batch_ask(uuid, bigint), sync.batch_cancel(uuid, text, text, uuid, inet, text)
    TO erp_config_api;
GRANT EXECUTE ON FUNCTION sync.batch_ask(uuid, bigint), sync.batch_settle(uuid) TO erp_sync_worker;

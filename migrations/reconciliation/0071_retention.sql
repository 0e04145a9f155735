-- What is forgotten of reconciliations, batches, stray writes and acknowledged failures, a piece at a time, when it was over before a time. The scheduler asks; each returns how many rows went.
-- Nothing that is unfinished goes, and nobody waits for these locks: rows that others hold are passed over.

-- Findings that were decided, and runs that have none left.
CREATE INDEX runs_finished ON reconciliation.runs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX findings_decided ON reconciliation.findings (decided_at) WHERE decision IN ('healed', 'accepted', 'ignored');
CREATE FUNCTION reconciliation.forget(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM reconciliation.findings f WHERE f.id IN (
        SELECT c.id FROM reconciliation.findings c
        WHERE c.decision IN ('healed', 'accepted', 'ignored') AND c.decided_at < p_before
            AND NOT EXISTS (SELECT FROM reconciliation.runs r WHERE r.id = c.run_id AND (r.finished_at IS NULL OR r.finished_at >= p_before))
        ORDER BY c.decided_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        RETURN gone;
    END IF;
    DELETE FROM reconciliation.runs r WHERE r.id IN (
        SELECT c.id FROM reconciliation.runs c
        WHERE c.finished_at < p_before AND c.status IN ('completed', 'incomplete', 'failed')
            AND NOT EXISTS (SELECT FROM reconciliation.findings f WHERE f.run_id = c.id)
        ORDER BY c.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

-- Items of batches that are over, then the batches.
CREATE INDEX batches_finished ON sync.batches (finished_at) WHERE finished_at IS NOT NULL;
CREATE FUNCTION sync.forget_batches(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    gone integer;
BEGIN
    DELETE FROM sync.batch_items i WHERE (i.batch_id, i.sync_id) IN (
        SELECT c.batch_id, c.sync_id FROM sync.batches b JOIN sync.batch_items c ON c.batch_id = b.id
        WHERE b.finished_at < p_before AND b.status IN ('completed', 'failed', 'cancelled')
        LIMIT p_limit FOR UPDATE OF c SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF gone > 0 THEN
        RETURN gone;
    END IF;
    DELETE FROM sync.batches b WHERE b.id IN (
        SELECT c.id FROM sync.batches c
        WHERE c.finished_at < p_before AND c.status IN ('completed', 'failed', 'cancelled')
            AND NOT EXISTS (SELECT FROM sync.batch_items i WHERE i.batch_id = c.id)
        ORDER BY c.finished_at LIMIT p_limit FOR UPDATE SKIP LOCKED);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;

-- Stray writes that were settled: their records were looked at again since.
CREATE INDEX stray_writes_settled ON sync.stray_writes (settled_at) WHERE settled_at IS NOT NULL;
CREATE FUNCTION sync.forget_stray_writes(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH gone AS (
        DELETE FROM sync.stray_writes WHERE id IN (
            SELECT id FROM sync.stray_writes WHERE settled_at < p_before ORDER BY settled_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- Acknowledgements of failures of which none is left: one that comes later is new in any case.
CREATE FUNCTION config.forget_acknowledgements(p_before timestamptz, p_limit integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH gone AS (
        DELETE FROM config.error_acknowledgements WHERE fingerprint IN (
            SELECT a.fingerprint FROM config.error_acknowledgements a
            WHERE a.acknowledged_at < p_before AND NOT EXISTS (
                SELECT FROM sync.erp_syncs s WHERE s.sync_status = 'failed' AND s.error_fingerprint = a.fingerprint)
            ORDER BY a.acknowledged_at LIMIT p_limit FOR UPDATE SKIP LOCKED)
        RETURNING 1
    )
    SELECT count(*)::integer FROM gone
$$;

-- Frees what expired leases hold: the outcome is unknown since the lease's end, and settled as any other. Asked by the workers' sweep and by the
-- scheduler's retry-queue, should no worker be there. Waits for no lock, so it takes part in no ring of waiters. Returns how many rows.
CREATE FUNCTION sync.free_expired_leases(p_settle interval, p_limit integer) RETURNS integer
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH expired AS MATERIALIZED (
        SELECT id FROM sync.erp_syncs WHERE lease_until < statement_timestamp() LIMIT p_limit FOR UPDATE SKIP LOCKED
    ), freed AS (
        UPDATE sync.erp_syncs s SET
            sync_status = 'failed',
            outcome = 'unknown',
            unknown_since = coalesce(s.unknown_since, s.lease_until),
            settle_until = greatest(s.settle_until, s.lease_until + p_settle),
            next_retry_at = greatest(s.settle_until, s.lease_until + p_settle),
            due_at = greatest(s.settle_until, s.lease_until + p_settle),
            error_code = 'TIMEOUT',
            error_message = 'the worker that held this sync stopped answering; FlashERP is asked what it has',
            error_details = NULL,
            lease_owner = NULL,
            lease_until = NULL,
            updated_at = clock_timestamp()
        FROM expired WHERE s.id = expired.id
        RETURNING 1
    )
    SELECT count(*)::integer FROM freed
$$;

GRANT EXECUTE ON FUNCTION sync.free_expired_leases(interval, integer) TO erp_sync_worker, erp_scheduler;
GRANT EXECUTE ON FUNCTION reconciliation.forget(timestamptz, integer), sync.forget_batches(timestamptz, integer),
    sync.forget_stray_writes(timestamptz, integer), config.forget_acknowledgements(timestamptz, integer) TO erp_scheduler;

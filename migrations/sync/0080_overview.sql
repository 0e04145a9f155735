-- What the overview adds up is read from indexes alone: tens of thousands of records that wait or have failed lie scattered over millions.

DROP INDEX sync.erp_syncs_waiting;
-- money not yet in FlashERP, by age
CREATE INDEX erp_syncs_waiting ON sync.erp_syncs (source_type, waiting_since) INCLUDE (source_id)
    WHERE waiting_since IS NOT NULL AND target_id IS NULL AND source_system = 'upcoach';

DROP INDEX sync.erp_syncs_fingerprint;
-- error groups: their counts, the newest of each, the money at stake
CREATE INDEX erp_syncs_fingerprint ON sync.erp_syncs (error_fingerprint, tried_at DESC) INCLUDE (source_type, source_id, next_retry_at)
    WHERE sync_status = 'failed';

-- The one configuration row (design section 11). Key, secret and webhook secrets are AES-256-GCM ciphertexts bound to
-- row and column; nothing here is readable without the keyring.
CREATE TYPE config.health_status AS ENUM ('healthy', 'degraded', 'down');
CREATE TYPE config.sync_result AS ENUM ('success', 'partial', 'failed');
CREATE TYPE config.conflict_policy AS ENUM ('newest_wins', 'upcoach_wins', 'flasherp_wins');

CREATE TABLE config.erp_configurations (
    id                            uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    -- one row, enforced
    singleton                     boolean NOT NULL DEFAULT true UNIQUE CHECK (singleton),
    organization_id               uuid,
    base_url                      text NOT NULL CHECK (length(base_url) BETWEEN 1 AND 2048),
    api_key_enc                   bytea NOT NULL,
    api_key_set_at                timestamptz NOT NULL DEFAULT clock_timestamp(),
    api_key_set_by                text,
    api_secret_enc                bytea NOT NULL,
    api_secret_set_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    api_secret_set_by             text,
    webhook_secret_enc            bytea,
    webhook_secret_set_at         timestamptz,
    webhook_secret_set_by         text,
    webhook_secret_last_used_at   timestamptz,
    -- a replaced webhook secret stays valid for 24 h
    previous_webhook_secret_enc   bytea,
    previous_webhook_secret_until timestamptz,
    previous_webhook_secret_last_used_at timestamptz,
    is_enabled                    boolean NOT NULL DEFAULT false,
    sync_interval_secs            integer NOT NULL DEFAULT 3600 CHECK (sync_interval_secs >= 300),
    enable_auto_sync              boolean NOT NULL DEFAULT true,
    enable_webhooks               boolean NOT NULL DEFAULT true,
    sync_scope                    jsonb NOT NULL DEFAULT
        '{"transactions": true, "subscriptions": true, "customers": true, "invoices": false, "financialReports": false}'
        CHECK (jsonb_typeof(sync_scope) = 'object'),
    conflict_policy               config.conflict_policy NOT NULL DEFAULT 'newest_wins',
    last_full_sync                timestamptz,
    last_sync_status              config.sync_result,
    health_status                 config.health_status,
    health_check_at               timestamptz,
    -- from when on a record without target may be created without looking it up first
    adopted_at                    timestamptz,
    metadata                      jsonb NOT NULL DEFAULT '{}',
    -- raised by every change that services must hear of
    version                       bigint NOT NULL DEFAULT 1,
    -- tombstone: a deleted configuration isn't brought back by a restart
    deleted_at                    timestamptz,
    deleted_by                    text,
    created_at                    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at                    timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_by                    text,
    CHECK ((previous_webhook_secret_enc IS NULL) = (previous_webhook_secret_until IS NULL))
);

-- Health, use and last full sync are observations: they change neither version nor updated_at.
CREATE FUNCTION config.raise_version() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    NEW.version := OLD.version + 1;
    NEW.updated_at := clock_timestamp();
    RETURN NEW;
END
$$;
CREATE TRIGGER raise_version
    BEFORE UPDATE OF organization_id, base_url, api_key_enc, api_secret_enc, webhook_secret_enc,
        previous_webhook_secret_enc, previous_webhook_secret_until, is_enabled, sync_interval_secs, enable_auto_sync,
        enable_webhooks, sync_scope, conflict_policy, adopted_at, metadata, deleted_at
    ON config.erp_configurations
    FOR EACH ROW EXECUTE FUNCTION config.raise_version();
ALTER TABLE config.erp_configurations ENABLE ALWAYS TRIGGER raise_version;

-- Readers. A view has one row, or none when there is no configuration.
CREATE VIEW config.for_ingress AS
    SELECT id, is_enabled, enable_webhooks, webhook_secret_enc, previous_webhook_secret_enc,
        previous_webhook_secret_until, version
    FROM config.erp_configurations WHERE deleted_at IS NULL;
CREATE VIEW config.for_sync_worker AS
    SELECT id, base_url, api_key_enc, api_secret_enc, is_enabled, enable_auto_sync, enable_webhooks, sync_scope,
        conflict_policy, adopted_at, version
    FROM config.erp_configurations WHERE deleted_at IS NULL;
CREATE VIEW config.for_scheduler AS
    SELECT id, base_url, api_key_enc, api_secret_enc, is_enabled, enable_auto_sync, enable_webhooks, sync_interval_secs,
        sync_scope, health_status, adopted_at, version
    FROM config.erp_configurations WHERE deleted_at IS NULL;
CREATE VIEW config.for_reconciler AS
    SELECT id, base_url, api_key_enc, api_secret_enc, is_enabled, sync_scope, adopted_at, version
    FROM config.erp_configurations WHERE deleted_at IS NULL;

-- Which webhook secret was used last, to the minute: the current one or the one being replaced.
CREATE FUNCTION config.record_webhook_secret_use(p_previous boolean) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE config.erp_configurations SET
        webhook_secret_last_used_at =
            CASE WHEN p_previous THEN webhook_secret_last_used_at ELSE clock_timestamp() END,
        previous_webhook_secret_last_used_at =
            CASE WHEN p_previous THEN clock_timestamp() ELSE previous_webhook_secret_last_used_at END
    WHERE deleted_at IS NULL
        AND coalesce(CASE WHEN p_previous THEN previous_webhook_secret_last_used_at ELSE webhook_secret_last_used_at END,
            '-infinity') < clock_timestamp() - interval '1 minute'
$$;
CREATE FUNCTION config.record_health(p_status config.health_status) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE config.erp_configurations SET health_status = p_status, health_check_at = clock_timestamp()
    WHERE deleted_at IS NULL
$$;
CREATE FUNCTION config.record_full_sync(p_status config.sync_result) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    UPDATE config.erp_configurations SET last_full_sync = clock_timestamp(), last_sync_status = p_status
    WHERE deleted_at IS NULL
$$;

CREATE TABLE config.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     text NOT NULL,
    event_id    uuid NOT NULL,
    body        bytea NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Groups of failures that somebody has seen to; what fails in the same way later is new again.
CREATE TABLE config.error_acknowledgements (
    fingerprint     text PRIMARY KEY CHECK (fingerprint ~ '^[0-9a-f]{32}$'),
    acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    acknowledged_by text NOT NULL,
    note            text
);

GRANT SELECT, INSERT, UPDATE ON config.erp_configurations, config.error_acknowledgements TO erp_config_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON config.outbox TO erp_config_api;
GRANT SELECT ON config.for_ingress TO erp_ingress;
GRANT SELECT ON config.for_sync_worker TO erp_sync_worker;
GRANT SELECT ON config.for_scheduler TO erp_scheduler;
GRANT SELECT ON config.for_reconciler TO erp_reconciler;
GRANT EXECUTE ON FUNCTION config.record_webhook_secret_use(boolean) TO erp_ingress;
GRANT EXECUTE ON FUNCTION config.record_health(config.health_status) TO erp_scheduler, erp_sync_worker;
GRANT EXECUTE ON FUNCTION config.record_full_sync(config.sync_result) TO erp_sync_worker;

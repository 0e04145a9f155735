-- Jobs, health history, alerts and financial reports (design section 6 and 13).
CREATE TYPE scheduling.job_run_status AS ENUM ('running', 'succeeded', 'failed', 'abandoned');
CREATE TYPE scheduling.severity AS ENUM ('info', 'warning', 'critical');
CREATE TYPE scheduling.report_period AS ENUM ('daily', 'weekly', 'monthly', 'quarterly', 'yearly');

CREATE TABLE scheduling.jobs (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z][a-z0-9-]{0,62}$'),
    -- one of the two: a cron expression, or seconds between runs
    cron          text,
    interval_secs integer CHECK (interval_secs > 0),
    time_zone     text NOT NULL DEFAULT 'UTC',
    next_run_at   timestamptz NOT NULL,
    -- the schedule that next_run_at was computed from; another one (edited) counts from now
    planned_schedule text,
    paused_at     timestamptz,
    paused_by     text,
    pause_reason  text,
    -- who wants it to run at once; it is due then
    requested_by  text,
    -- where an incremental job goes on
    resume_after  jsonb NOT NULL DEFAULT '{}',
    updated_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((cron IS NULL) <> (interval_secs IS NULL)),
    CHECK ((paused_at IS NULL) = (pause_reason IS NULL))
);
-- what is to be fired now
CREATE INDEX jobs_next_run ON scheduling.jobs (next_run_at) WHERE paused_at IS NULL;

CREATE TABLE scheduling.job_runs (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    job_name      text NOT NULL REFERENCES scheduling.jobs (name),
    scheduled_for timestamptz NOT NULL,
    status        scheduling.job_run_status NOT NULL DEFAULT 'running',
    started_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    lease_owner   uuid,
    lease_until   timestamptz,
    requested_by  text,
    -- the scheduler process that fired it, as its log and /healthz have it
    instance      uuid,
    result        jsonb,
    error         text,
    UNIQUE (job_name, scheduled_for)
);
-- a job's history, newest first: all; by how they went
CREATE INDEX job_runs_history ON scheduling.job_runs (job_name, started_at DESC);
CREATE INDEX job_runs_status ON scheduling.job_runs (job_name, status, started_at DESC);
-- runs that are over, for retention
CREATE INDEX job_runs_finished ON scheduling.job_runs (finished_at) WHERE finished_at IS NOT NULL;
-- runs whose process died
CREATE INDEX job_runs_lease ON scheduling.job_runs (lease_until) WHERE status = 'running';

CREATE TABLE scheduling.health_checks (
    id           uuid PRIMARY KEY DEFAULT uuidv7(),
    checked_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    status       config.health_status NOT NULL,
    latency_ms   integer CHECK (latency_ms >= 0),
    -- of the syncs tried in the last hour, in hundredths of a percent; null: too few to tell
    failure_rate_bp integer CHECK (failure_rate_bp BETWEEN 0 AND 10000),
    error_code   text,
    message      text
);
-- history, newest first, and retention
CREATE INDEX health_checks_checked ON scheduling.health_checks (checked_at DESC);

CREATE TABLE scheduling.alerts (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    kind          text NOT NULL,
    severity      scheduling.severity NOT NULL,
    -- one open alert per fingerprint
    fingerprint   text NOT NULL,
    message       text NOT NULL,
    details       jsonb NOT NULL DEFAULT '{}',
    -- which of several ways in which it may hold
    state         text NOT NULL DEFAULT '',
    -- how often severity or state has changed: each time it is told anew
    changes       integer NOT NULL DEFAULT 0 CHECK (changes >= 0),
    occurrences   integer NOT NULL DEFAULT 1 CHECK (occurrences > 0),
    raised_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- when the fact was stated and the notices were made; null again when severity or state has changed
    announced_at  timestamptz,
    resolved_at   timestamptz,
    -- the same for its end
    end_announced_at timestamptz
);
CREATE UNIQUE INDEX alerts_open ON scheduling.alerts (fingerprint) WHERE resolved_at IS NULL;
CREATE INDEX alerts_raised ON scheduling.alerts (raised_at DESC);
-- what is still to be announced
CREATE INDEX alerts_unannounced ON scheduling.alerts (raised_at)
    WHERE announced_at IS NULL OR (resolved_at IS NOT NULL AND end_announced_at IS NULL);
-- what is over, for retention
CREATE INDEX alerts_resolved ON scheduling.alerts (resolved_at) WHERE resolved_at IS NOT NULL;

-- What is to be sent of an alert, by which way. Sent at least once: who dies between the sending and the note of it leaves it to be sent again.
CREATE TABLE scheduling.alert_notices (
    alert_id   uuid NOT NULL REFERENCES scheduling.alerts (id) ON DELETE CASCADE,
    -- of its beginning or of its end
    ended      boolean NOT NULL,
    channel    text NOT NULL CHECK (channel IN ('slack', 'email')),
    -- when it is sent (again), which is also the end of the lease of who is sending it; null: sent, or given up
    due_at     timestamptz DEFAULT clock_timestamp(),
    attempts   integer NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    sent_at    timestamptz,
    error      text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (alert_id, ended, channel),
    CHECK (sent_at IS NULL OR due_at IS NULL)
);
CREATE INDEX alert_notices_due ON scheduling.alert_notices (due_at) WHERE due_at IS NOT NULL;

-- One row per (period, start, currency); minor units of ISO 4217. fees_incomplete: some charge's fee is not known.
CREATE TABLE scheduling.reports (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    period          scheduling.report_period NOT NULL,
    period_start    timestamptz NOT NULL,
    period_end      timestamptz NOT NULL,
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    revenue         bigint NOT NULL,
    costs           bigint NOT NULL,
    profit          bigint NOT NULL,
    mrr             bigint NOT NULL,
    arr             bigint NOT NULL,
    fees_incomplete boolean NOT NULL DEFAULT false,
    -- raised by every change: figures that come back are another write to FlashERP than the one before
    revision        integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (period, period_start, currency),
    CHECK (period_end > period_start),
    CHECK (profit = revenue - costs)
);
CREATE TRIGGER request_sync_insert AFTER INSERT ON scheduling.reports
    FOR EACH ROW EXECUTE FUNCTION upcoach.request_sync('financial_report');
CREATE TRIGGER request_sync_update AFTER UPDATE ON scheduling.reports
    FOR EACH ROW WHEN ((OLD.period_end, OLD.revenue, OLD.costs, OLD.profit, OLD.mrr, OLD.arr, OLD.fees_incomplete)
        IS DISTINCT FROM (NEW.period_end, NEW.revenue, NEW.costs, NEW.profit, NEW.mrr, NEW.arr, NEW.fees_incomplete))
    EXECUTE FUNCTION upcoach.request_sync('financial_report');
ALTER TABLE scheduling.reports ENABLE ALWAYS TRIGGER request_sync_insert;
ALTER TABLE scheduling.reports ENABLE ALWAYS TRIGGER request_sync_update;

CREATE TABLE scheduling.outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject     text NOT NULL,
    event_id    uuid NOT NULL,
    body        bytea NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Pauses (with a reason) or resumes (reason null) a job; says whether it changed anything.
CREATE FUNCTION scheduling.pause(p_job text, p_by text, p_reason text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH changed AS (
        UPDATE scheduling.jobs SET
            paused_at = CASE WHEN p_reason IS NOT NULL THEN clock_timestamp() END,
            paused_by = CASE WHEN p_reason IS NOT NULL THEN p_by END,
            pause_reason = p_reason,
            updated_at = clock_timestamp()
        WHERE name = p_job AND (paused_at IS NULL) = (p_reason IS NOT NULL)
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;
-- Makes a job due now, unless it is paused; the scheduler fires it as it does any other. Says whether it did.
CREATE FUNCTION scheduling.run_now(p_job text, p_by text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH changed AS (
        UPDATE scheduling.jobs SET next_run_at = least(next_run_at, clock_timestamp()), requested_by = p_by
        WHERE name = p_job AND paused_at IS NULL RETURNING 1
    )
    SELECT EXISTS (SELECT FROM changed)
$$;
-- Raises an alert, or counts one more occurrence of the open one with that fingerprint. Returns its id.
CREATE FUNCTION scheduling.raise_alert(p_kind text, p_severity scheduling.severity, p_fingerprint text, p_message text,
    p_details jsonb
) RETURNS uuid
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    INSERT INTO scheduling.alerts AS a (kind, severity, fingerprint, message, details)
    VALUES (p_kind, p_severity, p_fingerprint, p_message, p_details)
    ON CONFLICT (fingerprint) WHERE resolved_at IS NULL DO UPDATE SET
        occurrences = a.occurrences + 1, last_seen_at = clock_timestamp(), message = excluded.message,
        details = excluded.details, severity = greatest(a.severity, excluded.severity),
        changes = a.changes + CASE WHEN excluded.severity > a.severity THEN 1 ELSE 0 END,
        announced_at = CASE WHEN excluded.severity > a.severity THEN NULL ELSE a.announced_at END
    RETURNING a.id
$$;

CREATE VIEW scheduling.jobs_for_config_api AS SELECT * FROM scheduling.jobs;
CREATE VIEW scheduling.job_runs_for_config_api AS
    SELECT id, job_name, scheduled_for, status, started_at, finished_at, requested_by, instance, result, error
    FROM scheduling.job_runs;
CREATE VIEW scheduling.health_for_config_api AS SELECT * FROM scheduling.health_checks;
CREATE VIEW scheduling.alerts_for_config_api AS SELECT * FROM scheduling.alerts;
CREATE VIEW scheduling.reports_for_sync_worker AS SELECT * FROM scheduling.reports;

GRANT SELECT, INSERT, UPDATE, DELETE ON scheduling.jobs, scheduling.job_runs, scheduling.health_checks,
    scheduling.alerts, scheduling.alert_notices, scheduling.reports, scheduling.outbox TO erp_scheduler;
GRANT SELECT ON scheduling.jobs_for_config_api, scheduling.job_runs_for_config_api, scheduling.health_for_config_api,
    scheduling.alerts_for_config_api TO erp_config_api;
-- config-api shows what would be sent of them
GRANT SELECT ON scheduling.reports_for_sync_worker TO erp_sync_worker, erp_config_api;
GRANT EXECUTE ON FUNCTION scheduling.pause(text, text, text), scheduling.run_now(text, text) TO erp_config_api;
GRANT EXECUTE ON FUNCTION scheduling.raise_alert(text, scheduling.severity, text, text, jsonb)
    TO erp_sync_worker, erp_reconciler, erp_config_api, erp_scheduler;

//! The names, with unit and help. A counter's name gets `_total` at its end in Prometheus, one in seconds `_seconds`.

/// What a metric counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    Seconds,
}

/// A metric's name before Prometheus' suffixes, its unit, and what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    pub name: &'static str,
    pub unit: Unit,
    /// What it says, with its labels.
    pub help: &'static str,
}

/// Declares an enum of metrics; the documentation of a variant is the metric's help.
macro_rules! metrics {
    ($(#[$meta:meta])* $kind:ident { $($(#[doc = $help:literal])+ $variant:ident = $name:literal, $unit:ident;)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $kind {
            $($(#[doc = $help])+ $variant,)+
        }

        impl $kind {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Name, unit and help.
            #[must_use]
            pub const fn spec(self) -> Spec {
                match self {
                    $(Self::$variant => Spec { name: $name, unit: Unit::$unit, help: concat!($($help),+) },)+
                }
            }
        }
    };
}

metrics! {
    /// What only grows.
    Counter {
        /// Webhooks that came in, by `source`.
        WebhookReceived = "erp_webhook_received", Count;
        /// Webhooks committed to the database, by `source` and `status`.
        WebhookStored = "erp_webhook_stored", Count;
        /// Webhooks whose event id was there before, by `source`.
        WebhookDuplicate = "erp_webhook_duplicate", Count;
        /// Webhooks refused, by `source` and `reason`.
        WebhookRejected = "erp_webhook_rejected", Count;
        /// Group commits that failed and were tried again, by `stage` and `error_type`.
        WebhookCommitRetried = "erp_webhook_commit_retried", Count;
        /// Webhooks whose secret matched, by `source` and `secret` (current, previous, environment).
        WebhookSecretUsed = "erp_webhook_secret_used", Count;
        /// Events applied, by `source` and `status` (applied, parked, ignored, quarantined, failed).
        EventsApplied = "erp_events_applied", Count;
        /// Parked events woken because what they waited for appeared, by `source`.
        EventsWoken = "erp_events_woken", Count;
        /// Events that no webhook had brought and that were fetched, by `source`.
        MissedEventsFound = "erp_missed_events_found", Count;
        /// Events and records looked at in the search for missed ones, by `source`.
        MissedEventsRead = "erp_missed_events_read", Count;
        /// Hints published, by `kind`.
        HintsPublished = "erp_hints_published", Count;
        /// Hints that could not be published and are left to the timers, by `kind` and `error_type`.
        HintsDropped = "erp_hints_dropped", Count;
        /// Hints received, by `kind`.
        HintsReceived = "erp_hints_received", Count;
        /// Messages that could not be read and were terminated, by `consumer`.
        MessagesUnparseable = "erp_messages_unparseable", Count;
        /// Messages handled, by `consumer` and `outcome`.
        MessagesHandled = "erp_messages_handled", Count;
        /// Consumers opened again after their stream had ended or failed, by `consumer`.
        ConsumerReopened = "erp_consumer_reopened", Count;
        /// Streams or consumers that were gone and were made again, by `name`.
        TopologyRepaired = "erp_topology_repaired", Count;
        /// Connections to the broker made, the first one included.
        BrokerConnected = "erp_broker_connected", Count;
        /// Facts relayed from the outbox to the broker, by `kind`.
        OutboxRelayed = "erp_outbox_relayed", Count;
        /// Rounds of the outbox relay that failed and are tried again, by `error_type`.
        OutboxFailed = "erp_outbox_failed", Count;
        /// Sync requests folded into their sync rows.
        RequestsFolded = "erp_requests_folded", Count;
        /// Syncs claimed, by `trigger` (hint, timer).
        SyncsClaimed = "erp_syncs_claimed", Count;
        /// Syncs finished, by `entity_type`, `status` and `code`.
        SyncsFinished = "erp_syncs_finished", Count;
        /// Calls whose outcome is unknown and had to be settled, by `entity_type`.
        SyncsUnknown = "erp_syncs_unknown", Count;
        /// Finishes that came for a lease already lost.
        LeasesLost = "erp_leases_lost", Count;
        /// Calls to FlashERP, by `operation` and `code` (ok, or one of the error codes).
        FlashErpCalls = "erp_flasherp_calls", Count;
        /// Tries within a call after the first, by `operation`.
        FlashErpRetries = "erp_flasherp_retries", Count;
        /// Calls of Stripe's API, by `operation` and `code` (ok, or one of the error codes).
        StripeCalls = "erp_stripe_calls", Count;
        /// Runs of jobs that ended, by `job` and `result` (succeeded, failed, abandoned).
        JobRuns = "erp_job_runs", Count;
        /// Rows of the audit log that came under a seal.
        AuditRowsSealed = "erp_audit_rows_sealed", Count;
        /// Notices of alerts, by `channel` (slack, email) and `result` (sent, failed).
        AlertNotices = "erp_alert_notices", Count;
        /// Reconciliations that ended, by `status` (completed, incomplete, failed).
        Reconciliations = "erp_reconciliations", Count;
        /// FlashERP's records that reconciliations have read, by `entity_type`.
        ReconciledRecords = "erp_reconciled_records", Count;
        /// Findings of reconciliations that nobody had decided on before, by `class`.
        ReconciliationFindings = "erp_reconciliation_findings", Count;
        /// Changes of the breaker, by `state`.
        CircuitChanged = "erp_circuit_changed", Count;
        /// Connections to the database made.
        DatabaseConnected = "erp_database_connected", Count;
        /// Work on the database that failed and is tried again, by `stage` and `error_type`.
        DatabaseErrors = "erp_database_errors", Count;
        /// Versions of the configuration taken up.
        ConfigReloaded = "erp_config_reloaded", Count;
        /// Reads of the configuration that failed; the last one read stays in force.
        ConfigReadFailed = "erp_config_read_failed", Count;
        /// HTTP requests answered, by `route`, `method` and `status`.
        HttpRequests = "erp_http_requests", Count;
        /// Callers refused, by `reason`.
        AuthRefused = "erp_auth_refused", Count;
        /// Requests that a service behind the gateway has not answered, by `backend` and `error_type`.
        BackendUnavailable = "erp_backend_unavailable", Count;
    }
}

metrics! {
    /// How long, or how many at a time.
    Histogram {
        /// Events in one group commit.
        CommitBatch = "erp_commit_batch_events", Count;
        /// Time of one group commit.
        CommitDuration = "erp_commit_duration", Seconds;
        /// Time from a webhook's arrival to its answer, by `source`.
        WebhookDuration = "erp_webhook_duration", Seconds;
        /// Time of applying one batch of events, by `source`.
        ApplyDuration = "erp_apply_duration", Seconds;
        /// Time from an event's arrival to its being applied, by `source`.
        ApplyLatency = "erp_apply_latency", Seconds;
        /// Time of one call to FlashERP, its tries included, by `operation`.
        FlashErpCall = "erp_flasherp_call_duration", Seconds;
        /// Time of one call of Stripe's API, its tries included, by `operation`.
        StripeCall = "erp_stripe_call_duration", Seconds;
        /// Time of one run of a job, by `job`.
        JobDuration = "erp_job_duration", Seconds;
        /// Time of a part of one reconciliation, by `stage` (read, compare, verify).
        ReconciliationDuration = "erp_reconciliation_duration", Seconds;
        /// Time from a change in UpCoach to its being in FlashERP, by `entity_type`.
        ChangeToFlashErp = "erp_change_to_flasherp", Seconds;
        /// Time from a webhook's arrival to its record being in FlashERP, by `entity_type`.
        WebhookToFlashErp = "erp_webhook_to_flasherp", Seconds;
        /// Syncs in one claim.
        ClaimBatch = "erp_claim_batch_syncs", Count;
        /// Time of one claim, its fold included.
        ClaimDuration = "erp_claim_duration", Seconds;
        /// Syncs finished in one transaction.
        FinishBatch = "erp_finish_batch_syncs", Count;
        /// Facts relayed in one round.
        OutboxBatch = "erp_outbox_batch_facts", Count;
        /// Time of one HTTP request, by `route` and `method`.
        HttpDuration = "erp_http_duration", Seconds;
    }
}

metrics! {
    /// What is now.
    Gauge {
        /// Sync rows that could be claimed now; 0 while the gate is shut. Workers scale on it.
        SyncReady = "erp_sync_ready", Count;
        /// Sync rows by `status`.
        SyncRows = "erp_sync_rows", Count;
        /// Failed syncs that will be tried again.
        RetryQueue = "erp_retry_queue", Count;
        /// How long the longest of them has been due.
        RetryQueueAge = "erp_retry_queue_age", Seconds;
        /// FlashERP's health as last checked: 0 healthy, 1 degraded, 2 down.
        Health = "erp_health", Count;
        /// Alerts that hold, by `kind`.
        AlertsOpen = "erp_alerts_open", Count;
        /// Differences that nobody has decided on, of the reconciliations that speak for a type.
        Discrepancies = "erp_reconciliation_discrepancies", Count;
        /// Money not yet in FlashERP, in the currency's smallest unit as Stripe counts, by `currency` and `age` (under_5m, under_1h, under_24h, older).
        Exposure = "erp_exposure_units", Count;
        /// Transactions that it is the sum of, by `currency` and `age`.
        ExposedTransactions = "erp_exposure_transactions", Count;
        /// Syncs that this process has in hand.
        SyncsInFlight = "erp_syncs_in_flight", Count;
        /// Calls to FlashERP that this process may have in flight at once.
        CallLimit = "erp_call_limit", Count;
        /// Breaker: 0 closed, 1 half-open, 2 open.
        CircuitState = "erp_circuit_state", Count;
        /// Events received and not yet applied, by `source`.
        EventsWaiting = "erp_events_waiting", Count;
        /// Events parked, by `source`.
        EventsParked = "erp_events_parked", Count;
        /// How far behind the present the search for missed events is, by `source`. It grows while no run succeeds.
        MissedEventsBehind = "erp_missed_events_behind", Seconds;
        /// Objects waiting to be read from Stripe's API: fees, ties, refunds that were not listed.
        StripeReadsWaiting = "erp_stripe_reads_waiting", Count;
        /// How long the oldest row of the audit log that is under no seal has waited.
        AuditUnsealed = "erp_audit_unsealed", Seconds;
        /// Facts waiting in the outbox.
        OutboxDepth = "erp_outbox_depth", Count;
        /// 1 while connected to the broker, else 0.
        BrokerUp = "erp_broker_up", Count;
        /// Version of the configuration in force; 0 when there is none.
        ConfigVersion = "erp_config_version", Count;
    }
}

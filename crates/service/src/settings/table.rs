//! The table itself. A variable that is not here is refused at start if it looks like one of ours.
//!
//! The line of documentation above each is the README's. To add one: add it here, and run `cargo run -p service --bin
//! settings-table -- --write`.

use super::setting::{Kind, Setting};
use crate::Binary;
use crate::Binary::{ConfigApi, Erpctl, Gateway, Ingress, Reconciler, Sandbox, Scheduler, Stack, SyncWorker};

/// The long-running services that stand on the database.
const SERVICES: &[Binary] = &[ConfigApi, Ingress, Scheduler, SyncWorker, Reconciler];
/// Everything with a management port.
const SERVERS: &[Binary] = &[Gateway, ConfigApi, Ingress, Scheduler, SyncWorker, Reconciler, Sandbox];
/// The services that people and their programs call.
const AUTHENTICATING: &[Binary] = &[Gateway, ConfigApi];

const fn text() -> Setting {
    Setting::of(Kind::Text)
}
const fn url() -> Setting {
    Setting::of(Kind::Url)
}
const fn address() -> Setting {
    Setting::of(Kind::SocketAddr)
}
const fn flag() -> Setting {
    Setting::of(Kind::Flag)
}
const fn list() -> Setting {
    Setting::of(Kind::List)
}
const fn path() -> Setting {
    Setting::of(Kind::Path)
}
const fn integer(min: u64, max: u64) -> Setting {
    Setting::of(Kind::Integer { min, max })
}
const fn seconds(min: u64, max: u64) -> Setting {
    integer(min, max).unit("seconds")
}

/// Declares each setting as a `static` of its own name (a misspelt one does not compile) and [`ALL`] of them together.
macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident = $setting:expr;)+) => {
        $($(#[doc = $doc])+ pub static $name: Setting = $setting.named(stringify!($name), concat!($($doc),+));)+

        /// Every setting, in the order of the README's table.
        pub static ALL: &[&Setting] = &[$(&$name),+];
    };
}

settings! {
    // Where things are
    /// PostgreSQL, under the service's own role; for `erpctl` under the owner's.
    DATABASE_URL = url().like("postgres://role:password@host:5432/erp").secret().required().read_by(&[ConfigApi, Ingress, Scheduler, SyncWorker, Reconciler, Erpctl]);
    /// NATS, with the service's own user and password in it.
    NATS_URL = Setting::of(Kind::Urls).like("nats://user:password@host:4222").secret().required().read_by(SERVICES);
    /// Put before every subject and stream name, so that several systems can share one broker; ends with a dot.
    NATS_SUBJECT_PREFIX = text().read_by(SERVICES);
    /// Where the service listens; port 0 lets the system choose.
    HTTP_ADDR = address().own_address().read_by(&[Gateway, ConfigApi, Ingress, Sandbox]);
    /// Where `/healthz`, `/readyz` and `/metrics` listen; port 0 lets the system choose.
    MANAGEMENT_ADDR = address().own_address().read_by(SERVERS);
    /// Worker threads of the HTTP server.
    HTTP_WORKERS = integer(1, 256).unit("threads").default("2").read_by(&[Gateway, ConfigApi, Ingress, Sandbox]);
    /// Once it listens, the service writes its addresses there as JSON.
    ERP_PORT_FILE = path().read_by(SERVERS);

    // How a service runs
    /// What is logged, in the syntax of `tracing`'s `EnvFilter`.
    RUST_LOG = text().default("info,actix_server=warn,async_nats=warn").read_by(SERVERS);
    /// Where traces go (OTLP over gRPC). Without it none are exported.
    OTEL_EXPORTER_OTLP_ENDPOINT = url().like("http://collector:4317").read_by(SERVERS);
    /// How long a service may take to finish what it has in hand after SIGTERM.
    ERP_SHUTDOWN_GRACE_SECS = seconds(0, 3600).default("25").read_by(SERVERS);
    /// Threads of the asynchronous runtime.
    ERP_WORKER_THREADS = integer(1, 256).unit("threads").default("2").read_by(SERVERS);
    /// Connections to PostgreSQL that one process may hold.
    ERP_DB_MAX_CONNECTIONS = integer(1, 1000).unit("connections").default("10").read_by(SERVICES);
    /// How long to wait for a free connection to PostgreSQL.
    ERP_DB_ACQUIRE_TIMEOUT_SECS = seconds(1, 300).default("5").read_by(SERVICES);
    /// PostgreSQL gives up a statement after this long; 0 for never.
    ERP_DB_STATEMENT_TIMEOUT_SECS = seconds(0, 3600).default("30").read_by(SERVICES);
    /// PostgreSQL ends a session that has sent nothing for this long, so that a service whose answer was lost on the way hears of it and tries again; 0 for never. Sessions that are not used are given up after a minute anyway.
    ERP_DB_IDLE_SESSION_TIMEOUT_SECS = seconds(0, 86_400).default("180").read_by(SERVICES);

    // Secrets at rest
    /// Keys for the secrets in the database, as `id:base64 of 32 bytes`, comma-separated: the first encrypts, all decrypt. `erpctl keys generate` makes one.
    ERP_ENCRYPTION_KEYS = list().secret().required().read_by(&[ConfigApi, Ingress, Scheduler, SyncWorker, Reconciler, Erpctl]);

    // FlashERP
    /// `false` stops outbound work and FlashERP's webhooks whatever the configuration says. Unset is not false. With no configuration yet it switches the first one on or off; unset leaves that off.
    FLASHERP_ENABLED = flag().read_by(SERVICES);
    /// The API key of the first configuration; after that the configuration rules.
    FLASHERP_API_KEY = text().secret().read_by(&[ConfigApi]);
    /// The API secret of the first configuration.
    FLASHERP_API_SECRET = text().secret().read_by(&[ConfigApi]);
    /// FlashERP's base URL in the first configuration.
    FLASHERP_BASE_URL = url().read_by(&[ConfigApi, Stack]);
    /// Secrets of FlashERP's webhooks, accepted beside the configuration's; comma-separated while rotating. The first is the first configuration's.
    FLASHERP_WEBHOOK_SECRET = list().secret().read_by(&[ConfigApi, Ingress, Sandbox]);
    /// How long one call to FlashERP may take.
    FLASHERP_TIMEOUT_SECS = seconds(1, 300).default("30").read_by(&[Scheduler, SyncWorker, Reconciler, Erpctl]);
    /// How long after a call of unknown outcome FlashERP may still act on it.
    FLASHERP_SETTLE_SECS = seconds(0, 86_400).default("90").read_by(&[Scheduler, SyncWorker, Erpctl]);
    /// Requests to FlashERP a second, all workers together; 0 for no limit.
    FLASHERP_MAX_RPS = integer(0, 1_000_000).unit("requests a second").default("0").read_by(&[ConfigApi, Scheduler, SyncWorker, Reconciler, Erpctl]);
    /// Failures in a row, of two records at least, after which the breaker opens.
    CIRCUIT_FAILURES = integer(1, 1000).unit("failures").default("5").read_by(&[ConfigApi, Scheduler, SyncWorker, Reconciler, Erpctl]);
    /// How long the breaker stays open before one record is tried.
    CIRCUIT_RESET_SECS = seconds(1, 86_400).default("60").read_by(&[ConfigApi, Scheduler, SyncWorker, Reconciler, Erpctl]);
    /// Lets FlashERP's base URL, and Stripe's, be http and lead to private addresses. For development.
    ERP_ALLOW_PRIVATE_BASE_URL = flag().default("false").read_by(&[ConfigApi, Scheduler, SyncWorker, Reconciler, Erpctl]);

    // Stripe
    /// Secrets of Stripe's webhooks, comma-separated while rotating. Without one they are answered 503.
    STRIPE_WEBHOOK_SECRET = list().secret().read_by(&[Ingress, Sandbox]);
    /// Key of Stripe's API (a restricted one that may read is enough). Without it events that no webhook told of are not fetched, and fees are not known. The sandbox's Stripe lets in whoever sends it.
    STRIPE_API_KEY = text().secret().read_by(&[Scheduler, SyncWorker, Sandbox]);
    /// Stripe's API, without `/v1`.
    STRIPE_BASE_URL = url().default("https://api.stripe.com").read_by(&[Scheduler, SyncWorker]);
    /// The plan of Stripe prices that say it neither by lookup key nor by `metadata.plan`: `price_123=pro,price_456=team`.
    STRIPE_PRICE_PLANS = list().read_by(&[SyncWorker]);
    /// Production: events of Stripe's test mode (`livemode: false`) are kept and not applied.
    ERP_PRODUCTION = flag().default("false").read_by(&[SyncWorker]);

    // UpCoach
    /// `tables`: UpCoach's data lives in tables of ours, fed by Stripe's events and imports. `views`: in a real UpCoach's own tables in the same database (docs/upcoach-views.md).
    UPCOACH_MODE = Setting::of(Kind::Choice(&["tables", "views"])).default("tables").read_by(&[SyncWorker, Erpctl]);

    // Webhooks
    /// Stripe webhooks a minute, client and replica; 0 for no limit.
    WEBHOOK_RATE_LIMIT_STRIPE = integer(0, 10_000_000).unit("requests a minute").default("6000").read_by(&[Ingress]);
    /// FlashERP webhooks a minute, client and replica; 0 for no limit.
    WEBHOOK_RATE_LIMIT_FLASHERP = integer(0, 10_000_000).unit("requests a minute").default("100").read_by(&[Ingress]);
    /// Proxies whose `X-Forwarded-For` is believed.
    TRUSTED_PROXIES = Setting::of(Kind::Networks).read_by(&[Gateway, ConfigApi, Ingress]);

    // Access
    /// Key of the bearer tokens (HS256, 32 bytes or more). This or a set of keys is needed; with both, either signs.
    AUTH_JWT_SECRET = text().secret().read_by(AUTHENTICATING);
    /// The `iss` that bearer tokens must have.
    AUTH_JWT_ISSUER = text().required().read_by(AUTHENTICATING);
    /// The `aud` that bearer tokens must have, alone or among others.
    AUTH_JWT_AUDIENCE = text().required().read_by(AUTHENTICATING);
    /// The public keys of bearer tokens (RS256, ES256, EdDSA) as a JSON Web Key Set, over https. Read again as it ages, and when a token names a key that is not in it.
    AUTH_JWKS_URL = url().like("https://id.example.com/.well-known/jwks.json").read_by(AUTHENTICATING);
    /// The same from a file.
    AUTH_JWKS_FILE = path().read_by(AUTHENTICATING);
    /// How far the clock of who issues tokens may be off.
    AUTH_CLOCK_LEEWAY_SECS = seconds(0, 300).default("5").read_by(AUTHENTICATING);

    // The gateway
    /// Where ingress is.
    INGRESS_URL = url().default("http://127.0.0.1:8087").read_by(&[Gateway]);
    /// Where config-api is.
    CONFIG_API_URL = url().default("http://127.0.0.1:8085").read_by(&[Gateway]);
    /// Where a sandbox is, whose control API admins then find under `/api/sandbox`. Unset: there is none.
    SANDBOX_URL = url().like("http://127.0.0.1:8084").read_by(&[Gateway]);
    /// Where browsers find the gateway: who may send the session's cookie, and whether over TLS alone. Unset: by each request's `Host`, over TLS alone but on this machine.
    GATEWAY_PUBLIC_URL = url().like("https://erp.example.com").read_by(&[Gateway]);
    /// Origins whose pages may call the API with a bearer token (CORS). Unset: none.
    GATEWAY_CORS_ORIGINS = list().read_by(&[Gateway]);
    /// Requests a minute, principal and replica, all of which may come at once; 0 for no limit.
    GATEWAY_RATE_LIMIT = integer(0, 10_000_000).unit("requests a minute").default("1200").read_by(&[Gateway]);
    /// The folder with the built panel. Unset, or without `index.html` in it: a page says that there is no panel.
    GATEWAY_PANEL_DIR = path().read_by(&[Gateway]);

    // Jobs
    /// How long a run of a job is a scheduler's before another one may take it for dead; it is renewed while the job runs.
    JOB_LEASE_SECS = seconds(3, 3600).default("60").read_by(&[Scheduler]);
    /// How far back the search for missed events reads again what it has read: what Stripe or FlashERP lists late, or by a clock that is off, is found within it.
    MISSED_EVENTS_OVERLAP_SECS = seconds(0, 86_400).default("3600").read_by(&[Scheduler]);
    /// Younger events and changes are left to their webhooks, which may be on their way.
    MISSED_EVENTS_GRACE_SECS = seconds(0, 86_400).default("300").read_by(&[Scheduler]);
    /// The bodies of applied and ignored webhook events, which hold personal data, are erased after so many days; 0 for never. Their ids stay.
    WEBHOOK_BODY_RETENTION_DAYS = integer(0, 3650).unit("days").default("90").read_by(&[Scheduler]);

    /// Webhook events that were applied or ignored are forgotten after so many days, and with them their ids; at least 35, since missed events are fetched 30 days back.
    WEBHOOK_EVENT_RETENTION_DAYS = integer(35, 36_500).unit("days").default("400").read_by(&[Scheduler]);
    /// Runs of jobs, health checks, alerts, batches, and reconciliations whose findings were all decided are forgotten so many days after their end.
    HISTORY_RETENTION_DAYS = integer(1, 36_500).unit("days").default("90").read_by(&[Scheduler]);
    /// FlashERP is degraded when its health check takes longer.
    HEALTH_SLOW_MS = integer(1, 300_000).unit("milliseconds").default("2000").read_by(&[Scheduler]);

    // Alerts
    /// Slack's incoming webhook that alerts are sent to. Unset: none are.
    SLACK_WEBHOOK_URL = url().secret().read_by(&[Scheduler]);
    /// The mail server that alerts are sent by: `smtps://` (TLS), or `smtp://` with `?tls=required` (STARTTLS). Needs ALERT_EMAIL_TO.
    SMTP_URL = url().like("smtps://user:password@host:465").secret().read_by(&[Scheduler]);
    /// Who gets alerts by mail.
    ALERT_EMAIL_TO = list().read_by(&[Scheduler]);
    /// Whom alerts by mail are from.
    ALERT_EMAIL_FROM = text().default("FlashERP integration <flasherp-integration@localhost>").read_by(&[Scheduler]);
    /// More failed syncs than this waiting for their retry raise an alert.
    ALERT_RETRY_QUEUE = integer(0, 1_000_000_000).unit("syncs").default("100").read_by(&[Scheduler]);

    // Reconciliation
    /// How long a reconciliation is a reconciler's before another one may go on with it; it is renewed while it runs.
    RECONCILIATION_LEASE_SECS = seconds(3, 3600).default("30").read_by(&[Reconciler]);
    /// Parts of a reconciliation's window that are read from FlashERP at the same time.
    RECONCILIATION_SLICES = integer(1, 64).unit("slices").default("8").read_by(&[Reconciler]);
    /// How long a reconciliation goes on trying a call that FlashERP does not answer, before it leaves that part out.
    RECONCILIATION_PATIENCE_SECS = seconds(0, 86_400).default("600").read_by(&[Reconciler]);
    /// Findings that one reconciliation may heal by itself, where it was asked to.
    RECONCILIATION_AUTO_HEAL_CAP = integer(0, 1_000_000).unit("findings").default("1000").read_by(&[Reconciler]);

    // Syncing
    /// What a worker does, so that both can be scaled apart.
    SYNC_WORKER_ROLES = Setting::of(Kind::Choices(&["outbound", "inbound"])).default("outbound,inbound").read_by(&[SyncWorker]);
    /// The wait before the first retry of a sync; it doubles from there.
    SYNC_RETRY_BASE_SECS = seconds(1, 3600).default("2").read_by(&[SyncWorker]);
    /// Retries of a sync before it stays failed.
    SYNC_MAX_RETRIES = integer(0, 100).unit("retries").default("5").read_by(&[SyncWorker]);
    /// How long a claimed sync is a worker's; must be longer than FLASHERP_TIMEOUT_SECS and 5 s.
    SYNC_LEASE_SECS = seconds(7, 3600).default("120").read_by(&[SyncWorker]);
    /// Calls to FlashERP that one worker has in flight at once, at most; it has three times as many syncs in hand, so that calls don't wait for claims.
    SYNC_MAX_IN_FLIGHT = integer(1, 10_000).unit("calls").default("64").read_by(&[SyncWorker]);
    /// Webhook events that are applied in one transaction at most.
    SYNC_APPLY_BATCH = integer(1, 10_000).unit("events").default("200").read_by(&[SyncWorker]);

    // The sandbox
    /// What callers of the sandbox send in `Authorization: Bearer`.
    SANDBOX_API_KEY = text().secret().default("sandbox-key").read_by(&[Sandbox]);
    /// What callers of the sandbox send in `X-API-Secret`.
    SANDBOX_API_SECRET = text().secret().default("sandbox-secret").read_by(&[Sandbox]);
    /// What the sandbox's `/health` lists, and what works in it.
    SANDBOX_CAPABILITIES = Setting::of(Kind::Choices(&["idempotency-key", "updated-since", "count"])).default("idempotency-key,updated-since").read_by(&[Sandbox]);
    /// How long every call to the sandbox takes.
    SANDBOX_LATENCY_MS = integer(0, 60_000).unit("milliseconds").default("0").read_by(&[Sandbox]);
    /// Where the sandbox sends Stripe's events. They are signed with the first of STRIPE_WEBHOOK_SECRET.
    STRIPE_TARGET_URL = url().default("http://127.0.0.1:8080/api/webhooks/stripe").read_by(&[Sandbox]);
    /// Where the sandbox sends FlashERP's webhooks, once it is told to. They are signed with every one of FLASHERP_WEBHOOK_SECRET.
    FLASHERP_TARGET_URL = url().default("http://127.0.0.1:8080/api/webhooks/flasherp").read_by(&[Sandbox]);
    /// What whoever is not on the sandbox's own machine sends it in `Authorization: Bearer` to call its control API; the gateway sends it for admins. Unset: the control API takes calls of its own machine alone.
    SANDBOX_CONTROL_TOKEN = text().secret().read_by(&[Gateway, Sandbox]);
    /// A file in which the sandbox keeps its records, so that they survive a restart. Unset: they end with the process.
    SANDBOX_SNAPSHOT_FILE = path().read_by(&[Sandbox]);

    // The command line and the local stack
    /// PostgreSQL as a superuser, for `erpctl roles`.
    ERP_ADMIN_DATABASE_URL = url().like("postgres://postgres:password@host:5432/postgres").secret().read_by(&[Erpctl]);
    /// The password that `erpctl roles` gives to the services' roles.
    ERP_ROLE_PASSWORD = text().secret().read_by(&[Erpctl]);
    /// The first of the local stack's ports.
    ERP_PORT_BASE = integer(1, 65_000).default("8080").read_by(&[Stack]);
    /// The local stack's port for the gateway, if not ERP_PORT_BASE's.
    ERP_PORT_GATEWAY = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for PostgreSQL.
    ERP_PORT_POSTGRES = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for NATS.
    ERP_PORT_NATS = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for NATS' monitoring page.
    ERP_PORT_NATS_MONITOR = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for the sandbox.
    ERP_PORT_SANDBOX = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for config-api.
    ERP_PORT_CONFIG_API = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's port for ingress.
    ERP_PORT_INGRESS = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of ingress.
    ERP_PORT_INGRESS_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of sync-worker.
    ERP_PORT_SYNC_WORKER_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of config-api.
    ERP_PORT_CONFIG_API_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of scheduler.
    ERP_PORT_SCHEDULER_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of reconciler.
    ERP_PORT_RECONCILER_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of gateway.
    ERP_PORT_GATEWAY_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// The local stack's management port of the sandbox.
    ERP_PORT_SANDBOX_MANAGEMENT = integer(0, 65_535).read_by(&[Stack]);
    /// Where the local stack finds the services' programs, if not beside its own.
    ERP_BIN_DIR = path().read_by(&[Stack]);
    /// Where the local stack keeps its data.
    ERP_DATA_DIR = path().read_by(&[Stack]);
    /// A folder with PostgreSQL's binaries, instead of the ones that the local stack fetches.
    PG_BIN = path().read_by(&[Stack]);
    /// The nats-server to run, instead of the one that the local stack fetches.
    NATS_SERVER = path().read_by(&[Stack]);
}

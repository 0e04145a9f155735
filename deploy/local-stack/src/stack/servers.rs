//! Which services a stack has, what each is told, and what `env` tells others.

use messaging::topology::ADMIN;

use super::{DATABASE, StackSettings};
use crate::ports::Seat;
use crate::postgres::{self, SUPERUSER};
use crate::{ServiceOptions, nats};

/// A service: its program's name, its role in the database and its ports.
struct Row {
    name: &'static str,
    role: Option<&'static str>,
    http: Option<Seat>,
    management: Seat,
}

const SANDBOX: &str = "flasherp-sandbox";

const GATEWAY: &str = "gateway";

/// Who issues this stack's tokens, and for whom, unless the caller says otherwise.
const ISSUER: &str = "local";
const AUDIENCE: &str = "erp";

const ROWS: [Row; 7] = [
    Row { name: SANDBOX, role: None, http: Some(Seat::Sandbox), management: Seat::SandboxManagement },
    // It writes the configuration that the others read.
    Row {
        name: "config-api",
        role: Some("erp_config_api"),
        http: Some(Seat::ConfigApi),
        management: Seat::ConfigApiManagement,
    },
    Row { name: "sync-worker", role: Some("erp_sync_worker"), http: None, management: Seat::SyncWorkerManagement },
    Row { name: "scheduler", role: Some("erp_scheduler"), http: None, management: Seat::SchedulerManagement },
    Row { name: "reconciler", role: Some("erp_reconciler"), http: None, management: Seat::ReconcilerManagement },
    Row { name: "ingress", role: Some("erp_ingress"), http: Some(Seat::Ingress), management: Seat::IngressManagement },
    // Last: once it answers, everything behind is there.
    Row { name: GATEWAY, role: None, http: Some(Seat::Gateway), management: Seat::GatewayManagement },
];

/// How each service is started, in this order.
pub(super) fn options(settings: &StackSettings) -> Vec<ServiceOptions> {
    let sandbox = settings.other_flasherp().is_none();
    ROWS.iter().filter(|row| sandbox || row.name != SANDBOX).map(|row| service(settings, row)).collect()
}

fn service(settings: &StackSettings, row: &Row) -> ServiceOptions {
    let mut options = ServiceOptions {
        name: row.name.to_owned(),
        program: settings.program(row.name),
        env: defaults(settings),
        port_file: settings.layout.run_dir().join(format!("{}.json", row.name)),
        log: settings.layout.log_file(row.name),
    };
    options.env.extend(settings.handed_down.iter().cloned());
    if let Some(role) = row.role {
        options = options
            .env("DATABASE_URL", database_url(settings, role, DATABASE))
            .env("NATS_URL", nats_url(settings, row.name));
    }
    if row.name == GATEWAY {
        options.env.extend(backends(settings));
    } else if row.http.is_some()
        && row.name != SANDBOX
        && !options.env.iter().any(|(name, _)| name == "TRUSTED_PROXIES")
    {
        // The gateway says who calls.
        options = options.env("TRUSTED_PROXIES", "127.0.0.1/32");
    }
    if let Some(seat) = row.http {
        options = options.env("HTTP_ADDR", settings.ports.address(seat).to_string());
    }
    options.env("MANAGEMENT_ADDR", settings.ports.address(row.management).to_string())
}

/// What stands behind the gateway.
fn backends(settings: &StackSettings) -> Vec<(String, String)> {
    let mut seats = vec![("INGRESS_URL", Seat::Ingress), ("CONFIG_API_URL", Seat::ConfigApi)];
    if settings.other_flasherp().is_none() {
        seats.push(("SANDBOX_URL", Seat::Sandbox));
    }
    let url = |seat| format!("http://{}", settings.ports.address(seat));
    seats.into_iter().map(|(name, seat)| (name.to_owned(), url(seat))).collect()
}

/// What the caller's own variables win over.
fn defaults(settings: &StackSettings) -> Vec<(String, String)> {
    let mut env: Vec<(&str, String)> =
        settings.secrets.for_services().map(|(name, value)| (name, value.to_owned())).collect();
    env.extend([
        ("AUTH_JWT_ISSUER", ISSUER.to_owned()),
        ("AUTH_JWT_AUDIENCE", AUDIENCE.to_owned()),
        ("FLASHERP_TARGET_URL", format!("{}/api/webhooks/flasherp", gateway_url(settings))),
        ("STRIPE_TARGET_URL", format!("{}/api/webhooks/stripe", gateway_url(settings))),
        // All senders are this machine.
        ("WEBHOOK_RATE_LIMIT_STRIPE", "0".to_owned()),
        ("WEBHOOK_RATE_LIMIT_FLASHERP", "0".to_owned()),
    ]);
    if settings.other_flasherp().is_none() {
        env.extend([
            ("FLASHERP_ENABLED", "true".to_owned()),
            ("FLASHERP_BASE_URL", settings.base_url()),
            ("FLASHERP_API_KEY", settings.secret("SANDBOX_API_KEY").to_owned()),
            ("FLASHERP_API_SECRET", settings.secret("SANDBOX_API_SECRET").to_owned()),
            ("ERP_ALLOW_PRIVATE_BASE_URL", "true".to_owned()),
            ("STRIPE_API_KEY", settings.secret("STRIPE_API_KEY").to_owned()),
            ("STRIPE_BASE_URL", format!("http://{}/stripe", settings.ports.address(Seat::Sandbox))),
        ]);
    }
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// What `env` prints, beside the pids.
pub(super) fn env(settings: &StackSettings) -> Vec<(String, String)> {
    let http = |seat| format!("http://{}", settings.ports.address(seat));
    let mut env = vec![
        ("DATABASE_URL", database_url(settings, "erp_owner", DATABASE)),
        ("ERP_ADMIN_DATABASE_URL", database_url(settings, SUPERUSER, "postgres")),
        ("NATS_URL", nats_url(settings, ADMIN)),
        ("NATS_MONITOR_URL", http(Seat::NatsMonitor)),
        ("GATEWAY_URL", gateway_url(settings)),
    ];
    if settings.other_flasherp().is_none() {
        env.push(("SANDBOX_URL", http(Seat::Sandbox)));
        env.push(("SANDBOX_MANAGEMENT_URL", http(Seat::SandboxManagement)));
        env.push(("STRIPE_API_KEY", settings.secret("STRIPE_API_KEY").to_owned()));
    }
    // Not FLASHERP_BASE_URL: in the environment of the next start it would say that there is to be no sandbox.
    env.extend([
        ("GATEWAY_MANAGEMENT_URL", http(Seat::GatewayManagement)),
        ("INGRESS_MANAGEMENT_URL", http(Seat::IngressManagement)),
        ("SYNC_WORKER_MANAGEMENT_URL", http(Seat::SyncWorkerManagement)),
        ("CONFIG_API_MANAGEMENT_URL", http(Seat::ConfigApiManagement)),
        ("SCHEDULER_MANAGEMENT_URL", http(Seat::SchedulerManagement)),
        ("RECONCILER_MANAGEMENT_URL", http(Seat::ReconcilerManagement)),
    ]);
    env.extend(settings.secrets.for_services().map(|(name, _)| (name, settings.secret(name).to_owned())));
    env.extend(
        [("AUTH_JWT_ISSUER", ISSUER), ("AUTH_JWT_AUDIENCE", AUDIENCE)]
            .map(|(name, default)| (name, settings.handed_down(name).unwrap_or(default).to_owned())),
    );
    env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn database_url(settings: &StackSettings, role: &str, database: &str) -> String {
    postgres::url(role, settings.secrets.postgres_password(), settings.ports.port(Seat::Postgres), database)
}

fn nats_url(settings: &StackSettings, user: &str) -> String {
    nats::url(user, settings.secrets.nats_password(user), settings.ports.port(Seat::Nats))
}

fn gateway_url(settings: &StackSettings) -> String {
    format!("http://{}", settings.ports.address(Seat::Gateway))
}

//! What a stack is told: by the environment, and by its data folder.

use std::path::PathBuf;

use crate::binaries::Binaries;
use crate::error::IoContext;
use crate::layout::{Layout, checkout, write_private};
use crate::ports::{PortPlan, Seat};
use crate::secrets::Secrets;
use crate::{Result, StackError};

/// Where the data is when `ERP_DATA_DIR` says nothing, in the checkout.
const DEFAULT_DATA_DIR: &str = ".local/data";

/// Variables of the caller that services get as they are. What is only the stack's (its ports and folders), or would
/// lead a service to somebody else's database or broker, is not among them.
const HANDED_DOWN: &[&str] = &[
    "ALERT_EMAIL_TO",
    "AUTH_CLOCK_LEEWAY_SECS",
    "AUTH_JWKS_FILE",
    "AUTH_JWKS_URL",
    "AUTH_JWT_AUDIENCE",
    "AUTH_JWT_ISSUER",
    "AUTH_JWT_SECRET",
    "CIRCUIT_FAILURES",
    "CIRCUIT_RESET_SECS",
    "ERP_ALLOW_PRIVATE_BASE_URL",
    "ERP_DB_ACQUIRE_TIMEOUT_SECS",
    "ERP_DB_MAX_CONNECTIONS",
    "ERP_DB_STATEMENT_TIMEOUT_SECS",
    "ERP_ENCRYPTION_KEYS",
    "ERP_PRODUCTION",
    "ERP_SHUTDOWN_GRACE_SECS",
    "ERP_WORKER_THREADS",
    "FLASHERP_API_KEY",
    "FLASHERP_API_SECRET",
    "FLASHERP_BASE_URL",
    "FLASHERP_ENABLED",
    "FLASHERP_MAX_RPS",
    "FLASHERP_SETTLE_SECS",
    "FLASHERP_TIMEOUT_SECS",
    "FLASHERP_WEBHOOK_SECRET",
    "GATEWAY_CORS_ORIGINS",
    "GATEWAY_PANEL_DIR",
    "GATEWAY_PUBLIC_URL",
    "GATEWAY_RATE_LIMIT",
    "HTTP_WORKERS",
    "JOB_LEASE_SECS",
    "MISSED_EVENTS_GRACE_SECS",
    "MISSED_EVENTS_OVERLAP_SECS",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SANDBOX_API_KEY",
    "SANDBOX_API_SECRET",
    "SANDBOX_CAPABILITIES",
    "SANDBOX_LATENCY_MS",
    "SANDBOX_SNAPSHOT_FILE",
    "SLACK_WEBHOOK_URL",
    "SMTP_URL",
    "STRIPE_API_KEY",
    "STRIPE_BASE_URL",
    "STRIPE_PRICE_PLANS",
    "STRIPE_WEBHOOK_SECRET",
    "SYNC_APPLY_BATCH",
    "SYNC_LEASE_SECS",
    "SYNC_MAX_IN_FLIGHT",
    "SYNC_MAX_RETRIES",
    "SYNC_RETRY_BASE_SECS",
    "SYNC_WORKER_ROLES",
    "TRUSTED_PROXIES",
    "UPCOACH_MODE",
    "WEBHOOK_BODY_RETENTION_DAYS",
    "WEBHOOK_RATE_LIMIT_FLASHERP",
    "WEBHOOK_RATE_LIMIT_STRIPE",
];

/// What a stack is told.
#[derive(Clone)]
pub struct StackSettings {
    /// Its data folder.
    pub layout: Layout,
    /// Its ports.
    pub ports: PortPlan,
    /// Its secrets.
    pub secrets: Secrets,
    /// PostgreSQL's and NATS' programs.
    pub binaries: Binaries,
    /// Variables of the caller for the services.
    pub handed_down: Vec<(String, String)>,
    programs: PathBuf,
}

impl std::fmt::Debug for StackSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StackSettings")
            .field("layout", &self.layout)
            .field("ports", &self.ports)
            .finish_non_exhaustive()
    }
}

impl StackSettings {
    /// Reads the environment and the data folder, whose secrets are made when they aren't there.
    ///
    /// # Errors
    /// When a setting can't be used, a program is missing, or the data folder can't be written.
    pub fn read() -> Result<Self> {
        let layout = data_dir()?;
        let ports = PortPlan::read(setting)?;
        let binaries = Binaries::find()?;
        let secrets = Secrets::load_or_make(&layout.secrets_file())?;
        let handed_down = HANDED_DOWN.iter().filter_map(|name| Some(((*name).to_owned(), setting(name)?))).collect();
        let beside = std::env::current_exe().doing(|| "this program does not know where it is".to_owned())?;
        let beside = beside.parent().map(PathBuf::from).unwrap_or_default();
        let programs = setting("ERP_BIN_DIR").map_or(beside, PathBuf::from);
        Ok(Self { layout, ports, secrets, binaries, handed_down, programs })
    }

    /// The FlashERP to talk to instead of a sandbox, when the caller names one.
    pub fn other_flasherp(&self) -> Option<&str> {
        self.handed_down("FLASHERP_BASE_URL")
    }

    /// A variable of the caller that services get.
    pub fn handed_down(&self, name: &str) -> Option<&str> {
        self.handed_down.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What services get for a secret: the caller's, else the data folder's.
    pub fn secret(&self, name: &str) -> &str {
        self.handed_down(name).unwrap_or_else(|| self.secrets.get(name))
    }

    /// FlashERP's base URL.
    pub fn base_url(&self) -> String {
        let sandbox = || format!("http://{}/v1", self.ports.address(Seat::Sandbox));
        self.other_flasherp().map_or_else(sandbox, str::to_owned)
    }

    /// The ports that will be used.
    pub(crate) fn seats(&self) -> Vec<Seat> {
        let sandbox = [Seat::Sandbox, Seat::SandboxManagement];
        Seat::ALL.into_iter().filter(|seat| self.other_flasherp().is_none() || !sandbox.contains(seat)).collect()
    }

    /// The path of one of this workspace's programs.
    pub(crate) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// Makes sure that the programs of this workspace are built.
    pub(crate) fn programs(&self) -> Result<()> {
        let wanted = ["erpctl", "gateway", "ingress", "sync-worker", "config-api", "scheduler", "flasherp-sandbox"];
        match wanted.into_iter().find(|name| !self.program(name).is_file()) {
            None => Ok(()),
            Some(name) => Err(StackError::ToolMissing {
                program: "a program of this workspace",
                how: format!("{} is not built: run `cargo build --bins`", self.program(name).display()),
            }),
        }
    }

    /// The first start writes FlashERP's address into the database, where it rules from then on. A later start with
    /// other ports would leave the services calling an address where nobody is.
    pub(crate) fn check_base_url(&self) -> Result<()> {
        let Ok(known) = std::fs::read_to_string(self.base_url_file()) else { return Ok(()) };
        let (known, now) = (known.trim(), self.base_url());
        if known == now {
            return Ok(());
        }
        Err(StackError::Setting {
            variable: "FLASHERP_BASE_URL".to_owned(),
            value: now,
            reason: format!(
                "the database in {} was set up for {known}. Use the same ports and FLASHERP_BASE_URL as then, or set \
                 ERP_DATA_DIR to another folder",
                self.layout.root().display()
            ),
        })
    }

    /// Writes down what [`Self::check_base_url`] reads.
    pub(crate) fn remember_base_url(&self) -> Result<()> {
        write_private(&self.base_url_file(), &self.base_url())
    }

    fn base_url_file(&self) -> PathBuf {
        self.layout.root().join("flasherp-base-url")
    }
}

/// The data folder: `ERP_DATA_DIR`, else `.local/data` in the checkout.
///
/// # Errors
/// When neither is there, or it can't be made.
pub fn data_dir() -> Result<Layout> {
    let folder = setting("ERP_DATA_DIR").map(PathBuf::from).or_else(|| Some(checkout()?.join(DEFAULT_DATA_DIR)));
    match folder {
        Some(folder) => Layout::at(&folder),
        None => Err(StackError::ToolMissing {
            program: "a data folder",
            how: "run this in the checkout, or set ERP_DATA_DIR".to_owned(),
        }),
    }
}

/// A variable that is set and not empty.
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use service::Binary;
    use service::settings::ALL;

    use super::*;

    /// What the stack decides itself for each service.
    const ITS_OWN: [&str; 12] = [
        "CONFIG_API_URL",
        "DATABASE_URL",
        "ERP_PORT_FILE",
        "FLASHERP_TARGET_URL",
        "HTTP_ADDR",
        "INGRESS_URL",
        "MANAGEMENT_ADDR",
        "NATS_SUBJECT_PREFIX",
        "NATS_URL",
        "RECONCILER_URL",
        "SANDBOX_URL",
        "STRIPE_TARGET_URL",
    ];

    fn is_a_services(setting: &service::settings::Setting) -> bool {
        setting.read_by.is_empty() || setting.read_by.iter().any(|by| !matches!(by, Binary::Stack | Binary::Erpctl))
    }

    #[test]
    fn every_setting_of_a_service_is_handed_down_or_the_stacks_own() {
        for setting in ALL.iter().filter(|setting| is_a_services(setting)) {
            let known = HANDED_DOWN.contains(&setting.name) || ITS_OWN.contains(&setting.name);
            assert!(known, "{} set for the stack reaches no service", setting.name);
        }
    }

    #[test]
    fn nothing_is_handed_down_that_no_service_reads() {
        for name in HANDED_DOWN.iter().filter(|name| **name != "RUST_BACKTRACE") {
            assert!(ALL.iter().any(|setting| setting.name == *name && is_a_services(setting)), "{name}");
        }
    }

    #[test]
    fn each_port_that_can_be_moved_is_in_the_table_of_settings_and_no_other() {
        let mut table: Vec<&str> =
            ALL.iter().map(|setting| setting.name).filter(|name| name.starts_with("ERP_PORT_")).collect();
        table.retain(|name| !["ERP_PORT_BASE", "ERP_PORT_FILE"].contains(name));
        let mut seats: Vec<&str> = Seat::ALL.iter().map(|seat| seat.variable()).collect();
        table.sort_unstable();
        seats.sort_unstable();
        assert_eq!(seats, table);
    }
}

//! What a stack is told: by the environment, and by its data folder.

use std::path::PathBuf;

use crate::binaries::Binaries;
use crate::error::IoContext;
use crate::layout::{Layout, checkout, write_private};
use crate::ports::{PortPlan, Seat};
use crate::secrets::Secrets;
use crate::{Result, StackError};
use service::Binary;
use service::settings::Setting;

/// Where the data is when `ERP_DATA_DIR` says nothing, in the checkout.
const DEFAULT_DATA_DIR: &str = ".local/data";

/// What the stack decides itself for each service: a caller's own would lead one to somebody else's database or broker.
const ITS_OWN: [&str; 11] = [
    "CONFIG_API_URL",
    "DATABASE_URL",
    "ERP_PORT_FILE",
    "FLASHERP_TARGET_URL",
    "HTTP_ADDR",
    "INGRESS_URL",
    "MANAGEMENT_ADDR",
    "NATS_SUBJECT_PREFIX",
    "NATS_URL",
    "SANDBOX_URL",
    "STRIPE_TARGET_URL",
];

/// Variables of the caller that services get as they are: all that a service reads and the stack does not decide.
fn handed_down() -> impl Iterator<Item = &'static str> {
    service::settings::ALL
        .iter()
        .filter(|setting| is_a_services(setting))
        .map(|setting| setting.name)
        .filter(|name| !ITS_OWN.contains(name))
        .chain(["RUST_BACKTRACE"])
}

fn is_a_services(setting: &Setting) -> bool {
    setting.read_by.is_empty() || setting.read_by.iter().any(|by| !matches!(by, Binary::Stack | Binary::Erpctl))
}

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
        let handed_down = handed_down().filter_map(|name| Some((name.to_owned(), setting(name)?))).collect();
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
        let wanted = [
            "erpctl",
            "gateway",
            "ingress",
            "sync-worker",
            "config-api",
            "scheduler",
            "reconciler",
            "flasherp-sandbox",
        ];
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
    use service::settings::ALL;

    use super::*;

    #[test]
    fn what_the_stack_decides_for_a_service_is_a_setting_of_one_and_all_else_is_handed_down() {
        let of_services: Vec<&str> =
            ALL.iter().filter(|setting| is_a_services(setting)).map(|setting| setting.name).collect();
        for name in ITS_OWN {
            assert!(of_services.contains(&name), "no service reads {name}");
        }
        let down: Vec<&str> = handed_down().collect();
        assert!(down.contains(&"STRIPE_API_KEY") && down.contains(&"HEALTH_SLOW_MS"), "{down:?}");
        for own in ITS_OWN.iter().chain(&["PG_BIN", "ERP_PORT_GATEWAY", "ERP_ADMIN_DATABASE_URL"]) {
            assert!(!down.contains(own), "{own}");
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

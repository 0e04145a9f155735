//! What can be typed.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Operates the FlashERP integration. Connections and secrets come from environment variables, never from arguments, which
/// other users of the machine can see.
#[derive(Debug, Parser)]
#[command(name = "erpctl", version, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes the cluster's roles, and sets their password from ERP_ROLE_PASSWORD if it is set. Needs ERP_ADMIN_DATABASE_URL, a superuser's.
    Roles,
    /// Brings the database's schema up to this version. Needs DATABASE_URL, as erp_owner. Safe to run twice, or twice at once.
    Migrate {
        /// Waits for a database that can't be reached yet.
        #[arg(long)]
        wait: bool,
        /// How long to wait.
        #[arg(long, default_value_t = 60, requires = "wait", value_parser = clap::value_parser!(u64).range(1..=3600))]
        timeout_secs: u64,
    },
    /// Prints nats-server's `authorization` block: a user per service with just its subjects.
    NatsConfig {
        /// A JSON file of user names and passwords, `{"ingress": "...", ...}`; `-` reads standard input.
        #[arg(long, value_name = "FILE")]
        passwords: PathBuf,
    },
    /// Prints the table of environment variables, as in the README.
    Settings,
    /// Keys for the secrets in the database.
    #[command(subcommand)]
    Keys(Keys),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Prints a new entry for ERP_ENCRYPTION_KEYS. Put it first to encrypt with it; keep the older ones behind it.
    Generate {
        /// The key's id; today's date when it isn't given.
        #[arg(long)]
        id: Option<String>,
    },
}

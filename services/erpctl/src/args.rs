//! What can be typed.

use std::path::PathBuf;

use audit::verify::KeptHead;
use clap::{Parser, Subcommand};
use domain::{BatchId, EntityType, ErrorCode};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::commands::import::ImportArgs;

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
    /// Shows as JSON what a sync of a record would send to FlashERP, and how the record differs from FlashERP's. Sends nothing. Needs DATABASE_URL, as
    /// erp_owner, and ERP_ENCRYPTION_KEYS.
    Preview {
        /// transaction, subscription, customer, invoice or financial_report.
        entity_type: EntityType,
        /// UpCoach's id.
        id: Uuid,
    },
    /// Pages through FlashERP and takes over what it holds of UpCoach's records, so that none is made a second time: before the first
    /// enabling of a FlashERP that is not empty, and after `restored`. May run beside the workers, and again. Needs DATABASE_URL, as erp_owner, and
    /// ERP_ENCRYPTION_KEYS.
    Adopt {
        /// Only this type; may be given several times. All that FlashERP shows when it isn't.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<EntityType>,
    },
    /// To be run after PostgreSQL was restored from a backup, before the services work on it: what may be in FlashERP already is looked up before it
    /// is made, and the audit log begins a new epoch. Needs DATABASE_URL, as erp_owner.
    Restored {
        /// For the audit log: which backup, and why.
        #[arg(long)]
        note: Option<String>,
        /// Who restored it, for the audit log.
        #[arg(long, default_value = "erpctl")]
        by: String,
    },
    /// The audit log: checks it against its seals, exports months that are over (docs/audit-seals.md).
    #[command(subcommand)]
    Audit(Audit),
    /// Full syncs and bulk actions, carried out by the workers. Needs DATABASE_URL, as erp_owner.
    #[command(subcommand)]
    Batch(Batch),
    /// The scheduler's timetable: what runs when, what ran, and changes to it, each with an audit row. Needs DATABASE_URL, as erp_owner.
    #[command(subcommand)]
    Jobs(Jobs),
    /// Imports users, subscriptions, transactions and invoices that UpCoach exported, from NDJSON or CSV (docs/import.md). Needs DATABASE_URL, as erp_config_api or erp_owner. Safe to run again.
    Import(ImportArgs),
    /// Prints the table of environment variables, as in the README.
    Settings,
    /// Keys for the secrets in the database.
    #[command(subcommand)]
    Keys(Keys),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// Checks the whole log against its seals, prints what was found as JSON, and fails at the first break, which it names. Writes nothing. Needs
    /// DATABASE_URL, as a role that may read schema audit (erp_owner, erp_config_api, erp_scheduler).
    Verify {
        /// A head that was kept outside, with its seal's number if you have it: 17:ab12...; may be given several times.
        #[arg(long = "head", value_name = "[NUMBER:]HEX")]
        heads: Vec<KeptHead>,
        /// Compares only the rows of the newest seals one by one, so many at least. The chain is always checked whole.
        #[arg(long, value_name = "N")]
        newest_rows: Option<u64>,
        /// Where the files of `audit archive` are. Without it rows that are in archives only are counted and not checked.
        #[arg(long, value_name = "FOLDER", conflicts_with = "newest_rows")]
        archives: Option<PathBuf>,
    },
    /// Checks the log, then exports each month that is over and wholly sealed to a file; its partition may be detached then. Needs DATABASE_URL, as
    /// erp_owner. Safe to run again.
    Archive {
        /// Where the files go; earlier ones are expected there.
        #[arg(long = "to", value_name = "FOLDER")]
        folder: PathBuf,
        /// Who exports, for the audit log.
        #[arg(long, default_value = "erpctl")]
        by: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Encrypts the secrets in the database anew with the first key of ERP_ENCRYPTION_KEYS. Run it when every service has that key first;
    /// then the older keys can be dropped. Needs DATABASE_URL, as erp_owner, and ERP_ENCRYPTION_KEYS. Safe to run again.
    Rotate {
        /// Who asks, for the audit log.
        #[arg(long, default_value = "erpctl")]
        by: String,
    },
    /// Prints a new entry for ERP_ENCRYPTION_KEYS. Put it first to encrypt with it; keep the older ones behind it.
    Generate {
        /// The key's id; today's date when it isn't given.
        #[arg(long)]
        id: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Batch {
    /// Asks for all records of the types in scope.
    FullSync {
        /// Only this type; may be given several times.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<EntityType>,
        /// Only what UpCoach changed then or later, as 2026-11-24T09:30:00Z.
        #[arg(long, value_parser = instant)]
        since: Option<OffsetDateTime>,
        /// Compares with FlashERP itself, record by record.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        how: How,
    },
    /// Queues failed syncs at once, with their retries back.
    Retry {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
    /// Takes syncs that are pending or failed out of the way.
    Skip {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        how: How,
    },
    /// Lists the newest.
    List {
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
    },
    /// Ends one: nothing more is asked for; what is on its way goes on.
    Cancel {
        /// The batch.
        id: BatchId,
        #[command(flatten)]
        who: Who,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// Lists the jobs: when each runs, and when next.
    List,
    /// Lists a job's runs, newest first: its id, when it was planned, begun and ended, how it went and on which scheduler.
    History {
        /// The job.
        name: String,
        /// How many.
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=1000))]
        limit: i64,
        /// Goes on behind this run: the last one of the page before.
        #[arg(long, value_name = "RUN")]
        before: Option<Uuid>,
    },
    /// Changes when a job runs. The next run counts from now.
    Edit {
        /// The job.
        name: String,
        #[command(flatten)]
        when: When,
        #[command(flatten)]
        who: Who,
    },
    /// Pauses a job: it is not fired until it is resumed.
    Pause {
        /// The job.
        name: String,
        #[command(flatten)]
        who: Who,
    },
    /// Resumes a job. One that was due meanwhile runs once.
    Resume {
        /// The job.
        name: String,
        #[command(flatten)]
        who: Who,
    },
    /// Makes a job due now.
    Run {
        /// The job.
        name: String,
        #[command(flatten)]
        who: Who,
    },
}

/// When a job runs. What is not given stays.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = true)]
pub(crate) struct When {
    /// At the times of a cron expression: minute, hour, day, month, weekday.
    #[arg(long, conflicts_with = "every_secs")]
    pub(crate) cron: Option<String>,
    /// So many seconds after it was fired.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(i32).range(1..))]
    pub(crate) every_secs: Option<i32>,
    /// The zone of the cron expression's times, as Europe/Berlin.
    #[arg(long, value_name = "ZONE")]
    pub(crate) time_zone: Option<String>,
}

/// Who asks, and why.
#[derive(Debug, clap::Args)]
pub(crate) struct Who {
    /// Who asks, for the audit log.
    #[arg(long, default_value = "erpctl")]
    pub(crate) by: String,
    /// Why, for the audit log.
    #[arg(long)]
    pub(crate) reason: Option<String>,
}

/// How a batch is made.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    #[command(flatten)]
    pub(crate) who: Who,
    /// Only counts what it would be about.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Which syncs. All that is given must hold.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Of this type.
    #[arg(long = "type", value_name = "TYPE")]
    pub(crate) entity_type: Option<EntityType>,
    /// That failed with this code.
    #[arg(long)]
    pub(crate) error_code: Option<ErrorCode>,
    /// Of this record.
    #[arg(long)]
    pub(crate) source_id: Option<Uuid>,
    /// Last tried then or later.
    #[arg(long, value_parser = instant)]
    pub(crate) from: Option<OffsetDateTime>,
    /// Last tried before then.
    #[arg(long, value_parser = instant)]
    pub(crate) to: Option<OffsetDateTime>,
}

fn instant(text: &str) -> Result<OffsetDateTime, String> {
    domain::instant::parse(text).ok_or_else(|| "write a time as 2026-11-24T09:30:00Z".to_owned())
}

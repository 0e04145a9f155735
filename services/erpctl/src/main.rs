//! The operator's command line: roles, migrations, broker users, settings, keys, the audit log's seals, the scheduler's timetable, and what is asked of outbound
//! syncs (preview, adoption, batches, after a restore).
//!
//! Results go to standard output, all else to standard error. Exit status: 0 done, 1 failed, 2 wrong use or wrong settings. Every
//! command may be run again, also after it was killed half-way.

mod args;
mod commands;
mod connect;
mod failure;
mod opened;
mod output;

use std::process::ExitCode;

use clap::Parser as _;

use crate::args::{Args, Command, Keys};
use crate::failure::Failure;

fn main() -> ExitCode {
    service::bootstrap::install_tls_provider();
    let args = Args::parse();
    match run(args.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("erpctl: {failure}");
            failure.exit_code()
        }
    }
}

fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Roles => asynchronously(commands::roles::run()),
        Command::Migrate { wait, timeout_secs } => asynchronously(commands::migrate::run(wait.then_some(timeout_secs))),
        Command::NatsConfig { passwords } => commands::nats_config::run(&passwords),
        Command::Preview { entity_type, id } => asynchronously(commands::preview::run(entity_type, id)),
        Command::Adopt { types } => asynchronously(commands::adopt::run(types)),
        Command::Restored { note, by } => asynchronously(commands::restored::run(&by, note.as_deref())),
        Command::Audit(audit) => asynchronously(commands::audit::run(audit)),
        Command::Batch(batch) => asynchronously(commands::batch::run(batch)),
        Command::Jobs(jobs) => asynchronously(commands::jobs::run(jobs)),
        Command::Import(args) => asynchronously(commands::import::run(args)),
        Command::Settings => commands::settings::run(),
        Command::Keys(Keys::Generate { id }) => commands::keys::generate(id),
        Command::Keys(Keys::Rotate { by }) => asynchronously(commands::keys::rotate(&by)),
    }
}

fn asynchronously(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::failed("no asynchronous runtime", error))?.block_on(command)
}

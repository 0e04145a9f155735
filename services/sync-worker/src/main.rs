//! `sync-worker`: applies webhook events to UpCoach and brings UpCoach's records into FlashERP.

use std::process::ExitCode;

use service::Binary;
use sync_worker::{Config, run};

fn main() -> ExitCode {
    service::main(Binary::SyncWorker, Config::read, run)
}

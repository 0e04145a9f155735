//! `reconciler`: holds UpCoach's records against FlashERP's. See the library.

use std::process::ExitCode;

use reconciler::{Config, run};

fn main() -> ExitCode {
    service::main(service::Binary::Reconciler, Config::read, run)
}

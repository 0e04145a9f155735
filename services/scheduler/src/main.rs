//! `scheduler`: runs jobs by their timetable. See the library.

use std::process::ExitCode;

use scheduler::{Config, run};

fn main() -> ExitCode {
    service::main(service::Binary::Scheduler, Config::read, run)
}

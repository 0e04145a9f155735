//! The sandbox as a process of its own: a FlashERP and a Stripe for development, demo, tests and benchmarks. It keeps everything in memory
//! and forgets it when it ends.

use std::process::ExitCode;

use flasherp_sandbox::{Config, run};
use service::Binary;

fn main() -> ExitCode {
    service::main(Binary::Sandbox, Config::read, run)
}

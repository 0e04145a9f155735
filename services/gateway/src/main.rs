//! The one public origin. See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(service::Binary::Gateway, gateway::Config::read, gateway::run)
}

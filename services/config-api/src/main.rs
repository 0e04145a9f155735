//! Holds the configuration. See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(service::Binary::ConfigApi, config_api::Config::read, config_api::run)
}

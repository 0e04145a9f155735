//! Takes webhooks in. See the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(service::Binary::Ingress, ingress::Config::read, ingress::run)
}

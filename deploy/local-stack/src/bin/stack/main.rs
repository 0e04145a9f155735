//! `stack`: the local stack on the command line. `./justw up`, `down`, `status`, `logs`, `env` and `demo` are this.
//!
//! One process owns all servers of a data folder; they end with it, whatever ends it. `up` starts that process in the
//! background, `demo` is that process. `down` ends it from anywhere.

mod demo;
mod down;
mod env;
mod infra;
mod logs;
mod run;
mod say;
mod signals;
mod status;
mod up;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// PostgreSQL, NATS, the services and a sandbox of FlashERP and Stripe on this machine.
#[derive(Debug, Parser)]
#[command(name = "stack", version, arg_required_else_help = true)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts everything in the background.
    Up,
    /// Stops everything.
    Down,
    /// Says what runs; exit status 0 when all of it is ready.
    Status,
    /// Prints what the servers log.
    Logs(logs::LogsArgs),
    /// Prints how to reach what runs, as KEY=value lines.
    Env,
    /// Starts everything, sends Stripe payments and tells what becomes of them, until Ctrl-C.
    Demo {
        /// Ends by itself; exit status 0 when everything arrived exactly once.
        #[arg(long)]
        once: bool,
    },
    /// Starts everything and stays in the foreground. What `up` starts.
    #[command(hide = true)]
    Run,
    /// Runs a command with a PostgreSQL and a NATS of its own, named in TEST_PG_ADMIN_URL, TEST_NATS_URL and
    /// TEST_NATS_MONITOR_URL. They end with it.
    WithInfra {
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Only fails when it was installed before.
    drop(rustls::crypto::ring::default_provider().install_default());
    let done = match Args::parse().command {
        Command::Up => up::up().await,
        Command::Down => down::down().await,
        Command::Status => status::status().await,
        Command::Logs(args) => logs::logs(args).await,
        Command::Env => env::env(),
        Command::Demo { once } => Box::pin(demo::demo(once)).await,
        Command::Run => Box::pin(run::run()).await,
        Command::WithInfra { command } => infra::with_infra(&command).await,
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            say::complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

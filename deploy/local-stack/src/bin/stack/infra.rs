//! `with-infra`: a PostgreSQL and a NATS for the tests of one run, in a folder that goes with it.
//!
//! Nothing is said after the command's own last line.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context as _, bail};
use local_stack::binaries::Binaries;
use local_stack::passwords::random_password;
use local_stack::{Nats, NatsOptions, Postgres, PostgresOptions, ProcessId, Scratch, nats};
use messaging::topology::{ADMIN, server_config, users};
use rustix::process::Signal;
use tokio::process::Command;

use crate::signals::{asked_to_end, end_with_parent};

/// Runs `command` beside the two servers; its exit status is ours.
pub(crate) async fn with_infra(command: &[String]) -> anyhow::Result<ExitCode> {
    let [program, arguments @ ..] = command else { bail!("no command was given") };
    end_with_parent()?;
    let end = asked_to_end();
    tokio::pin!(end);
    let scratch = Scratch::new()?;
    let infra = tokio::select! {
        infra = Infra::start(&scratch) => infra?,
        ended = &mut end => return ended.map(|()| ExitCode::FAILURE),
    };
    let mut child = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", program])
        .args(arguments)
        .env("TEST_PG_ADMIN_URL", infra.postgres.admin_url())
        .env("TEST_NATS_URL", infra.nats_url())
        .env("TEST_NATS_MONITOR_URL", format!("http://127.0.0.1:{}", infra.nats.monitor_port()))
        .spawn()
        .with_context(|| format!("can't run {program}"))?;
    let status = tokio::select! {
        status = child.wait() => status,
        ended = &mut end => {
            ended?;
            if let Some(process) = child.id().and_then(ProcessId::of) {
                process.signal(Signal::TERM);
            }
            child.wait().await
        }
    };
    let status = status.with_context(|| format!("can't wait for {program}"))?;
    infra.stop().await?;
    Ok(code(status))
}

struct Infra {
    postgres: Postgres,
    nats: Nats,
    admin_password: String,
}

impl Infra {
    async fn start(scratch: &Scratch) -> anyhow::Result<Self> {
        let binaries = Binaries::find()?;
        let passwords = users().map(|user| (user.to_owned(), random_password())).collect();
        let postgres = PostgresOptions {
            dir: scratch.join("postgres"),
            log: scratch.join("postgres.log"),
            port: None,
            password: random_password(),
        };
        let nats = NatsOptions {
            dir: scratch.join("nats"),
            log: scratch.join("nats.log"),
            port: None,
            monitor_port: None,
            users: server_config(&passwords),
        };
        let admin_password = passwords.get(ADMIN).cloned().unwrap_or_default();
        let (postgres, nats) = tokio::try_join!(Postgres::start(&binaries, postgres), Nats::start(&binaries, nats))?;
        Ok(Self { postgres, nats, admin_password })
    }

    fn nats_url(&self) -> String {
        nats::url(ADMIN, &self.admin_password, self.nats.port())
    }

    /// Everything in it is thrown away, so nothing needs to be written.
    async fn stop(mut self) -> anyhow::Result<()> {
        self.nats.kill().await?;
        self.postgres.kill().await?;
        Ok(())
    }
}

/// The command's exit code; as shells say it, 128 and the signal's number where one ended it.
fn code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}

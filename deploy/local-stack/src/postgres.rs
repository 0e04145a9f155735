//! A PostgreSQL server with a folder of its own.
//!
//! It keeps `fsync` on and asks every connection for a password. It can be stopped in order, killed with all its
//! processes at once, as a power cut would, and started again on the same data and port. The cluster is made in a
//! folder beside and then renamed, so a cluster that is there is a whole one, whatever died while making it.

mod settings;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use sqlx::{Connection as _, PgConnection};

use crate::binaries::Binaries;
use crate::error::IoContext;
use crate::layout::{make_private_dir, tail, write_private};
use crate::spawn::{Program, Started, WhenOwnerDies};
use crate::unprivileged::Unprivileged;
use crate::{ProcessId, Result, StackError, ports, spawn, wait};

/// The superuser of every cluster made here.
pub const SUPERUSER: &str = "postgres";

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
/// How often a start is tried with another free port, when none was asked for.
const PORT_TRIES: usize = 5;

/// Where a server lives and how it is reached.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Its folder; the cluster is made in `data` below it when there is none.
    pub dir: PathBuf,
    /// Its log, appended to.
    pub log: PathBuf,
    /// Its port; a free one when none is given.
    pub port: Option<u16>,
    /// The superuser's password. An existing cluster must have been made with the same.
    pub password: String,
}

/// A PostgreSQL server that this process started.
#[derive(Debug)]
pub struct Postgres {
    binaries: Binaries,
    options: PostgresOptions,
    unprivileged: Unprivileged,
    port: u16,
    started: Option<Started>,
}

impl Postgres {
    /// Makes the cluster when there is none, starts the server and waits until it answers.
    ///
    /// # Errors
    /// When a program is missing or fails, the port is taken, or no answer comes within a minute.
    pub async fn start(binaries: &Binaries, options: PostgresOptions) -> Result<Self> {
        let unprivileged = Unprivileged::detect();
        let port = options.port.map_or_else(|| ports::free("postgres"), Ok)?;
        let mut postgres = Self { binaries: binaries.clone(), options, unprivileged, port, started: None };
        postgres.make_cluster()?;
        let mut tries = 1;
        loop {
            match postgres.restart().await {
                Ok(()) => return Ok(postgres),
                // Somebody was faster with the port.
                Err(StackError::DidNotStart { .. })
                    if postgres.options.port.is_none() && !ports::is_free(postgres.port) && tries < PORT_TRIES =>
                {
                    tries += 1;
                    postgres.port = ports::free("postgres")?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Its log.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.options.log
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How `user` reaches `database`, when that user has the cluster's password.
    pub fn url(&self, user: &str, database: &str) -> String {
        url(user, &self.options.password, self.port, database)
    }

    /// The superuser's way in.
    pub fn admin_url(&self) -> String {
        self.url(SUPERUSER, "postgres")
    }

    /// The server's first process, while it runs.
    pub fn process(&self) -> Option<ProcessId> {
        self.started.as_ref().map(Started::id).filter(|process| process.is_alive())
    }

    /// Stops it in order: sessions are ended, everything is on disk.
    ///
    /// # Errors
    /// When it still runs after a minute.
    pub async fn stop(&mut self) -> Result<()> {
        let Some(mut started) = self.started.take() else { return Ok(()) };
        let id = started.id();
        id.signal(Signal::CONT);
        id.signal(Signal::INT);
        wait::until_gone(STOPPED_WITHIN, "postgres to stop", id).await?;
        started.wait_blocking();
        Ok(())
    }

    /// Kills all its processes at once with `SIGKILL`: nothing is written any more, the next start recovers.
    ///
    /// # Errors
    /// When a process still runs after a minute.
    pub async fn kill(&mut self) -> Result<()> {
        let Some(mut started) = self.started.take() else { return Ok(()) };
        let processes = kill_all(started.id());
        started.wait_blocking();
        for process in processes {
            wait::until_gone(STOPPED_WITHIN, "postgres to die", process).await?;
        }
        Ok(())
    }

    /// Starts it again, after [`Self::stop`] or [`Self::kill`], on the same data and port.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let started = spawn::start(self.program(), &self.options.log)?;
        let started = self.started.insert(started);
        let url = url(SUPERUSER, &self.options.password, self.port, "postgres");
        let ready = wait::until_some(READY_WITHIN, "postgres to answer", || {
            let ended = started.ended();
            let url = &url;
            async move {
                match ended {
                    Some(status) => Some(Err(format!("it ended ({status})"))),
                    None => answers(url).await.then_some(Ok(())),
                }
            }
        })
        .await;
        let reason = match ready {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(late) => late.to_string(),
        };
        let log = self.options.log.clone();
        let failure = StackError::DidNotStart { name: "postgres".to_owned(), reason, tail: tail(&log), log };
        self.kill().await?;
        Err(failure)
    }

    fn data(&self) -> PathBuf {
        self.options.dir.join("data")
    }

    fn program(&self) -> Program {
        let mut words = self.unprivileged.prefix();
        words.push(self.binaries.postgres("postgres").into());
        words.push("-D".into());
        words.push(self.data().into());
        words.extend(["-p".to_owned(), self.port.to_string()].map(OsString::from));
        for setting in settings::SETTINGS {
            words.extend(["-c", setting].map(OsString::from));
        }
        Program { words, env: environment(), when_owner_dies: WhenOwnerDies::Interrupt }
    }

    fn make_cluster(&self) -> Result<()> {
        let folder = &self.options.dir;
        make_private_dir(folder)?;
        self.unprivileged.give(folder)?;
        self.unprivileged.check_reach(folder)?;
        self.unprivileged.check_reach(&self.binaries.pg_bin)?;
        if self.data().join("PG_VERSION").is_file() {
            return Ok(());
        }
        let (fresh, password) = (folder.join("data.new"), folder.join("password"));
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh).doing(|| format!("can't remove {}", fresh.display()))?;
        }
        write_private(&password, &self.options.password)?;
        self.unprivileged.give(&password)?;
        let made = self.initdb(&fresh, &password);
        std::fs::remove_file(&password).doing(|| format!("can't remove {}", password.display()))?;
        made?;
        std::fs::rename(&fresh, self.data()).doing(|| format!("can't rename {}", fresh.display()))
    }

    fn initdb(&self, data: &Path, password: &Path) -> Result<()> {
        let mut words = self.unprivileged.prefix();
        words.push(self.binaries.postgres("initdb").into());
        words.push("-D".into());
        words.push(data.into());
        words.push("--pwfile".into());
        words.push(password.into());
        words.extend(settings::INITDB.map(OsString::from));
        words.extend(["--username", SUPERUSER].map(OsString::from));
        let [program, arguments @ ..] = words.as_slice() else { return Ok(()) };
        let output = Command::new(program)
            .args(arguments)
            .env_clear()
            .envs(environment())
            .output()
            .doing(|| "can't run initdb")?;
        if output.status.success() {
            return Ok(());
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stderr));
        Err(StackError::ProgramFailed { program: "initdb".to_owned(), status: output.status.to_string(), output: text })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut started) = self.started.take() else { return };
        kill_all(started.id());
        started.wait_blocking();
    }
}

/// How `user` reaches `database` on `port` of this machine.
pub fn url(user: &str, password: &str, port: u16, database: &str) -> String {
    format!("postgres://{user}:{password}@127.0.0.1:{port}/{database}")
}

/// Kills a server and its children at once. The first process is frozen before, so that it can start no further ones
/// and does not see its children die.
pub(crate) fn kill_all(server: ProcessId) -> Vec<ProcessId> {
    server.signal(Signal::STOP);
    let mut processes = server.children();
    processes.push(server);
    for process in &processes {
        process.signal(Signal::KILL);
    }
    processes
}

/// A connection with our password: somebody else's server on the port would refuse it, or say nothing at all.
async fn answers(url: &str) -> bool {
    let connect = tokio::time::timeout(Duration::from_secs(2), PgConnection::connect(url));
    let Ok(Ok(connection)) = connect.await else { return false };
    connection.close().await.is_ok()
}

fn environment() -> Vec<(String, String)> {
    let path = std::env::var("PATH").unwrap_or_else(|_| "/usr/local/bin:/usr/bin:/bin".to_owned());
    vec![("PATH".to_owned(), path), ("LC_ALL".to_owned(), "C".to_owned()), ("TZ".to_owned(), "UTC".to_owned())]
}

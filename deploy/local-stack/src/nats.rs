//! A nats-server with JetStream and a folder of its own.
//!
//! It can be stopped, killed, started again on the same storage and ports, and robbed of its storage. Who answers on
//! the port is checked by a name that is made for each start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;

use crate::binaries::Binaries;
use crate::error::IoContext;
use crate::layout::{make_private_dir, tail, write_private};
use crate::passwords::random_password;
use crate::spawn::{Program, Started, WhenOwnerDies};
use crate::{ProcessId, Result, StackError, ports, spawn, wait};

const READY_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);
const PORT_TRIES: usize = 5;

/// Where a broker lives and who may use it.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Its folder: `nats.conf` and JetStream's storage.
    pub dir: PathBuf,
    /// Its log, appended to.
    pub log: PathBuf,
    /// Its port; a free one when none is given.
    pub port: Option<u16>,
    /// The port of its monitoring page; a free one when none is given.
    pub monitor_port: Option<u16>,
    /// The part of the configuration that names users and their subjects
    /// (`messaging::topology::server_config`).
    pub users: String,
}

/// A nats-server that this process started.
#[derive(Debug)]
pub struct Nats {
    binaries: Binaries,
    options: NatsOptions,
    port: u16,
    monitor_port: u16,
    started: Option<Started>,
}

impl Nats {
    /// Starts a broker and waits until it answers.
    ///
    /// # Errors
    /// When the program is missing, a port is taken, or no answer comes within a minute.
    pub async fn start(binaries: &Binaries, options: NatsOptions) -> Result<Self> {
        make_private_dir(&options.dir)?;
        let pick = |port: Option<u16>| port.map_or_else(|| ports::free("nats"), Ok);
        let (port, monitor_port) = (pick(options.port)?, pick(options.monitor_port)?);
        let mut nats = Self { binaries: binaries.clone(), options, port, monitor_port, started: None };
        let mut tries = 1;
        loop {
            match nats.restart().await {
                Ok(()) => return Ok(nats),
                // Somebody was faster with a port.
                Err(StackError::DidNotStart { .. }) if nats.may_move() && tries < PORT_TRIES => {
                    tries += 1;
                    nats.port = pick(nats.options.port)?;
                    nats.monitor_port = pick(nats.options.monitor_port)?;
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

    /// Where its monitoring page is, on 127.0.0.1.
    pub fn monitor_port(&self) -> u16 {
        self.monitor_port
    }

    /// The server's process, while it runs.
    pub fn process(&self) -> Option<ProcessId> {
        self.started.as_ref().map(Started::id).filter(|process| process.is_alive())
    }

    /// Stops it in order.
    ///
    /// # Errors
    /// When it still runs after a minute.
    pub async fn stop(&mut self) -> Result<()> {
        self.end(Signal::TERM).await
    }

    /// Kills it with `SIGKILL`.
    ///
    /// # Errors
    /// When it still runs after a minute.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await
    }

    /// Starts it again on the same storage and ports.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        let name = format!("erp-{}", random_password());
        let config = self.options.dir.join("nats.conf");
        write_private(&config, &self.config(&name))?;
        let program = Program {
            words: vec![self.binaries.nats_server.clone().into(), "-c".into(), config.into()],
            env: Vec::new(),
            when_owner_dies: WhenOwnerDies::Kill,
        };
        let started = self.started.insert(spawn::start(program, &self.options.log)?);
        let port = self.port;
        let ready = wait::until_some(READY_WITHIN, "nats to answer", || {
            let ended = started.ended();
            let name = &name;
            async move {
                match ended {
                    Some(status) => Some(Err(format!("it ended ({status})"))),
                    None => answers(port, name).await.then_some(Ok(())),
                }
            }
        })
        .await;
        let reason = match ready {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(reason)) => reason,
            Err(late) => late.to_string(),
        };
        self.kill().await?;
        let log = self.options.log.clone();
        Err(StackError::DidNotStart { name: "nats".to_owned(), reason, tail: tail(&log), log })
    }

    /// Takes away everything that JetStream has stored. It must have been stopped or killed before.
    ///
    /// # Errors
    /// When the broker runs, or the files can't be removed.
    pub fn delete_storage(&mut self) -> Result<()> {
        let storage = self.storage();
        if self.process().is_some() {
            return Err(StackError::Io {
                what: format!("{} is in use", storage.display()),
                source: std::io::ErrorKind::ResourceBusy.into(),
            });
        }
        if storage.exists() {
            std::fs::remove_dir_all(&storage).doing(|| format!("can't remove {}", storage.display()))?;
        }
        Ok(())
    }

    async fn end(&mut self, signal: Signal) -> Result<()> {
        let Some(mut started) = self.started.take() else { return Ok(()) };
        let id = started.id();
        id.signal(Signal::CONT);
        id.signal(signal);
        wait::until_gone(STOPPED_WITHIN, "nats to end", id).await?;
        started.wait_blocking();
        Ok(())
    }

    fn may_move(&self) -> bool {
        let taken = |wanted: Option<u16>, port| wanted.is_none() && !ports::is_free(port);
        taken(self.options.port, self.port) || taken(self.options.monitor_port, self.monitor_port)
    }

    fn storage(&self) -> PathBuf {
        self.options.dir.join("jetstream")
    }

    fn config(&self, name: &str) -> String {
        format!(
            "server_name: \"{name}\"\n\
             listen: \"127.0.0.1:{port}\"\n\
             http: \"127.0.0.1:{monitor}\"\n\
             max_payload: 8MB\n\
             jetstream {{ store_dir: \"{store}\", max_memory_store: 256MB, max_file_store: 64GB }}\n\
             {users}\n",
            port = self.port,
            monitor = self.monitor_port,
            store = self.storage().display(),
            users = self.options.users,
        )
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        let Some(mut started) = self.started.take() else { return };
        started.id().signal(Signal::KILL);
        started.wait_blocking();
    }
}

/// How `user` reaches a broker on `port` of this machine.
pub fn url(user: &str, password: &str, port: u16) -> String {
    format!("nats://{user}:{password}@127.0.0.1:{port}")
}

/// The greeting of a server says its name, before anybody logs in.
async fn answers(port: u16, name: &str) -> bool {
    let Ok(stream) = TcpStream::connect(ports::local(port)).await else { return false };
    let mut greeting = String::new();
    let mut reader = BufReader::new(stream);
    match tokio::time::timeout(Duration::from_secs(1), reader.read_line(&mut greeting)).await {
        Ok(Ok(_)) => greeting.starts_with("INFO ") && greeting.contains(&format!("\"server_name\":\"{name}\"")),
        _ => false,
    }
}

//! A service as a process: started with an environment of its own, known by what it says of itself, frozen, stopped,
//! killed, started again.
//!
//! A service writes where it listens into `ERP_PORT_FILE` and says at `/healthz` which process it is. Both are held
//! against the process that was started, so an old server on the same port is never taken for the new one.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};

use crate::error::IoContext;
use crate::layout::{make_private_dir, tail};
use crate::spawn::{Program, Started, WhenOwnerDies};
use crate::{ProcessId, Result, StackError, http, spawn, wait};

const LISTENING_WITHIN: Duration = Duration::from_secs(60);
const STOPPED_WITHIN: Duration = Duration::from_secs(60);

/// How a service is started.
#[derive(Debug, Clone)]
pub struct ServiceOptions {
    /// Its name, which it must also give at `/healthz`.
    pub name: String,
    /// The program.
    pub program: PathBuf,
    /// Its environment, beside `PATH` and `ERP_PORT_FILE`; a later entry wins over an earlier one. Where `HTTP_ADDR` and
    /// `MANAGEMENT_ADDR` are not among them it listens on free ports.
    pub env: Vec<(String, String)>,
    /// The file in which it writes its addresses.
    pub port_file: PathBuf,
    /// Its log, appended to.
    pub log: PathBuf,
}

impl ServiceOptions {
    /// A service whose files stand in `dir` and that ends with this process.
    pub fn new(name: &str, program: &Path, dir: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: program.to_owned(),
            env: Vec::new(),
            port_file: dir.join(format!("{name}.json")),
            log: dir.join(format!("{name}.log")),
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn envs(self, pairs: impl IntoIterator<Item = (&'static str, &'static str)>) -> Self {
        pairs.into_iter().fold(self, |options, (name, value)| options.env(name, value))
    }

    /// Adds an entry to its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }
}

/// Where a service listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// Its HTTP port, if it serves any.
    #[serde(default)]
    pub http: Option<SocketAddr>,
    /// Health, readiness and metrics.
    #[serde(default)]
    pub management: Option<SocketAddr>,
}

impl Addresses {
    /// The address at which the service can be asked how it is.
    fn health(self) -> Option<SocketAddr> {
        self.management.or(self.http)
    }
}

/// What `/healthz` says.
#[derive(Debug, Deserialize)]
struct Health {
    pid: u32,
    service: String,
}

/// A service that this process started.
#[derive(Debug)]
pub struct Service {
    options: ServiceOptions,
    addresses: Addresses,
    started: Option<Started>,
    client: reqwest::Client,
}

impl Service {
    /// Starts it and waits until it listens. It need not be ready yet: see [`Self::until_ready`].
    ///
    /// # Errors
    /// When it ends early, or does not listen within a minute.
    pub async fn start(options: ServiceOptions) -> Result<Self> {
        let client = http::client()?;
        let mut service =
            Self { options, addresses: Addresses { http: None, management: None }, started: None, client };
        service.restart().await?;
        Ok(service)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// Its log file.
    pub fn log(&self) -> &Path {
        &self.options.log
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// A URL on its HTTP port (on the management port when it serves nothing else); `path` begins with `/`.
    pub fn url(&self, path: &str) -> String {
        base(self.addresses.http.or(self.addresses.management), path)
    }

    /// A URL on its management port.
    pub fn management_url(&self, path: &str) -> String {
        base(self.addresses.health(), path)
    }

    /// The process, while it runs.
    pub fn process(&self) -> Option<ProcessId> {
        self.started.as_ref().map(Started::id).filter(|process| process.is_alive())
    }

    /// Waits until `/readyz` says 200.
    ///
    /// # Errors
    /// When it ends, or is not ready within `limit`.
    pub async fn until_ready(&mut self, limit: Duration) -> Result<()> {
        let url = self.management_url("/readyz");
        let (client, name) = (self.client.clone(), self.options.name.clone());
        let Some(started) = self.started.as_mut() else {
            return Err(self.did_not_start("it was not started".to_owned()));
        };
        let ready = wait::until_some(limit, &format!("{name} to be ready"), || {
            let ended = started.ended();
            let (client, url) = (&client, &url);
            async move {
                match ended {
                    Some(status) => Some(Err(format!("it ended ({status})"))),
                    None => client.get(url).send().await.ok().filter(|answer| answer.status() == 200).map(|_| Ok(())),
                }
            }
        })
        .await;
        match ready {
            Ok(Ok(())) => Ok(()),
            Ok(Err(reason)) => Err(self.did_not_start(reason)),
            Err(late) => Err(self.did_not_start(late.to_string())),
        }
    }

    /// `SIGTERM`, then waits until it has ended; says how.
    ///
    /// # Errors
    /// When it still runs after a minute.
    pub async fn stop(&mut self) -> Result<String> {
        self.signal(Signal::CONT);
        self.end(Signal::TERM).await
    }

    /// `SIGKILL`.
    ///
    /// # Errors
    /// When it still runs after a minute.
    pub async fn kill(&mut self) -> Result<()> {
        self.end(Signal::KILL).await.map(drop)
    }

    /// `SIGSTOP`: it holds everything and does nothing.
    pub fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// `SIGCONT`: it goes on.
    pub fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Any signal.
    pub fn signal(&self, signal: Signal) {
        if let Some(process) = self.process() {
            process.signal(signal);
        }
    }

    /// Waits until it has ended by itself; says how.
    ///
    /// # Errors
    /// When it still runs after `limit`.
    pub async fn until_ended(&mut self, limit: Duration) -> Result<String> {
        let Some(mut started) = self.started.take() else { return Ok("not running".to_owned()) };
        let what = format!("{} to end", self.options.name);
        match wait::until_gone(limit, &what, started.id()).await {
            Ok(()) => Ok(wait_status(&mut started)),
            Err(late) => {
                self.started = Some(started);
                Err(late)
            }
        }
    }

    /// Starts it again, with the same environment. On free ports it gets new ones.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self) -> Result<()> {
        self.stop().await?;
        if let Some(folder) = self.options.port_file.parent() {
            make_private_dir(folder)?;
        }
        match std::fs::remove_file(&self.options.port_file) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).doing(|| format!("can't remove {}", self.options.port_file.display()))?;
            }
            _ => {}
        }
        let started = spawn::start(self.program(), &self.options.log)?;
        self.started = Some(started);
        match self.until_listening().await {
            Ok(addresses) => {
                self.addresses = addresses;
                Ok(())
            }
            Err(reason) => {
                let failure = self.did_not_start(reason);
                self.kill().await?;
                Err(failure)
            }
        }
    }

    /// Changes a variable for the next start.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.options.env.push((name.to_owned(), value.into()));
    }

    fn program(&self) -> Program {
        let free = |name: &str| (name.to_owned(), "127.0.0.1:0".to_owned());
        let mut env = vec![free("HTTP_ADDR"), free("MANAGEMENT_ADDR")];
        env.extend(std::env::var("PATH").map(|path| ("PATH".to_owned(), path)));
        env.extend(self.options.env.iter().cloned());
        env.push(("ERP_PORT_FILE".to_owned(), self.options.port_file.display().to_string()));
        Program { words: vec![self.options.program.clone().into()], env, when_owner_dies: WhenOwnerDies::Kill }
    }

    /// Waits for the port file and for the process that was started to answer there.
    async fn until_listening(&mut self) -> std::result::Result<Addresses, String> {
        let (client, file, name) = (&self.client, &self.options.port_file, &self.options.name);
        let Some(started) = self.started.as_mut() else { return Err("it was not started".to_owned()) };
        let pid = started.id().pid;
        wait::until_some(LISTENING_WITHIN, "its address", || {
            let ended = started.ended();
            async move {
                if let Some(status) = ended {
                    return Some(Err(format!("it ended ({status})")));
                }
                let addresses: Addresses = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
                let url = base(addresses.health(), "/healthz");
                let health: Health = client.get(url).send().await.ok()?.json().await.ok()?;
                (health.pid == pid && health.service == *name).then_some(Ok(addresses))
            }
        })
        .await
        .unwrap_or_else(|late| Err(late.to_string()))
    }

    async fn end(&mut self, signal: Signal) -> Result<String> {
        self.signal(signal);
        self.until_ended(STOPPED_WITHIN).await
    }

    fn did_not_start(&self, reason: String) -> StackError {
        StackError::DidNotStart {
            name: self.options.name.clone(),
            reason,
            tail: tail(&self.options.log),
            log: self.options.log.clone(),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let Some(mut started) = self.started.take() else { return };
        started.id().signal(Signal::KILL);
        started.wait_blocking();
    }
}

fn wait_status(started: &mut Started) -> String {
    started.wait_blocking();
    started.ended().unwrap_or_else(|| "ended".to_owned())
}

fn base(address: Option<SocketAddr>, path: &str) -> String {
    address.map_or_else(String::new, |address| format!("http://{address}{path}"))
}

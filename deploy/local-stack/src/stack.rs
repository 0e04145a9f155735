//! The whole stack in one data folder: PostgreSQL and NATS, then roles and migrations, then the services.
//!
//! The process that holds it owns all servers: they end with it. What it starts it writes down, so that other commands
//! find it. A server that ends unasked is started again on the same data and ports, as Kubernetes would.

mod prepare;
mod servers;
mod settings;

use std::time::Duration;

use futures::future::join_all;
use messaging::topology;

use crate::service::Addresses;
use crate::state::{Ownership, Phase, Server, State};
use crate::{Nats, NatsOptions, Postgres, PostgresOptions, ProcessId, Result, Service, StackError, ports};

pub use settings::{StackSettings, data_dir};

/// The database's name.
pub const DATABASE: &str = "erp";

const READY_WITHIN: Duration = Duration::from_secs(60);
const BETWEEN_ROUNDS: Duration = Duration::from_secs(1);

/// A running stack.
#[derive(Debug)]
pub struct Stack {
    settings: StackSettings,
    postgres: Postgres,
    nats: Nats,
    services: Vec<Service>,
    state: State,
    _ownership: Ownership,
}

impl Stack {
    /// Starts everything; `tell` gets a line for each step.
    ///
    /// # Errors
    /// When the data folder is another stack's, a port is taken, a program is missing or a server does not start.
    /// What was started by then is ended.
    pub async fn start(settings: StackSettings, tell: impl Fn(&str)) -> Result<Self> {
        let ownership = Ownership::take(&settings.layout).await?;
        settings.programs()?;
        settings.ports.check_free(&settings.seats())?;
        settings.check_base_url()?;
        let owner = this_process()?;
        let mut state = State { owner, phase: Phase::Starting, servers: Vec::new(), env: servers::env(&settings) };
        state.write(&settings.layout)?;

        let (postgres, nats) = tokio::try_join!(start_postgres(&settings), start_nats(&settings))?;
        tell(&format!("postgres on 127.0.0.1:{}, nats on 127.0.0.1:{}", postgres.port(), nats.port()));
        state.servers = vec![postgres_server(&postgres), nats_server(&nats)];
        state.write(&settings.layout)?;

        let version = prepare::database(&settings, &postgres).await?;
        tell(&format!("the database has its roles and schema version {version}"));

        let mut services = Vec::new();
        for options in servers::options(&settings) {
            let service = Service::start(options).await?;
            state.servers.push(service_server(&service));
            state.write(&settings.layout)?;
            services.push(service);
        }
        for service in &mut services {
            service.until_ready(READY_WITHIN).await?;
            tell(&format!("{} on {}", service.name(), describe(service.addresses())));
        }
        settings.remember_base_url()?;
        state.phase = Phase::Ready;
        state.write(&settings.layout)?;
        Ok(Self { settings, postgres, nats, services, state, _ownership: ownership })
    }

    /// What runs.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// A line of what `env` prints.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.state.env(name)
    }

    /// Starts servers that have ended unasked again, for ever; `tell` gets a line for each. One that can't be started is
    /// tried again a second later.
    pub async fn tend(&mut self, tell: impl Fn(&str)) {
        let mut rounds = tokio::time::interval(BETWEEN_ROUNDS);
        rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            rounds.tick().await;
            let Some(name) = self.ended() else { continue };
            tell(&format!("{name} has ended unasked and is started again"));
            let restarted = self.restart(&name).await;
            if let Err(error) = &restarted {
                tell(&format!("{error}"));
            }
            if let Err(error) = self.note(&name, restarted.is_ok()) {
                tell(&format!("{error}"));
            }
        }
    }

    /// Stops everything in order: services hand back what they have in hand, then the broker, then the database.
    ///
    /// # Errors
    /// When a server does not end.
    pub async fn stop(mut self) -> Result<()> {
        self.state.phase = Phase::Stopping;
        self.state.write(&self.settings.layout)?;
        let stops = self.services.iter_mut().map(Service::stop);
        for stopped in join_all(stops).await {
            stopped?;
        }
        self.nats.stop().await?;
        self.postgres.stop().await?;
        self.state.servers.clear();
        self.state.write(&self.settings.layout)
    }

    fn ended(&self) -> Option<String> {
        if self.postgres.process().is_none() {
            return Some(POSTGRES.to_owned());
        }
        if self.nats.process().is_none() {
            return Some(NATS.to_owned());
        }
        self.services.iter().find(|service| service.process().is_none()).map(|service| service.name().to_owned())
    }

    async fn restart(&mut self, name: &str) -> Result<()> {
        match name {
            POSTGRES => self.postgres.restart().await,
            NATS => self.nats.restart().await,
            _ => match self.services.iter_mut().find(|service| service.name() == name) {
                Some(service) => service.restart().await,
                None => Ok(()),
            },
        }
    }

    fn note(&mut self, name: &str, counts: bool) -> Result<()> {
        let fresh = match name {
            POSTGRES => Some(postgres_server(&self.postgres)),
            NATS => Some(nats_server(&self.nats)),
            _ => self.services.iter().find(|service| service.name() == name).map(service_server),
        };
        let known = self.state.servers.iter_mut().find(|server| server.name == name);
        if let (Some(known), Some(fresh)) = (known, fresh) {
            let restarts = known.restarts + u32::from(counts);
            *known = Server { restarts, ..fresh };
        }
        self.state.write(&self.settings.layout)
    }
}

const POSTGRES: &str = "postgres";
const NATS: &str = "nats";

async fn start_postgres(settings: &StackSettings) -> Result<Postgres> {
    let options = PostgresOptions {
        dir: settings.layout.postgres_dir(),
        log: settings.layout.log_file(POSTGRES),
        port: Some(settings.ports.port(ports::Seat::Postgres)),
        password: settings.secrets.postgres_password().to_owned(),
    };
    Postgres::start(&settings.binaries, options).await
}

async fn start_nats(settings: &StackSettings) -> Result<Nats> {
    let options = NatsOptions {
        dir: settings.layout.nats_dir(),
        log: settings.layout.log_file(NATS),
        port: Some(settings.ports.port(ports::Seat::Nats)),
        monitor_port: Some(settings.ports.port(ports::Seat::NatsMonitor)),
        users: topology::server_config(&settings.secrets.nats_passwords()),
    };
    Nats::start(&settings.binaries, options).await
}

fn postgres_server(postgres: &Postgres) -> Server {
    let addresses = Addresses { http: Some(ports::local(postgres.port())), management: None };
    Server { name: POSTGRES.to_owned(), process: postgres.process(), addresses, restarts: 0 }
}

fn nats_server(nats: &Nats) -> Server {
    let management = Some(ports::local(nats.monitor_port()));
    let addresses = Addresses { http: Some(ports::local(nats.port())), management };
    Server { name: NATS.to_owned(), process: nats.process(), addresses, restarts: 0 }
}

fn service_server(service: &Service) -> Server {
    let (name, process, addresses) = (service.name().to_owned(), service.process(), service.addresses());
    Server { name, process, addresses, restarts: 0 }
}

fn this_process() -> Result<ProcessId> {
    ProcessId::of(std::process::id()).ok_or_else(|| StackError::ToolMissing {
        program: "/proc",
        how: "mount it: processes are told apart by what it says".to_owned(),
    })
}

/// Where a server listens, in words.
pub fn describe(addresses: Addresses) -> String {
    match (addresses.http, addresses.management) {
        (Some(http), Some(management)) => format!("{http} (management {management})"),
        (Some(http), None) => http.to_string(),
        (None, Some(management)) => format!("management {management}"),
        (None, None) => "no port".to_owned(),
    }
}

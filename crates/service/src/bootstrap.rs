//! From `main` to a running service and back out of it, the same way for all of them.
//!
//! TLS provider, settings (all mistakes at once, exit status 2), telemetry, management port, then the service. SIGTERM or SIGINT
//! cancels [`Context::shutdown`]; the service stops taking, finishes what it has in hand and returns. What is not back after the
//! grace period, or at a second signal, is left where it is: everything a service does is safe to cut off, since leases run out and
//! rows stay. A service that ends unasked is an error (exit status 1), so that whoever supervises it starts it again.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Binary;
use crate::health::{Health, Management};
use crate::port_file::Ports;
use crate::settings::{self, Common, Env};
use crate::telemetry::Telemetry;

/// How long traces that are still to be exported may hold up the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// What a running service has at hand.
#[derive(Clone)]
pub struct Context {
    pub binary: Binary,
    /// This process, in logs, `/healthz`, database sessions and leases.
    pub instance: Uuid,
    pub common: Common,
    /// Cancelled when the service is to stop.
    pub shutdown: CancellationToken,
    pub health: Health,
    /// Where the management port listens.
    pub management: SocketAddr,
}

impl Context {
    /// Tells where the service listens (`ERP_PORT_FILE`). `http` is `None` for a service without HTTP beyond management. To be called
    /// as soon as it listens, also while it still waits for its database.
    ///
    /// # Errors
    /// The port file can't be written.
    pub fn listening(&self, http: Option<SocketAddr>) -> anyhow::Result<()> {
        let ports = Ports { http, management: self.management };
        tracing::info!(http = http.map(tracing::field::display), management = %self.management, "listening");
        if let Some(path) = &self.common.port_file {
            ports.write(path).with_context(|| format!("writing ERP_PORT_FILE {}", path.display()))?;
        }
        Ok(())
    }

    /// Says that the service has started: from here on `/readyz` goes by the checks registered on [`Context::health`].
    pub fn started(&self) {
        self.health.started();
    }
}

/// Runs a service from its settings to its end, and gives the process's exit status: 0 after an orderly stop, 1 when it failed or
/// ended unasked, 2 when its settings are wrong.
pub fn main<C, F>(
    binary: Binary,
    read_config: impl FnOnce(&mut Env) -> C,
    run: impl FnOnce(Context, C) -> F,
) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    install_tls_provider();
    let (common, config) = match settings::read(Env::from_process(binary), |env| (Common::read(env), read_config(env)))
    {
        Ok(settings) => settings,
        Err(mistakes) => {
            // Before there is a logger; to people, not to machines.
            eprintln!("{mistakes}");
            return ExitCode::from(2);
        }
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(common.worker_threads).enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{binary} cannot start: no asynchronous runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(async {
        let instance = Uuid::new_v4();
        let telemetry = match Telemetry::init(binary, instance, &common) {
            Ok(telemetry) => telemetry,
            Err(error) => {
                eprintln!("{binary} cannot start: {error:#}");
                return ExitCode::FAILURE;
            }
        };
        let outcome = Box::pin(supervise(binary, instance, common, |context| run(context, config))).await;
        let code = match &outcome {
            Ok(()) => {
                tracing::info!("stopped");
                ExitCode::SUCCESS
            }
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "{binary} failed");
                ExitCode::FAILURE
            }
        };
        // Blocks; on a runtime's own thread it would wait for itself.
        let flushed = tokio::task::spawn_blocking(move || telemetry.shutdown(FLUSH_TIMEOUT));
        let _ended_or_too_slow = tokio::time::timeout(FLUSH_TIMEOUT, flushed).await;
        code
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// Makes rustls use ring, in this process. Doing it again changes nothing.
pub fn install_tls_provider() {
    let _already_there = rustls::crypto::ring::default_provider().install_default();
}

async fn supervise<F>(
    binary: Binary,
    instance: Uuid,
    common: Common,
    run: impl FnOnce(Context) -> F,
) -> anyhow::Result<()>
where
    F: Future<Output = anyhow::Result<()>>,
{
    let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
    let shutdown = CancellationToken::new();
    let health = Health::new(binary, instance, shutdown.clone());
    let management = Management::start(common.management_addr, health.clone())?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "starting");

    let grace = common.shutdown_grace;
    let context =
        Context { binary, instance, common, shutdown: shutdown.clone(), health, management: management.address() };
    let mut running = Box::pin(run(context));
    let outcome = tokio::select! {
        outcome = &mut running => match outcome {
            Ok(()) if shutdown.is_cancelled() => Ok(()),
            Ok(()) => Err(anyhow::anyhow!("ended without being asked to")),
            Err(error) => Err(error),
        },
        name = first_of(&mut terminate, &mut interrupt) => {
            tracing::info!(signal = name, grace_secs = grace.as_secs(), "stopping");
            shutdown.cancel();
            tokio::select! {
                outcome = &mut running => outcome,
                () = tokio::time::sleep(grace) => Err(anyhow::anyhow!("did not finish within ERP_SHUTDOWN_GRACE_SECS ({} s); cut off", grace.as_secs())),
                name = first_of(&mut terminate, &mut interrupt) => Err(anyhow::anyhow!("cut off by a second {name}")),
            }
        }
    };
    management.stop().await;
    outcome
}

async fn first_of(terminate: &mut Signal, interrupt: &mut Signal) -> &'static str {
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}

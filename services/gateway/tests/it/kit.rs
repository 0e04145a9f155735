//! A gateway on a free port, with one backend in all places.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{Config, Patience};
use service::health::Health;
use service::settings::{self, Common, Env};
use service::{Binary, Context};
use testkit::tokens;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backend::Backend;

/// How long anything may take that has to come.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running gateway.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) context: Context,
    running: JoinHandle<anyhow::Result<()>>,
}

impl Gateway {
    /// Before this backend.
    pub(crate) fn before(backend: &Backend) -> Self {
        Self::with(backend, &[])
    }

    /// Before this backend, with these settings beside the usual ones; an empty value takes one away.
    pub(crate) fn with(backend: &Backend, changed: &[(&str, &str)]) -> Self {
        Self::that_waits(Patience::default(), backend, changed)
    }

    /// Before this backend, waiting for nothing longer than a moment.
    pub(crate) fn impatient(backend: &Backend) -> Self {
        let moment = Duration::from_millis(500);
        let patience = Patience { answer: moment, import: 4 * moment, silence: moment, pause: moment };
        Self::that_waits(patience, backend, &[])
    }

    fn that_waits(patience: Patience, backend: &Backend, changed: &[(&str, &str)]) -> Self {
        let url = backend.url();
        let mut pairs = vec![
            ("HTTP_ADDR", "127.0.0.1:0"),
            ("MANAGEMENT_ADDR", "127.0.0.1:0"),
            ("HTTP_WORKERS", "1"),
            ("ERP_SHUTDOWN_GRACE_SECS", "10"),
            ("INGRESS_URL", &url),
            ("CONFIG_API_URL", &url),
            ("SANDBOX_URL", &url),
        ];
        pairs.extend(tokens::environment());
        pairs.retain(|(name, _)| !changed.iter().any(|(changed, _)| changed == name));
        pairs.extend(changed);
        let read = |env: &mut Env| (Common::read(env), Config::read(env));
        let (common, config) = settings::read(Env::from_pairs(Binary::Gateway, pairs), read).expect("good settings");
        let config = Config { patience, ..config };
        let (instance, shutdown) = (Uuid::new_v4(), CancellationToken::new());
        let context = Context {
            binary: Binary::Gateway,
            instance,
            common,
            health: Health::new(Binary::Gateway, instance, shutdown.clone()),
            shutdown,
            management: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let bound = gateway::bind(&context, config).expect("binds");
        let address = bound.address();
        let serving = context.clone();
        Self { address, context, running: tokio::spawn(async move { bound.run(&serving).await }) }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        client().request(method, self.url(path))
    }

    /// As an admin.
    pub(crate) fn admin(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path).bearer_auth(tokens::admin())
    }

    /// As a viewer.
    pub(crate) fn viewer(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(method, path).bearer_auth(tokens::viewer())
    }

    pub(crate) async fn stop(self) {
        self.context.shutdown.cancel();
        self.running.await.expect("no panic").expect("an orderly end");
    }
}

/// A client that goes nowhere but to the address it is given.
pub(crate) fn client() -> reqwest::Client {
    service::bootstrap::install_tls_provider();
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(DEADLINE)
        .build()
        .expect("a client")
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> reqwest::Response {
    request.send().await.expect("an answer")
}

pub(crate) async fn status(request: reqwest::RequestBuilder) -> u16 {
    send(request).await.status().as_u16()
}

/// What reached the backend.
pub(crate) async fn echoed(request: reqwest::RequestBuilder) -> serde_json::Value {
    let answer = send(request).await;
    assert_eq!(answer.status(), 200);
    answer.json().await.expect("JSON")
}

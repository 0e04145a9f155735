//! The running service as its clients see it: a process with a database and a broker's prefix of its own.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use sqlx::PgPool;
use testkit::{Scratch, Service, ServiceOptions, TestBroker, TestDatabase};

use crate::kit::KEYS;

pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// A running config-api.
pub(crate) struct Api {
    pub(crate) database: TestDatabase,
    pub(crate) broker: TestBroker,
    pub(crate) service: Service,
    pub(crate) client: reqwest::Client,
    scratch: Scratch,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.expect("a body") }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The names in `details`.
    pub(crate) fn wrong_fields(&self) -> Vec<String> {
        let details = self.json()["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| detail["field"].as_str().expect("a name").to_owned()).collect()
    }
}

impl Api {
    /// Without a configuration.
    pub(crate) async fn start() -> Self {
        Self::start_with(|options| options).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(ServiceOptions) -> ServiceOptions) -> Self {
        Self::start_on(TestDatabase::new().await, TestBroker::new().await, change).await
    }

    pub(crate) async fn start_on(
        database: TestDatabase,
        broker: TestBroker,
        change: impl FnOnce(ServiceOptions) -> ServiceOptions,
    ) -> Self {
        service::bootstrap::install_tls_provider();
        let scratch = Scratch::new().expect("a folder");
        let program = std::path::Path::new(env!("CARGO_BIN_EXE_config-api"));
        let options = ServiceOptions::new("config-api", program, scratch.path())
            .env("DATABASE_URL", database.url_for("erp_config_api"))
            .env("NATS_URL", broker.url())
            .env("NATS_SUBJECT_PREFIX", broker.prefix())
            .envs(testkit::tokens::environment())
            .env("ERP_ENCRYPTION_KEYS", KEYS)
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true");
        let mut service = Service::start(change(options)).await.expect("it starts");
        service.until_ready(DEADLINE).await.expect("it gets ready");
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(DEADLINE)
            .build()
            .expect("a client");
        Self { database, broker, service, client, scratch }
    }

    /// Everything that it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.service.log()).expect("a log")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.service.url(path)
    }

    /// A request of an admin's.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.client.request(method, self.url(path)).bearer_auth(testkit::tokens::admin())
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// As one who sees everything.
    pub(crate) async fn pool(&self) -> PgPool {
        self.database.pool("erp_owner").await
    }

    /// Stops it; gives back what it stood on, for another.
    pub(crate) async fn stop(mut self) -> (TestDatabase, TestBroker) {
        assert_eq!(self.service.stop().await.expect("it stops"), "exit status: 0");
        drop(self.scratch);
        (self.database, self.broker)
    }
}

impl Api {
    /// What one that has died stood on, for another.
    pub(crate) fn leave(self) -> (TestDatabase, TestBroker) {
        (self.database, self.broker)
    }
}

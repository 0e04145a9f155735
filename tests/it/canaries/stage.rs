//! The whole system with a canary for every secret, at TRACE, and everything that it said.

use std::path::Path;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use sqlx::{AssertSqlSafe, PgPool};
use testkit::tokens::Token;
use testkit::{PrivateBroker, PrivateDatabase, Scratch, Service, ServiceOptions};

use super::collector::Collector;
use super::echo::Echo;
use super::search::{Canary, Kind, Place};
use crate::system::LONG;

/// A canary's name here, and what makes one of something random.
type Made = (&'static str, fn(&str) -> String);

const SECRETS: [Made; 14] = [
    ("FLASHERP_API_KEY", |random| format!("fk{random}")),
    ("FLASHERP_API_SECRET", |random| format!("fs{random}")),
    ("FLASHERP_WEBHOOK_SECRET", |random| format!("fw{random}")),
    ("STRIPE_WEBHOOK_SECRET", |random| format!("whsec{random}")),
    ("STRIPE_API_KEY", |random| format!("sktest{random}")),
    ("AUTH_JWT_SECRET", |random| format!("jwt{random}")),
    // 32 bytes, of whose base64 the text below is a part.
    ("the encryption key", |random| format!("{}0000", &random[..24])),
    ("a key that was saved", |random| format!("sk{random}")),
    ("a secret that was saved", |random| format!("ss{random}")),
    ("a webhook secret that was saved", |random| format!("sw{random}")),
    ("a candidate", |random| format!("ca{random}")),
    ("a password", |random| format!("pw{random}")),
    ("Slack's address", |random| format!("slack{random}")),
    ("the mail server's password", |random| format!("smtp{random}")),
];
const PERSONAL: [Made; 3] = [
    ("a name", |random| format!("Ada {random}")),
    ("an e-mail", |random| format!("ada.{random}@example.com")),
    ("a phone number", |random| format!("+49 {random}")),
];

pub(super) struct Stage {
    pub(super) database: PrivateDatabase,
    pub(super) broker: PrivateBroker,
    pub(super) echo: Echo,
    pub(super) gateway: Service,
    collector: Collector,
    /// config-api, sync-worker, scheduler, ingress, reconciler.
    pub(super) services: Vec<Service>,
    pub(super) scratch: Scratch,
    pub(super) canaries: Vec<Canary>,
    pub(super) places: Vec<Place>,
    pub(super) pool: PgPool,
    client: reqwest::Client,
    admin: String,
}

impl Stage {
    pub(super) async fn new() -> Self {
        let scratch = Scratch::new().expect("a folder");
        let (database, broker) =
            (PrivateDatabase::start_in(scratch.path()).await, PrivateBroker::start_in(scratch.path()).await);
        let random = || uuid::Uuid::new_v4().simple().to_string();
        let made = |kind, (name, make): &Made| Canary { kind, name, value: make(&random()) };
        let mut canaries: Vec<_> = SECRETS.iter().map(|secret| made(Kind::Secret, secret)).collect();
        canaries.extend(PERSONAL.iter().map(|personal| made(Kind::Personal, personal)));
        let mut passwords = vec![("the database's password", password_in(&database.url_for("erp_config_api")))];
        for (name, user) in [
            ("config-api's password for the broker", "config-api"),
            ("the worker's password for the broker", "sync-worker"),
            ("the scheduler's password for the broker", "scheduler"),
            ("ingress' password for the broker", "ingress"),
            ("the reconciler's password for the broker", "reconciler"),
        ] {
            passwords.push((name, password_in(&broker.url_for(user))));
        }
        canaries.extend(passwords.into_iter().map(|(name, value)| Canary { kind: Kind::Secret, name, value }));
        let (echo, collector) = (Echo::start().await, Collector::start());
        let pool = PgPool::connect(&database.postgres.url(local_stack::postgres::SUPERUSER, "erp"))
            .await
            .expect("a superuser");
        let plan = Plan {
            canaries: &canaries,
            database: &database,
            broker: &broker,
            folder: scratch.path(),
            collector: collector.url(),
        };
        let base_url = format!("http://127.0.0.1:{}/v1", echo.port);
        let stripe_url = format!("http://127.0.0.1:{}/stripe", echo.port);
        let config_api = plan
            .authenticating("config-api", Some("erp_config_api"))
            .env("FLASHERP_ENABLED", "true")
            .env("FLASHERP_BASE_URL", base_url)
            .env("FLASHERP_API_KEY", plan.of("FLASHERP_API_KEY"))
            .env("FLASHERP_API_SECRET", plan.of("FLASHERP_API_SECRET"))
            .env("FLASHERP_WEBHOOK_SECRET", plan.of("FLASHERP_WEBHOOK_SECRET"))
            .env("CIRCUIT_FAILURES", "1000");
        let stripe = |options: ServiceOptions| {
            options
                .env("STRIPE_API_KEY", plan.of("STRIPE_API_KEY"))
                .env("STRIPE_BASE_URL", stripe_url.clone())
                .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
                .env("FLASHERP_TIMEOUT_SECS", "2")
                .env("CIRCUIT_FAILURES", "1000")
        };
        let worker = stripe(plan.service("sync-worker", Some("erp_sync_worker")))
            .env("FLASHERP_SETTLE_SECS", "1")
            .env("SYNC_LEASE_SECS", "8")
            .env("SYNC_RETRY_BASE_SECS", "1");
        // Neither takes what it is sent: to tell why is what could give the address or the password away.
        let mail = format!("smtp://alerts:{}@127.0.0.1:{}", plan.of("the mail server's password"), echo.port);
        let scheduler = stripe(plan.service("scheduler", Some("erp_scheduler")))
            .env("SLACK_WEBHOOK_URL", format!("http://127.0.0.1:{}/services/{}", echo.port, plan.of("Slack's address")))
            .env("SMTP_URL", mail)
            .env("ALERT_EMAIL_TO", "finance@example.com");
        let reconciler = plan
            .service("reconciler", Some("erp_reconciler"))
            .env("ERP_ALLOW_PRIVATE_BASE_URL", "true")
            .env("FLASHERP_TIMEOUT_SECS", "2")
            .env("CIRCUIT_FAILURES", "1000")
            .env("RECONCILIATION_PATIENCE_SECS", "1");
        let ingress = plan
            .service("ingress", Some("erp_ingress"))
            .env("STRIPE_WEBHOOK_SECRET", plan.of("STRIPE_WEBHOOK_SECRET"))
            .env("FLASHERP_WEBHOOK_SECRET", plan.of("FLASHERP_WEBHOOK_SECRET"));
        let mut services = Vec::new();
        for options in [config_api.env("ERP_ALLOW_PRIVATE_BASE_URL", "true"), worker, scheduler, ingress, reconciler] {
            let mut service = Service::start(options).await.expect("it starts");
            service.until_ready(LONG).await.expect("ready");
            services.push(service);
        }
        let gateway = plan
            .authenticating("gateway", None)
            .env("CONFIG_API_URL", services[0].url("").trim_end_matches('/'))
            .env("INGRESS_URL", services[3].url("").trim_end_matches('/'))
            .env("GATEWAY_RATE_LIMIT", "0");
        let mut gateway = Service::start(gateway).await.expect("it starts");
        gateway.until_ready(LONG).await.expect("ready");
        let client = local_stack::http::client().expect("a client");
        let admin = Token::of("admin").hs256(plan.of("AUTH_JWT_SECRET"));
        // Whoever has the token is in: it is a secret too.
        let signature = admin.rsplit('.').next().expect("three parts").to_owned();
        canaries.push(Canary { kind: Kind::Secret, name: "an admin's token", value: signature });
        Self {
            database,
            broker,
            echo,
            collector,
            gateway,
            services,
            scratch,
            canaries,
            places: Vec::new(),
            pool,
            client,
            admin,
        }
    }

    /// A canary's value.
    pub(super) fn of(&self, name: &str) -> String {
        of(&self.canaries, name).to_owned()
    }

    pub(super) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, self.gateway.url(path))
    }

    pub(super) fn admin(&self, method: Method, path: &str) -> RequestBuilder {
        self.request(method, path).bearer_auth(&self.admin)
    }

    /// Sends it and keeps what comes back. Gives the status, 0 for no answer.
    pub(super) async fn send(&mut self, request: RequestBuilder) -> (u16, Value) {
        let (name, answered) = {
            let request = request.build().expect("a request");
            (format!("answer to {} {}", request.method(), request.url().path()), self.client.execute(request).await)
        };
        match answered {
            Ok(answer) => {
                let (status, headers) = (answer.status().as_u16(), format!("{:?}", answer.headers()));
                let text = answer.text().await.unwrap_or_default();
                let body = serde_json::from_str(&text).unwrap_or_default();
                self.places.push(Place::new(name, format!("{status} {headers} {text}")));
                (status, body)
            }
            Err(error) => {
                self.places.push(Place::new(name, error.without_url().to_string()));
                (0, Value::Null)
            }
        }
    }

    /// Sends what only its caller may see the answer of; gives the status.
    pub(super) async fn client_only(&self, request: RequestBuilder) -> u16 {
        request.send().await.map_or(0, |answer| answer.status().as_u16())
    }

    pub(super) async fn post(&mut self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.admin(Method::POST, path).json(body);
        self.send(request).await
    }

    /// Metrics, then everything that is left when all has stopped.
    pub(super) async fn end(mut self) -> (Vec<Place>, Vec<Canary>) {
        for service in self.services.iter().chain([&self.gateway]) {
            let text = self.client.get(service.management_url("/metrics")).send().await.expect("metrics").text().await;
            self.places.push(Place::new(format!("metrics of {}", service.name()), text.expect("text")));
        }
        columns(&self.pool, &mut self.places).await;
        self.pool.close().await;
        for service in self.services.iter_mut().chain([&mut self.gateway]) {
            service.stop().await.expect("it stops");
            let log = std::fs::read_to_string(service.log()).expect("a log");
            self.places.push(Place::new(format!("log of {}", service.name()), log));
        }
        for export in self.collector.end().await {
            self.places.push(Place::new("trace", export));
        }
        self.broker.nats.stop().await.expect("the broker stops");
        files(&self.scratch.path().join("nats"), &mut self.places);
        let servers = [("postgres", self.database.postgres.log()), ("nats", self.broker.nats.log())];
        for (name, log) in servers {
            let text = std::fs::read(log).expect("a log");
            self.places.push(Place::new(format!("server's log of {name}"), String::from_utf8_lossy(&text)));
        }
        (self.places, self.canaries)
    }
}

fn of<'a>(canaries: &'a [Canary], name: &str) -> &'a str {
    &canaries.iter().find(|canary| canary.name == name).unwrap_or_else(|| panic!("no canary {name}")).value
}

/// The password that a URL holds.
fn password_in(url: &str) -> String {
    let credentials = url.split_once("://").and_then(|(_, rest)| rest.split_once('@')).expect("credentials").0;
    credentials.split_once(':').expect("a password").1.to_owned()
}

/// Every column of every table, as text.
async fn columns(pool: &PgPool, places: &mut Vec<Place>) {
    let columns: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT table_schema::text, table_name::text, column_name::text FROM information_schema.columns
         JOIN information_schema.tables USING (table_schema, table_name)
         WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .expect("columns");
    for (schema, table, column) in columns {
        let statement = format!("SELECT coalesce(string_agg({column}::text, E'\\n'), '') FROM {schema}.{table}");
        let text: String = sqlx::query_scalar(AssertSqlSafe(statement)).fetch_one(pool).await.expect("its values");
        places.push(Place::new(format!("column {schema}.{table}.{column}"), text));
    }
}

/// What the broker has kept, as it lies on the disk.
fn files(folder: &Path, places: &mut Vec<Place>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, places);
        } else if path.extension().is_some_and(|extension| extension == "blk") {
            let bytes = std::fs::read(&path).expect("its bytes");
            places.push(Place::new(format!("broker's {}", path.display()), String::from_utf8_lossy(&bytes)));
        }
    }
}

struct Plan<'a> {
    canaries: &'a [Canary],
    database: &'a PrivateDatabase,
    broker: &'a PrivateBroker,
    folder: &'a Path,
    collector: String,
}

impl Plan<'_> {
    fn of(&self, name: &str) -> &str {
        of(self.canaries, name)
    }

    fn service(&self, name: &str, role: Option<&str>) -> ServiceOptions {
        let options = testkit::service(name, self.folder)
            .env("RUST_LOG", "trace")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", self.collector.clone());
        let Some(role) = role else { return options };
        // The key's bytes are its canary's text and four more.
        let key = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            format!("{}0000", self.of("the encryption key")),
        );
        options
            .env("DATABASE_URL", self.database.url_for(role))
            .env("NATS_URL", self.broker.url_for(name))
            .env("ERP_ENCRYPTION_KEYS", format!("canary:{key}"))
    }

    fn authenticating(&self, name: &str, role: Option<&str>) -> ServiceOptions {
        self.service(name, role)
            .env("AUTH_JWT_SECRET", self.of("AUTH_JWT_SECRET"))
            .env("AUTH_JWT_ISSUER", testkit::tokens::ISSUER)
            .env("AUTH_JWT_AUDIENCE", testkit::tokens::AUDIENCE)
    }
}

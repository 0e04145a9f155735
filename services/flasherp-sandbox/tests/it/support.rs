//! A sandbox of the test's own, a caller that knows its key, and an endpoint that takes webhooks.

use std::{net::SocketAddr, time::Duration};

use flasherp_sandbox::{Config, Running, api::Credentials, capability::Capability, misbehaviour::Latency};
use serde_json::{Value, json};
use testkit::sandbox::Sandbox;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const SECRET: &str = "whsec_sandbox_test";

/// A running sandbox and a caller of it.
pub(crate) struct Erp {
    pub(crate) control: Sandbox,
    pub(crate) http: reqwest::Client,
    pub(crate) key: &'static str,
    pub(crate) secret: &'static str,
    running: Running,
}

/// An answer, with its body as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn id(&self) -> String {
        self.json()["id"].as_str().unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    /// By the control API.
    #[track_caller]
    pub(crate) fn is_refused(&self, status: u16) {
        assert_eq!((self.status, &self.json()["code"]), (status, &json!("INVALID_REQUEST")), "{}", self.text);
    }

    /// The fields that an error names, in its order.
    pub(crate) fn bad_fields(&self) -> Vec<String> {
        let body = self.json();
        let details = body["details"].as_array().cloned().unwrap_or_default();
        details.iter().map(|detail| detail["field"].as_str().unwrap().to_owned()).collect()
    }

    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/json");
        let body = self.json();
        assert_eq!(body["code"], code, "{}", self.text);
        assert!(!body["message"].as_str().unwrap().is_empty());
        assert!(uuid::Uuid::parse_str(body["requestId"].as_str().unwrap()).is_ok());
        self
    }
}

pub(crate) fn config() -> Config {
    Config {
        credentials: Credentials { api_key: "key-1".into(), api_secret: "secret-1".into() },
        control_token: None,
        capabilities: [Capability::IdempotencyKey, Capability::UpdatedSince].into_iter().collect(),
        latency: Latency::fixed(0),
        snapshot_file: None,
        webhook_target: "http://127.0.0.1:9/unused".parse().unwrap(),
        webhook_secrets: vec![SECRET.into()],
        stripe_target: "http://127.0.0.1:9/unused".parse().unwrap(),
        stripe_secret: Some(SECRET.into()),
        stripe_api_key: Some("sk_test_1".into()),
    }
}

impl Erp {
    pub(crate) async fn start() -> Self {
        Self::start_with(2).await
    }

    pub(crate) async fn start_with(workers: usize) -> Self {
        Self::start_as(workers, &config()).await
    }

    pub(crate) async fn start_as(workers: usize, config: &Config) -> Self {
        let running = flasherp_sandbox::start(SocketAddr::from(([127, 0, 0, 1], 0)), workers, config).unwrap();
        let control = Sandbox::at(format!("http://{}", running.address()));
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).build().unwrap();
        Self { control, http, key: "key-1", secret: "secret-1", running }
    }

    pub(crate) async fn stop(self) {
        self.running.stop().await.unwrap();
    }

    /// A call with credentials; `None` for no body.
    pub(crate) fn request(&self, method: &str, path: &str, body: Option<String>) -> reqwest::RequestBuilder {
        let method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{}{path}", self.control.api_url()));
        request = request.bearer_auth(self.key).header("x-api-secret", self.secret);
        match body {
            Some(body) => request.header("content-type", "application/json").body(body),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        answer(self.request("GET", path, None)).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, &body.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Answer {
        answer(self.request("POST", path, Some(body.into()))).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        answer(self.request("PUT", path, Some(body.to_string()))).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        answer(self.request("DELETE", path, None)).await.unwrap()
    }

    pub(crate) async fn post_with_key(&self, path: &str, key: &str, body: &Value) -> Answer {
        answer(self.request("POST", path, Some(body.to_string())).header("idempotency-key", key)).await.unwrap()
    }

    pub(crate) async fn customer(&self, reference: &str) -> String {
        let answer = self.post("/customers", &customer(reference)).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        answer.id()
    }

    pub(crate) async fn records_of(&self, of: &str) -> u64 {
        self.control.counters().await.records_of(of)
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> reqwest::Result<Answer> {
    let response = request.send().await?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

pub(crate) fn customer(reference: &str) -> Value {
    json!({ "email": "ada@example.com", "name": "Ada Example", "upcoachReference": reference })
}

/// A payment of 10.99 USD. (`json!` would make a float of the amount, whose text is the same here.)
pub(crate) fn transaction(customer: &str, reference: &str) -> Value {
    json!({
        "customerId": customer, "amount": 10.99, "currency": "usd", "status": "completed", "type": "payment",
        "upcoachReference": reference,
    })
}

pub(crate) fn subscription(customer: &str, reference: &str) -> Value {
    json!({
        "customerId": customer, "plan": "pro", "status": "active", "billingInterval": "monthly", "amount": 29, "currency": "EUR",
        "currentPeriodStart": "2026-01-01T00:00:00Z", "currentPeriodEnd": "2026-02-01T00:00:00Z", "upcoachReference": reference,
    })
}

pub(crate) fn invoice(customer: &str, reference: &str) -> Value {
    json!({
        "customerId": customer, "amount": 500, "currency": "JPY", "dueDate": "2026-01-31T12:00:00+01:00", "upcoachReference": reference,
    })
}

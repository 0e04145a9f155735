//! Stands between a sender of webhooks and their receiver, and writes down what was sent and how the receiver answered.
//!
//! It passes on what comes, byte for byte, and the answer back. A sender that hangs up changes nothing: the try goes on to its end, so
//! that its answer is known.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde::Deserialize;

use crate::history::{History, SentEvent};

/// A receiver that does not answer for so long has not answered.
const PATIENCE: Duration = Duration::from_secs(4);

/// A recorder on a port of its own.
#[derive(Debug)]
pub struct Recorder {
    url: String,
    server: ServerHandle,
}

/// Whose webhooks are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// Stripe.
    Stripe,
    /// FlashERP.
    FlashErp,
}

/// Where to pass it on, and where to write it down.
#[derive(Clone)]
struct Passing {
    sender: Sender,
    target: String,
    history: Arc<History>,
    client: reqwest::Client,
}

impl Recorder {
    /// A recorder of this sender's webhooks in front of `target`, the receiver's whole URL, on a free port.
    ///
    /// # Panics
    /// When there is no port.
    pub fn start(sender: Sender, target: impl Into<String>, history: Arc<History>) -> Self {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(usize::MAX)
            .build()
            .expect("a plain client can be built");
        let passing = web::Data::new(Passing { sender, target: target.into(), history, client });
        let server = HttpServer::new(move || App::new().app_data(passing.clone()).default_service(web::to(pass)))
            .workers(1)
            .disable_signals()
            .bind(("127.0.0.1", 0))
            .expect("a free port");
        let address = server.addrs().first().copied().expect("it is bound");
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url: format!("http://{address}/"), server: handle }
    }

    /// Where senders go.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // Begins the stop, which the server's own task carries out.
        drop(self.server.stop(false));
    }
}

async fn pass(request: HttpRequest, body: web::Bytes, passing: web::Data<Passing>) -> HttpResponse {
    let headers: Vec<_> = passing
        .sender
        .headers()
        .into_iter()
        .filter_map(|name| Some((name, request.headers().get(name)?.as_bytes().to_vec())))
        .collect();
    // A task of its own: the handler ends with the sender's connection.
    let tried = actix_web::rt::spawn(async move {
        let Some(event) = passing.sender.event(&body) else {
            return HttpResponse::BadRequest().body("this is no event of this sender's");
        };
        let mut onward = passing.client.post(&passing.target).body(body);
        for (name, value) in headers {
            onward = onward.header(name, value);
        }
        let attempt = passing.history.sent(event);
        let answer = async {
            let response = onward.send().await?;
            let status = response.status().as_u16();
            Ok::<_, reqwest::Error>((status, response.bytes().await?))
        };
        match answer.await {
            Ok((status, body)) => {
                passing.history.answered(attempt, status, duplicate(&body));
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                HttpResponse::build(status).content_type("application/json").body(body)
            }
            Err(error) => {
                let error = chain(&error);
                passing.history.unanswered(attempt, error.clone());
                HttpResponse::BadGateway().body(error)
            }
        }
    });
    tried.await.unwrap_or_else(|_| HttpResponse::InternalServerError().finish())
}

impl Sender {
    /// The headers that are passed on.
    fn headers(self) -> [&'static str; 4] {
        match self {
            Self::Stripe => ["content-type", "user-agent", "stripe-signature", "stripe-version"],
            Self::FlashErp => ["content-type", "user-agent", "x-flasherp-signature", "x-flasherp-timestamp"],
        }
    }

    fn event(self, body: &[u8]) -> Option<SentEvent> {
        match self {
            Self::Stripe => stripe_event(body),
            Self::FlashErp => flasherp_event(body),
        }
    }
}

/// What is kept of a FlashERP event: its id, its type and the id of what it is about. Which of two is newer is told by their records, not by
/// whole seconds, so all of them have happened at 0.
pub fn flasherp_event(body: &[u8]) -> Option<SentEvent> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        id: String,
    }
    let Event { id, kind, data } = serde_json::from_slice(body).ok()?;
    Some(SentEvent { id, kind, object: data.id, value: String::new(), created: 0 })
}

/// What is kept of a Stripe event: of a payment its amount in Stripe's units, currency and customer, as `1099 usd cus_1`; of a customer name
/// and e-mail.
pub fn stripe_event(body: &[u8]) -> Option<SentEvent> {
    #[derive(Deserialize)]
    struct Event {
        id: String,
        #[serde(rename = "type")]
        kind: String,
        created: i64,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        object: Object,
    }
    #[derive(Deserialize)]
    struct Object {
        id: String,
        amount: Option<i64>,
        currency: Option<String>,
        customer: Option<String>,
        name: Option<String>,
        email: Option<String>,
    }
    let Event { id, kind, created, data: Data { object } } = serde_json::from_slice(body).ok()?;
    let value = match (object.amount, object.currency, object.customer) {
        (Some(amount), Some(currency), Some(customer)) => format!("{amount} {currency} {customer}"),
        _ => person(object.name.as_deref(), object.email.as_deref()),
    };
    Some(SentEvent { id, kind, object: object.id, value, created })
}

/// How a customer's name and e-mail are written down; empty without either.
pub fn person(name: Option<&str>, email: Option<&str>) -> String {
    match (name, email) {
        (None, None) => String::new(),
        (name, email) => format!("{} <{}>", name.unwrap_or_default(), email.unwrap_or_default()),
    }
}

fn duplicate(answer: &[u8]) -> Option<bool> {
    #[derive(Deserialize)]
    struct Answer {
        duplicate: bool,
    }
    serde_json::from_slice::<Answer>(answer).ok().map(|answer| answer.duplicate)
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

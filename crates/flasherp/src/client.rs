//! A client for one FlashERP under one pair of credentials. A changed configuration takes a new one.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use domain::{EntityType, ErrorCode};
use reqwest::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue},
    redirect::Policy,
    retry,
};
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};
use reqwest_retry::policies::ExponentialBackoff;
use reqwest_tracing::{DefaultSpanBackend, OtelName, TracingMiddleware};
use secrecy::{ExposeSecret, SecretString};
use tracing::Instrument;
use url::Url;

use crate::{
    adapt::{Adapt, Sign},
    answer::Answer,
    attempts::{Attempts, Repeat, pauses},
    call::{Call, LEASE_MARGIN, Subject},
    confirm::Confirming,
    error::{CallError, CallResult},
    gate::{Aftermath, Gate, OpenGate},
    guard::{self, GuardedResolver, UrlRefused},
    limiter::Limiter,
    observe::{Observation, Observer},
    options::Options,
    redact::Redactor,
    reply::{self, Reader},
};

const API_SECRET: HeaderName = HeaderName::from_static("x-api-secret");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The base URL may not be called.
    #[error(transparent)]
    Url(#[from] UrlRefused),
    /// Key or secret cannot be sent in a header.
    #[error("the {0} holds characters that cannot be sent")]
    Credential(&'static str),
    /// HTTP or TLS could not be set up.
    #[error("the HTTP client could not be set up")]
    Http(#[from] reqwest::Error),
}

/// Calls FlashERP. Cheap to clone; clones share connections and limits.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    http: ClientWithMiddleware,
    options: Options,
    pauses: ExponentialBackoff,
    redactor: Redactor,
    limiter: Limiter,
    adapt: Mutex<Adapt>,
    confirming: Confirming,
    gate: Arc<dyn Gate>,
    observer: Option<Arc<dyn Observer>>,
}

/// A request before it is made, once per try.
pub(crate) struct Outgoing {
    pub(crate) subject: Subject,
    pub(crate) repeat: Repeat,
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) body: Option<Bytes>,
    pub(crate) idempotency_key: Option<HeaderValue>,
}

impl Client {
    /// A client with a gate that is always open and nobody watching.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn new(options: Options) -> Result<Self, BuildError> {
        Self::with(options, Arc::new(OpenGate), None)
    }

    /// A client behind a gate, whose calls are told to an observer.
    ///
    /// # Errors
    /// [`BuildError`].
    pub fn with(
        options: Options,
        gate: Arc<dyn Gate>,
        observer: Option<Arc<dyn Observer>>,
    ) -> Result<Self, BuildError> {
        guard::check_url(&options.base_url, options.allow_private)?;
        let http = reqwest_middleware::ClientBuilder::new(plain_client(&options)?)
            .with(TracingMiddleware::<DefaultSpanBackend>::new())
            .build();
        let adapt = Adapt::new(options.in_flight, Instant::now());
        Ok(Self {
            inner: Arc::new(Inner {
                http,
                pauses: pauses(options.pause, options.max_tries),
                redactor: Redactor::new([options.api_key.clone(), options.api_secret.clone()]),
                limiter: Limiter::new(adapt.limit()),
                adapt: Mutex::new(adapt),
                confirming: Confirming::default(),
                gate,
                observer,
                options,
            }),
        })
    }

    /// Bounds the calls in flight. The bound adapts by itself, between 1 and [`Options::in_flight`].
    #[must_use]
    pub fn limiter(&self) -> &Limiter {
        &self.inner.limiter
    }

    /// After an outage: few calls in flight at first.
    pub fn begin_gently(&self) {
        let mut adapt = self.inner.adapt.lock().unwrap_or_else(PoisonError::into_inner);
        adapt.begin_gently(Instant::now());
        self.inner.limiter.set_limit(adapt.limit());
    }

    /// How long one try may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.inner.options.timeout
    }

    /// Where FlashERP is.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.inner.options.base_url
    }

    pub(crate) fn url(&self, segments: &[&str], query: &[(&str, String)]) -> CallResult<Url> {
        let mut url = self.inner.options.base_url.clone();
        url.path_segments_mut()
            .map_err(|()| CallError::unusable("the base URL cannot have a path"))?
            .pop_if_empty()
            .extend(segments);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    /// Lets one call through gate and limit, tries it, and tells how it went.
    pub(crate) async fn run<T>(&self, call: &Call, outgoing: Outgoing, reader: Reader<T>) -> CallResult<T> {
        let subject = outgoing.subject;
        let span = tracing::info_span!(
            "flasherp.call",
            operation = subject.operation.as_str(),
            entity = subject.entity.map(EntityType::as_str),
            sync_id = subject.sync_id.map(tracing::field::display),
            request_id = %call.request_id,
            tries = tracing::field::Empty,
            error_code = tracing::field::Empty,
        );
        self.run_inside(call, outgoing, reader).instrument(span).await
    }

    async fn run_inside<T>(&self, call: &Call, outgoing: Outgoing, reader: Reader<T>) -> CallResult<T> {
        let inner = &*self.inner;
        let subject = outgoing.subject;
        if let Err(refusal) = inner.gate.enter(subject).await {
            let error = CallError::refused(refusal);
            inner.observe(subject, 0, Instant::now(), Some(&error));
            return Err(error);
        }
        let permit = inner.limiter.acquire().await;
        let started = Instant::now();
        let attempts = Attempts {
            policy: if call.once { pauses(inner.options.pause, 1) } else { inner.pauses },
            repeat: outgoing.repeat,
            writes: subject.operation.writes(),
            timeout: call.timeout.unwrap_or(inner.options.timeout),
            deadline: call.deadline,
        };
        let turn = || async { inner.gate.turn(subject).await.map_err(CallError::refused) };
        let (tries, result) = attempts.run(turn, || inner.attempt(call, &outgoing, reader)).await;
        drop(permit);

        inner.observe(subject, tries, started, result.as_ref().err());
        if tries == 0 {
            // Nothing was tried, so there is nothing to tell.
            return result;
        }
        let aftermath = inner.gate.leave(subject, result.as_ref().err()).await;
        match (result, aftermath) {
            (Err(error), Aftermath::AskHealth) => {
                let aftermath = self.after_health(call, subject, &error).await;
                Err(taken_over(error, subject, aftermath))
            }
            (Err(error), aftermath) => Err(taken_over(error, subject, aftermath)),
            (Ok(done), _) => Ok(done),
        }
    }

    /// Asks for FlashERP's health because a call failed, and what the gate makes of the failure then.
    async fn after_health(&self, call: &Call, subject: Subject, error: &CallError) -> Aftermath {
        let check = self.inner.confirming.check(self);
        if subject.operation.writes() && !error.definite {
            // It is looked up and spends no retry, however FlashERP is.
            return Aftermath::Stands;
        }
        let checked = match call.deadline {
            Some(end) => {
                let until = end.checked_sub(LEASE_MARGIN).unwrap_or(end);
                tokio::time::timeout_at(until.into(), check).await.is_ok()
            }
            None => {
                check.await;
                true
            }
        };
        match checked {
            true => self.inner.gate.after_health(subject, error).await,
            // Not known in time. Whether credentials are refused must be known before a record fails for good.
            false if error.locks_us_out() => Aftermath::HandedBack,
            false => Aftermath::Stands,
        }
    }
}

/// The failure as its caller sees it. A write of unknown outcome stays one.
fn taken_over(error: CallError, subject: Subject, aftermath: Aftermath) -> CallError {
    match aftermath {
        Aftermath::Stands | Aftermath::AskHealth => error,
        Aftermath::HandedBack => {
            let handed_back = error.handed_back || error.definite || !subject.operation.writes();
            CallError { handed_back, ..error }
        }
    }
}

impl Inner {
    /// A try, and what it says of FlashERP's load.
    async fn attempt<T>(&self, call: &Call, outgoing: &Outgoing, reader: Reader<T>) -> CallResult<T> {
        let started = Instant::now();
        let result = self.send(call, outgoing, reader).await;
        let error = result.as_ref().err();
        self.adapt_to(sign(error, started.elapsed()));
        if let Some(error) = error.filter(|error| error.turns_everyone_away()) {
            self.gate.turned_away(outgoing.subject, error).await;
        }
        result
    }

    fn adapt_to(&self, sign: Sign) {
        // Numbers that cannot be half changed; and the bound is set before another judgement.
        let mut adapt = self.adapt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(limit) = adapt.note(sign, self.limiter.in_flight(), Instant::now()) {
            self.limiter.set_limit(limit);
        }
    }

    async fn send<T>(&self, call: &Call, outgoing: &Outgoing, reader: Reader<T>) -> CallResult<T> {
        let span_name = OtelName(format!("flasherp {}", outgoing.subject.operation.as_str()).into());
        let request = RequestBuilder::from_parts(self.http.clone(), outgoing.request(call));
        let response = match request.with_extension(span_name).send().await {
            Ok(response) => response,
            Err(reqwest_middleware::Error::Reqwest(error)) => {
                return Err(CallError::transport(error, None));
            }
            Err(reqwest_middleware::Error::Middleware(error)) => {
                return Err(CallError::machinery(error));
            }
        };
        let answer = Answer::read(response, self.options.max_response_bytes).await?;
        reply::read(&answer, reader, &self.redactor)
    }

    fn observe(&self, subject: Subject, tries: u32, started: Instant, error: Option<&CallError>) {
        let span = tracing::Span::current();
        span.record("tries", tries);
        if let Some(error) = error {
            span.record("error_code", error.code.as_str());
        }
        if let Some(observer) = &self.observer {
            observer.observed(&Observation {
                subject,
                tries,
                duration: started.elapsed(),
                failure: error.map(|error| error.code),
                http_status: error.and_then(|error| error.http_status),
            });
        }
    }
}

/// Whether FlashERP had too much to do, as far as a try tells.
fn sign(error: Option<&CallError>, took: Duration) -> Sign {
    match error {
        None => Sign::Answered(took),
        Some(error) if error.turns_everyone_away() || error.code == ErrorCode::Timeout => Sign::Overloaded,
        Some(error) if error.http_status == Some(503) => Sign::Overloaded,
        Some(error) if error.own_word && error.definite => Sign::Answered(took),
        Some(_) => Sign::Nothing,
    }
}

impl Outgoing {
    fn request(&self, call: &Call) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        let headers = request.headers_mut();
        if let Ok(id) = HeaderValue::from_str(&call.request_id.to_string()) {
            headers.insert(REQUEST_ID, id);
        }
        if let Some(key) = &self.idempotency_key {
            headers.insert(IDEMPOTENCY_KEY, key.clone());
        }
        if let Some(timeout) = call.timeout {
            *request.timeout_mut() = Some(timeout);
        }
        let headers = request.headers_mut();
        if let Some(body) = &self.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Some(body.clone().into());
        }
        request
    }
}

/// The HTTP client under it all: no redirects, no proxies, no repeats of its own, every wait bounded, every address checked.
fn plain_client(options: &Options) -> Result<reqwest::Client, BuildError> {
    // reqwest panics without one. A main installs it first thing; that it is there already is the usual case.
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    let mut headers = HeaderMap::new();
    let bearer = SecretString::from(format!("Bearer {}", options.api_key.expose_secret()));
    headers.insert(AUTHORIZATION, sensitive(&bearer).map_err(|_| BuildError::Credential("API key"))?);
    headers.insert(API_SECRET, sensitive(&options.api_secret).map_err(|_| BuildError::Credential("API secret"))?);
    let client = reqwest::Client::builder()
        .user_agent(concat!("upcoach-flasherp/", env!("CARGO_PKG_VERSION")))
        .default_headers(headers)
        .redirect(Policy::none())
        .retry(retry::never())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
        .https_only(!options.allow_private)
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout)
        .timeout(options.timeout)
        .pool_max_idle_per_host(options.in_flight)
        .dns_resolver(GuardedResolver { names: guard::System, allow_private: options.allow_private })
        .build()?;
    Ok(client)
}

fn sensitive(secret: &SecretString) -> Result<HeaderValue, InvalidHeaderValue> {
    let mut value = HeaderValue::from_str(secret.expose_secret())?;
    value.set_sensitive(true);
    Ok(value)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("base_url", &self.inner.options.base_url.as_str()).finish_non_exhaustive()
    }
}

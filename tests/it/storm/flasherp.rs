//! What the sandbox is told so that its FlashERP does each of its faults, and how it is told that it is over.
//!
//! Its webhooks go out all the time, with short times between tries; the faults of webhooks change how.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::faults::FlashErpFault;
use testkit::sandbox::{
    Fault, FaultAction, FaultBody, Limits, Outage, ReleaseOrder, RetryAfter, RetryAfterForm, Sandbox, WebhookSettings,
    WebhookTells,
};
use testkit::{Scratch, Service};

use crate::system::{FLASHERP_LATENCY, FLASHERP_SECRET};

/// The share of calls that FlashERP's faults hit.
const RATE: f64 = 0.3;
/// The share where a try and the next ones of the same call are to fail.
const NEARLY_ALL: f64 = 0.9;
/// How far FlashERP's clock is off. No further: its webhooks wait by it.
pub(super) const OFF_MS: i64 = 5_000;

/// One thing that the sandbox is told.
enum Told {
    Fault(Fault),
    Outage(Outage),
    Limits(Limits),
    /// So much latency for most calls, and so much for a tenth.
    Latency(Duration, Duration),
    ClockAhead(i64),
    Webhooks(WebhookSettings),
}

/// How FlashERP's webhooks are sent to `target` when nothing is wrong with them.
pub(super) fn webhooks(target: &str) -> WebhookSettings {
    WebhookSettings {
        tells: WebhookTells::All,
        target: Some(target.to_owned()),
        secrets: Some(vec![FLASHERP_SECRET.to_owned()]),
        timeout_ms: Some(5_000),
        retry_delays_ms: Some(vec![300, 1_000]),
        give_up_after_ms: Some(3 * 3_600_000),
        concurrency: Some(2),
        ..WebhookSettings::default()
    }
}

/// The fault begins.
pub(super) async fn begin(sandbox: &Sandbox, fault: FlashErpFault, webhooks_to: &str) {
    for told in told(fault, webhooks_to) {
        match told {
            Told::Fault(fault) => {
                sandbox.add_fault(&fault).await;
            }
            Told::Outage(outage) => sandbox.set_outage(outage).await,
            Told::Limits(limits) => sandbox.set_limits(&limits).await,
            Told::Latency(most, some) => {
                sandbox.set_latency_with_slow(most, most, 100, (some, some)).await;
            }
            Told::ClockAhead(ms) => sandbox.set_clock_ahead(ms).await,
            Told::Webhooks(settings) => sandbox.set_webhooks(&settings).await,
        }
    }
}

/// Whatever fault it was, it is over.
pub(super) async fn end(sandbox: &Sandbox, webhooks_to: &str) {
    sandbox.clear_faults().await;
    sandbox.set_outage(Outage::Off).await;
    sandbox.set_limits(&Limits::default()).await;
    sandbox.set_latency(FLASHERP_LATENCY, FLASHERP_LATENCY).await;
    sandbox.set_clock_ahead(0).await;
    sandbox.set_webhooks(&webhooks(webhooks_to)).await;
    sandbox.release_webhooks(ReleaseOrder::Shuffled).await;
}

fn told(fault: FlashErpFault, webhooks_to: &str) -> Vec<Told> {
    let some = |action| vec![Told::Fault(Fault::new(action).rate(RATE))];
    let status =
        |status, body, retry_after, after_write| some(FaultAction::Status { status, body, retry_after, after_write });
    let webhooks = webhooks(webhooks_to);
    match fault {
        FlashErpFault::CutsBeforeWrite => some(FaultAction::CutBeforeWrite),
        FlashErpFault::CutsAfterWrite => some(FaultAction::CutAfterWrite),
        // Within the settle time, as FlashERP promises.
        FlashErpFault::LateWrites => some(FaultAction::LateWrite { delay_ms: 1_500 }),
        FlashErpFault::ServerErrors => status(500, FaultBody::Json, None, false),
        FlashErpFault::ServerErrorsAfterWrite => status(500, FaultBody::Json, None, true),
        FlashErpFault::HtmlErrors => status(502, FaultBody::Html, None, false),
        FlashErpFault::EmptyErrors => status(503, FaultBody::Empty, None, false),
        FlashErpFault::RateLimitInSeconds => status(429, FaultBody::Json, Some(RetryAfter::Seconds(1)), false),
        FlashErpFault::RateLimitUntilDate => status(429, FaultBody::Json, Some(RetryAfter::DateInSeconds(2)), false),
        FlashErpFault::RateLimitNonsense => {
            status(429, FaultBody::Json, Some(RetryAfter::Text("in a while".to_owned())), false)
        }
        FlashErpFault::QuotaUsedUp => some(FaultAction::Code {
            status: 429,
            code: "QUOTA_EXCEEDED",
            retry_after: Some(RetryAfter::DateInSeconds(2)),
        }),
        FlashErpFault::FewCallsASecond => vec![Told::Limits(Limits {
            per_window: Some(10),
            window_ms: Some(1_000),
            retry_after: RetryAfterForm::Date,
            ..Limits::default()
        })],
        FlashErpFault::SlowBodies => some(FaultAction::SlowBody { chunk_bytes: 40, pause_ms: 50 }),
        FlashErpFault::CutBodies => some(FaultAction::CutInBody),
        FlashErpFault::GarbageBodies => some(FaultAction::GarbageBody),
        FlashErpFault::TooSlow => some(FaultAction::Delay { before_ms: 0, after_ms: 2_500 }),
        FlashErpFault::TooSlowBeforeWrite => some(FaultAction::Delay { before_ms: 2_500, after_ms: 0 }),
        FlashErpFault::UnevenLatency => {
            vec![Told::Latency(Duration::from_millis(5), Duration::from_millis(2_500))]
        }
        // What was cut is looked for in a list once the settle time is over.
        FlashErpFault::ChangesWhilePaged => vec![
            Told::Fault(Fault::new(FaultAction::ChangeWhilePaged { records: 3, fields: serde_json::Map::new() })),
            Told::Fault(Fault::new(FaultAction::CutAfterWrite).on("POST", "/transactions").rate(NEARLY_ALL)),
        ],
        FlashErpFault::ClockAhead => vec![Told::ClockAhead(OFF_MS)],
        FlashErpFault::ClockBehind => vec![Told::ClockAhead(-OFF_MS)],
        FlashErpFault::Degraded => vec![Told::Outage(Outage::Degraded)],
        FlashErpFault::Outage => vec![Told::Outage(Outage::Unavailable)],
        FlashErpFault::Gone => vec![Told::Outage(Outage::Cut)],
        FlashErpFault::WebhooksDoubled => {
            vec![Told::Webhooks(WebhookSettings { duplicate_rate: 1.0, ..webhooks })]
        }
        FlashErpFault::WebhooksLate => vec![Told::Webhooks(WebhookSettings { delay_ms: (0, 2_000), ..webhooks })],
        FlashErpFault::WebhooksOutOfOrder => vec![Told::Webhooks(WebhookSettings { hold: true, ..webhooks })],
    }
}

/// What the sandbox can be told that is no misbehaviour of FlashERP's, and why not.
const NO_FAULT: [(&str, &str); 4] = [
    ("/seed", "decides which calls are hit"),
    ("/records/...", "finance does it all the time"),
    ("/capabilities", "of a whole run: ./justw soak --without-keys"),
    ("/stripe/outage", "of Stripe's API: a fault beside FlashERP's"),
];

#[tokio::test]
async fn every_way_in_which_the_sandbox_can_misbehave_is_among_the_faults() {
    let scratch = Scratch::new().expect("a folder");
    let sandbox = Service::start(testkit::service("flasherp-sandbox", scratch.path())).await.expect("it starts");
    let control = format!("{}/control", sandbox.url(""));
    let (mut kinds, mut bodies, mut retries) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut outages = BTreeSet::from(["off".to_owned()]);
    let mut paths: BTreeSet<String> = NO_FAULT.iter().map(|(path, _)| (*path).to_owned()).collect();
    for told in FlashErpFault::ALL.into_iter().flat_map(|fault| told(fault, "http://127.0.0.1:1/")) {
        let path = match told {
            Told::Fault(fault) => {
                let fault = serde_json::to_value(fault).expect("JSON");
                let action = &fault["action"];
                kinds.extend(action["kind"].as_str().map(str::to_owned));
                bodies.extend(action["body"].as_str().map(str::to_owned));
                retries.extend(action["retryAfter"].as_object().into_iter().flat_map(|form| form.keys().cloned()));
                continue;
            }
            Told::Outage(outage) => {
                let outage = serde_json::to_value(outage).expect("JSON");
                outages.extend(outage.as_str().map(str::to_owned));
                "/outage"
            }
            Told::Limits(_) => "/limits",
            Told::Latency(..) => "/latency",
            Told::ClockAhead(_) => "/clock",
            Told::Webhooks(_) => "/webhooks",
        };
        paths.insert(path.to_owned());
    }
    let status = |rest: &str| format!(r#"{{"action":{{"kind":"status","status":500,{rest}}}}}"#);
    assert_eq!(kinds, known(&control, "POST", "/faults", r#"{"action":{"kind":"?"}}"#).await);
    assert_eq!(bodies, known(&control, "POST", "/faults", &status(r#""body":"?""#)).await);
    assert_eq!(retries, known(&control, "POST", "/faults", &status(r#""retryAfter":{"?":1}"#)).await);
    assert_eq!(outages, known(&control, "PUT", "/outage", r#"{"outage":"?"}"#).await);
    // Single faults are added, everything else is put.
    let manual = include_str!("../../../services/flasherp-sandbox/README.md");
    let put: BTreeSet<String> =
        manual.split("`PUT /control").skip(1).filter_map(|rest| rest.split('`').next()).map(str::to_owned).collect();
    assert_eq!(paths, put);
}

/// The words that the sandbox knows in one place of its control API: it names them when it is told another one.
async fn known(control: &str, method: &str, path: &str, body: &str) -> BTreeSet<String> {
    let client = reqwest::Client::builder().no_proxy().build().expect("a plain client");
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let request = client.request(method, format!("{control}{path}")).header("content-type", "application/json");
    let refusal = request.body(body.to_owned()).send().await.expect("answered").text().await.expect("text");
    let (_, known) = refusal.split_once("expected ").unwrap_or_else(|| panic!("it names no words: {refusal}"));
    known.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

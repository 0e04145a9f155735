//! Logs and traces of a process: JSON lines on standard output, spans over OTLP only when `OTEL_EXPORTER_OTLP_ENDPOINT` is set.
//!
//! Trace ids exist either way: each line carries the one of its span, and [`propagation`] hands it on to whoever is called or told.
//! Without an exporter spans are not recorded, only named. What is still to be exported when the process dies is lost; logs are
//! written at once.

mod fields;
mod json;
pub mod propagation;

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{KeyValue, global};
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use uuid::Uuid;

pub use json::JsonLayer;

use crate::Binary;
use crate::settings::Common;

/// What is to be flushed at the end.
pub struct Telemetry {
    traces: SdkTracerProvider,
}

impl Telemetry {
    /// Sets up logs, traces and trace context for the process. To be called inside the runtime, once.
    ///
    /// # Errors
    /// The OTLP endpoint can't be used, or the process has a subscriber already.
    pub fn init(binary: Binary, instance: Uuid, common: &Common) -> anyhow::Result<Self> {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let traces = provider(binary, instance, common)?;
        let tracer = traces.tracer(binary.name());
        tracing_subscriber::registry()
            .with(EnvFilter::try_new(&common.log_filter).context("RUST_LOG")?)
            .with(tracing_opentelemetry::layer().with_tracer(tracer).with_location(false).with_threads(false))
            .with(JsonLayer::new(binary, instance, std::io::stdout))
            .try_init()
            .context("setting up the log")?;
        log_panics();
        Ok(Self { traces })
    }

    /// Exports what is left. Blocks: not to be called on a thread of the runtime.
    pub fn shutdown(self, timeout: Duration) {
        if let Err(error) = self.traces.shutdown_with_timeout(timeout) {
            tracing::warn!(error = error.to_string(), "traces that were left could not be exported");
        }
    }
}

fn provider(binary: Binary, instance: Uuid, common: &Common) -> anyhow::Result<SdkTracerProvider> {
    let resource = Resource::builder()
        .with_service_name(binary.name())
        .with_attributes([
            KeyValue::new("service.instance.id", instance.to_string()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = &common.otlp_endpoint else {
        // Ids for the log and for whoever comes after us, at the price of nothing being recorded.
        return Ok(builder.with_sampler(Sampler::AlwaysOff).build());
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint.as_str())
        .with_timeout(Duration::from_secs(10))
        .build()
        .context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    Ok(builder.with_batch_exporter(exporter).build())
}

/// A panic becomes a line of the log like everything else.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let location = panic.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        let backtrace = (backtrace.status() == std::backtrace::BacktraceStatus::Captured)
            .then(|| tracing::field::display(backtrace.to_string()));
        tracing::error!(location, backtrace, panic = message, "panicked");
    }));
}

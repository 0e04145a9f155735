//! The instruments behind the names: one of each for the process, made at first use.

use std::sync::OnceLock;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{self as otel, MeterProvider as _};
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::{Encoder as _, Registry, TextEncoder};

use super::Label;
use super::names::{Counter, Gauge, Histogram, Unit};

/// Bounds for seconds: from a quarter of a millisecond (a commit) to half a minute (a call that times out).
const SECONDS: &[f64] =
    &[0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];
/// Bounds for batches.
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0];

/// The metrics page could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the metrics could not be written out")]
pub struct RenderError(#[from] prometheus::Error);

/// The metrics page in Prometheus' text format.
///
/// # Errors
/// [`RenderError`].
pub fn render() -> Result<String, RenderError> {
    let families = instruments().registry.gather();
    let mut page = Vec::new();
    TextEncoder::new().encode(&families, &mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

pub(super) struct Instruments {
    registry: Registry,
    counters: Vec<otel::Counter<u64>>,
    histograms: Vec<otel::Histogram<f64>>,
    gauges: Vec<otel::Gauge<i64>>,
    /// Keeps the readers alive.
    _provider: SdkMeterProvider,
}

impl Instruments {
    pub(super) fn counter(&self, counter: Counter) -> &otel::Counter<u64> {
        &self.counters[counter as usize]
    }
    pub(super) fn histogram(&self, histogram: Histogram) -> &otel::Histogram<f64> {
        &self.histograms[histogram as usize]
    }
    pub(super) fn gauge(&self, gauge: Gauge) -> &otel::Gauge<i64> {
        &self.gauges[gauge as usize]
    }
}

pub(super) fn instruments() -> &'static Instruments {
    static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();
    INSTRUMENTS.get_or_init(Instruments::new)
}

pub(super) fn labels(labels: &[Label<'_>]) -> Vec<KeyValue> {
    labels.iter().map(|(name, value)| KeyValue::new(*name, (*value).to_owned())).collect()
}

impl Instruments {
    fn new() -> Self {
        let registry = Registry::new();
        let reader = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .without_scope_info()
            .without_target_info()
            .build()
            .expect("a fresh registry takes its first collector");
        let provider = SdkMeterProvider::builder().with_reader(reader).build();
        let meter = provider.meter("erp");
        let unit = |unit| match unit {
            Unit::Count => "",
            Unit::Seconds => "s",
        };
        let counters = Counter::ALL
            .iter()
            .map(|counter| {
                let spec = counter.spec();
                meter.u64_counter(spec.name).with_unit(unit(spec.unit)).with_description(spec.help.trim()).build()
            })
            .collect();
        let histograms = Histogram::ALL
            .iter()
            .map(|histogram| {
                let spec = histogram.spec();
                let bounds = match spec.unit {
                    Unit::Count => COUNTS,
                    Unit::Seconds => SECONDS,
                };
                meter
                    .f64_histogram(spec.name)
                    .with_unit(unit(spec.unit))
                    .with_description(spec.help.trim())
                    .with_boundaries(bounds.to_vec())
                    .build()
            })
            .collect();
        let gauges = Gauge::ALL
            .iter()
            .map(|gauge| {
                let spec = gauge.spec();
                meter.i64_gauge(spec.name).with_unit(unit(spec.unit)).with_description(spec.help.trim()).build()
            })
            .collect();
        Self { registry, counters, histograms, gauges, _provider: provider }
    }
}

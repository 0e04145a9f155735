//! The alert rules for Prometheus can be read, ask for metrics and labels that there are, by the names that the page shows, and say what they are about.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use service::metrics::{Counter, Gauge, Histogram, Spec, Unit};

use crate::promql::{self, Asked};

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    _waits: Option<String>,
    labels: Labels,
    annotations: Annotations,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Labels {
    severity: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Annotations {
    summary: String,
    description: Option<String>,
}

/// As Prometheus shows them, with their help, which names their labels.
fn shown() -> BTreeMap<String, &'static str> {
    let timed =
        |spec: Spec| if spec.unit == Unit::Seconds { format!("{}_seconds", spec.name) } else { spec.name.to_owned() };
    let counters = Counter::ALL.iter().map(|metric| (format!("{}_total", timed(metric.spec())), metric.spec().help));
    let gauges = Gauge::ALL.iter().map(|metric| (timed(metric.spec()), metric.spec().help));
    let histograms = Histogram::ALL.iter().flat_map(|metric| {
        ["bucket", "sum", "count"].map(|part| (format!("{}_{part}", timed(metric.spec())), metric.spec().help))
    });
    counters.chain(gauges).chain(histograms).collect()
}

fn rules() -> Vec<Rule> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/prometheus/rules.yaml");
    let text = std::fs::read_to_string(path).expect("there are rules");
    let rules: Rules = serde_saphyr::from_str(&text).expect("rules as Prometheus reads them");
    rules.groups.into_iter().flat_map(|group| group.rules).collect()
}

#[test]
fn every_rule_asks_for_metrics_that_there_are_and_says_what_it_is_about() {
    let (shown, rules) = (shown(), rules());
    let mut names = BTreeSet::new();
    for rule in &rules {
        assert!(names.insert(rule.alert.as_str()), "{} is there twice", rule.alert);
        let asked = promql::read(&rule.expr).unwrap_or_else(|error| panic!("{}: {error}", rule.alert));
        assert!(!asked.is_empty(), "{}", rule.alert);
        for Asked { metric, labels } in &asked {
            let help =
                shown.get(metric).unwrap_or_else(|| panic!("{} asks for {metric}, which no service shows", rule.alert));
            for label in labels {
                assert!(help.contains(&format!("`{label}`")), "{}: {metric} has no label {label}: {help}", rule.alert);
            }
        }
        // What the words take from the labels is there after the grouping.
        let told =
            format!("{} {}", rule.annotations.summary, rule.annotations.description.as_deref().unwrap_or_default());
        for label in told.split("$labels.").skip(1).map(|rest| rest.split([' ', '}']).next().unwrap_or_default()) {
            assert!(asked.iter().all(|asked| asked.labels.iter().any(|of| of == label)), "{}: {label}", rule.alert);
        }
        assert!(["warning", "critical"].contains(&rule.labels.severity.as_str()), "{}", rule.alert);
        assert!(!rule.annotations.summary.is_empty(), "{}", rule.alert);
    }
}

#[test]
fn what_the_integration_is_to_alert_on_has_a_rule() {
    let all: String = rules().into_iter().map(|rule| rule.expr).collect();
    for metric in [
        "erp_health) > 0",
        "erp_syncs_finished_total",
        "> 0.05",
        "erp_circuit_state) == 2",
        "erp_retry_queue) > 100",
        "erp_reconciliation_discrepancies) > 0",
        "erp_exposure_units{age=\"older\"}) > 0",
    ] {
        assert!(all.contains(metric), "no rule asks for {metric}");
    }
}

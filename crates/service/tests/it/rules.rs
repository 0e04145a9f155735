//! The alert rules for Prometheus ask for metrics that there are, by the names that the page shows, and say what they are about.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;
use service::metrics::{Counter, Gauge, Histogram, Spec, Unit};

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
    #[serde(rename = "description")]
    _description: Option<String>,
}

/// As Prometheus shows them.
fn shown() -> BTreeSet<String> {
    let timed =
        |spec: Spec| if spec.unit == Unit::Seconds { format!("{}_seconds", spec.name) } else { spec.name.to_owned() };
    let counters = Counter::ALL.iter().map(|metric| format!("{}_total", timed(metric.spec())));
    let gauges = Gauge::ALL.iter().map(|metric| timed(metric.spec()));
    let histograms = Histogram::ALL
        .iter()
        .flat_map(|metric| ["bucket", "sum", "count"].map(|part| format!("{}_{part}", timed(metric.spec()))));
    counters.chain(gauges).chain(histograms).collect()
}

/// The names of metrics in an expression.
fn asked(expression: &str) -> Vec<&str> {
    expression
        .split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("erp_"))
        .collect()
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
        let asked = asked(&rule.expr);
        assert!(!asked.is_empty(), "{}", rule.alert);
        for name in asked {
            assert!(shown.contains(name), "{} asks for {name}, which no service shows", rule.alert);
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
    ] {
        assert!(all.contains(metric), "no rule asks for {metric}");
    }
}

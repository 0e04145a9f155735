//! Every name is a good one, and what is counted shows on the page.

use std::collections::BTreeSet;
use std::time::Duration;

use service::metrics::{Counter, Gauge, Histogram, Spec, render};

fn all() -> impl Iterator<Item = Spec> {
    let counters = Counter::ALL.iter().map(|metric| metric.spec());
    let histograms = Histogram::ALL.iter().map(|metric| metric.spec());
    let gauges = Gauge::ALL.iter().map(|metric| metric.spec());
    counters.chain(histograms).chain(gauges)
}

#[test]
fn every_metric_has_a_name_of_its_own_in_prometheus_words_and_a_sentence_about_it() {
    let mut names = BTreeSet::new();
    for spec in all() {
        assert!(names.insert(spec.name), "{} is there twice", spec.name);
        let plain = spec.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        assert!(spec.name.starts_with("erp_") && plain, "{}", spec.name);
        assert!(
            !spec.name.ends_with("_total") && !spec.name.ends_with("_seconds"),
            "{} gets its ending from its kind",
            spec.name
        );
        assert!(spec.help.trim().ends_with('.'), "{}", spec.name);
    }
}

#[test]
fn what_is_counted_timed_and_set_shows_on_the_page() {
    Counter::WebhookRejected.add(2, &[("source", "stripe"), ("reason", "signature")]);
    Counter::WebhookRejected.increment(&[("source", "stripe"), ("reason", "signature")]);
    Histogram::CommitDuration.observe(Duration::from_micros(300), &[]);
    Histogram::CommitBatch.observe_count(5, &[]);
    Gauge::SyncReady.set(4, &[]);
    Gauge::SyncReady.set(3, &[]);
    let page = render().expect("a page");
    for line in [
        "# HELP erp_webhook_rejected_total Webhooks refused, by `source` and `reason`.",
        "erp_webhook_rejected_total{reason=\"signature\",source=\"stripe\"} 3",
        "erp_commit_duration_seconds_bucket{le=\"0.0005\"} 1",
        "erp_commit_batch_events_bucket{le=\"4\"} 0",
        "erp_commit_batch_events_bucket{le=\"8\"} 1",
        "erp_sync_ready 3",
    ] {
        assert!(page.lines().any(|found| found == line), "no `{line}` in\n{page}");
    }
}

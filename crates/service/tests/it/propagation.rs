//! A trace goes on across services.

use opentelemetry::global;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use service::telemetry::propagation;

use crate::logs::logged;

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn a_span_that_continues_a_traceparent_hands_the_same_trace_on() {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let lines = logged(|| {
        let span = tracing::info_span!("apply");
        propagation::continue_from(&span, Some(PARENT));
        let _entered = span.enter();
        tracing::info!("inside");
        let handed_on = propagation::current_traceparent().expect("a traceparent");
        assert!(handed_on.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"), "{handed_on}");
        assert_ne!(handed_on, PARENT);
        assert_eq!(propagation::current_trace_id().as_deref(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        let mut headers = Vec::new();
        propagation::inject(|name, value| headers.push((name.to_owned(), value.to_owned())));
        assert_eq!(headers, [("traceparent".to_owned(), handed_on)]);
    });
    assert_eq!(lines[0]["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn a_traceparent_that_makes_no_sense_starts_a_trace_of_its_own() {
    global::set_text_map_propagator(TraceContextPropagator::new());
    let lines = logged(|| {
        for text in [None, Some(""), Some("nonsense"), Some("00-0-0-01")] {
            let span = tracing::info_span!("apply");
            propagation::continue_from(&span, text);
            let _entered = span.enter();
            assert!(propagation::current_traceparent().is_some());
        }
    });
    assert_eq!(lines.len(), 0);
    assert_eq!(propagation::current_traceparent(), None);
}

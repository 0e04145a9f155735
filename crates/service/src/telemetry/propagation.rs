//! Hands the trace on to whoever comes after: W3C trace context as HTTP headers, message headers, or a string in a row.

use std::collections::HashMap;

use opentelemetry::global;
use opentelemetry::trace::TraceContextExt as _;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The `traceparent` of the current span, for a message header or a column; `None` outside of any span.
#[must_use]
pub fn current_traceparent() -> Option<String> {
    headers_of(&Span::current()).remove("traceparent")
}

/// The current span's trace id as 32 hex digits; `None` outside of any span.
#[must_use]
pub fn current_trace_id() -> Option<String> {
    let context = Span::current().context();
    let span = context.span().span_context().clone();
    span.is_valid().then(|| span.trace_id().to_string())
}

/// Puts the current span's trace context (`traceparent`, `tracestate`) into the headers of a call or message.
pub fn inject(mut set_header: impl FnMut(&str, &str)) {
    for (name, value) in headers_of(&Span::current()) {
        set_header(&name, &value);
    }
}

/// Makes the span a child of the one that a `traceparent` names. One that is missing or makes no sense changes nothing.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    continue_from_headers(span, |name| if name == "traceparent" { traceparent.map(ToOwned::to_owned) } else { None });
}

/// As [`continue_from`], from the headers of a request or message.
pub fn continue_from_headers(span: &Span, header: impl Fn(&str) -> Option<String>) {
    let headers: HashMap<String, String> =
        ["traceparent", "tracestate"].into_iter().filter_map(|name| Some((name.to_owned(), header(name)?))).collect();
    if headers.is_empty() {
        return;
    }
    let parent = global::get_text_map_propagator(|propagator| propagator.extract(&headers));
    if parent.span().span_context().is_valid() {
        // Fails only for a span that has begun or is filtered out; then there is nothing to join.
        let _filtered_out = span.set_parent(parent);
    }
}

fn headers_of(span: &Span) -> HashMap<String, String> {
    let mut headers = HashMap::new();
    global::get_text_map_propagator(|propagator| propagator.inject_context(&span.context(), &mut headers));
    headers.retain(|_, value| !value.is_empty());
    headers
}

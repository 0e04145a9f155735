//! W3C trace context across messages: the publisher's span becomes the parent of the consumer's.
//!
//! Without an OpenTelemetry layer there is no context, and nothing is added.

use std::collections::HashMap;

use async_nats::HeaderMap;
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub use service::telemetry::propagation::current_traceparent;

/// The header, and the column of an outbox, that carries the context.
pub const TRACEPARENT: &str = "traceparent";

/// Headers with the given context.
pub fn headers(traceparent: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Some(traceparent) = traceparent {
        headers.insert(TRACEPARENT, traceparent);
    }
    headers
}

/// The context that a message's headers carry; `None` for none, or one that can't be a `traceparent`.
pub(crate) fn of_headers(headers: Option<&HeaderMap>) -> Option<String> {
    let value = headers?.get(TRACEPARENT)?.as_str();
    context(value).span().span_context().is_valid().then(|| value.to_owned())
}

/// Makes the first of the contexts the parent of a span that has not been entered yet, and links it to the others: a batch
/// has one parent, and every trace in it can be followed.
pub fn set_parents<'a>(span: &Span, traceparents: impl IntoIterator<Item = &'a str>) {
    let mut contexts = traceparents.into_iter().map(context);
    if let Some(first) = contexts.next() {
        // Fails where no OpenTelemetry layer listens: then there is nothing to carry on.
        let _no_layer = span.set_parent(first);
    }
    for other in contexts {
        span.add_link(other.span().span_context().clone());
    }
}

fn context(traceparent: &str) -> Context {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier)
}

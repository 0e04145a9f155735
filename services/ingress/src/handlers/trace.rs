//! The trace that a delivery belongs to. A span costs more than the rest of the handler, so there is one only where it goes somewhere: traces
//! are exported, and the sender has not decided against this one. A sender's own context is handed on either way.

use actix_web::http::header::HeaderMap;
use service::telemetry::propagation;
use tracing::Span;

const TRACEPARENT: &str = "traceparent";

/// What is known of the trace.
#[derive(Debug)]
pub(super) struct Trace {
    /// Disabled where there is nothing to record.
    pub(super) span: Span,
    /// To be stored with the event, for the worker to go on from.
    pub(super) traceparent: Option<String>,
}

impl Trace {
    /// Continues the sender's trace or begins one, if `exported`.
    pub(super) fn of(headers: &HeaderMap, exported: bool, source: &'static str) -> Self {
        let sent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok()).filter(|value| is_traceparent(value));
        if !exported || sent.is_some_and(|sent| !is_sampled(sent)) {
            return Self { span: Span::none(), traceparent: sent.map(ToOwned::to_owned) };
        }
        let span = tracing::info_span!("receive_webhook", otel.kind = "server", source);
        propagation::continue_from_headers(&span, |name| headers.get(name)?.to_str().ok().map(ToOwned::to_owned));
        let traceparent = span.in_scope(propagation::current_traceparent);
        Self { span, traceparent }
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, ids not all zero, as W3C has it.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, len: usize| {
        part.len() == len && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let filled = |part: &str| part.bytes().any(|byte| byte != b'0');
    let parts: Vec<&str> = text.split('-').collect();
    matches!(parts.as_slice(), ["00", trace, span, flags]
        if hex(trace, 32) && filled(trace) && hex(span, 16) && filled(span) && hex(flags, 2))
}

fn is_sampled(traceparent: &str) -> bool {
    let flags = traceparent.get(53..).and_then(|flags| u8::from_str_radix(flags, 16).ok());
    flags.is_some_and(|flags| flags & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const UNSAMPLED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    #[test]
    fn a_senders_context_is_kept_without_a_span() {
        for (sent, exported) in [(SAMPLED, false), (UNSAMPLED, false), (UNSAMPLED, true)] {
            let mut headers = HeaderMap::new();
            headers
                .insert(actix_web::http::header::HeaderName::from_static(TRACEPARENT), sent.parse().expect("a value"));
            let trace = Trace::of(&headers, exported, "stripe");
            assert!(trace.span.is_none());
            assert_eq!(trace.traceparent.as_deref(), Some(sent));
        }
    }

    #[test]
    fn without_a_context_and_without_export_there_is_no_trace() {
        let trace = Trace::of(&HeaderMap::new(), false, "stripe");
        assert!(trace.span.is_none());
        assert_eq!(trace.traceparent, None);
    }

    #[test]
    fn what_is_no_traceparent_is_not_stored() {
        for text in [
            "",
            "00",
            "x",
            &SAMPLED[1..],
            &SAMPLED.replace("4bf9", "4BF9"),
            &format!("{SAMPLED}-x"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert!(!is_traceparent(text), "{text}");
        }
        assert!(is_traceparent(SAMPLED));
    }
}

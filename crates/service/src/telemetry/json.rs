//! The log: one JSON object a line, with what every line needs to be found by (`time`, `level`, `target`, `service`, `instance`,
//! `trace_id`), the message, the event's own `fields`, and under `context` those of the spans around it (a request id, a sync id).

use std::io::Write as _;
use std::sync::OnceLock;

use opentelemetry::trace::TraceContextExt as _;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tracing::dispatcher::WeakDispatch;
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

use super::fields::Fields;
use crate::Binary;

/// RFC 3339 with milliseconds.
const TIME: &[BorrowedFormatItem<'_>] =
    format_description!(version = 2, "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// Writes every event that reaches it as one line.
pub struct JsonLayer<W> {
    service: &'static str,
    instance: Uuid,
    writer: W,
    dispatch: OnceLock<WeakDispatch>,
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    level: &'static str,
    target: &'a str,
    service: &'static str,
    instance: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    span: Option<&'static str>,
    message: Value,
    #[serde(skip_serializing_if = "Map::is_empty")]
    fields: Map<String, Value>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    context: Map<String, Value>,
}

impl<W> JsonLayer<W> {
    /// A log of this process, to the given writer.
    pub fn new(binary: Binary, instance: Uuid, writer: W) -> Self {
        Self { service: binary.name(), instance, writer, dispatch: OnceLock::new() }
    }

    fn trace_id(&self, span: &Id) -> Option<String> {
        let dispatch = self.dispatch.get()?.upgrade()?;
        let context = tracing_opentelemetry::get_otel_context(span, &dispatch)?;
        let trace_id = context.span().span_context().trace_id();
        Some(trace_id.to_string())
    }
}

impl<S, W> Layer<S> for JsonLayer<W>
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    W: for<'writer> MakeWriter<'writer> + 'static,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        let _only_the_first = self.dispatch.set(dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().insert(fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<Fields>() {
            values.record(fields);
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let message = fields.0.remove("message").unwrap_or_default();
        let around = context.event_span(event);
        let mut of_spans = Map::new();
        for span in around.iter().flat_map(|span| span.scope().from_root()) {
            if let Some(fields) = span.extensions().get::<Fields>() {
                of_spans.extend(fields.0.iter().map(|(name, value)| (name.clone(), value.clone())));
            }
        }
        let line = Line {
            time: OffsetDateTime::now_utc().format(TIME).unwrap_or_default(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            service: self.service,
            instance: self.instance,
            trace_id: around.as_ref().and_then(|span| self.trace_id(&span.id())),
            span: around.as_ref().map(|span| span.name()),
            message,
            fields: fields.0,
            context: of_spans,
        };
        let mut bytes = serde_json::to_vec(&line).unwrap_or_default();
        bytes.push(b'\n');
        // A closed standard output must not end the service.
        let _best_effort = self.writer.make_writer_for(event.metadata()).write_all(&bytes);
    }
}

//! The list of all event types: what the schemas, asyncapi.yaml and the decoding of any event are made from.

use schemars::Schema;

use crate::json_schema::schema_of;
use crate::{Event, EventType};

/// Whether a message may be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// May be lost: it hurries what a timer finds anyway.
    Hint,
    /// Goes through an outbox; may come twice, with the same id.
    Fact,
}

/// What is known of an event type without an event.
#[derive(Clone, Copy, Debug)]
pub struct EventInfo {
    /// The CloudEvents type.
    pub kind: &'static str,
    /// The name of the Rust type, also its name in asyncapi.yaml.
    pub name: &'static str,
    /// The subjects it is published on, without prefix.
    pub subjects: &'static str,
    /// One sentence.
    pub summary: &'static str,
    /// Hint or fact.
    pub nature: Nature,
    /// Makes the JSON Schema of the whole envelope.
    pub schema: fn() -> Schema,
    /// Makes examples of the data.
    pub examples: fn() -> Vec<serde_json::Value>,
}

impl EventInfo {
    /// The type that is published on a subject (without prefix).
    pub fn of_subject(subject: &str) -> Option<&'static Self> {
        CATALOG.iter().find(|info| match info.subjects.strip_suffix('*') {
            Some(fixed) => subject.strip_prefix(fixed).is_some_and(|last| !last.is_empty() && !last.contains('.')),
            None => info.subjects == subject,
        })
    }
}

/// The examples of `T` as JSON.
pub(crate) fn examples_of<T: EventType>() -> Vec<serde_json::Value> {
    T::examples()
        .into_iter()
        .map(|data| serde_json::to_value(data).expect("event types hold only strings, numbers, lists and maps"))
        .collect()
}

/// Makes [`CATALOG`] and [`AnyEvent`](crate::AnyEvent) from one list, so that neither can miss a type.
macro_rules! events {
    ($($nature:ident $name:ident;)+) => {
        use crate::{$($name),+};

        /// All event types.
        pub const CATALOG: &[EventInfo] = &[$(EventInfo {
            kind: <$name as EventType>::TYPE,
            name: stringify!($name),
            subjects: <$name as EventType>::SUBJECTS,
            summary: <$name as EventType>::SUMMARY,
            nature: Nature::$nature,
            schema: schema_of::<$name>,
            examples: examples_of::<$name>,
        }),+];

        /// An event of any type, for consumers of several.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum AnyEvent {
            $(
                #[doc = concat!("An event of the type [`", stringify!($name), "`].")]
                $name(Box<Event<$name>>),
            )+
        }

        impl crate::Decode for AnyEvent {
            fn decode(body: &[u8]) -> Result<Self, crate::DecodeError> {
                match crate::envelope::Head::read(body)?.kind.as_str() {
                    $(<$name as EventType>::TYPE => Ok(Self::$name(Box::new(serde_json::from_slice(body)?))),)+
                    _ => Err(crate::DecodeError::Type { wanted: "any" }),
                }
            }

            fn event_id(&self) -> uuid::Uuid {
                match self { $(Self::$name(event) => event.id,)+ }
            }
        }

        impl AnyEvent {
            /// The CloudEvents type.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$name(_) => <$name as EventType>::TYPE,)+ }
            }
        }

        $(impl From<Event<$name>> for AnyEvent {
            fn from(event: Event<$name>) -> Self {
                Self::$name(Box::new(event))
            }
        })+
    };
}

events! {
    Hint SyncRequested;
    Hint WebhookReceived;
    Hint ReconciliationRequested;
    Fact SyncCompleted;
    Fact SyncFailed;
    Fact SyncDuplicateFound;
    Fact WebhookApplied;
    Fact ReconciliationCompleted;
    Fact ConfigChanged;
    Fact CircuitChanged;
    Fact HealthChecked;
    Fact AlertRaised;
    Fact JobFinished;
    Fact AuditSealed;
}

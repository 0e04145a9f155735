//! An object that was read from Stripe's API, as the event that would have told of its state: so it takes the same path, and is applied once, as any
//! webhook. Pure.

use serde::Deserialize;
use time::OffsetDateTime;

use super::event::Event;
use crate::PULL;

/// The event of an object that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// `pull:<object>:<id>:<unix second that its state is at least of>`.
    pub id: String,
    /// The type of the event that tells of such a state.
    pub event_type: &'static str,
    /// As a webhook's body.
    pub body: String,
}

/// Not what Stripe's API documents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Stripe's object can't be read: {0}")]
pub struct NoObject(String);

/// The event of an object that was read when the second `as_of` was over: its state is that of `as_of` or a later one, and goes over whatever an event
/// of that second told. None for a state that no event tells of, such as a payment that is still under way.
///
/// # Errors
/// It is no object that events tell of.
pub fn pulled(object: &str, as_of: OffsetDateTime, livemode: bool) -> Result<Option<Pulled>, NoObject> {
    let head: Head = serde_json::from_str(object).map_err(|error| NoObject(error.to_string()))?;
    let Some(event_type) = head.event_type()? else { return Ok(None) };
    let at = as_of.unix_timestamp();
    let id = format!("{PULL}{}:{}:{at}", head.object, head.id);
    let quoted = serde_json::Value::from(id.as_str());
    let body = format!(
        r#"{{"id":{quoted},"object":"event","type":"{event_type}","created":{at},"livemode":{livemode},"api_version":null,"data":{{"object":{object}}}}}"#
    );
    Ok(Some(Pulled { id, event_type, body }))
}

impl<T> Event<T> {
    /// Whether we read its object ourselves, after its second was over.
    #[must_use]
    pub fn is_pulled(&self) -> bool {
        self.id.as_str().starts_with(PULL)
    }
}

#[derive(Deserialize)]
struct Head {
    id: String,
    object: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    deleted: bool,
    #[serde(default)]
    last_payment_error: Option<serde::de::IgnoredAny>,
}

impl Head {
    fn event_type(&self) -> Result<Option<&'static str>, NoObject> {
        let status = self.status.as_deref().unwrap_or_default();
        Ok(Some(match (self.object.as_str(), status) {
            ("customer", _) if self.deleted => "customer.deleted",
            ("customer", _) => "customer.updated",
            ("payment_intent", "succeeded") => "payment_intent.succeeded",
            ("payment_intent", "canceled") => "payment_intent.canceled",
            ("payment_intent", "requires_payment_method") if self.last_payment_error.is_some() => {
                "payment_intent.payment_failed"
            }
            ("charge", _) => "charge.updated",
            ("refund", _) => "refund.updated",
            ("dispute", "won" | "lost" | "warning_closed") => "charge.dispute.closed",
            ("dispute", _) => "charge.dispute.created",
            ("invoice", "open") => "invoice.finalized",
            ("invoice", "paid") => "invoice.paid",
            ("invoice", "void") => "invoice.voided",
            ("invoice", "uncollectible") => "invoice.marked_uncollectible",
            ("subscription", "canceled" | "incomplete_expired") => "customer.subscription.deleted",
            ("subscription", _) => "customer.subscription.updated",
            ("payment_intent" | "invoice", _) => return Ok(None),
            (object, _) => return Err(NoObject(format!("events tell of no {object}"))),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stripe::{StripeEvent, parse};
    use time::macros::datetime;

    const AT: OffsetDateTime = datetime!(2026-11-24 10:00 UTC);

    fn event_type(object: &str) -> Option<&'static str> {
        pulled(object, AT, true).expect("an object").map(|event| event.event_type)
    }

    #[test]
    fn a_charge_is_read_back_as_the_event_of_its_second() {
        let charge = r#"{"id":"ch_1","object":"charge","amount":1099,"currency":"usd","status":"succeeded","created":1700000000,
            "balance_transaction":{"id":"txn_1","object":"balance_transaction","fee":62,"net":1037,"currency":"usd"}}"#;
        let event = pulled(charge, AT, true).expect("an object").expect("told");
        assert_eq!(event.id, "pull:charge:ch_1:1795514400");
        match parse(event.body.as_bytes()).expect("an event") {
            StripeEvent::Charge(charge) => {
                assert!(charge.is_pulled() && charge.livemode);
                assert_eq!((charge.created, charge.id.as_str()), (AT, event.id.as_str()));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_state_has_the_type_that_tells_of_it_and_what_is_under_way_has_none() {
        for (object, status, expected) in [
            ("payment_intent", "succeeded", Some("payment_intent.succeeded")),
            ("payment_intent", "canceled", Some("payment_intent.canceled")),
            ("payment_intent", "processing", None),
            ("payment_intent", "requires_payment_method", None),
            ("invoice", "draft", None),
            ("invoice", "void", Some("invoice.voided")),
            ("subscription", "past_due", Some("customer.subscription.updated")),
            ("subscription", "canceled", Some("customer.subscription.deleted")),
            ("dispute", "lost", Some("charge.dispute.closed")),
        ] {
            let json = format!(r#"{{"id":"x","object":"{object}","status":"{status}"}}"#);
            assert_eq!(event_type(&json), expected, "{object} {status}");
        }
        let failed =
            r#"{"id":"pi","object":"payment_intent","status":"requires_payment_method","last_payment_error":{}}"#;
        assert_eq!(event_type(failed), Some("payment_intent.payment_failed"));
        let deleted = r#"{"id":"cus_1","object":"customer","deleted":true}"#;
        assert_eq!(event_type(deleted), Some("customer.deleted"));
    }

    #[test]
    fn what_is_no_object_is_told() {
        for json in ["[]", "{}", r#"{"id":"x","object":"payout"}"#] {
            assert!(pulled(json, AT, true).is_err(), "{json}");
        }
    }
}

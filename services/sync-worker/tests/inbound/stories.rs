//! Coherent stories in Stripe's events, in the shapes of its API before and after 2025-03-31. Shared by the tests of the pure fold and those
//! through Postgres.

use serde_json::{Value, json};

/// Which shape the events have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Before 2025-03-31.
    Legacy,
    /// Since.
    Current,
}

/// Who pays what: `cus_<n>`, `pi_<n>`, `in_<n>`, `sub_<n>`, `ch_<n>_<attempt>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Story {
    pub(crate) n: u32,
    pub(crate) shape: Shape,
    /// In Stripe's units.
    pub(crate) amount: i64,
    pub(crate) currency: &'static str,
}

/// The second at which every story begins.
const BEGIN: i64 = 1_764_000_000;

impl Story {
    pub(crate) const fn new(n: u32, shape: Shape) -> Self {
        Self { n, shape, amount: 4900, currency: "usd" }
    }

    fn event(&self, id: &str, event_type: &str, at: i64, object: &Value, before: Option<Value>) -> Value {
        let version = if self.shape == Shape::Legacy { "2024-06-20" } else { "2025-09-30.clover" };
        let mut data = json!({"object": object});
        if let Some(before) = before {
            data["previous_attributes"] = before;
        }
        json!({
            "id": format!("evt_{}_{id}", self.n), "object": "event", "type": event_type, "created": BEGIN + at, "livemode": true,
            "api_version": version, "data": data,
        })
    }

    pub(crate) fn customer(&self, what: &str, at: i64, email: &str, before: Option<&str>) -> Value {
        let object = json!({"id": format!("cus_{}", self.n), "object": "customer", "email": email, "name": "Ada", "metadata": {}, "created": BEGIN});
        let id = format!("cus_{what}_{at}_{email}");
        self.event(&id, &format!("customer.{what}"), at, &object, before.map(|email| json!({"email": email})))
    }

    /// `succeeded`, `payment_failed`, `canceled`.
    pub(crate) fn intent(&self, what: &str, at: i64, attempt: u32) -> Value {
        let succeeded = what == "succeeded";
        let mut object = json!({
            "id": format!("pi_{}", self.n), "object": "payment_intent", "amount": self.amount,
            "amount_received": if succeeded { self.amount } else { 0 }, "currency": self.currency, "customer": format!("cus_{}", self.n),
            "status": if succeeded { "succeeded" } else { "requires_payment_method" }, "latest_charge": format!("ch_{}_{attempt}", self.n),
            "payment_method_types": ["card", "link"], "description": "Subscription update", "metadata": {}, "created": BEGIN + 2,
            "last_payment_error": if succeeded { Value::Null } else { json!({"code": "card_declined", "decline_code": "insufficient_funds"}) },
        });
        if self.shape == Shape::Legacy {
            object["invoice"] = json!(format!("in_{}", self.n));
        }
        self.event(&format!("pi_{what}_{at}"), &format!("payment_intent.{what}"), at, &object, None)
    }

    /// A charge's state: `succeeded` or `failed`, and what of it went back.
    pub(crate) fn charge_object(&self, status: &str, attempt: u32, refunded: i64) -> Value {
        let mut object = json!({
            "id": format!("ch_{}_{attempt}", self.n), "object": "charge", "amount": self.amount, "amount_captured": self.amount,
            "amount_refunded": refunded, "captured": true, "currency": self.currency, "customer": format!("cus_{}", self.n),
            "payment_intent": format!("pi_{}", self.n), "status": status, "description": "Subscription update", "metadata": {},
            "payment_method_details": {"type": "card"}, "created": BEGIN + 2 + i64::from(attempt),
            "failure_code": if status == "failed" { json!("card_declined") } else { Value::Null },
        });
        if self.shape == Shape::Legacy {
            object["invoice"] = json!(format!("in_{}", self.n));
        }
        object
    }

    /// `succeeded`, `failed`, `updated`, `refunded`.
    pub(crate) fn charge(&self, what: &str, at: i64, object: &Value) -> Value {
        self.event(&format!("ch_{what}_{at}"), &format!("charge.{what}"), at, object, None)
    }

    /// `finalized`, `paid`, `payment_failed`, ... with the status that it then has.
    pub(crate) fn invoice(&self, what: &str, at: i64, status: &str) -> Value {
        let paid = status == "paid";
        let mut object = json!({
            "id": format!("in_{}", self.n), "object": "invoice", "status": status, "total": self.amount, "amount_due": self.amount,
            "amount_paid": if paid { self.amount } else { 0 }, "currency": self.currency, "customer": format!("cus_{}", self.n),
            "metadata": {}, "due_date": null, "created": BEGIN + 1,
            "status_transitions": {"paid_at": if paid { json!(BEGIN + at) } else { Value::Null }},
        });
        match self.shape {
            Shape::Legacy => {
                object["subscription"] = json!(format!("sub_{}", self.n));
                object["payment_intent"] = json!(format!("pi_{}", self.n));
                object["charge"] = if paid { json!(format!("ch_{}_2", self.n)) } else { Value::Null };
            }
            Shape::Current => {
                object["parent"] = json!({
                    "type": "subscription_details", "subscription_details": {"subscription": format!("sub_{}", self.n), "metadata": {}},
                });
            }
        }
        self.event(&format!("in_{what}_{at}"), &format!("invoice.{what}"), at, &object, None)
    }

    /// Of the current shape only.
    pub(crate) fn invoice_payment(&self, at: i64) -> Value {
        let object = json!({
            "id": format!("inpay_{}", self.n), "object": "invoice_payment", "invoice": format!("in_{}", self.n), "amount_paid": self.amount,
            "amount_requested": self.amount, "currency": self.currency, "status": "paid", "is_default": true, "created": BEGIN + 2,
            "payment": {"type": "payment_intent", "payment_intent": format!("pi_{}", self.n)},
        });
        self.event(&format!("inpay_{at}"), "invoice_payment.paid", at, &object, None)
    }

    pub(crate) fn refund_object(&self, refund: u32, amount: i64, status: &str) -> Value {
        json!({
            "id": format!("re_{}_{refund}", self.n), "object": "refund", "amount": amount, "currency": self.currency, "status": status,
            "charge": format!("ch_{}_2", self.n), "payment_intent": format!("pi_{}", self.n), "reason": "requested_by_customer",
            "metadata": {}, "created": BEGIN + 100 + i64::from(refund),
            "failure_reason": if status == "failed" { json!("lost_or_stolen_card") } else { Value::Null },
        })
    }

    /// `refund.created`, `refund.updated`, `refund.failed`, `charge.refund.updated`.
    pub(crate) fn refund(&self, event_type: &str, at: i64, object: &Value) -> Value {
        let id = format!("{}_{event_type}_{at}", object["id"].as_str().unwrap_or_default());
        self.event(&id, event_type, at, object, None)
    }

    /// `created`, `closed`, `funds_withdrawn`, `funds_reinstated`.
    pub(crate) fn dispute(&self, what: &str, at: i64, status: &str) -> Value {
        let object = json!({
            "id": format!("dp_{}", self.n), "object": "dispute", "amount": self.amount, "currency": self.currency, "status": status,
            "charge": format!("ch_{}_2", self.n), "payment_intent": format!("pi_{}", self.n), "reason": "fraudulent", "created": BEGIN + 200,
        });
        self.event(&format!("dp_{what}_{at}"), &format!("charge.dispute.{what}"), at, &object, None)
    }

    /// `created`, `updated`, `deleted`, ... of one item at `<plan>_monthly`.
    pub(crate) fn subscription(&self, what: &str, at: i64, status: &str, plan: &str, before: Option<&str>) -> Value {
        let over = status == "canceled";
        let price = json!({
            "id": format!("price_{plan}"), "object": "price", "currency": self.currency, "lookup_key": format!("{plan}_monthly"),
            "metadata": {}, "unit_amount": self.amount, "unit_amount_decimal": self.amount.to_string(),
            "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
        });
        let mut item = json!({"id": "si_1", "object": "subscription_item", "price": price, "quantity": 1});
        let mut object = json!({
            "id": format!("sub_{}", self.n), "object": "subscription", "customer": format!("cus_{}", self.n), "status": status, "metadata": {},
            "trial_start": null, "trial_end": null, "canceled_at": if over { json!(BEGIN + at) } else { Value::Null },
            "created": BEGIN,
        });
        let periods = if self.shape == Shape::Legacy { &mut object } else { &mut item };
        periods["current_period_start"] = json!(BEGIN);
        periods["current_period_end"] = json!(BEGIN + 2_592_000);
        object["items"] = json!({"object": "list", "data": [item], "has_more": false});
        let id = format!("sub_{what}_{at}_{status}");
        self.event(
            &id,
            &format!("customer.subscription.{what}"),
            at,
            &object,
            before.map(|status| json!({"status": status})),
        )
    }

    /// The seven events of a payment that failed first and then came in; two are of the same second.
    pub(crate) fn payment(&self) -> Vec<Value> {
        let mut events = vec![
            self.customer("created", 0, "ada@example.com", None),
            self.invoice("finalized", 2, "open"),
            self.charge("failed", 4, &self.charge_object("failed", 1, 0)),
            self.intent("payment_failed", 4, 1),
            self.charge("succeeded", 9, &self.charge_object("succeeded", 2, 0)),
            self.intent("succeeded", 9, 2),
            self.invoice("paid", 10, "paid"),
        ];
        if self.shape == Shape::Current {
            // It takes the place of the attempt's charge: an invoice's payment is told by an event of its own.
            events[2] = self.invoice_payment(10);
        }
        events
    }

    /// A payment, two refunds of it of which one fails in the end.
    pub(crate) fn refunds(&self) -> Vec<Value> {
        let part = self.amount / 4;
        vec![
            self.customer("created", 0, "ada@example.com", None),
            self.intent("succeeded", 9, 2),
            self.refund("refund.created", 101, &self.refund_object(1, part, "pending")),
            self.refund("charge.refund.updated", 105, &self.refund_object(1, part, "succeeded")),
            self.refund("refund.created", 102, &self.refund_object(2, part, "succeeded")),
            self.refund("refund.failed", 110, &self.refund_object(2, part, "failed")),
            self.charge("refunded", 103, &self.charge_object("succeeded", 2, part * 2)),
        ]
    }

    /// A payment that is disputed, after an inquiry, and lost.
    pub(crate) fn lost_dispute(&self) -> Vec<Value> {
        vec![
            self.customer("created", 0, "ada@example.com", None),
            self.charge("succeeded", 9, &self.charge_object("succeeded", 2, 0)),
            self.intent("succeeded", 9, 2),
            self.dispute("created", 200, "warning_needs_response"),
            self.dispute("funds_withdrawn", 210, "needs_response"),
            self.dispute("closed", 230, "lost"),
            self.invoice("paid", 10, "paid"),
        ]
    }

    /// A subscription that begins, fails to be paid, is paid, and is cancelled.
    pub(crate) fn subscription_life(&self) -> Vec<Value> {
        vec![
            self.customer("created", 0, "ada@example.com", None),
            self.subscription("created", 1, "incomplete", "basic", None),
            self.subscription("updated", 1, "active", "basic", Some("incomplete")),
            self.invoice("payment_failed", 50, "open"),
            self.subscription("updated", 60, "active", "pro", Some("past_due")),
            self.subscription("trial_will_end", 70, "active", "pro", None),
            self.subscription("deleted", 90, "canceled", "pro", None),
        ]
    }
}

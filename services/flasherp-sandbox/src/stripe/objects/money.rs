//! Balance transactions: what a payment, refund or dispute adds to the account's balance, with Stripe's fee.

use serde_json::{Value, json};

use crate::stripe::{
    StripeCurrency,
    teller::{Handle, Teller},
};

/// A booking.
#[derive(Debug, Clone, Copy)]
pub(in crate::stripe) struct Booking<'a> {
    /// `charge`, `refund`, `adjustment`, `payment_refund`, ...
    pub(in crate::stripe) kind: &'static str,
    /// `charge`, `refund`, `dispute`, `dispute_reversal`, ...
    pub(in crate::stripe) category: &'static str,
    pub(in crate::stripe) amount: i64,
    pub(in crate::stripe) fee: i64,
    pub(in crate::stripe) currency: StripeCurrency,
    /// What it is for, if that has its id already.
    pub(in crate::stripe) source: Option<&'a str>,
}

/// A balance transaction.
pub(in crate::stripe) fn book(teller: &mut Teller<'_>, booking: Booking<'_>) -> Handle {
    let id = teller.draw_id("txn_");
    let Booking { kind, category, amount, fee, currency, source } = booking;
    let details = match fee {
        0 => Vec::new(),
        fee => vec![json!({
            "amount": fee, "application": null, "currency": currency.code(),
            "description": if category == "charge" { "Stripe processing fees" } else { "Dispute fee" }, "type": "stripe_fee",
        })],
    };
    let transaction = json!({
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": teller.now() + 2 * 24 * 60 * 60,
        "balance_type": "payments",
        "created": teller.now(),
        "currency": currency.code(),
        "description": null,
        "exchange_rate": null,
        "fee": fee,
        "fee_details": details,
        "net": amount - fee,
        "reporting_category": category,
        "source": source.map_or(Value::Null, Value::from),
        "status": "pending",
        "type": kind,
    });
    teller.add(transaction)
}

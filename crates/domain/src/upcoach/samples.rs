//! Ordinary records for tests, to be changed where a test cares.

use time::macros::datetime;
use uuid::uuid;

use super::{
    BillingInterval, Invoice, InvoiceOrigin, InvoiceStatus, Plan, Subscription, SubscriptionStatus, Transaction,
    TransactionStatus, TransactionType, User,
};
use crate::ids::{FlashErpId, InvoiceId, SubscriptionId, TransactionId, UserId};

const USER: UserId = UserId(uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11"));

pub(crate) fn flasherp_customer() -> FlashErpId {
    FlashErpId::new("cust_1").expect("a fitting id")
}

pub(crate) fn user() -> User {
    User {
        id: USER,
        email: Some("zoe.miller@example.com".to_owned()),
        name: Some("Zoë Miller".to_owned()),
        stripe_customer_id: Some("cus_1".to_owned()),
        created_at: datetime!(2026-11-01 08:00 UTC),
        updated_at: datetime!(2026-11-02 08:00 UTC),
    }
}

pub(crate) fn transaction() -> Transaction {
    Transaction {
        id: TransactionId(uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d22")),
        user_id: USER,
        subscription_id: None,
        stripe_transaction_id: Some("pi_1".to_owned()),
        kind: TransactionType::Payment,
        status: TransactionStatus::Completed,
        amount: 1099,
        currency: "usd".to_owned(),
        payment_method: Some("card".to_owned()),
        description: Some("Pro, November".to_owned()),
        stripe_invoice_id: None,
        stripe_charge_id: Some("ch_1".to_owned()),
        stripe_refund_id: None,
        failure_reason: None,
        refunded_amount: None,
        fee: Some(62),
        net: Some(1037),
        created_at: datetime!(2026-11-24 09:30 UTC),
        updated_at: datetime!(2026-11-24 09:30 UTC),
    }
}

pub(crate) fn subscription() -> Subscription {
    Subscription {
        id: SubscriptionId(uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d33")),
        user_id: USER,
        stripe_subscription_id: Some("sub_1".to_owned()),
        stripe_customer_id: Some("cus_1".to_owned()),
        plan: Plan::Pro,
        status: SubscriptionStatus::Active,
        billing_interval: BillingInterval::Monthly,
        amount: 4900,
        currency: "eur".to_owned(),
        trial_start: None,
        trial_end: Some(datetime!(2026-12-01 00:00 UTC)),
        current_period_start: Some(datetime!(2026-11-01 00:00 UTC)),
        current_period_end: Some(datetime!(2026-12-01 00:00 UTC)),
        canceled_at: None,
        created_at: datetime!(2026-11-01 00:00 UTC),
        updated_at: datetime!(2026-11-01 00:00 UTC),
    }
}

pub(crate) fn invoice() -> Invoice {
    Invoice {
        id: InvoiceId(uuid!("0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d44")),
        user_id: USER,
        subscription_id: None,
        transaction_id: Some(transaction().id),
        stripe_invoice_id: Some("in_1".to_owned()),
        flasherp_invoice_id: None,
        origin: InvoiceOrigin::Upcoach,
        status: InvoiceStatus::Paid,
        amount: 1230,
        currency: "kwd".to_owned(),
        due_date: None,
        paid_at: Some(datetime!(2026-11-24 09:30 UTC)),
        created_at: datetime!(2026-11-20 10:00 UTC),
        updated_at: datetime!(2026-11-24 09:30 UTC),
    }
}

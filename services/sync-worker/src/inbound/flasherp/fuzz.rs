//! Fuzz target (`./justw fuzz`): whatever FlashERP's events say, reading and merging bears it, and hearing it twice changes nothing.

use std::collections::HashMap;

use domain::mapping::{Base, Field, FieldValue, Fields};
use domain::{EntityType, SourceSystem, SyncId};
use time::macros::datetime;
use uuid::Uuid;

use super::event::FlasherpEvent;
use super::ledger::{Invoice, Ledger, Rows, Sync, Transaction, User};
use super::merge::Policy;
use super::take::take;

const USER: Uuid = Uuid::from_u128(1);
const INVOICE: Uuid = Uuid::from_u128(2);
const TRANSACTION: Uuid = Uuid::from_u128(3);

fn sync(kind: EntityType, id: Uuid, target: &str) -> Sync {
    let sent = Fields::from([(Field::Name, FieldValue::text("Ada")), (Field::Status, FieldValue::text("open"))]);
    Sync {
        id: SyncId::of(SourceSystem::Upcoach, kind, id).as_uuid(),
        source_type: kind.as_str().to_owned(),
        source_id: id,
        target_id: Some(target.to_owned()),
        in_hand: false,
        base_payload: Some(Base::default().after_write(&sent, None)),
        target_created_at: None,
        target_updated_at: Some(datetime!(2026-11-24 12:00 UTC)),
    }
}

/// A user, an invoice and a pending transaction, all in step.
fn ledger() -> Ledger {
    let at = datetime!(2026-11-24 12:00 UTC);
    let user = User {
        id: USER,
        email: Some("ada@example.com".to_owned()),
        name: Some("Ada".to_owned()),
        stripe_customer_id: None,
        created_at: at,
        updated_at: at,
    };
    let invoice = Invoice {
        id: INVOICE,
        user_id: USER,
        subscription_id: None,
        transaction_id: Some(TRANSACTION),
        stripe_invoice_id: None,
        flasherp_invoice_id: Some("inv_1".to_owned()),
        origin: "flasherp".to_owned(),
        status: "open".to_owned(),
        amount: 12_345,
        currency: "kwd".to_owned(),
        due_date: None,
        paid_at: None,
        created_at: at,
        updated_at: at,
    };
    let transaction = Transaction {
        id: TRANSACTION,
        status: "pending".to_owned(),
        stripe_transaction_id: None,
        stripe_refund_id: None,
        failure_reason: None,
    };
    let syncs = [
        sync(EntityType::Customer, USER, "cust_1"),
        sync(EntityType::Invoice, INVOICE, "inv_1"),
        sync(EntityType::Transaction, TRANSACTION, "txn_1"),
    ];
    Ledger {
        policy: Policy::of(None),
        syncs: Rows::load(syncs, |row| row.id),
        users: Rows::load([user], |row| row.id),
        invoices: Rows::load([invoice], |row| row.id),
        transactions: Rows::load([transaction], |row| row.id),
        customers: HashMap::from([("cust_1".to_owned(), USER)]),
        disputes: Vec::new(),
        alerts: Vec::new(),
        pushes: Vec::new(),
        reconcile: Vec::new(),
    }
}

fn rows(ledger: &Ledger) -> String {
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", ledger.syncs, ledger.users, ledger.invoices, ledger.transactions)
}

#[test]
fn fuzz_flasherp_event() {
    let times = r#""createdAt":"2026-11-24T12:00:00.000Z","updatedAt":"2026-11-24T12:00:05.000Z""#;
    let named = format!(r#""metadata":{{"upcoachTransactionId":"{TRANSACTION}"}}"#);
    let examples = [
        format!(
            r#"{{"id":"e1","type":"customer.updated","timestamp":"2026-11-24T12:00:05.000Z","data":{{"id":"cust_1","upcoachReference":"{USER}","email":"ada@example.com","name":"Ada King",{times}}}}}"#
        ),
        format!(
            r#"{{"id":"e2","type":"invoice.updated","data":{{"id":"inv_1","customerId":"cust_1","amount":12.400,"currency":"KWD","status":"open","dueDate":"2026-12-01T00:00:00.000Z",{times}}}}}"#
        ),
        format!(
            r#"{{"id":"pull:invoice:inv_2:x","type":"invoice.paid","data":{{"id":"inv_2","customerId":"cust_1","amount":-0.10,"currency":"USD","status":"paid","paidAt":"2026-11-24T12:00:00Z",{named},{times}}}}}"#
        ),
        format!(
            r#"{{"id":"e4","type":"payment.failed","data":{{"id":"pay_1","transactionId":"txn_1","upcoachReference":"{TRANSACTION}","failureReason":"no funds"}}}}"#
        ),
        r#"{"id":"e5","type":"sync.completed","data":{"id":"job_1","status":"partial","total":3}}"#.to_owned(),
    ];
    let examples: Vec<&[u8]> = examples.iter().map(String::as_bytes).collect();
    fuzzing::run(&examples, |body| {
        let event = match FlasherpEvent::parse(body) {
            Ok(event) => event,
            Err(reason) => return assert!(!reason.is_empty()),
        };
        let mut ledger = ledger();
        take(&mut ledger, &event);
        let once = rows(&ledger);
        take(&mut ledger, &event);
        assert!(rows(&ledger) == once, "hearing it twice is hearing it once");
    });
}

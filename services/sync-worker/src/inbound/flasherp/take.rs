//! What becomes of each of FlashERP's events. Pure.

use domain::mapping::{self, Base, Field, FieldValue, Fields, Record};
use domain::upcoach::{self, InvoiceOrigin, InvoiceStatus, TransactionStatus};
use domain::{
    EntityType, FlashErpId, InvoiceId, Money, SourceSystem, SubscriptionId, SyncId, TransactionId, UserId,
    flasherp_uuid,
};
use events::AlertKind;
use serde_json::json;
use time::OffsetDateTime;
use uuid::Uuid;

use super::event::{FlasherpEvent, PaymentFailed, What, reference};
use super::ledger::{Dispute, Invoice, Ledger, Sync, User};
use super::merge::{Conflict, Merged, Ours, Winner, merge};
use crate::inbound::stripe::books::Alert;
use crate::inbound::stripe::fold::Outcome;
use crate::inbound::stripe::keys::{self, WaitKeys};

/// The fields of an invoice that are Stripe's where Stripe made it.
const OF_MONEY: &[Field] = &[Field::Status, Field::Amount, Field::Currency];

/// Takes a batch in, in the order in which FlashERP's records changed.
pub(crate) fn take_all(ledger: &mut Ledger, events: &[&FlasherpEvent]) -> Vec<Outcome> {
    let changed = |event: &FlasherpEvent| match &event.what {
        What::Record { record, .. } => Some(record.updated_at),
        What::PaymentFailed(_) | What::BulkJob(_) | What::Other => None,
    };
    let mut order: Vec<usize> = (0..events.len()).collect();
    order.sort_by_key(|index| changed(events[*index]));
    let mut outcomes = vec![Outcome::Ignored; events.len()];
    for index in order {
        outcomes[index] = take(ledger, events[index]);
    }
    outcomes
}

/// Takes an event in.
pub(crate) fn take(ledger: &mut Ledger, event: &FlasherpEvent) -> Outcome {
    match &event.what {
        What::Record { kind, paid, record } => {
            let outcome = self::record(ledger, event, *kind, record);
            if let (true, Outcome::Applied(_)) = (*paid, &outcome) {
                paid_transaction(ledger, event, record);
            }
            outcome
        }
        What::PaymentFailed(failed) => payment_failed(ledger, event, failed),
        What::BulkJob(job) => {
            if job.status != "success" {
                ledger.reconcile.push(event.id.clone());
            }
            Outcome::nothing()
        }
        What::Other => Outcome::Ignored,
    }
}

fn record(ledger: &mut Ledger, event: &FlasherpEvent, kind: EntityType, record: &Record) -> Outcome {
    let ours = reference(record.reference());
    let Some(sync) = ledger.sync_of(kind, record.id.as_str(), ours).cloned() else {
        return match (kind, ours) {
            // Ours, and it has no sync row yet: a change of it makes one, which looks FlashERP's record up.
            (EntityType::Customer, Some(id)) if ledger.users.get(id).is_some() => {
                ledger.pushes.push((kind, id));
                Outcome::applied([(kind, id)])
            }
            (EntityType::Invoice, Some(id)) if ledger.invoices.get(id).is_some() => {
                ledger.pushes.push((kind, id));
                Outcome::applied([(kind, id)])
            }
            (EntityType::Invoice, _) => born(ledger, record),
            (_, ours) => Outcome::Parked(WaitKeys {
                first: keys::flasherp_customer(record.id.as_str()),
                other: ours.map(keys::user),
            }),
        };
    };
    if sync.in_hand {
        return Outcome::Parked(keys::sync(sync.id).into());
    }
    if sync.target_id.as_deref().is_some_and(|target| target != record.id.as_str()) {
        // A second record with our reference: nothing of it is ours until a person has decided which is to stay.
        ledger.alerts.push(Alert {
            kind: AlertKind::Duplicate,
            about: format!("{kind}:{}", sync.source_id),
            message: format!("FlashERP tells of a second {kind} with the reference of one that we know"),
            details: json!({"entityType": kind, "entityId": sync.source_id, "targetId": sync.target_id, "otherId": record.id.as_str()}),
        });
        return Outcome::nothing();
    }
    if let Some(known) = sync.target_updated_at {
        let is_echo = record.updated_at == known && !event.is_pulled();
        if is_echo || (record.updated_at < known && event.is_pulled()) {
            return Outcome::applied([(kind, sync.source_id)]);
        }
        if record.updated_at < known {
            return Outcome::Parked(keys::pull(kind, record.id.as_str()).into());
        }
    }
    let merged = match kind {
        EntityType::Customer => customer(ledger, &sync, record),
        _ => invoice(ledger, &sync, record),
    };
    match merged {
        Ok(merged) => {
            settle(ledger, event, kind, sync, record, merged);
            Outcome::applied([(kind, record_id(ledger, kind, record))])
        }
        Err(reason) => Outcome::invalid(reason),
    }
}

fn record_id(ledger: &Ledger, kind: EntityType, record: &Record) -> Uuid {
    let sync = ledger.sync_of(kind, record.id.as_str(), reference(record.reference()));
    sync.map_or_else(|| flasherp_uuid(kind, &record.id), |sync| sync.source_id)
}

/// Writes what the merge says of the sync, the conflicts and what has to be sent.
fn settle(ledger: &mut Ledger, event: &FlasherpEvent, kind: EntityType, sync: Sync, record: &Record, merged: Merged) {
    let entity = (kind, sync.source_id);
    let by_stripe = merged.conflicts.iter().any(|conflict| conflict.winner == Winner::Stripe);
    if by_stripe {
        let fields: Vec<&str> = merged
            .conflicts
            .iter()
            .filter(|conflict| conflict.winner == Winner::Stripe)
            .map(|conflict| conflict.field.as_str())
            .collect();
        conflict_alert(ledger, entity, &fields);
    }
    if merged.push {
        ledger.pushes.push(entity);
    }
    ledger.disputes.extend(merged.conflicts.into_iter().map(|conflict| Dispute {
        event: event.id.clone(),
        entity,
        sync: Some(sync.id),
        conflict,
    }));
    let id = sync.id;
    ledger.syncs.set(
        id,
        Sync {
            target_id: Some(record.id.as_str().to_owned()),
            base_payload: Some(merged.base),
            target_created_at: Some(sync.target_created_at.unwrap_or(record.created_at)),
            target_updated_at: Some(record.updated_at),
            ..sync
        },
    );
}

fn conflict_alert(ledger: &mut Ledger, (kind, id): (EntityType, Uuid), fields: &[&str]) {
    ledger.alerts.push(Alert {
        kind: AlertKind::SyncConflict,
        about: format!("{kind}:{id}"),
        message: format!("FlashERP contradicts Stripe on a {kind}: {}", fields.join(", ")),
        details: json!({"code": "SYNC_CONFLICT", "entityType": kind, "entityId": id, "fields": fields}),
    });
}

fn customer(ledger: &mut Ledger, sync: &Sync, record: &Record) -> Result<Merged, String> {
    let base = sync.base_payload.clone().unwrap_or_default();
    // Gone from UpCoach: outbound says so.
    let Some(mut user) = ledger.users.get(sync.source_id).cloned() else {
        return Ok(Merged { base, ..Merged::default() });
    };
    // One that can't be mapped (no e-mail) has nothing to hold against FlashERP's.
    let wanted = mapping::customer(&domain_user(&user)).unwrap_or_default();
    let open = mapping::open_to_flasherp(EntityType::Customer, false);
    let ours = Ours { wanted: &wanted, updated_at: user.updated_at, base: &base, open, stripes: &[] };
    let merged = merge(&ours, record, ledger.policy);
    if let Some(name) = text_of(&merged.taken, Field::Name)? {
        user.name = Some(name.to_owned());
    }
    if let Some(email) = text_of(&merged.taken, Field::Email)? {
        user.email = Some(email.to_owned());
    }
    ledger.users.set(user.id, user);
    Ok(merged)
}

fn invoice(ledger: &mut Ledger, sync: &Sync, record: &Record) -> Result<Merged, String> {
    let base = sync.base_payload.clone().unwrap_or_default();
    let Some(mut invoice) = ledger.invoices.get(sync.source_id).cloned() else {
        return Ok(Merged { base, ..Merged::default() });
    };
    let customer = ledger.customer_of(invoice.user_id).and_then(|id| FlashErpId::new(id).ok());
    let wanted =
        customer.and_then(|customer| mapping::invoice(&domain_invoice(&invoice), &customer).ok()).unwrap_or_default();
    let is_stripes = invoice.stripe_invoice_id.is_some();
    let open = mapping::open_to_flasherp(EntityType::Invoice, is_stripes);
    let stripes = if is_stripes { OF_MONEY } else { &[] };
    let ours = Ours { wanted: &wanted, updated_at: invoice.updated_at, base: &base, open, stripes };
    let merged = merge(&ours, record, ledger.policy);
    write(&mut invoice, &merged.taken)?;
    if invoice.flasherp_invoice_id.is_none() {
        invoice.flasherp_invoice_id = Some(record.id.as_str().to_owned());
    }
    ledger.invoices.set(invoice.id, invoice);
    Ok(merged)
}

/// A field's text, if it was taken.
///
/// # Errors
/// Something else than text.
fn text_of(taken: &Fields, field: Field) -> Result<Option<&str>, String> {
    let Some(value) = taken.get(&field) else { return Ok(None) };
    value.as_text().map(Some).ok_or_else(|| format!("{field}: not text"))
}

/// A field's time, if it was taken.
///
/// # Errors
/// Something else than a time.
fn time_of(taken: &Fields, field: Field) -> Result<Option<OffsetDateTime>, String> {
    match taken.get(&field) {
        None => Ok(None),
        Some(FieldValue::Time(at)) => Ok(Some(*at)),
        Some(_) => Err(format!("{field}: not a time")),
    }
}

/// Writes FlashERP's fields into an invoice.
///
/// # Errors
/// A status that is none, an amount that is none in its currency, a value of another type than its field's.
fn write(invoice: &mut Invoice, taken: &Fields) -> Result<(), String> {
    if let Some(status) = taken.get(&Field::Status) {
        let status = status.as_text().and_then(|text| text.parse::<InvoiceStatus>().ok());
        status.ok_or("status: not that of an invoice")?.as_str().clone_into(&mut invoice.status);
    }
    if let Some(currency) = text_of(taken, Field::Currency)? {
        invoice.currency = currency.to_ascii_lowercase();
    }
    if let Some(amount) = taken.get(&Field::Amount) {
        let FieldValue::Decimal(amount) = amount else { return Err("amount: not a number".to_owned()) };
        let money = Money::from_decimal(amount.as_str(), &invoice.currency).and_then(Money::to_stripe);
        invoice.amount = money.map_err(|error| format!("amount: {error}"))?;
    }
    invoice.due_date = time_of(taken, Field::DueDate)?.or(invoice.due_date);
    invoice.paid_at = time_of(taken, Field::PaidAt)?.or(invoice.paid_at);
    Ok(())
}

/// An invoice that finance made in FlashERP: a row of ours, and its sync row under our id, so that it is never sent back as new.
fn born(ledger: &mut Ledger, record: &Record) -> Outcome {
    let Some(target) = record.text(Field::CustomerId) else { return Outcome::invalid("customerId: missing") };
    let Some(user) = ledger.customers.get(target).copied() else {
        return Outcome::Parked(keys::flasherp_customer(target).into());
    };
    let transaction = transaction_named(record).filter(|id| ledger.transactions.get(*id).is_some());
    let id = flasherp_uuid(EntityType::Invoice, &record.id);
    let mut invoice = Invoice {
        id,
        user_id: user,
        subscription_id: None,
        transaction_id: transaction,
        stripe_invoice_id: None,
        flasherp_invoice_id: Some(record.id.as_str().to_owned()),
        origin: InvoiceOrigin::Flasherp.as_str().to_owned(),
        status: InvoiceStatus::Draft.as_str().to_owned(),
        amount: 0,
        currency: String::new(),
        due_date: None,
        paid_at: None,
        created_at: record.created_at,
        updated_at: record.updated_at,
    };
    if !matches!(record.money(), Some(Ok(_))) {
        return Outcome::invalid("amount: none in its currency");
    }
    if let Err(reason) = write(&mut invoice, &record.fields) {
        return Outcome::invalid(reason);
    }
    let wanted =
        FlashErpId::new(target).ok().and_then(|customer| mapping::invoice(&domain_invoice(&invoice), &customer).ok());
    let sync = Sync {
        id: SyncId::of(SourceSystem::Upcoach, EntityType::Invoice, id).as_uuid(),
        source_type: EntityType::Invoice.as_str().to_owned(),
        source_id: id,
        target_id: Some(record.id.as_str().to_owned()),
        in_hand: false,
        base_payload: Some(Base::default().after_write(&wanted.unwrap_or_default(), Some(record))),
        target_created_at: Some(record.created_at),
        target_updated_at: Some(record.updated_at),
    };
    ledger.syncs.set(sync.id, sync);
    ledger.invoices.set(id, invoice);
    Outcome::applied([(EntityType::Invoice, id)])
}

/// The transaction that a record's metadata names.
pub(crate) fn transaction_named(record: &Record) -> Option<Uuid> {
    match record.get(Field::Metadata)? {
        FieldValue::Object(members) => match members.get("upcoachTransactionId")? {
            mapping::Json::Text(id) => id.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}

/// A paid invoice completes the pending transaction that it names, unless Stripe decides of it.
fn paid_transaction(ledger: &mut Ledger, event: &FlasherpEvent, record: &Record) {
    let named = transaction_named(record).and_then(|id| ledger.transactions.get(id)).cloned();
    let Some(mut transaction) = named else { return };
    let completed = TransactionStatus::Completed.as_str();
    match (transaction.status.as_str(), transaction.is_stripes()) {
        (status, _) if is_paid(status) => {}
        ("pending", false) => {
            transaction.status = completed.to_owned();
            ledger.transactions.set(transaction.id, transaction);
        }
        _ => contradicted(ledger, event, &transaction, completed),
    }
}

fn is_paid(status: &str) -> bool {
    [TransactionStatus::Completed, TransactionStatus::Refunded, TransactionStatus::PartiallyRefunded]
        .iter()
        .any(|paid| paid.as_str() == status)
}

fn payment_failed(ledger: &mut Ledger, event: &FlasherpEvent, failed: &PaymentFailed) -> Outcome {
    let kind = EntityType::Transaction;
    let (target, ours) =
        (failed.transaction_id.as_ref().map(FlashErpId::as_str), reference(failed.upcoach_reference.as_deref()));
    let sync = ledger.sync_of(kind, target.unwrap_or_default(), ours).cloned();
    if let Some(sync) = sync.as_ref().filter(|sync| sync.in_hand) {
        return Outcome::Parked(keys::sync(sync.id).into());
    }
    let id = sync.map(|sync| sync.source_id).or(ours);
    let Some(mut transaction) = id.and_then(|id| ledger.transactions.get(id)).cloned() else {
        let (by_target, by_reference) = (target.map(keys::flasherp_transaction), ours.map(keys::transaction));
        let Some(first) = by_target.clone().or(by_reference.clone()) else {
            return Outcome::invalid("it names no transaction");
        };
        return Outcome::Parked(WaitKeys { first, other: by_reference.filter(|_| by_target.is_some()) });
    };
    let word = TransactionStatus::Failed.as_str();
    match (transaction.status.as_str(), transaction.is_stripes()) {
        ("failed", _) => {}
        ("pending", false) => {
            transaction.status = word.to_owned();
            transaction.failure_reason = Some(failed.failure_reason.clone().unwrap_or_else(|| "not told".to_owned()));
            ledger.transactions.set(transaction.id, transaction.clone());
            ledger.alerts.push(Alert {
                kind: AlertKind::PaymentFailed,
                about: transaction.id.to_string(),
                message: "FlashERP tells that a payment failed".to_owned(),
                details: json!({"transactionId": transaction.id, "targetId": target}),
            });
        }
        _ => contradicted(ledger, event, &transaction, word),
    }
    Outcome::applied([(kind, transaction.id)])
}

/// FlashERP's word on a status that is not its to set.
fn contradicted(ledger: &mut Ledger, event: &FlasherpEvent, transaction: &super::ledger::Transaction, word: &str) {
    let entity = (EntityType::Transaction, transaction.id);
    conflict_alert(ledger, entity, &["status"]);
    ledger.disputes.push(Dispute {
        event: event.id.clone(),
        entity,
        sync: Some(SyncId::of(SourceSystem::Upcoach, EntityType::Transaction, transaction.id).as_uuid()),
        conflict: Conflict {
            field: Field::Status,
            upcoach: Some(FieldValue::text(transaction.status.as_str())),
            flasherp: FieldValue::text(word),
            winner: if transaction.is_stripes() { Winner::Stripe } else { Winner::Upcoach },
        },
    });
}

fn domain_user(user: &User) -> upcoach::User {
    upcoach::User {
        id: UserId(user.id),
        email: user.email.clone(),
        name: user.name.clone(),
        stripe_customer_id: user.stripe_customer_id.clone(),
        created_at: user.created_at,
        updated_at: user.updated_at,
    }
}

fn domain_invoice(invoice: &Invoice) -> upcoach::Invoice {
    upcoach::Invoice {
        id: InvoiceId(invoice.id),
        user_id: UserId(invoice.user_id),
        subscription_id: invoice.subscription_id.map(SubscriptionId),
        transaction_id: invoice.transaction_id.map(TransactionId),
        stripe_invoice_id: invoice.stripe_invoice_id.clone(),
        flasherp_invoice_id: invoice.flasherp_invoice_id.as_deref().and_then(|id| FlashErpId::new(id).ok()),
        origin: if invoice.is_flasherps() { InvoiceOrigin::Flasherp } else { InvoiceOrigin::Upcoach },
        status: invoice.status.parse().unwrap_or(InvoiceStatus::Draft),
        amount: invoice.amount,
        currency: invoice.currency.clone(),
        due_date: invoice.due_date,
        paid_at: invoice.paid_at,
        created_at: invoice.created_at,
        updated_at: invoice.updated_at,
    }
}

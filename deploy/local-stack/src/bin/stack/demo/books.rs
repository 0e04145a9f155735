//! Comparing the books: what Stripe has told of, and what FlashERP holds, record by record.

use std::collections::BTreeMap;

use domain::Money;

use super::acts::{Played, Stage, words};
use super::ledger::Payment;
use super::sandbox::Record;

/// What the comparison found.
#[derive(Debug, Default)]
pub(crate) struct Books {
    /// Events in our database, each once.
    pub(crate) events: i64,
    /// Payments that FlashERP holds exactly once, with their amount.
    pub(crate) right: u64,
    /// Payments to be there.
    pub(crate) expected: u64,
    /// References that FlashERP holds more than once, of any type.
    pub(crate) duplicates: u64,
    /// What is not as it should be, a line each.
    pub(crate) wrong: Vec<String>,
    /// Customers in FlashERP.
    pub(crate) customers: usize,
    /// Per currency: what Stripe told, and what FlashERP holds of that.
    pub(crate) totals: BTreeMap<&'static str, (Money, Money)>,
    /// Milliseconds from webhook to FlashERP, sorted: of payments that came in order, and of the crowd.
    pub(crate) steady: Vec<i128>,
    pub(crate) crowd: Vec<i128>,
}

impl Books {
    /// Is everything there exactly once?
    pub(crate) fn is_right(&self) -> bool {
        self.wrong.is_empty() && self.duplicates == 0 && self.right == self.expected
    }
}

/// Compares.
pub(crate) async fn compare(stage: &mut Stage, played: &Played) -> anyhow::Result<Books> {
    let open = stage.ledger.under_way(played.since).await?;
    let payments = stage.ledger.payments(played.since).await?;
    let (transactions, customers) =
        (stage.sandbox.records("transactions").await?, stage.sandbox.records("customers").await?);
    let mut books = Books {
        events: open.events,
        expected: played.sends.iter().map(|send| send.payments).sum(),
        customers: customers.len(),
        ..Books::default()
    };
    let by_reference = by_reference(&transactions);
    let doubled = |records: &BTreeMap<&str, Vec<&Record>>| records.values().filter(|records| records.len() > 1).count();
    let duplicates = doubled(&by_reference) + doubled(&self::by_reference(&customers));
    books.duplicates = u64::try_from(duplicates).unwrap_or(u64::MAX);
    for payment in &payments {
        books.check(payment, &by_reference);
        if let Some(created) = payment.target_created_at {
            let took = (created - payment.received_at).whole_milliseconds().max(0);
            if payment.received_at < played.crowd_since { books.steady.push(took) } else { books.crowd.push(took) }
        }
    }
    let told = u64::try_from(payments.len()).unwrap_or(u64::MAX);
    if told != books.expected {
        books.wrong.push(format!("{} payments were sent, {told} are in our database", books.expected));
    }
    if open.unsettled > 0 {
        books.wrong.push(format!("{} events are not applied", open.unsettled));
    }
    for send in &played.sends {
        if send.failed > 0 {
            let why = send.last_error.as_deref().unwrap_or("no reason is known");
            books.wrong.push(format!("{} events were never accepted: {why}", send.failed));
        }
    }
    books.steady.sort_unstable();
    books.crowd.sort_unstable();
    Ok(books)
}

impl Books {
    fn check(&mut self, payment: &Payment, transactions: &BTreeMap<&str, Vec<&Record>>) {
        let reference = payment.transaction_id.map(|id| id.to_string()).unwrap_or_default();
        let records = transactions.get(reference.as_str()).map(Vec::as_slice).unwrap_or_default();
        let ours = payment
            .amount
            .zip(payment.currency.as_deref())
            .and_then(|(amount, code)| Money::from_stripe(amount, code).ok());
        let theirs = records.first().and_then(|record| money(record));
        if let Some(ours) = ours {
            self.add(ours, records);
        }
        match (records, ours, theirs) {
            ([_], Some(ours), Some(theirs)) => {
                if ours == theirs {
                    self.right += 1;
                } else {
                    self.wrong.push(format!(
                        "{}: Stripe says {}, FlashERP {}",
                        payment.stripe_id,
                        words(ours),
                        words(theirs)
                    ));
                }
            }
            ([], _, _) => {
                let sync = payment.sync_status.as_deref().unwrap_or("not asked for");
                let error = payment.sync_error.as_deref().unwrap_or("no error");
                let event = &payment.event_status;
                self.wrong
                    .push(format!("{} is not in FlashERP: event {event}, sync {sync}, {error}", payment.stripe_id));
            }
            ([_], _, _) => self.wrong.push(format!("{} has no readable amount", payment.stripe_id)),
            (several, _, _) => {
                let ids: Vec<&str> = several.iter().map(|record| record.id.as_str()).collect();
                self.wrong.push(format!(
                    "{} is in FlashERP {} times: {}",
                    payment.stripe_id,
                    ids.len(),
                    ids.join(", ")
                ));
            }
        }
    }

    fn add(&mut self, ours: Money, records: &[&Record]) {
        let theirs: i64 = records.iter().filter_map(|record| money(record)).map(Money::minor).sum();
        let (stripe, flasherp) =
            self.totals.get(ours.code()).map_or((0, 0), |(one, other)| (one.minor(), other.minor()));
        let sums = (
            Money::from_minor(stripe + ours.minor(), ours.currency()),
            Money::from_minor(flasherp + theirs, ours.currency()),
        );
        if let (Ok(stripe), Ok(flasherp)) = sums {
            self.totals.insert(ours.code(), (stripe, flasherp));
        }
    }
}

fn by_reference(records: &[Record]) -> BTreeMap<&str, Vec<&Record>> {
    let mut by_reference: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        by_reference.entry(&record.upcoach_reference).or_default().push(record);
    }
    by_reference
}

fn money(record: &Record) -> Option<Money> {
    Money::from_decimal(record.amount.as_ref()?.get(), record.currency.as_deref()?).ok()
}

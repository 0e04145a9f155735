//! What is shown: one payment step by step, a steady stream, a crowd in any order.

use std::time::Duration;

use anyhow::{Context as _, bail};
use domain::Money;
use local_stack::stack::Stack;
use local_stack::wait;
use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::ledger::{Ledger, Open, Payment};
use super::sandbox::{Order, Progress, Sandbox};
use crate::say::say;

/// What the acts play with.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) ledger: Ledger,
    pub(crate) sandbox: Sandbox,
}

/// What was sent, act by act.
#[derive(Debug)]
pub(crate) struct Played {
    /// The database's time before the first event.
    pub(crate) since: OffsetDateTime,
    /// The database's time before the crowd: whatever came earlier came in order.
    pub(crate) crowd_since: OffsetDateTime,
    /// What the sandbox says of each act.
    pub(crate) sends: Vec<Progress>,
}

/// A step of the first act, and the whole of each other one, must be over in this time.
const PATIENCE: Duration = Duration::from_secs(120);
const STEADY: u32 = 100;
const CROWD: u32 = 100;

impl Stage {
    pub(crate) async fn of(stack: &Stack) -> anyhow::Result<Self> {
        let url = |name| stack.env(name).with_context(|| format!("the stack has no {name}"));
        let ledger = Ledger::open(url("DATABASE_URL")?).await?;
        Ok(Self { ledger, sandbox: Sandbox::at(url("SANDBOX_URL")?)? })
    }
}

/// All three acts.
pub(crate) async fn play(stage: &mut Stage) -> anyhow::Result<Played> {
    let since = stage.ledger.now().await?;
    let mut sends = vec![one_payment(stage, since).await?];

    say("");
    say(&format!(
        "2. {STEADY} customers pay, one after the other, in four currencies. One event in ten is told twice."
    ));
    let order = Order { count: STEADY, rate_per_second: 60, duplicate_rate: share("0.1")?, ..usual_order()? };
    sends.push(many(stage, &order, since, &sends).await?);

    say("");
    say(&format!(
        "3. {CROWD} customers pay at once. The events come in any order, a payment often before its customer (it waits for"
    ));
    say("   it), and one in three is told twice.");
    let crowd_since = stage.ledger.now().await?;
    let order =
        Order { count: CROWD, shuffle: true, duplicate_rate: share("0.33")?, concurrency: 16, ..usual_order()? };
    sends.push(many(stage, &order, since, &sends).await?);
    Ok(Played { since, crowd_since, sends })
}

async fn one_payment(stage: &mut Stage, since: OffsetDateTime) -> anyhow::Result<Progress> {
    say("");
    say("1. A customer pays, and Stripe tells it by webhook.");
    let order = Order { concurrency: 1, update_every: 0, currencies: vec!["usd".to_owned()], ..usual_order()? };
    let send = stage.sandbox.send(&order).await?;
    let payment = first_payment(stage, since, |_| true).await?;
    say(&format!("   Stripe     sent payment {}; it is stored, and Stripe has its 200", payment.stripe_id));
    let payment = first_payment(stage, since, |payment| payment.transaction_id.is_some()).await?;
    let customer = payment.customer.clone().unwrap_or_else(|| "a customer".to_owned());
    let id = payment.transaction_id.map(|id| id.to_string()).unwrap_or_default();
    say(&format!(
        "   UpCoach    {customer} has paid {}: transaction {id}{}",
        amount(&payment),
        after(&payment, payment.applied_at)
    ));
    let payment = first_payment(stage, since, |payment| payment.target_created_at.is_some()).await?;
    let target = payment.target_id.clone().unwrap_or_default();
    say(&format!("   FlashERP   has it as {target}{}", after(&payment, payment.target_created_at)));
    settled(stage, &send, since, 0).await
}

async fn many(
    stage: &mut Stage,
    order: &Order,
    since: OffsetDateTime,
    before: &[Progress],
) -> anyhow::Result<Progress> {
    let send = stage.sandbox.send(order).await?;
    let before = before.iter().map(|send| send.payments).sum();
    settled(stage, &send, since, before).await
}

/// Waits until everything that was sent is applied and synced, telling how far it is. What is still open when nothing
/// has moved for two minutes is left to the comparison.
async fn settled(stage: &mut Stage, send: &Progress, since: OffsetDateTime, before: u64) -> anyhow::Result<Progress> {
    let mut rounds = tokio::time::interval(Duration::from_millis(250));
    let (mut told, mut moved, mut last) = (tokio::time::Instant::now(), tokio::time::Instant::now(), String::new());
    loop {
        rounds.tick().await;
        let progress = stage.sandbox.progress(send.id).await?;
        let open = stage.ledger.under_way(since).await?;
        let payments = stage.ledger.payments(since).await?;
        let synced = u64::try_from(payments.iter().filter(|payment| is_synced(payment)).count()).unwrap_or(u64::MAX);
        let over = progress.done && is_quiet(open) && synced >= before + send.payments;
        let (now, here) = (tokio::time::Instant::now(), synced.saturating_sub(before));
        let line = format!(
            "   {} of {} events sent, {here} of {} payments are in FlashERP",
            progress.accepted, progress.events, send.payments
        );
        if send.payments > 1 && line != last && (over || now - told >= Duration::from_secs(1)) {
            say(&line);
            told = now;
        }
        if line != last {
            (moved, last) = (now, line);
        }
        if over || now - moved > PATIENCE {
            return Ok(progress);
        }
    }
}

fn is_synced(payment: &Payment) -> bool {
    payment.sync_status.as_deref() == Some("synced") && payment.target_id.is_some()
}

fn is_quiet(open: Open) -> bool {
    open.unsettled == 0 && open.syncs == 0
}

async fn first_payment(
    stage: &mut Stage,
    since: OffsetDateTime,
    far_enough: impl Fn(&Payment) -> bool,
) -> anyhow::Result<Payment> {
    let stage = Mutex::new(stage);
    let found = wait::until_some(PATIENCE, "the first payment to go on", || async {
        match stage.lock().await.ledger.payments(since).await {
            Ok(payments) => payments.into_iter().find(&far_enough).map(Ok),
            Err(error) => Some(Err(error)),
        }
    });
    match found.await {
        Ok(found) => found,
        Err(late) => bail!("{late}; `./justw logs` may say why"),
    }
}

fn usual_order() -> anyhow::Result<Order> {
    Ok(Order {
        count: 1,
        concurrency: 8,
        duplicate_rate: share("0")?,
        currencies: ["usd", "eur", "jpy", "kwd"].map(str::to_owned).to_vec(),
        deadline_secs: PATIENCE.as_secs(),
        rate_per_second: 0,
        shuffle: false,
        update_every: 4,
    })
}

/// A decimal number as JSON has it.
fn share(text: &str) -> anyhow::Result<serde_json::Number> {
    text.parse().context("a share is a decimal number")
}

/// `10.99 USD` for the payment.
fn amount(payment: &Payment) -> String {
    let (Some(amount), Some(currency)) = (payment.amount, &payment.currency) else { return "an amount".to_owned() };
    Money::from_stripe(amount, currency).map_or_else(|error| error.to_string(), words)
}

/// `10.99 USD`
pub(crate) fn words(money: Money) -> String {
    format!("{} {}", money.to_decimal(), money.code())
}

/// How long after the webhook.
fn after(payment: &Payment, then: Option<OffsetDateTime>) -> String {
    then.map_or_else(String::new, |then| {
        format!(" ({} ms after the webhook)", (then - payment.received_at).whole_milliseconds().max(0))
    })
}

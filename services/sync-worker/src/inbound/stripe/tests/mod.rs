//! The fold alone, over books that are never loaded or saved: any order, doubled, both shapes.

mod fuzz;
mod lives;
mod orders;
mod plans;
mod single;
#[path = "../../../../tests/inbound/stories.rs"]
pub(super) mod stories;

use serde_json::Value;
use webhooks::stripe::{self, StripeEvent};

use super::books::Books;
use super::fold::{Outcome, Rules, fold};

pub(super) fn parse(event: &Value) -> StripeEvent {
    stripe::parse(event.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {event}"))
}

/// The system without its database: events come one by one, what is parked is woken by what it waits for.
#[derive(Default)]
pub(super) struct System {
    pub(super) books: Books,
    pub(super) rules: Rules,
    parked: Vec<StripeEvent>,
}

impl System {
    pub(super) fn take(&mut self, event: &StripeEvent) -> Outcome {
        let outcome = fold(&mut self.books, &[event], &self.rules).remove(0);
        if matches!(outcome, Outcome::Parked(_)) {
            self.parked.push(event.clone());
        }
        self.wake();
        outcome
    }

    fn wake(&mut self) {
        loop {
            let waiting = std::mem::take(&mut self.parked);
            let before = waiting.len();
            for event in waiting {
                if matches!(fold(&mut self.books, &[&event], &self.rules).remove(0), Outcome::Parked(_)) {
                    self.parked.push(event);
                }
            }
            if self.parked.len() == before {
                return;
            }
        }
    }

    /// How many events wait.
    pub(super) fn waiting(&self) -> usize {
        self.parked.len()
    }

    /// All rows, as text to compare.
    pub(super) fn end(&self) -> String {
        assert_eq!(self.waiting(), 0, "something is still parked");
        format!(
            "{:#?}\n{:#?}\n{:#?}\n{:#?}",
            self.books.users.made(),
            self.books.subscriptions.made(),
            self.books.invoices.made(),
            self.books.transactions.made(),
        )
    }
}

/// Where these events end, in this order.
pub(super) fn system_after<'a>(events: impl IntoIterator<Item = &'a StripeEvent>) -> System {
    let mut system = System::default();
    for event in events {
        system.take(event);
    }
    system
}

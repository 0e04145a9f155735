//! The last words of the demonstration.

use super::acts::{Played, words};
use super::books::Books;
use crate::say::say;

/// More lines than this of what is wrong say nothing new.
const LINES: usize = 20;

/// Tells what was found.
pub(crate) fn tell(played: &Played, books: &Books) {
    let total = |of: fn(&super::sandbox::Progress) -> u64| played.sends.iter().map(of).sum::<u64>();
    say("");
    say("Summary");
    row("Stripe customers, payments", &format!("{}, {}", total(|send| send.stories), total(|send| send.payments)));
    row("webhooks sent, of these repeats", &format!("{}, {}", total(|send| send.events), total(|send| send.repeats)));
    row("events in, each stored once", &books.events.to_string());
    row("transactions in FlashERP, as told", &format!("{} of {}", books.right, books.expected));
    row("customers in FlashERP", &books.customers.to_string());
    row("duplicates in FlashERP", &books.duplicates.to_string());
    row("webhook to FlashERP, in order", &times(&books.steady));
    row(
        "webhook to FlashERP, in any order",
        &format!("{} (with waiting for the customer's event)", times(&books.crowd)),
    );
    for (stripe, flasherp) in books.totals.values() {
        let verdict = if stripe == flasherp { "the same" } else { "NOT the same" };
        row("Stripe and FlashERP hold", &format!("{} and {}, {verdict}", words(*stripe), words(*flasherp)));
    }
    for line in books.wrong.iter().take(LINES) {
        say(&format!("  ! {line}"));
    }
    if books.wrong.len() > LINES {
        say(&format!("  ! and {} more", books.wrong.len() - LINES));
    }
    say(if books.is_right() { "Everything arrived exactly once." } else { "NOT everything arrived exactly once." });
}

fn row(name: &str, value: &str) {
    say(&format!("  {name:<34} {value}"));
}

/// Median and 99th percentile of sorted milliseconds.
fn times(sorted: &[i128]) -> String {
    let at = |percent: usize| sorted.get((sorted.len() * percent).div_ceil(100).saturating_sub(1));
    match (at(50), at(99)) {
        (Some(median), Some(p99)) => format!("median {median} ms, p99 {p99} ms"),
        _ => "nothing to measure".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_p99_are_values_that_were_measured() {
        let hundred: Vec<i128> = (1..=100).collect();
        assert_eq!(times(&hundred), "median 50 ms, p99 99 ms");
        assert_eq!(times(&[7]), "median 7 ms, p99 7 ms");
        assert_eq!(times(&[]), "nothing to measure");
    }
}

//! Holds what schedulers have fired of a job against the times at which it was due.

use domain::instant::text;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

/// Looks after which what could begin has begun: whoever looked first may have come while the run before was being ended, or while the row was still held
/// by one that was killed.
const LOOKS: usize = 3;

/// A firing.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) scheduled_for: OffsetDateTime,
    pub(crate) status: String,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) finished_at: Option<OffsetDateTime>,
}

impl Row {
    /// Whether it is the firing of this time: its own, or one of those that passed until it began, which it makes up for all at once.
    fn is_of(&self, time: OffsetDateTime) -> bool {
        self.scheduled_for <= time && time <= self.started_at
    }
}

/// What is wrong: none missing, none double, one make-up for all that was missed, none late, no run beside another, and after a run that was lost one
/// that takes its place. `due`: all times, in order; those after `until` need not be fired yet. `rows`: all firings, by their beginning. `looks`: when some
/// scheduler has looked, in order.
pub(crate) fn complaints(
    due: &[OffsetDateTime],
    until: OffsetDateTime,
    rows: &[Row],
    looks: &[OffsetDateTime],
) -> Vec<String> {
    let mut wrong = Vec::new();
    for time in due {
        match rows.iter().filter(|row| row.is_of(*time)).count() {
            1 => {}
            0 if *time > until => {}
            0 => wrong.push(format!("{} is missing", text(*time))),
            times => wrong.push(format!("{} was fired {times} times", text(*time))),
        }
    }
    let mut before: Option<&Row> = None;
    for row in rows {
        // Since when it could have begun: it was due, and the one before was over.
        let mut possible = row.scheduled_for;
        if let Some(before) = before {
            match before.finished_at {
                Some(ended) if ended <= row.started_at => possible = possible.max(ended),
                _ => wrong.push(format!("two ran at once at {}", text(row.started_at))),
            }
        }
        let takes_a_place =
            before.is_some_and(|before| before.status == "abandoned" && before.finished_at == Some(row.scheduled_for));
        if !due.contains(&row.scheduled_for) && !takes_a_place {
            wrong.push(format!("nothing was due at {}", text(row.scheduled_for)));
        }
        if row.started_at < row.scheduled_for {
            wrong.push(format!(
                "what was due at {} began before, at {}",
                text(row.scheduled_for),
                text(row.started_at)
            ));
        }
        if let Some(last) = looks.iter().filter(|look| **look > possible).nth(LOOKS - 1)
            && row.started_at > *last
        {
            wrong.push(format!("what was due at {} began late, at {}", text(row.scheduled_for), text(row.started_at)));
        }
        before = Some(row);
    }
    for pair in rows.windows(2) {
        if let [lost, next] = pair
            && lost.status == "abandoned"
            && lost.finished_at.is_none_or(|ended| next.scheduled_for > ended)
        {
            wrong.push(format!("what was lost of {} was not made up for", text(lost.scheduled_for)));
        }
    }
    wrong
}

/// Every ten minutes of an hour; the third run is lost, and the fifth comes late and makes up for the sixth as well.
fn well() -> (Vec<OffsetDateTime>, Vec<Row>, Vec<OffsetDateTime>) {
    let at = |minute: u8, second: u8| {
        datetime!(2026-11-24 09:00 UTC).replace_minute(minute).and_then(|at| at.replace_second(second)).expect("a time")
    };
    let row = |scheduled: (u8, u8), started: (u8, u8), ended: (u8, u8), status: &str| Row {
        scheduled_for: at(scheduled.0, scheduled.1),
        status: status.to_owned(),
        started_at: at(started.0, started.1),
        finished_at: Some(at(ended.0, ended.1)),
    };
    let rows = vec![
        row((0, 0), (0, 30), (0, 50), "succeeded"),
        row((10, 0), (10, 0), (11, 0), "succeeded"),
        row((20, 0), (20, 30), (22, 30), "abandoned"),
        row((22, 30), (22, 30), (23, 0), "succeeded"),
        row((30, 0), (30, 30), (31, 0), "succeeded"),
        row((40, 0), (52, 0), (53, 0), "succeeded"),
    ];
    // Twice a minute, but for ten minutes in which all were dead.
    let looks = (0..60_u8)
        .filter(|minute| !(40..52).contains(minute))
        .flat_map(|minute| [at(minute, 0), at(minute, 30)])
        .collect();
    ((0..6).map(|ten| at(ten * 10, 0)).collect(), rows, looks)
}

#[test]
fn what_is_as_it_should_be_is_not_complained_of() {
    let (due, rows, looks) = well();
    assert_eq!(complaints(&due, due[5], &rows, &looks), [""; 0]);
}

type Plant = fn(&mut Vec<Row>);

#[test]
fn each_planted_fault_is_complained_of() {
    let (due, rows, looks) = well();
    let faults: [(&str, Plant); 8] = [
        ("09:10:00.000Z is missing", |rows| drop(rows.remove(1))),
        ("09:10:00.000Z was fired 2 times", |rows| {
            let mut double = rows[1].clone();
            (double.started_at, double.finished_at) =
                (double.started_at + Duration::MINUTE, Some(double.started_at + Duration::minutes(2)));
            rows.insert(2, double);
        }),
        ("two ran at once", |rows| rows.insert(2, rows[1].clone())),
        ("nothing was due at", |rows| {
            let mut made_up = rows[1].clone();
            let at = rows[1].scheduled_for + Duration::minutes(5);
            (made_up.scheduled_for, made_up.started_at, made_up.finished_at) = (at, at, Some(at));
            rows.insert(2, made_up);
        }),
        ("was not made up for", |rows| drop(rows.remove(3))),
        // Another make-up for what one has made up for.
        ("09:50:00.000Z was fired 2 times", |rows| {
            let mut second = rows[5].clone();
            second.scheduled_for += Duration::minutes(10);
            (second.started_at, second.finished_at) =
                (second.started_at + Duration::minutes(2), Some(second.started_at + Duration::minutes(3)));
            rows.push(second);
        }),
        ("began late", |rows| rows[4].started_at += Duration::seconds(90)),
        ("began before", |rows| rows[1].started_at -= Duration::SECOND),
    ];
    for (told, plant) in faults {
        let mut planted = rows.clone();
        plant(&mut planted);
        let found = complaints(&due, due[5], &planted, &looks);
        assert!(found.iter().any(|complaint| complaint.contains(told)), "{told}: {found:?}");
    }
}

//! Three schedulers at once, and one of them dies with a notice in its hands: each alert is told once, and its end once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use testkit::smtp::MailServer;
use testkit::{Service, ServiceOptions, eventually};
use wiremock::{MockServer, ResponseTemplate};

use crate::kit::{SOON, World};
use crate::receivers::{message_id, slack, subject, told};

/// Notices that are neither sent nor given up, and alerts whose beginning or end is still to be announced.
const LEFT: &str = "SELECT (SELECT count(*) FROM scheduling.alert_notices WHERE sent_at IS NULL)
    + (SELECT count(*) FROM scheduling.alerts WHERE announced_at IS NULL OR (resolved_at IS NOT NULL AND end_announced_at IS NULL))";

struct Stage {
    world: World,
    slack: MockServer,
    mail: MailServer,
}

impl Stage {
    async fn new() -> Self {
        let answer = ResponseTemplate::new(200).set_delay(Duration::from_millis(5));
        Self { world: World::new().await, slack: slack(answer).await, mail: MailServer::start().await }
    }

    fn options(&self, name: &str) -> ServiceOptions {
        self.world
            .scheduler_options(name)
            .env("SLACK_WEBHOOK_URL", format!("{}/hook", self.slack.uri()))
            .env("SMTP_URL", self.mail.url())
            .env("ALERT_EMAIL_TO", "finance@example.com")
    }

    async fn raise(&self, number: u32) {
        let raised =
            sqlx::query("SELECT scheduling.raise_alert('sync_conflict', 'warning', $1, 'conflict ' || $1, '{}')")
                .bind(number.to_string())
                .execute(&self.world.pool)
                .await;
        raised.expect("raised");
    }

    async fn resolve_all(&self) {
        self.world.run("UPDATE scheduling.alerts SET resolved_at = clock_timestamp() WHERE resolved_at IS NULL").await;
    }

    async fn all_told(&self) {
        eventually(SOON, "everything is told", || async { self.world.count(LEFT).await == 0 }).await;
    }

    /// How often Slack and the mail server have been told each line.
    async fn counts(&self) -> [BTreeMap<String, u32>; 2] {
        let count = |lines: Vec<String>| {
            let mut counts = BTreeMap::new();
            for line in lines {
                *counts.entry(line).or_default() += 1;
            }
            counts
        };
        [count(told(&self.slack).await), count(self.mail.mails().iter().map(subject).collect())]
    }
}

/// The lines of so many alerts and of their ends, each told once.
fn each_once(alerts: u32) -> BTreeMap<String, u32> {
    let words = ["warning", "resolved"];
    words.iter().flat_map(|word| (0..alerts).map(move |n| (format!("[{word}] conflict {n}"), 1))).collect()
}

#[tokio::test]
async fn of_three_schedulers_one_tells_each_alert_and_one_its_end() {
    let stage = Stage::new().await;
    let mut schedulers = Vec::new();
    for name in ["one", "two", "three"] {
        schedulers.push(stage.world.start(stage.options(name)).await);
    }
    for number in 0..30 {
        stage.raise(number).await;
        // Raised again it is the same alert.
        stage.raise(number).await;
    }
    stage.all_told().await;
    stage.resolve_all().await;
    stage.all_told().await;
    let [slack, mail] = stage.counts().await;
    assert_eq!(slack, each_once(30));
    assert_eq!(mail, each_once(30));
    let facts = "SELECT count(*) FROM scheduling.outbox";
    eventually(SOON, "the facts are relayed", || async { stage.world.count(facts).await == 0 }).await;
}

/// Two schedulers, and a third that dies at `point`, with the notices that it was about to send, or has just sent, in its hands. Everything is told in the end.
/// Returns how many it had in hand, less those that were told again.
async fn one_of_three_dies_at(stage: &Stage, point: &str) -> i64 {
    let mut living = Vec::new();
    for name in ["one", "two"] {
        living.push(stage.world.start(stage.options(name)).await);
    }
    let mut dying = Service::start(stage.options("dying").env("ERP_FAILPOINT", point)).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    let mut alerts = 0;
    // Whichever of the three looks first takes what there is: one after the other, until the one that is to die has had its turn.
    let taken = "SELECT count(*) FROM scheduling.alert_notices WHERE sent_at IS NULL AND attempts = 1";
    let end = loop {
        if let Ok(end) = dying.until_ended(Duration::ZERO).await {
            break end;
        }
        assert!(alerts < 300, "it never came to {point}");
        stage.raise(alerts).await;
        alerts += 1;
        eventually(SOON, "it is told, or in somebody's hands", || async {
            let all = stage.world.count("SELECT count(*) FROM scheduling.alert_notices").await;
            all == 2 * i64::from(alerts) && (stage.world.count(LEFT).await == 0 || stage.world.count(taken).await > 0)
        })
        .await;
    };
    assert!(end.contains("signal: 6"), "it ended otherwise than at {point}: {end}");
    // Those that live end what they have in hand: what is left is the dead one's.
    for scheduler in &mut living {
        scheduler.stop().await.expect("stopped in order");
    }
    let held = stage.world.count(taken).await;
    assert!(held > 0, "it died with nothing in its hands");
    // Their time is over.
    stage.world.run("UPDATE scheduling.alert_notices SET due_at = now() WHERE due_at IS NOT NULL").await;
    let _others = [stage.world.start(stage.options("three")).await, stage.world.start(stage.options("four")).await];
    stage.all_told().await;
    stage.resolve_all().await;
    stage.all_told().await;
    let [slack, mail] = stage.counts().await;
    let lines: BTreeSet<String> = each_once(alerts).into_keys().collect();
    assert_eq!(slack.keys().cloned().collect::<BTreeSet<_>>(), lines);
    assert_eq!(mail.keys().cloned().collect::<BTreeSet<_>>(), lines);
    let again = |counts: &BTreeMap<String, u32>| i64::from(counts.values().map(|times| times - 1).sum::<u32>());
    assert!(slack.values().chain(mail.values()).all(|times| *times <= 2), "{slack:?} {mail:?}");
    let ids: BTreeSet<String> = stage.mail.mails().iter().map(message_id).collect();
    assert_eq!(ids.len(), lines.len(), "a repeated mail is known as the same");
    held - (again(&slack) + again(&mail))
}

#[tokio::test]
async fn what_one_of_three_was_about_to_send_when_it_died_is_told_once_by_another() {
    let stage = Stage::new().await;
    one_of_three_dies_at(&stage, "alerts.before_send").await;
    let [slack, mail] = stage.counts().await;
    assert!(slack.values().chain(mail.values()).all(|times| *times == 1), "{slack:?} {mail:?}");
}

#[tokio::test]
async fn what_one_of_three_had_sent_and_not_noted_when_it_died_is_all_that_is_told_again() {
    let stage = Stage::new().await;
    let held_and_not_repeated = one_of_three_dies_at(&stage, "alerts.after_send").await;
    assert_eq!(held_and_not_repeated, 0);
}

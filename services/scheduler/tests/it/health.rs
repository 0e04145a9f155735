//! `health-check`, and what people are told of it: Slack, and a mail server that speaks SMTP.

use std::collections::BTreeSet;
use std::time::Duration;

use testkit::sandbox::{Fault, FaultAction};
use testkit::smtp::MailServer;
use testkit::{Service, eventually};
use wiremock::{MockServer, ResponseTemplate};

use crate::kit::{SOON, World};
use crate::receivers::{message_id, slack, told};

const HEALTH: &str = "health-check";

async fn health(world: &World) -> Option<String> {
    world.text("SELECT health_status::text FROM config.erp_configurations").await
}

#[tokio::test]
async fn health_is_checked_kept_told_and_audited_when_it_changes() {
    let world = World::new().await;
    let slack = slack(ResponseTemplate::new(200)).await;
    let mail = MailServer::start().await;
    let options = world
        .scheduler_options("scheduler")
        .env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()))
        .env("SMTP_URL", mail.url())
        .env("ALERT_EMAIL_TO", "finance@example.com,sre@example.com")
        .env("ALERT_EMAIL_FROM", "ERP <erp@example.com>");
    let _scheduler = world.start(options).await;
    let run = world.run_job(HEALTH).await;
    assert_eq!(run.result.expect("a result")["status"], "healthy");
    assert_eq!(health(&world).await.as_deref(), Some("healthy"));

    world.sandbox.add_fault(&Fault::status(503).on("GET", "/health")).await;
    let down = world.run_job(HEALTH).await;
    assert_eq!((down.status.as_str(), &down.result.expect("a result")["status"]), ("succeeded", &"down".into()));
    // Told once however often it is found.
    world.run_job(HEALTH).await;
    assert_eq!(health(&world).await.as_deref(), Some("down"));
    let down = ["[critical] FlashERP is down: SERVICE_UNAVAILABLE".to_owned()];
    eventually(SOON, "Slack and mail are told", || async { told(&slack).await == down && mail.mails().len() == 1 })
        .await;

    world.sandbox.clear_faults().await;
    world.run_job(HEALTH).await;
    assert_eq!(health(&world).await.as_deref(), Some("healthy"));
    eventually(SOON, "its end is told", || async { told(&slack).await.len() == 2 && mail.mails().len() == 2 }).await;
    assert!(told(&slack).await[1].starts_with("[resolved] FlashERP is down"), "{:?}", told(&slack).await);
    let mails = mail.mails();
    for sent in &mails {
        assert_eq!(
            (sent.from.as_str(), &sent.to[..]),
            ("erp@example.com", &["finance@example.com".to_owned(), "sre@example.com".to_owned()][..])
        );
    }
    assert!(mails[0].text.contains("Subject: [critical] FlashERP is down: SERVICE_UNAVAILABLE\n"), "{}", mails[0].text);
    assert!(mails[1].text.contains("Subject: [resolved] FlashERP is down"), "{}", mails[1].text);

    let statuses = "SELECT string_agg(status::text, ' ' ORDER BY checked_at) FROM scheduling.health_checks";
    assert_eq!(world.text(statuses).await.as_deref(), Some("healthy down down healthy"));
    let audited = "SELECT string_agg(response_payload ->> 'status', ' ' ORDER BY created_at) FROM audit.erp_audit_logs WHERE action = 'health_check'";
    assert_eq!(world.text(audited).await.as_deref(), Some("healthy down healthy"), "changes only");
    eventually(SOON, "the facts are relayed", || async {
        world.count("SELECT count(*) FROM scheduling.outbox").await == 0
    })
    .await;
}

#[tokio::test]
async fn slow_answers_and_failing_syncs_are_degraded() {
    let world = World::new().await;
    let _scheduler = world.start(world.scheduler_options("scheduler").env("HEALTH_SLOW_MS", "300")).await;
    let slow = Fault::new(FaultAction::Delay { before_ms: 600, after_ms: 0 }).on("GET", "/health");
    world.sandbox.add_fault(&slow).await;
    assert_eq!(world.run_job(HEALTH).await.result.expect("a result")["status"], "degraded");
    world.sandbox.clear_faults().await;
    world
        .run("INSERT INTO sync.erp_syncs (id, source_type, source_id, sync_status, last_sync_attempt)
            SELECT gen_random_uuid(), 'transaction', gen_random_uuid(), CASE WHEN n <= 2 THEN 'failed' ELSE 'synced' END::sync.sync_status, now()
            FROM generate_series(1, 30) AS n")
        .await;
    let failing = world.run_job(HEALTH).await.result.expect("a result");
    assert_eq!((&failing["status"], &failing["failureRateBasisPoints"]), (&"degraded".into(), &666.into()));
    let open = "SELECT string_agg(kind || ' ' || severity, ', ' ORDER BY kind) FROM scheduling.alerts WHERE resolved_at IS NULL";
    assert_eq!(world.text(open).await.as_deref(), Some("failure_rate warning, health warning"));
    world.run("UPDATE sync.erp_syncs SET sync_status = 'synced'").await;
    assert_eq!(world.run_job(HEALTH).await.result.expect("a result")["status"], "healthy");
    assert_eq!(world.text(open).await, None);
}

#[tokio::test]
async fn an_alert_says_how_it_is_now_and_each_other_state_is_told() {
    let world = World::new().await;
    let (slack, mail) = (slack(ResponseTemplate::new(200)).await, MailServer::start().await);
    let options = world
        .scheduler_options("scheduler")
        .env("HEALTH_SLOW_MS", "300")
        .env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()))
        .env("SMTP_URL", mail.url())
        .env("ALERT_EMAIL_TO", "finance@example.com");
    let _scheduler = world.start(options).await;
    // Only when it is asked for.
    world.run("UPDATE scheduling.jobs SET cron = '0 0 1 1 *' WHERE name = 'health-check'").await;
    let down = Fault::status(503).on("GET", "/health");
    let slow = Fault::new(FaultAction::Delay { before_ms: 600, after_ms: 0 }).on("GET", "/health");
    for (fault, words) in [
        (Some(&down), "[critical] FlashERP is down: SERVICE_UNAVAILABLE"),
        (Some(&slow), "[warning] FlashERP is degraded: it answers in "),
        (Some(&down), "[critical] FlashERP is down: SERVICE_UNAVAILABLE"),
        (Some(&slow), "[warning] FlashERP is degraded: it answers in "),
        (None, "[resolved] FlashERP is degraded: it answers in "),
    ] {
        let before = told(&slack).await.len();
        world.sandbox.clear_faults().await;
        if let Some(fault) = fault {
            world.sandbox.add_fault(fault).await;
        }
        world.run_job(HEALTH).await;
        eventually(SOON, words, || async {
            told(&slack).await.len() == before + 1 && mail.mails().len() == before + 1
        })
        .await;
        assert!(told(&slack).await[before].starts_with(words), "{:?}", told(&slack).await);
        // As slow as before: nothing new.
        world.run_job(HEALTH).await;
        assert_eq!(told(&slack).await.len(), before + 1);
    }
    let ids: BTreeSet<String> = mail.mails().iter().map(message_id).collect();
    assert_eq!(ids.len(), 5, "no mail is taken for another one: {ids:?}");
    let rows = "SELECT string_agg(severity || ' ' || state || ' ' || changes, ', ') FROM scheduling.alerts WHERE kind = 'health'";
    assert_eq!(world.text(rows).await.as_deref(), Some("warning degraded 3"), "one alert, as it was last");

    // The breaker opens; then somebody's key is refused.
    world.run("UPDATE sync.outbound_gate SET state = 'open', failures = 5, opened_at = now(), retry_at = now() + interval '1 hour', version = version + 1").await;
    eventually(SOON, "the breaker is told", || async { told(&slack).await.len() == 6 }).await;
    world.run("UPDATE sync.outbound_gate SET failures = 6, version = version + 1").await;
    let six = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'circuit' AND message LIKE '%after 6 failures%'";
    eventually(SOON, "its words are the newest", || async { world.count(six).await == 1 }).await;
    world.run("UPDATE sync.outbound_gate SET stopped_reason = 'AUTH_FAILED', stopped_at = now(), stopped_version = 1, version = version + 1").await;
    eventually(SOON, "the stop is told", || async { told(&slack).await.len() == 7 }).await;
    let circuit = &told(&slack).await[5..];
    assert!(circuit[0].starts_with("[critical] the breaker is open"), "{circuit:?}");
    assert!(circuit[1].starts_with("[critical] all calls to FlashERP are stopped: AUTH_FAILED"), "{circuit:?}");
}

#[tokio::test]
async fn without_an_enabled_integration_nothing_is_checked() {
    let world = World::new().await;
    world.run("UPDATE config.erp_configurations SET is_enabled = false").await;
    let _scheduler = world.scheduler().await;
    let run = world.run_job(HEALTH).await;
    assert!(run.result.expect("a result")["skipped"].is_string());
    assert_eq!(world.count("SELECT count(*) FROM scheduling.health_checks").await, 0);
}

#[tokio::test]
async fn a_stop_for_wrong_credentials_is_alerted_and_ends_when_health_passes() {
    let world = World::new().await;
    let _scheduler = world.scheduler().await;
    world.sandbox.add_fault(&Fault::status(401)).await;
    world.run_job(HEALTH).await;
    let open = "SELECT count(*) FROM scheduling.alerts WHERE kind = 'circuit' AND resolved_at IS NULL AND message LIKE 'all calls to FlashERP are stopped:%'";
    let stopped = "SELECT count(*) FROM sync.outbound_gate WHERE stopped_reason IS NOT NULL";
    if world.count(stopped).await == 0 {
        // A stop is another call's to report, confirmed by the health check; here it is as if one had.
        world.run("UPDATE sync.outbound_gate SET stopped_reason = 'AUTH_FAILED', stopped_at = now(), stopped_version = 1, version = version + 1").await;
    }
    eventually(SOON, "the stop is alerted", || async { world.count(open).await == 1 }).await;
    world.sandbox.clear_faults().await;
    world.run_job(HEALTH).await;
    eventually(SOON, "it goes on, and the alert is over", || async {
        world.count(stopped).await == 0 && world.count(open).await == 0
    })
    .await;
}

#[tokio::test]
async fn a_refusing_mail_server_gets_the_notice_again_and_slack_does_not() {
    let world = World::new().await;
    let slack = slack(ResponseTemplate::new(200)).await;
    let folder = testkit::Scratch::new().expect("a folder");
    let mail = MailServer::start_tls(folder.path()).await;
    mail.refuse(1);
    let trusted = mail.certificate().expect("a certificate").to_str().expect("UTF-8").to_owned();
    let options = world
        .scheduler_options("scheduler")
        .env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()))
        .env("SMTP_URL", mail.url())
        .env("SSL_CERT_FILE", trusted)
        .env("ALERT_EMAIL_TO", "finance@example.com");
    let _scheduler = world.start(options).await;
    world
        .run(
            "SELECT scheduling.raise_alert('dispute', 'warning', 'dispute:1', 'a dispute wants to be looked at', '{}')",
        )
        .await;
    eventually(SOON, "the mail is put off, and Slack told", || async {
        mail.to_refuse() == 0 && told(&slack).await.len() == 1
    })
    .await;
    let put_off = "SELECT count(*) FROM scheduling.alert_notices WHERE channel = 'email' AND error LIKE '%451%' AND due_at > now()";
    eventually(SOON, "it is noted", || async { world.count(put_off).await == 1 }).await;
    world.run("UPDATE scheduling.alert_notices SET due_at = now() WHERE due_at IS NOT NULL").await;
    eventually(SOON, "the mail is taken", || async { mail.mails().len() == 1 }).await;
    assert!(mail.mails()[0].encrypted);
    let sent = "SELECT count(*) FROM scheduling.alert_notices WHERE sent_at IS NOT NULL AND due_at IS NULL";
    eventually(SOON, "both are noted as sent", || async { world.count(sent).await == 2 }).await;
    assert_eq!(told(&slack).await.len(), 1);
}

async fn dies_at(point: &str, world: &World, slack: &MockServer) {
    let options = world
        .scheduler_options("dying")
        .env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()))
        .env("ERP_FAILPOINT", point);
    let mut dying = Service::start(options).await.expect("it starts");
    dying.until_ready(SOON).await.expect("ready");
    world
        .run("SELECT scheduling.raise_alert('sync_conflict', 'warning', 'sync_conflict:1', 'both sides changed', '{}')")
        .await;
    let end = dying.until_ended(SOON).await.unwrap_or_else(|error| panic!("it never came to {point}: {error}"));
    assert!(end.contains("signal: 6"), "{end}");
}

async fn next_tells(world: &World, slack: &MockServer, times: usize) {
    let options = world.scheduler_options("next").env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()));
    let _next = world.start(options).await;
    let noted = "SELECT count(*) FROM scheduling.alert_notices WHERE sent_at IS NOT NULL";
    // What the dead one had taken comes to the next when its time is over.
    world.run("UPDATE scheduling.alert_notices SET due_at = now() WHERE due_at IS NOT NULL").await;
    eventually(SOON, "it is sent and noted", || async { world.count(noted).await == 1 }).await;
    assert_eq!(told(slack).await.len(), times, "{:?}", told(slack).await);
    let facts = "SELECT count(*) FROM scheduling.alerts WHERE announced_at IS NOT NULL";
    assert_eq!(world.count(facts).await, 1);
}

#[tokio::test]
async fn one_that_dies_before_or_after_it_announces_leaves_a_notice_that_is_sent_once() {
    for point in ["alerts.before_announced", "alerts.after_announced", "alerts.before_send"] {
        let (world, slack) = (World::new().await, slack(ResponseTemplate::new(200)).await);
        dies_at(point, &world, &slack).await;
        next_tells(&world, &slack, 1).await;
    }
}

#[tokio::test]
async fn one_that_dies_between_sending_and_noting_has_it_sent_again() {
    let (world, slack) = (World::new().await, slack(ResponseTemplate::new(200)).await);
    dies_at("alerts.after_send", &world, &slack).await;
    next_tells(&world, &slack, 2).await;
}

#[tokio::test]
async fn one_that_becomes_worse_is_told_again_and_a_failed_job_until_it_runs_well() {
    let world = World::new().await;
    let slack = slack(ResponseTemplate::new(200).set_delay(Duration::from_millis(5))).await;
    let options = world.scheduler_options("scheduler").env("SLACK_WEBHOOK_URL", format!("{}/hook", slack.uri()));
    let _scheduler = world.start(options).await;
    for severity in ["warning", "warning", "critical"] {
        sqlx::query("SELECT scheduling.raise_alert('duplicate', $1::text::scheduling.severity, 'duplicate:1', 'a record is there twice', '{}')")
            .bind(severity)
            .execute(&world.pool)
            .await
            .expect("raised");
        eventually(SOON, "nothing is left to announce", || async {
            world.count("SELECT count(*) FROM scheduling.alert_notices WHERE sent_at IS NULL").await == 0
                && world.count("SELECT count(*) FROM scheduling.alerts WHERE announced_at IS NULL").await == 0
        })
        .await;
    }
    assert_eq!(told(&slack).await, ["[warning] a record is there twice", "[critical] a record is there twice"]);

    world.run("ALTER FUNCTION ingress.erase_bodies(timestamptz, integer) RENAME TO gone").await;
    assert_eq!(world.run_job("prune").await.status, "failed");
    eventually(SOON, "the failed job is told", || async { told(&slack).await.len() == 3 }).await;
    assert!(told(&slack).await[2].starts_with("[warning] the job prune failed: INTERNAL_ERROR"));
    world.run("ALTER FUNCTION ingress.gone(timestamptz, integer) RENAME TO erase_bodies").await;
    assert_eq!(world.run_job("prune").await.status, "succeeded");
    eventually(SOON, "its end is told", || async { told(&slack).await.len() == 4 }).await;
}

//! Sends notices, each by one scheduler at a time, and again after a while until it is taken or a day has passed.
//!
//! A notice is taken for [`LEASE`], sent, and noted as sent. A process that dies before the note leaves it to be sent again when that time is over.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use service::metrics::Counter;
use sqlx::PgPool;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::announce::Announcer;
use super::email::Email;
use super::slack::Slack;
use super::text::Notice;

/// How often it is looked for alerts and notices, unless they are known to be there.
const LOOK: Duration = Duration::from_secs(1);
/// How long a notice is whose who sends it; longer than sending may take. Also the pause before the second try.
const LEASE: i64 = 60;
/// Tries; the pauses between them double up to an hour, so that the last is about a day after the first.
const TRIES: i32 = 30;
/// Notices at a time.
const BATCH: i64 = 8;

/// The ways that notices go.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    pub(crate) slack: Option<Slack>,
    pub(crate) email: Option<Email>,
}

impl Channels {
    /// Their names.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let slack = self.slack.as_ref().map(|_| "slack");
        slack.into_iter().chain(self.email.as_ref().map(|_| "email")).collect()
    }

    async fn send(&self, notice: &Notice) -> Result<(), String> {
        match (notice.channel.as_str(), &self.slack, &self.email) {
            ("slack", Some(slack), _) => slack.send(notice).await,
            ("email", _, Some(email)) => email.send(notice).await,
            // Made by a scheduler with other settings, which may come back.
            _ => Err("this scheduler has no settings for it".to_owned()),
        }
    }
}

/// Announces and sends until told to stop.
pub(crate) async fn run(announcer: Announcer, channels: Channels, wake: Arc<Notify>, stop: CancellationToken) {
    loop {
        if let Err(error) = round(&announcer, &channels).await {
            Counter::DatabaseErrors.increment(&[("stage", "alerts"), ("error_type", "unavailable")]);
            tracing::warn!(error = error.to_string(), "alerts can't be read or noted now; they are looked at again");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

async fn round(announcer: &Announcer, channels: &Channels) -> Result<(), sqlx::Error> {
    while announcer.announce().await? > 0 {}
    loop {
        let taken = take(&announcer.pool).await?;
        if taken.is_empty() {
            return Ok(());
        }
        service::failpoint!("alerts.before_send");
        let sent = join_all(taken.iter().map(|notice| channels.send(notice))).await;
        service::failpoint!("alerts.after_send");
        note(&announcer.pool, &taken, &sent).await?;
    }
}

/// Takes what is due, for as long as sending may take.
async fn take(pool: &PgPool) -> Result<Vec<Notice>, sqlx::Error> {
    sqlx::query_as(
        "WITH taken AS (
            UPDATE scheduling.alert_notices SET attempts = attempts + 1,
                due_at = clock_timestamp() + least($2 * interval '1 second' * (2 ^ least(attempts, 10)), interval '1 hour')
            WHERE (alert_id, ended, channel) IN (
                SELECT alert_id, ended, channel FROM scheduling.alert_notices WHERE due_at <= clock_timestamp()
                ORDER BY due_at, ended LIMIT $1 FOR UPDATE SKIP LOCKED)
            RETURNING alert_id, ended, channel, attempts
         )
         SELECT t.alert_id, t.ended, t.channel, t.attempts, a.kind, a.severity::text, a.message, a.changes, a.raised_at, a.resolved_at
         FROM taken t JOIN scheduling.alerts a ON a.id = t.alert_id ORDER BY a.raised_at, t.ended",
    )
    .bind(BATCH)
    .bind(LEASE)
    .fetch_all(pool)
    .await
}

/// Notes what came of the sending, in one statement. What was taken by another meanwhile, or has changed, is that one's.
async fn note(pool: &PgPool, taken: &[Notice], sent: &[Result<(), String>]) -> Result<(), sqlx::Error> {
    for (notice, result) in taken.iter().zip(sent) {
        let word = if result.is_ok() { "sent" } else { "failed" };
        Counter::AlertNotices.increment(&[("channel", &notice.channel), ("result", word)]);
        if let Err(error) = result {
            let (alert_id, channel) = (notice.alert_id, notice.channel.as_str());
            tracing::warn!(%alert_id, channel, attempts = notice.attempts, error, "an alert can't be sent now");
        }
    }
    sqlx::query(
        "UPDATE scheduling.alert_notices n SET
            sent_at = CASE WHEN s.error IS NULL THEN clock_timestamp() END,
            due_at = CASE WHEN s.error IS NOT NULL AND n.attempts < $6 THEN n.due_at END,
            error = s.error
         FROM unnest($1::uuid[], $2::boolean[], $3::text[], $4::integer[], $5::text[]) AS s (alert_id, ended, channel, attempts, error)
         WHERE n.alert_id = s.alert_id AND n.ended = s.ended AND n.channel = s.channel AND n.attempts = s.attempts",
    )
    .bind(taken.iter().map(|notice| notice.alert_id).collect::<Vec<_>>())
    .bind(taken.iter().map(|notice| notice.ended).collect::<Vec<_>>())
    .bind(taken.iter().map(|notice| notice.channel.as_str()).collect::<Vec<_>>())
    .bind(taken.iter().map(|notice| notice.attempts).collect::<Vec<_>>())
    .bind(sent.iter().map(|result| result.as_ref().err().map(String::as_str)).collect::<Vec<_>>())
    .bind(TRIES)
    .execute(pool)
    .await?;
    Ok(())
}

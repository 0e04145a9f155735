//! At rest: what was spoilt is mended by reconciliations, every job has run well, the audit log is whole, and a reconciliation of everything finds
//! that both sides agree.

use std::time::Duration;

use local_stack::wait;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::stage::Stage;

/// A reconciliation may have missed what was in the workers' hands.
const HEALINGS: usize = 5;

#[derive(Debug, sqlx::FromRow)]
struct Ended {
    status: String,
    proven: Option<bool>,
    #[expect(dead_code, reason = "for people, by Debug")]
    error: Option<String>,
    totals: Value,
    findings: Vec<String>,
}

impl Stage {
    /// What is not as it must be, in words; all of it is at rest but for what was spoilt.
    pub(super) async fn disagreements(&self, patience: Duration) -> Vec<String> {
        let pool = self.database.pool("erp_owner").await;
        let mut wrong = Vec::new();
        wrong.extend(self.mend_the_shelf(&pool, patience).await.err());
        wrong.extend(self.jobs_that_do_not_run(&pool, patience).await);
        wrong.extend(self.audit_log().await.err());
        wrong.extend(self.both_sides_agree(&pool, patience).await.err());
        pool.close().await;
        wrong
    }

    async fn mend_the_shelf(&self, pool: &PgPool, patience: Duration) -> Result<(), String> {
        for _ in 0..HEALINGS {
            if self.shelf.spoilt(&self.sandbox).await == 0 {
                return Ok(());
            }
            let ended = self.reconciled(pool, &self.shelf.reconciliation(), patience).await?;
            if ended.status != "completed" {
                return Err(format!("a reconciliation at rest does not complete: {ended:?}"));
            }
            let healed = wait::until(patience, "what was healed to be in step", || self.is_in_step()).await;
            healed.map_err(|late| late.to_string())?;
        }
        match self.shelf.spoilt(&self.sandbox).await {
            0 => Ok(()),
            spoilt => Err(format!(
                "{spoilt} records that were spoilt in FlashERP are not mended by {HEALINGS} reconciliations"
            )),
        }
    }

    /// Each job that is in the timetable by seconds succeeds once more.
    async fn jobs_that_do_not_run(&self, pool: &PgPool, patience: Duration) -> Vec<String> {
        let since: time::OffsetDateTime =
            sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool).await.expect("the time");
        let left = || async {
            sqlx::query_scalar::<_, String>(
                "SELECT concat_ws(' ', 'the job', j.name, 'does not run:', r.status, r.error) FROM scheduling.jobs j
                 LEFT JOIN LATERAL (SELECT status, error FROM scheduling.job_runs r
                    WHERE r.job_name = j.name ORDER BY started_at DESC LIMIT 1) AS r ON true
                 WHERE j.interval_secs < 60 AND NOT EXISTS (SELECT FROM scheduling.job_runs r
                    WHERE r.job_name = j.name AND r.started_at > $1 AND r.status = 'succeeded')",
            )
            .bind(since)
            .fetch_all(pool)
            .await
            .expect("the jobs")
        };
        let all_run = wait::until(patience, "every job to run", || async { left().await.is_empty() }).await;
        if all_run.is_ok() { Vec::new() } else { left().await }
    }

    async fn audit_log(&self) -> Result<(), String> {
        let verified = tokio::process::Command::new(testkit::binary("erpctl"))
            .args(["audit", "verify"])
            .env_clear()
            .env("DATABASE_URL", self.database.url_for("erp_owner"))
            .output()
            .await
            .expect("erpctl runs");
        let words = [verified.stdout, verified.stderr].concat();
        match verified.status.success() {
            true => Ok(()),
            false => Err(format!("the audit log is not whole: {}", String::from_utf8_lossy(&words))),
        }
    }

    async fn both_sides_agree(&self, pool: &PgPool, patience: Duration) -> Result<(), String> {
        let ended = self.reconciled(pool, &json!({ "cutoffSeconds": 0 }), patience).await?;
        let matched = |kind: &str| {
            let types = ended.totals["types"].as_array().into_iter().flatten();
            types.filter(|of| of["entityType"] == kind).filter_map(|of| of["matched"].as_u64()).sum::<u64>()
        };
        let there = self.sandbox.counters().await;
        let is_all = [("customer", "customers"), ("transaction", "transactions"), ("invoice", "invoices")]
            .iter()
            .all(|(kind, records)| matched(kind) == there.records_of(records));
        let agree = ended.status == "completed" && ended.proven == Some(true) && ended.findings.is_empty() && is_all;
        if agree { Ok(()) } else { Err(format!("reconciliation does not find that both sides agree: {ended:#?}")) }
    }

    /// A reconciliation, asked for until it is answered, at its end.
    async fn reconciled(&self, pool: &PgPool, wanted: &Value, patience: Duration) -> Result<Ended, String> {
        let asked = wait::until_some(patience, "a reconciliation to be taken", || self.admin.ask(wanted)).await;
        let key = asked.map_err(|late| late.to_string())?;
        let ended = wait::until_some(patience, "a reconciliation to end", || async {
            sqlx::query_as::<_, Ended>(
                "SELECT r.status::text, r.proven, r.error, r.totals, ARRAY(
                    SELECT concat_ws(' ', f.class, f.entity_type, f.source_id, f.target_id, f.field, f.ours, f.theirs)
                    FROM reconciliation.findings f WHERE f.run_id = r.id ORDER BY f.id LIMIT 20) AS findings
                 FROM reconciliation.runs r WHERE r.idempotency_key = $1 AND r.finished_at IS NOT NULL",
            )
            .bind(&key)
            .fetch_optional(pool)
            .await
            .expect("the run is read")
        })
        .await;
        ended.map_err(|late| late.to_string())
    }
}

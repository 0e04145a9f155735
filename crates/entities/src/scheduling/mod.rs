//! Jobs, health history, alerts and financial reports (design section 6), owned by scheduler.

pub mod alert;
pub mod alert_notice;
pub mod health_check;
pub mod job;
pub mod job_run;
pub mod kinds;
pub mod outbox;
pub mod report;

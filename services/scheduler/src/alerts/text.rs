//! An alert in words, the same for every way that it is sent.

use time::OffsetDateTime;
use uuid::Uuid;

/// What is sent of an alert.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Notice {
    pub(crate) alert_id: Uuid,
    /// Whether it tells of the end.
    pub(crate) ended: bool,
    pub(crate) channel: String,
    pub(crate) attempts: i32,
    pub(crate) kind: String,
    pub(crate) severity: String,
    pub(crate) message: String,
    /// How often it has changed since it was raised.
    pub(crate) changes: i32,
    pub(crate) raised_at: OffsetDateTime,
    pub(crate) resolved_at: Option<OffsetDateTime>,
}

impl Notice {
    /// One line: how urgent, and what.
    pub(crate) fn headline(&self) -> String {
        let word = if self.ended { "resolved" } else { self.severity.as_str() };
        format!("[{word}] {}", self.message)
    }

    /// What it is about, since when, and its id.
    pub(crate) fn lines(&self) -> String {
        let since = domain::instant::text(self.raised_at);
        let until = self.resolved_at.filter(|_| self.ended).map(domain::instant::text);
        let over = until.map_or_else(String::new, |until| format!("Over since {until}\n"));
        format!("Alert: {}\nSince {since}\n{over}Id: {}\n", self.kind, self.alert_id)
    }

    /// The same for every try of the same notice, so that a repeated mail is known as one.
    pub(crate) fn message_id(&self) -> String {
        let part = if self.ended { "end".to_owned() } else { self.changes.to_string() };
        format!("<{}.{part}@flasherp-integration>", self.alert_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn a_notice_says_what_and_since_when_and_its_end_says_so() {
        let begun = Notice {
            alert_id: Uuid::from_u128(7),
            ended: false,
            channel: "slack".to_owned(),
            attempts: 1,
            kind: "circuit".to_owned(),
            severity: "critical".to_owned(),
            message: "calls to FlashERP are held back".to_owned(),
            changes: 0,
            raised_at: datetime!(2026-11-24 09:30 UTC),
            resolved_at: None,
        };
        assert_eq!(begun.headline(), "[critical] calls to FlashERP are held back");
        assert_eq!(
            begun.lines(),
            "Alert: circuit\nSince 2026-11-24T09:30:00.000Z\nId: 00000000-0000-0000-0000-000000000007\n"
        );
        let ended = Notice { ended: true, resolved_at: Some(datetime!(2026-11-24 09:40 UTC)), ..begun.clone() };
        assert_eq!(ended.headline(), "[resolved] calls to FlashERP are held back");
        assert!(ended.lines().contains("Over since 2026-11-24T09:40:00.000Z"));
        let changed = Notice { changes: 1, ..begun.clone() };
        let ids = [begun.message_id(), changed.message_id(), ended.message_id()];
        assert!(ids[0] != ids[1] && ids[1] != ids[2] && ids[0] != ids[2], "{ids:?}");
    }
}

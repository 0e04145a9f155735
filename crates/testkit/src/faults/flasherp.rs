//! What FlashERP can do wrong, and what it does that is right and hard all the same.

use std::fmt;

/// What FlashERP does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlashErpFault {
    /// Some calls are cut, and their writes never take effect.
    CutsBeforeWrite,
    /// Some calls are cut after their writes.
    CutsAfterWrite,
    /// Some calls are cut, and their writes take effect later.
    LateWrites,
    /// Some calls are answered 500 with FlashERP's error.
    ServerErrors,
    /// Some calls take effect and are answered 500 all the same.
    ServerErrorsAfterWrite,
    /// Some calls are answered 502 with HTML.
    HtmlErrors,
    /// Some calls are answered 503 with nothing.
    EmptyErrors,
    /// Some calls are answered 429 with seconds.
    RateLimitInSeconds,
    /// Some calls are answered 429 with a date.
    RateLimitUntilDate,
    /// Some calls are answered 429 with nonsense.
    RateLimitNonsense,
    /// Some calls are answered that the day's quota is used up.
    QuotaUsedUp,
    /// Calls beyond so many a second are answered 429.
    FewCallsASecond,
    /// Some answers come in small pieces.
    SlowBodies,
    /// Some answers break off.
    CutBodies,
    /// Some answers are no JSON.
    GarbageBodies,
    /// Some calls take effect at once and are answered later than their caller waits.
    TooSlow,
    /// Some calls take effect only after their caller has given up.
    TooSlowBeforeWrite,
    /// Most calls are fast, and a few very slow.
    UnevenLatency,
    /// Records change between the pages of a list, while calls are cut so that lists are asked for.
    ChangesWhilePaged,
    /// Its clock is ahead.
    ClockAhead,
    /// Its clock is behind.
    ClockBehind,
    /// It works, and says that it is degraded.
    Degraded,
    /// Everything is answered 503 by a proxy.
    Outage,
    /// Every connection is cut.
    Gone,
    /// Every webhook comes twice.
    WebhooksDoubled,
    /// Webhooks come late and overtake each other.
    WebhooksLate,
    /// Webhooks are held back, and then come in any order.
    WebhooksOutOfOrder,
}

impl FlashErpFault {
    /// All of them.
    pub const ALL: [Self; 27] = [
        Self::CutsBeforeWrite,
        Self::CutsAfterWrite,
        Self::LateWrites,
        Self::ServerErrors,
        Self::ServerErrorsAfterWrite,
        Self::HtmlErrors,
        Self::EmptyErrors,
        Self::RateLimitInSeconds,
        Self::RateLimitUntilDate,
        Self::RateLimitNonsense,
        Self::QuotaUsedUp,
        Self::FewCallsASecond,
        Self::SlowBodies,
        Self::CutBodies,
        Self::GarbageBodies,
        Self::TooSlow,
        Self::TooSlowBeforeWrite,
        Self::UnevenLatency,
        Self::ChangesWhilePaged,
        Self::ClockAhead,
        Self::ClockBehind,
        Self::Degraded,
        Self::Outage,
        Self::Gone,
        Self::WebhooksDoubled,
        Self::WebhooksLate,
        Self::WebhooksOutOfOrder,
    ];

    /// Whether it is one of its webhooks, which are few beside its calls.
    pub fn is_of_webhooks(self) -> bool {
        matches!(self, Self::WebhooksDoubled | Self::WebhooksLate | Self::WebhooksOutOfOrder)
    }
}

impl fmt::Display for FlashErpFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CutsBeforeWrite => "cut before the write",
            Self::CutsAfterWrite => "cut after the write",
            Self::LateWrites => "late writes",
            Self::ServerErrors => "500 in JSON",
            Self::ServerErrorsAfterWrite => "500 after the write",
            Self::HtmlErrors => "502 in HTML",
            Self::EmptyErrors => "503 without a body",
            Self::RateLimitInSeconds => "429 for seconds",
            Self::RateLimitUntilDate => "429 until a date",
            Self::RateLimitNonsense => "429 until nonsense",
            Self::QuotaUsedUp => "quota used up",
            Self::FewCallsASecond => "few calls a second",
            Self::SlowBodies => "slow bodies",
            Self::CutBodies => "bodies broken off",
            Self::GarbageBodies => "bodies without sense",
            Self::TooSlow => "answers slower than their caller waits",
            Self::TooSlowBeforeWrite => "writes slower than their caller waits",
            Self::UnevenLatency => "uneven latency",
            Self::ChangesWhilePaged => "records changed while a list is paged",
            Self::ClockAhead => "clock ahead",
            Self::ClockBehind => "clock behind",
            Self::Degraded => "degraded",
            Self::Outage => "outage",
            Self::Gone => "gone",
            Self::WebhooksDoubled => "webhooks doubled",
            Self::WebhooksLate => "webhooks late",
            Self::WebhooksOutOfOrder => "webhooks out of order",
        })
    }
}

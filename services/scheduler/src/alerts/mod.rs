//! Alerts: what needs a human is told once, by Slack and by mail, and once more when it is over.
//!
//! * [`state`] raises an alert while something holds, one open row per fingerprint, tells it anew when it holds in another way, and ends it;
//! * [`watch`] looks at what is true in the rows of others (gate, reconciliations) and keeps the gauges;
//! * [`announce`] states the fact and makes the notices, in one transaction; [`deliver`] sends them ([`slack`], [`email`]).
//!
//! Every step is found again from its row by whoever comes next. Between a notice's sending and the note of it lies the one gap that can't be closed: who
//! dies there leaves it to be sent again. So notices come at least once; a repeated mail has the same `Message-ID`.

pub(crate) mod announce;
pub(crate) mod deliver;
pub(crate) mod email;
pub(crate) mod slack;
pub(crate) mod state;
mod text;
pub(crate) mod watch;

//! Received webhooks as the API lists, shows and replays them. Rows are schema `ingress`'s, read through its view for this service.

mod list;
mod one;
mod replay;

pub use list::{Webhook, Webhooks, WebhooksParameters};
pub use one::{WebhookDetails, one};
pub use replay::{MOST_REPLAYED, Replay, ReplayMembers, Replayed};
pub(crate) use replay::{ReplayedOne, replay_all, replay_one};

//! The worker's settings beyond those that every service has.

use std::collections::BTreeMap;

use domain::retry::RetryPolicy;
use domain::upcoach::Plan;
use flasherp::GateSettings;
use secrecy::ExposeSecret as _;
use secrets::Keyring;
use service::settings::{self, Env};
use syncs::target::gate_settings;

use crate::inbound::{InboundSettings, Rules};
use crate::outbound::{CallSettings, OutboundSettings};

/// What a worker does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Brings UpCoach's records into FlashERP.
    pub outbound: bool,
    /// Applies webhook events.
    pub inbound: bool,
}

/// The worker's settings.
#[derive(Debug)]
pub struct Config {
    /// `SYNC_WORKER_ROLES`.
    pub roles: Roles,
    /// Opens what the configuration row holds.
    pub keyring: Keyring,
    /// How FlashERP is called.
    pub calls: CallSettings,
    /// When it is not.
    pub gate: GateSettings,
    /// How outbound works.
    pub outbound: OutboundSettings,
    /// How inbound works.
    pub inbound: InboundSettings,
}

impl Config {
    /// Reads them; mistakes are collected in `env`.
    pub fn read(env: &mut Env) -> Self {
        let roles = env.list(&settings::SYNC_WORKER_ROLES);
        let keyring = env.secret(&settings::ERP_ENCRYPTION_KEYS);
        let keyring = Keyring::parse(keyring.expose_secret()).unwrap_or_else(|error| {
            env.mistake(&settings::ERP_ENCRYPTION_KEYS, error.to_string());
            Keyring::random()
        });
        let timeout = env.duration(&settings::FLASHERP_TIMEOUT_SECS);
        let lease = env.duration(&settings::SYNC_LEASE_SECS);
        if lease <= timeout + flasherp::LEASE_MARGIN {
            env.mistake(
                &settings::SYNC_LEASE_SECS,
                format!(
                    "is {} s, too short for a single call: write more than FLASHERP_TIMEOUT_SECS ({} s) and {} s",
                    lease.as_secs(),
                    timeout.as_secs(),
                    flasherp::LEASE_MARGIN.as_secs()
                ),
            );
        }
        let stripe = stripe::from_env(env);
        let in_flight = env.usize(&settings::SYNC_MAX_IN_FLIGHT);
        let gate = gate_settings(env);
        Self {
            roles: Roles {
                outbound: roles.iter().any(|role| role == "outbound"),
                inbound: roles.iter().any(|role| role == "inbound"),
            },
            keyring,
            calls: CallSettings { timeout, allow_private: env.flag(&settings::ERP_ALLOW_PRIVATE_BASE_URL), in_flight },
            gate,
            outbound: OutboundSettings {
                policy: RetryPolicy {
                    base: env.duration(&settings::SYNC_RETRY_BASE_SECS),
                    max_retries: env.u32(&settings::SYNC_MAX_RETRIES),
                    settle: env.duration(&settings::FLASHERP_SETTLE_SECS),
                },
                lease,
                in_hand: in_hand(in_flight, gate.max_per_second),
                disabled_by_environment: env.opt_flag(&settings::FLASHERP_ENABLED) == Some(false),
            },
            inbound: InboundSettings {
                batch: i32::try_from(env.u32(&settings::SYNC_APPLY_BATCH)).unwrap_or(i32::MAX),
                rules: Rules {
                    plans: price_plans(env),
                    production: env.flag(&settings::ERP_PRODUCTION),
                    upcoach: env.upcoach_mode(),
                    asks_stripe: stripe.is_some(),
                },
                stripe,
            },
        }
    }
}

/// Three times as many syncs as calls: while some are being claimed, loaded or written down, FlashERP still has as many calls as it may have, also
/// where a call takes no longer than that does (20 ms, 64 calls: with twice as many a fifth of the places stood empty). Under a low cap of requests
/// fewer: one that waits for its turn longer than this gains nothing by being claimed.
fn in_hand(in_flight: usize, max_per_second: u32) -> usize {
    const SECONDS_OF_WORK: u32 = 10;
    let most = in_flight.saturating_mul(3);
    match max_per_second {
        0 => most,
        cap => most.min(usize::try_from(cap.saturating_mul(SECONDS_OF_WORK)).unwrap_or(most)),
    }
}

/// `STRIPE_PRICE_PLANS`: pairs such as `price_123=pro`.
fn price_plans(env: &mut Env) -> BTreeMap<String, Plan> {
    let mut plans = BTreeMap::new();
    for pair in env.list(&settings::STRIPE_PRICE_PLANS) {
        match pair.split_once('=').map(|(price, plan)| (price.trim(), plan.trim().parse::<Plan>())) {
            Some((price, Ok(plan))) if !price.is_empty() => {
                plans.insert(price.to_owned(), plan);
            }
            _ => env.mistake(
                &settings::STRIPE_PRICE_PLANS,
                format!("holds {pair:?}: write price=plan, the plan being free, basic, pro, team or enterprise"),
            ),
        }
    }
    plans
}

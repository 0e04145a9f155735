//! Which calls a fault applies to: an operation, and a share of its calls or a number of them.

use rand::{Rng, rngs::StdRng};
use serde::{Deserialize, Serialize};

use super::Action;
use crate::api::Endpoint;

/// A fault as it is asked for. What is left out doesn't narrow it: `{"action": {"kind": "garbage-body"}}` spoils every answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewRule {
    /// `GET`, `POST`, `PUT` or `DELETE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path below `/v1` as the contract writes it: `/transactions`, `/transactions/{id}`, `/health`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The share of calls it applies to, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// Lets so many fitting calls pass first.
    #[serde(default)]
    pub skip: u64,
    /// Ends after it has applied so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// What happens.
    pub action: Action,
}

/// A fault in force.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    id: u64,
    #[serde(flatten)]
    rule: NewRule,
    seen: u64,
    applied: u64,
}

/// Why a fault was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(String);

impl NewRule {
    pub(super) fn check(&self) -> Result<(), Invalid> {
        let fits_something = Endpoint::all().into_iter().any(|endpoint| self.fits(endpoint));
        if !fits_something {
            return Err(Invalid("no operation has this method and path".into()));
        }
        if self.rate.is_some_and(|rate| !(0.0..=1.0).contains(&rate)) {
            return Err(Invalid("rate must be from 0 to 1".into()));
        }
        match self.action.problem() {
            Some(problem) => Err(Invalid(problem.into())),
            None => Ok(()),
        }
    }

    fn fits(&self, endpoint: Endpoint) -> bool {
        let is_of_kind =
            !matches!(self.action, Action::ChangeWhilePaged { .. }) || matches!(endpoint, Endpoint::List(_));
        is_of_kind
            && self.method.as_deref().is_none_or(|method| method == endpoint.method())
            && self.path.as_deref().is_none_or(|path| path == endpoint.path())
    }
}

impl Rule {
    pub(super) fn new(id: u64, rule: NewRule) -> Self {
        Self { id, rule, seen: 0, applied: 0 }
    }

    /// Its number.
    pub fn id(&self) -> u64 {
        self.id
    }

    pub(super) fn action(&self) -> &Action {
        &self.rule.action
    }

    /// Counts the call if it fits, and decides whether the fault is its.
    pub(super) fn applies_to(&mut self, endpoint: Endpoint, random: &mut StdRng) -> bool {
        if self.rule.times.is_some_and(|times| self.applied >= times) || !self.rule.fits(endpoint) {
            return false;
        }
        self.seen += 1;
        let applies = self.seen > self.rule.skip && self.rule.rate.is_none_or(|rate| random.random_bool(rate));
        self.applied += u64::from(applies);
        applies
    }
}

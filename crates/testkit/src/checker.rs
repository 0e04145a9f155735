//! Holds what a place has in the end against what was accepted, in the manner of Jepsen's set test, and names every record that does not fit.
//!
//! A [`Claim`] is one thing that was sent: accepted (answered 2xx, so it must be there, once, with its value) or not (it may be there or not).
//! A [`Held`] is one record that a place has. The [`Verdict`] of a place:
//!
//! | class | means | is a failure |
//! |---|---|---|
//! | lost | accepted and not there | yes |
//! | duplicated | there more than once | yes |
//! | unexpected | there and never sent | yes |
//! | stale | there with a value that a newer event has replaced | yes |
//! | different | there with a value that nobody sent | yes |
//! | recovered | never answered 2xx and there all the same | no |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What the place calls it.
    pub name: String,
    /// What the place may hold of it: what the newest accepted event says, or a newer one of which nobody knows whether it was accepted. The
    /// empty text where only its being there counts.
    pub values: BTreeSet<String>,
    /// What older events said.
    pub older: BTreeSet<String>,
    /// Whether it must be there.
    pub accepted: bool,
    /// The events that told of it.
    pub events: BTreeSet<String>,
    /// How often it was sent.
    pub attempts: u64,
    /// The faults that were on when it was sent or answered.
    pub during: BTreeSet<String>,
    /// The faults that began next, while it may have been on its way through the system.
    pub soon_after: Vec<String>,
}

impl Claim {
    /// A claim of something that has not been accepted yet.
    pub fn new(name: String, value: String) -> Self {
        Self {
            name,
            values: BTreeSet::from([value]),
            older: BTreeSet::new(),
            accepted: false,
            events: BTreeSet::new(),
            attempts: 0,
            during: BTreeSet::new(),
            soon_after: Vec::new(),
        }
    }
}

/// One record of a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// What it is a record of.
    pub name: String,
    /// Its own id, which tells two records of the same thing apart.
    pub id: String,
    /// What it says of it; empty where only its being there counts.
    pub value: String,
}

/// What is wrong with one name, or only remarkable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Accepted and not there.
    Lost(Claim),
    /// There more than once.
    Duplicated {
        /// The name.
        name: String,
        /// Its records.
        ids: Vec<String>,
        /// What was sent of it, if anything was.
        claim: Option<Claim>,
    },
    /// There and never sent.
    Unexpected(Held),
    /// There with a value that was replaced since.
    Stale {
        /// What was sent.
        claim: Claim,
        /// What is there.
        held: Held,
    },
    /// There with a value that nobody sent.
    Different {
        /// What was sent.
        claim: Claim,
        /// What is there.
        held: Held,
    },
}

/// What was found at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The place.
    pub place: String,
    /// Things that were accepted.
    pub accepted: usize,
    /// Records that are there.
    pub held: usize,
    /// What must not be; empty when all is well.
    pub findings: Vec<Finding>,
    /// Names that were never answered 2xx and are there all the same.
    pub recovered: Vec<String>,
}

/// Holds `held` against `claims`. Claims have names of their own each.
pub fn check(place: &str, claims: &[Claim], held: &[Held]) -> Verdict {
    let mut records: BTreeMap<&str, Vec<&Held>> = BTreeMap::new();
    for record in held {
        records.entry(&record.name).or_default().push(record);
    }
    let mut verdict = Verdict {
        place: place.to_owned(),
        accepted: claims.iter().filter(|claim| claim.accepted).count(),
        held: held.len(),
        findings: Vec::new(),
        recovered: Vec::new(),
    };
    let duplicated = |name: &str, records: &[&Held], claim: Option<&Claim>| Finding::Duplicated {
        name: name.to_owned(),
        ids: records.iter().map(|record| record.id.clone()).collect(),
        claim: claim.cloned(),
    };
    for claim in claims {
        let records = records.remove(claim.name.as_str()).unwrap_or_default();
        match records.as_slice() {
            [] if claim.accepted => verdict.findings.push(Finding::Lost(claim.clone())),
            [] => continue,
            [_] => {}
            several => verdict.findings.push(duplicated(&claim.name, several, Some(claim))),
        }
        if !claim.accepted && !records.is_empty() {
            verdict.recovered.push(claim.name.clone());
        }
        for record in records.into_iter().filter(|record| !claim.values.contains(&record.value)) {
            let (claim, held) = (claim.clone(), record.clone());
            verdict.findings.push(match claim.older.contains(&held.value) {
                true => Finding::Stale { claim, held },
                false => Finding::Different { claim, held },
            });
        }
    }
    for (name, records) in records {
        verdict.findings.extend(records.iter().map(|record| Finding::Unexpected((*record).clone())));
        if records.len() > 1 {
            verdict.findings.push(duplicated(name, &records, None));
        }
    }
    verdict
}

impl Verdict {
    /// Whether nothing is lost, doubled, unexpected, stale or different.
    pub fn is_good(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many findings `is` holds of.
    pub fn count(&self, is: impl Fn(&Finding) -> bool) -> usize {
        self.findings.iter().filter(|finding| is(finding)).count()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lost = self.count(|finding| matches!(finding, Finding::Lost(_)));
        let duplicated = self.count(|finding| matches!(finding, Finding::Duplicated { .. }));
        let unexpected = self.count(|finding| matches!(finding, Finding::Unexpected(_)));
        let stale = self.count(|finding| matches!(finding, Finding::Stale { .. }));
        let different = self.count(|finding| matches!(finding, Finding::Different { .. }));
        write!(
            f,
            "{}: {} accepted, {} there; {lost} lost, {duplicated} duplicated, {unexpected} unexpected, {stale} stale, {different} \
             different, {} recovered",
            self.place,
            self.accepted,
            self.held,
            self.recovered.len(),
        )?;
        self.findings.iter().try_for_each(|finding| write!(f, "\n  {finding}"))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(claim) => write!(f, "lost: {claim}"),
            Self::Duplicated { name, ids, claim: Some(claim) } => {
                write!(f, "duplicated: {name} as {}; {claim}", ids.join(", "))
            }
            Self::Duplicated { name, ids, claim: None } => write!(f, "duplicated: {name} as {}", ids.join(", ")),
            Self::Unexpected(held) => write!(f, "unexpected: {} as {} ({})", held.name, held.id, held.value),
            Self::Stale { claim, held } => write!(f, "stale: {} holds `{}`; {claim}", held.id, held.value),
            Self::Different { claim, held } => write!(f, "different: {} holds `{}`; {claim}", held.id, held.value),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |names: &BTreeSet<String>, between| names.iter().map(String::as_str).collect::<Vec<_>>().join(between);
        let accepted = if self.accepted { "accepted" } else { "not accepted" };
        write!(
            f,
            "{} `{}`, {accepted} in {} tries, told by {}",
            self.name,
            list(&self.values, "` or `"),
            self.attempts,
            list(&self.events, ", ")
        )?;
        match self.during.is_empty() {
            true => write!(f, ", while no fault was on")?,
            false => write!(f, ", during: {}", list(&self.during, ", "))?,
        }
        match self.soon_after.is_empty() {
            true => Ok(()),
            false => write!(f, ", soon followed by: {}", self.soon_after.join(", ")),
        }
    }
}

//! What a reconciliation counted, as it stands in `reconciliation.runs.totals`: written by the reconciler, read by the admin API.

use std::collections::BTreeMap;
use std::fmt;

use domain::{EntityType, FindingClass};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Of each type that was compared.
    pub types: Vec<TypeTotals>,
    /// Records in doubt that FlashERP could not serve: nothing is said of them.
    pub unread_count: u64,
    /// Which, up to a hundred.
    pub unread: Vec<Unread>,
}

/// A record that FlashERP could not serve.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Unread {
    /// Of which type.
    pub entity_type: EntityType,
    /// UpCoach's id, where it is known.
    pub source_id: Option<Uuid>,
    /// FlashERP's id, where it is known.
    pub target_id: Option<String>,
    /// What came of asking.
    pub error: String,
}

/// Its type and its ids.
impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.entity_type)?;
        if let Some(source) = self.source_id {
            write!(f, " {source}")?;
        }
        self.target_id.iter().try_for_each(|target| write!(f, " {target}"))
    }
}

/// The counts of one type. Records, not findings, unless it says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeTotals {
    /// Which.
    pub entity_type: EntityType,
    /// UpCoach's that belong to the window.
    #[serde(default)]
    pub upcoach: u64,
    /// FlashERP's in the window.
    #[serde(default)]
    pub flasherp: u64,
    /// On both sides, and alike.
    #[serde(default)]
    pub matched: u64,
    /// Changed so lately that nothing is said of them.
    #[serde(default)]
    pub left_out: u64,
    /// That differ, by class.
    #[serde(default)]
    pub records: BTreeMap<String, u64>,
    /// What was found, by class: a record can differ in several fields.
    #[serde(default)]
    pub findings: BTreeMap<String, u64>,
    /// Of the findings, those that nobody had decided on before.
    #[serde(default)]
    pub open: u64,
    /// Amounts that are none, FlashERP's, or of records of ours that can't be told: nobody knows what they count for, and nothing is proven.
    #[serde(default)]
    pub unreadable: u64,
    /// Staged records that the comparison has not seen, or has seen twice, or that FlashERP's pages gave twice: who gives one page twice may have left
    /// out another. Anything but 0, and nothing is proven.
    #[serde(default)]
    pub unaccounted: u64,
    /// Control totals by currency; only of types that count.
    #[serde(default)]
    pub currencies: BTreeMap<String, CurrencyTotals>,
}

/// Sums in minor units of one currency, signed by type.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CurrencyTotals {
    /// UpCoach's.
    pub ours: i128,
    /// FlashERP's.
    pub theirs: i128,
    /// The sum of what the findings differ by.
    pub classified: i128,
}

impl TypeTotals {
    /// Nothing yet.
    #[must_use]
    pub fn of(entity_type: EntityType) -> Self {
        Self {
            entity_type,
            upcoach: 0,
            flasherp: 0,
            matched: 0,
            left_out: 0,
            records: BTreeMap::new(),
            findings: BTreeMap::new(),
            open: 0,
            unreadable: 0,
            unaccounted: 0,
            currencies: BTreeMap::new(),
        }
    }

    /// Records of a class.
    #[must_use]
    pub fn records_of(&self, class: FindingClass) -> u64 {
        self.records.get(class.as_str()).copied().unwrap_or_default()
    }

    /// The sums of a currency.
    pub fn currency(&mut self, code: &str) -> &mut CurrencyTotals {
        self.currencies.entry(code.to_owned()).or_default()
    }

    /// Whether every difference is explained by what was found, exactly.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.unreadable == 0
            && self.unaccounted == 0
            && self.currencies.values().all(|sums| sums.ours - sums.theirs == sums.classified)
    }
}

impl Totals {
    /// Whether all types are proven.
    #[must_use]
    pub fn is_proven(&self) -> bool {
        self.types.iter().all(TypeTotals::is_proven)
    }

    /// The counts of a type, which are made if there are none yet.
    pub fn of_type(&mut self, entity_type: EntityType) -> &mut TypeTotals {
        let place = self.types.iter().position(|totals| totals.entity_type == entity_type).unwrap_or_else(|| {
            self.types.push(TypeTotals::of(entity_type));
            self.types.len() - 1
        });
        &mut self.types[place]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_come_back_in_all_their_digits_and_a_cent_too_much_is_no_proof() {
        let mut totals = Totals::default();
        let big = i128::from(i64::MAX) * 3;
        *totals.of_type(EntityType::Invoice).currency("EUR") =
            CurrencyTotals { ours: big, theirs: big - 5, classified: 5 };
        let text = serde_json::to_string(&totals).expect("it serialises");
        let mut back: Totals = serde_json::from_str(&text).expect("and comes back");
        assert_eq!(back, totals);
        assert!(back.is_proven());
        back.of_type(EntityType::Invoice).currency("EUR").classified = 4;
        assert!(!back.is_proven());
    }
}

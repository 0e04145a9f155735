//! What is looked for, and where.

use std::fmt;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What a canary stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Is nowhere.
    Secret,
    /// Is where a customer's data have to be: in UpCoach's tables, in the bodies of webhooks as they came, in what was sent to FlashERP last, and in
    /// answers to admins; not in logs, metrics, messages and the audit trail.
    Personal,
}

/// A value that nothing else could contain.
#[derive(Debug, Clone)]
pub(super) struct Canary {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// Something that was searched.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) name: String,
    pub(super) text: String,
}

impl Place {
    pub(super) fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), text: text.into() }
    }

    /// One that holds a canary.
    pub(super) fn probe(canary: &Canary) -> Self {
        Self::new("log of nobody", format!("{{\"key\":\"{}\"}}", canary.value))
    }

    /// Columns that hold customers' data because they have to.
    fn holds_customers(&self) -> bool {
        const COLUMNS: [&str; 5] = [
            "column upcoach.",
            "column ingress.webhook_events.body",
            "column sync.erp_syncs.base_payload",
            "column sync.stray_writes.",
            "column reconciliation.",
        ];
        self.name.starts_with("answer ") || COLUMNS.iter().any(|column| self.name.starts_with(column))
    }
}

/// A canary where it does not belong.
pub(super) struct Found {
    canary: Canary,
    place: String,
    around: String,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}: ... {} ...", self.canary.name, self.place, self.around)
    }
}

/// Every canary in every place where it does not belong, once for each.
pub(super) fn all(places: &[Place], canaries: &[Canary]) -> Vec<Found> {
    let mut found = Vec::new();
    for canary in canaries {
        let spellings = spellings(&canary.value);
        for place in places.iter().filter(|place| canary.kind == Kind::Secret || !place.holds_customers()) {
            let at = spellings.iter().find_map(|spelling| place.text.find(spelling.as_str()));
            if let Some(at) = at {
                found.push(Found {
                    canary: canary.clone(),
                    place: place.name.clone(),
                    around: around(&place.text, at),
                });
            }
        }
    }
    found
}

/// As it is, as PostgreSQL shows bytes, and as base64 wherever it stands in what is encoded.
fn spellings(value: &str) -> Vec<String> {
    let mut all = vec![value.to_owned()];
    all.push(value.bytes().fold(String::new(), |mut hex, byte| {
        let _always_fits = write!(hex, "{byte:02x}");
        hex
    }));
    for shift in 0..3 {
        // Without the characters at both ends that depend on what stands beside it.
        let encoded = STANDARD.encode([&b"\0\0"[..shift], value.as_bytes()].concat());
        all.push(encoded[4..encoded.len() - 4].to_owned());
    }
    all
}

fn around(text: &str, at: usize) -> String {
    let begin = (at.saturating_sub(200)..=at).find(|index| text.is_char_boundary(*index)).unwrap_or(at);
    text[begin..].chars().take(400).collect()
}

#[test]
fn a_canary_is_found_in_every_spelling() {
    let canary = Canary { kind: Kind::Secret, name: "a secret", value: "canary0123456789abcdef".to_owned() };
    let hex = "63616e61727930313233343536373839616263646566";
    let encoded = ["", "x", "xy"].map(|before| STANDARD.encode(format!("{before}{} and more", canary.value)));
    for text in [canary.value.clone(), format!("\\x00{hex}00")].into_iter().chain(encoded) {
        assert_eq!(all(&[Place::new("log of x", text.clone())], std::slice::from_ref(&canary)).len(), 1, "{text}");
    }
    assert!(all(&[Place::new("log of x", "canary0123")], &[canary]).is_empty());
}

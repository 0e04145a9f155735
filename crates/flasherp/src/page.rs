//! Lists: what to ask for, and a page of the answer.

use domain::{instant, mapping::Record};
use serde::Deserialize;
use serde_json::value::RawValue;
use time::OffsetDateTime;

/// What a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Only records with this `upcoachReference`.
    pub reference: Option<String>,
    /// Only records changed then or later.
    pub updated_since: Option<OffsetDateTime>,
    /// Only records made then or later.
    pub created_from: Option<OffsetDateTime>,
    /// Only records made before then.
    pub created_to: Option<OffsetDateTime>,
    /// Records a page, 1 to 500; FlashERP's default is 100.
    pub limit: Option<u16>,
}

impl ListQuery {
    pub(crate) fn pairs(&self, cursor: Option<&str>) -> Vec<(&'static str, String)> {
        let time = |at: Option<OffsetDateTime>| at.map(instant::text);
        [
            ("upcoachReference", self.reference.clone()),
            ("updatedSince", time(self.updated_since)),
            ("createdFrom", time(self.created_from)),
            ("createdTo", time(self.created_to)),
            ("limit", self.limit.map(|limit| limit.clamp(1, 500).to_string())),
            ("cursor", cursor.map(str::to_owned)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

/// A page, ordered by (createdAt, id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Its records.
    pub records: Vec<Record>,
    /// Where the next page begins; none on the last.
    pub next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    next_cursor: Option<String>,
}

impl Page {
    /// A page with a record that cannot be read is no page: what it hides could be the one looked for.
    pub(crate) fn parse(json: &str) -> Result<Self, String> {
        let wire: Wire<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
        let records = wire.data.into_iter().map(|raw| Record::parse(raw.get()).map_err(|error| error.to_string()));
        Ok(Self { records: records.collect::<Result<_, _>>()?, next_cursor: wire.next_cursor })
    }
}

//! Lists: filtered, in the order of (createdAt, id), a page at a time.
//!
//! A record never moves in that order and new ones come last, so a list that is paged while records change shows each of them once.

use bytes::{BufMut, Bytes, BytesMut};

use super::{
    ApiError, Reply,
    cursor::{self, ListKey},
    locked,
};
use crate::{
    capability::Capability,
    sandbox::Sandbox,
    schema::{Issue, Resource, parse_instant},
    store::{Record, RecordId, Store},
};

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 500;
/// So many records are looked at before the lock is given to others: a filter that matches little must not hold up every call.
const STRIDE: usize = 2_000;

#[derive(Debug, Default)]
struct Query {
    reference: Option<String>,
    updated_since: Option<i64>,
    created_from: Option<i64>,
    created_to: Option<i64>,
    limit: Option<usize>,
    after: Option<RecordId>,
}

pub(super) fn list(sandbox: &Sandbox, resource: Resource, query: &str) -> Result<Reply, ApiError> {
    let has_updated_since = sandbox.capabilities().has(Capability::UpdatedSince);
    let (query, key) = parse(resource, query, has_updated_since)?;
    let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
    let mut found: Vec<(RecordId, Bytes)> = Vec::with_capacity(limit + 1);
    let mut next = Some(query.after);
    while let Some(after) = next
        && found.len() <= limit
    {
        next = collect(&locked(sandbox), resource, &query, after, limit + 1, &mut found);
    }
    let more = found.len() > limit;
    found.truncate(limit);
    let cursor = found.last().filter(|_| more).map(|(last, _)| cursor::render(key, *last));
    Ok(Reply::new(200, page(&found, cursor.as_deref())))
}

/// Adds matching records after `after`, up to `wanted` in all. Answers where to go on, if there is more to look at.
fn collect(
    store: &Store,
    resource: Resource,
    query: &Query,
    after: Option<RecordId>,
    wanted: usize,
    found: &mut Vec<(RecordId, Bytes)>,
) -> Option<Option<RecordId>> {
    let collection = store.of(resource);
    if let Some(reference) = &query.reference {
        let ids = collection.by_key(reference).iter().filter(|id| Some(**id) > after);
        let records = ids.filter_map(|id| Some((*id, collection.get(*id)?)));
        found.extend(
            records
                .filter(|(_, record)| query.matches(record))
                .take(wanted)
                .map(|(id, record)| (id, record.body.clone())),
        );
        return None;
    }
    for (looked_at, (id, record)) in collection.after(after).enumerate() {
        if query.matches(record) {
            found.push((id, record.body.clone()));
        }
        if found.len() == wanted || looked_at + 1 == STRIDE {
            return Some(Some(id));
        }
    }
    None
}

fn page(records: &[(RecordId, Bytes)], cursor: Option<&str>) -> Bytes {
    let size = records.iter().map(|(_, body)| body.len() + 1).sum::<usize>();
    let mut page = BytesMut::with_capacity(size + 80);
    page.put_slice(b"{\"data\":[");
    for (nth, (_, body)) in records.iter().enumerate() {
        if nth > 0 {
            page.put_u8(b',');
        }
        page.put_slice(body);
    }
    page.put_slice(b"],\"nextCursor\":");
    match cursor {
        Some(cursor) => page.put_slice(format!("\"{cursor}\"}}").as_bytes()),
        None => page.put_slice(b"null}"),
    }
    page.freeze()
}

impl Query {
    fn matches(&self, record: &Record) -> bool {
        self.updated_since.is_none_or(|since| record.updated_ms >= since)
            && self.created_from.is_none_or(|from| record.created_ms >= from)
            && self.created_to.is_none_or(|to| record.created_ms < to)
    }
}

/// Reads the query; every bad, unknown or repeated parameter is told.
fn parse(resource: Resource, text: &str, has_updated_since: bool) -> Result<(Query, ListKey), ApiError> {
    let mut query = Query::default();
    let mut issues = Vec::new();
    let mut seen: Vec<String> = Vec::new();
    let mut filter: Vec<String> = Vec::new();
    let mut cursor = None;
    for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
        let outcome = if seen.iter().any(|known| *known == name) {
            Err("is given twice".to_owned())
        } else {
            match name.as_ref() {
                "upcoachReference" => {
                    query.reference = Some(value.to_string());
                    Ok(())
                }
                "updatedSince" if has_updated_since => instant(&value).map(|at| query.updated_since = Some(at)),
                "createdFrom" => instant(&value).map(|at| query.created_from = Some(at)),
                "createdTo" => instant(&value).map(|at| query.created_to = Some(at)),
                "limit" => limit(&value).map(|limit| query.limit = Some(limit)),
                "cursor" => {
                    cursor = Some(value.to_string());
                    Ok(())
                }
                _ => Err("is not a parameter of this list".to_owned()),
            }
        };
        if let Err(issue) = outcome {
            issues.push(Issue { field: name.to_string(), issue });
        }
        if !matches!(name.as_ref(), "limit" | "cursor") {
            filter.push(format!("{name}={value}"));
        }
        seen.push(name.into_owned());
    }
    filter.sort_unstable();
    let key = ListKey::of(resource, &filter.join("\n"));
    if let Some(cursor) = cursor {
        match cursor::parse(key, &cursor) {
            Some(after) => query.after = Some(after),
            None => issues.push(Issue { field: "cursor".into(), issue: "is not a cursor of this list".into() }),
        }
    }
    if issues.is_empty() { Ok((query, key)) } else { Err(ApiError::fields(issues)) }
}

fn instant(value: &str) -> Result<i64, String> {
    parse_instant(value).ok_or_else(|| "must be an RFC 3339 date-time".to_owned())
}

fn limit(value: &str) -> Result<usize, String> {
    let limit = value.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| format!("must be a whole number from 1 to {LIMIT_MAX}"))
}

//! `GET /v1/events`: what has happened, newest first, up to 30 days back by the sandbox's clock, whether or not a webhook has told of it.
//!
//! Of the stories' seconds that are still to come, nothing has happened yet.

use std::sync::Arc;

use serde_json::Value;

use super::{
    ApiError, History, Run,
    history::EventRef,
    page::{self, From, Page},
    query::Query,
};

const KEPT_MS: i64 = 30 * 24 * 60 * 60 * 1000;
const TYPES_MAX: usize = 20;

/// Where an event stands among all: by time, then run, then its place in it.
type Place = (i64, usize, EventRef);

/// What is asked for, beside the page.
#[derive(Debug)]
struct Filter {
    types: Vec<String>,
    /// Unix seconds, both included.
    from: i64,
    until: i64,
}

pub(super) fn get(history: &History, id: &str) -> Result<Value, ApiError> {
    let found = history.story_of(id).and_then(|(run, index)| Some((run.find_event(index, id)?, run)));
    let (event, run) = found.ok_or_else(|| ApiError::Missing { kind: "event".into(), id: id.into() })?;
    Ok(run.render(event))
}

pub(super) fn list(history: &History, mut query: Query, now_ms: i64) -> Result<Value, ApiError> {
    let page = Page::take(&mut query)?;
    let filter = Filter::take(&mut query, now_ms)?;
    query.nothing_else()?;
    let runs = history.runs();
    let (bound, is_upwards) = match &page.from {
        From::Newest => (None, false),
        From::After(id) => (Some(place_of(history, &runs, "starting_after", id)?), false),
        From::Before(id) => (Some(place_of(history, &runs, "ending_before", id)?), true),
    };
    let mut found = merge(&runs, &filter, now_ms, bound, is_upwards, page.limit + 1);
    let has_more = found.len() > page.limit;
    found.truncate(page.limit);
    if is_upwards {
        found.reverse();
    }
    let data = found.into_iter().filter_map(|(_, run, event)| Some(runs.get(run)?.render(event))).collect();
    Ok(page::render(data, has_more, "/v1/events"))
}

fn place_of(history: &History, runs: &[Arc<Run>], param: &str, id: &str) -> Result<Place, ApiError> {
    let found = history.story_of(id).and_then(|(run, index)| {
        let event = run.find_event(index, id)?;
        let run = runs.iter().position(|known| Arc::ptr_eq(known, &run))?;
        Some((event.created, run, event))
    });
    found.ok_or_else(|| ApiError::invalid(param, format!("No such event: '{id}'")))
}

/// The first `wanted` events beyond `bound`, towards the newer ones or the older ones, from all runs.
fn merge(
    runs: &[Arc<Run>],
    filter: &Filter,
    now_ms: i64,
    bound: Option<Place>,
    is_upwards: bool,
    wanted: usize,
) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    for (nth, run) in runs.iter().enumerate().filter(|(_, run)| run.began_ms() > now_ms - KEPT_MS) {
        let newer = runs.get(nth + 1..).unwrap_or_default();
        let place = |event: &EventRef| (event.created, nth, *event);
        let fits = |event: &EventRef| filter.fits(event) && !newer.iter().any(|other| other.repeats(run, event.story));
        let events = run.events();
        // Events are in order: what lies beyond time and bound is cut off, not looked through.
        let first = events.partition_point(|event| {
            event.created < filter.from || (is_upwards && bound.is_some_and(|bound| place(event) <= bound))
        });
        let end = events.partition_point(|event| {
            event.created <= filter.until && (is_upwards || bound.is_none_or(|bound| place(event) < bound))
        });
        let events = events.get(first..end).unwrap_or_default();
        if is_upwards {
            found.extend(events.iter().filter(|event| fits(event)).take(wanted).map(place));
        } else {
            found.extend(events.iter().rev().filter(|event| fits(event)).take(wanted).map(place));
        }
    }
    found.sort_unstable();
    if !is_upwards {
        found.reverse();
    }
    found.truncate(wanted);
    found
}

impl Filter {
    fn take(query: &mut Query, now_ms: i64) -> Result<Self, ApiError> {
        let mut types = query.take_all("types");
        if types.len() > TYPES_MAX {
            return Err(ApiError::invalid("types", format!("You can specify up to {TYPES_MAX} types.")));
        }
        if let Some(single) = query.take("type") {
            if !types.is_empty() {
                return Err(ApiError::invalid("type", "You can only specify one of type and types."));
            }
            types.push(single);
        }
        let (mut from, mut until) = (i64::MIN, now_ms.div_euclid(1000));
        if let Some(at) = query.take_number("created")? {
            from = at;
            until = until.min(at);
        }
        if let Some(at) = query.take_number("created[gte]")? {
            from = from.max(at);
        }
        if let Some(at) = query.take_number("created[gt]")? {
            from = from.max(at.saturating_add(1));
        }
        if let Some(at) = query.take_number("created[lte]")? {
            until = until.min(at);
        }
        if let Some(at) = query.take_number("created[lt]")? {
            until = until.min(at.saturating_sub(1));
        }
        Ok(Self { types, from, until })
    }

    fn fits(&self, event: &EventRef) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| is_of_type(event.event_type(), wanted))
    }
}

/// `invoice.*` stands for all that begin so.
fn is_of_type(event_type: &str, wanted: &str) -> bool {
    match wanted.strip_suffix('*') {
        Some(prefix) => event_type.starts_with(prefix),
        None => event_type == wanted,
    }
}

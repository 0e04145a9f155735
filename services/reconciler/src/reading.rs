//! FlashERP paged into staging, a few slices at a time, each in memory a page at a time.
//!
//! A slice whose cursor FlashERP refuses begins anew. One that can't be read, however often it is tried, is given up, and so is one whose pages lead in
//! a circle or have no end; the run says nothing of what is missing then.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use domain::RequestId;
use flasherp::{Call, CallError, ListQuery};
use syncs::target::Target;
use tokio::task::JoinSet;

use crate::call::patiently;
use crate::config::RunSettings;
use crate::run::{Run, StepError};
use crate::slices::Slice;
use crate::staging;

/// Records a page: the most that FlashERP gives.
const PAGE: u16 = 500;
/// Refused cursors of one slice after which it is given up.
const RESTARTS: i32 = 3;
/// Pages of one slice after which it is given up; it is made for a few, and where nothing is known of FlashERP's records it may be the whole window.
const MOST_PAGES: i64 = 100_000;

/// Reads these slices to their ends, or gives them up.
///
/// # Errors
/// [`StepError`]: the run can't go on. Slices under way are left at their last page.
pub(crate) async fn read(
    run: &Run,
    target: &Arc<Target>,
    settings: RunSettings,
    slices: Vec<Slice>,
) -> Result<(), StepError> {
    let mut waiting = slices.into_iter();
    // Dropped with this future, and its tasks with it.
    let mut reading = JoinSet::new();
    loop {
        while reading.len() < settings.at_once
            && let Some(slice) = waiting.next()
        {
            let (run, target) = (run.clone(), Arc::clone(target));
            reading.spawn(async move { one(&run, &target, settings, slice).await });
        }
        match reading.join_next().await {
            None => return Ok(()),
            Some(Ok(read)) => read?,
            // A panic was logged by its hook; its slice is read again by whoever takes the run up next.
            Some(Err(_)) => return Err(StepError::Lost),
        }
    }
}

async fn one(run: &Run, target: &Target, settings: RunSettings, mut slice: Slice) -> Result<(), StepError> {
    let call = Call::new(RequestId(run.id));
    let query = ListQuery {
        created_from: Some(slice.from),
        created_to: Some(slice.to),
        limit: Some(PAGE),
        ..ListQuery::default()
    };
    // Of each cursor a number of 64 bits: those of the longest slice are a few MB.
    let mut seen: HashSet<u64> = slice.cursor.iter().map(|cursor| number_of(cursor)).collect();
    loop {
        let fetched =
            patiently(settings.patience, || target.client.list(&call, slice.kind, &query, slice.cursor.as_deref()))
                .await;
        let page = match fetched {
            Ok(page) => page,
            Err(error) if slice.cursor.is_some() && refuses_cursor(&error) && slice.restarts < RESTARTS => {
                tracing::warn!(run_id = %run.id, entity_type = slice.kind.as_str(), error = error.to_string(), "a cursor was refused; its slice begins anew");
                staging::restart(run, &slice).await?;
                (slice.cursor, slice.pages) = (None, 0);
                slice.restarts += 1;
                seen.clear();
                continue;
            }
            Err(error) => {
                tracing::error!(run_id = %run.id, entity_type = slice.kind.as_str(), error = error.to_string(), "a part of the window can't be read");
                return staging::give_up(run, &slice, &error.to_string()).await;
            }
        };
        service::failpoint!("reconciler.page_fetched");
        if let Some(next) = &page.next_cursor
            && (!seen.insert(number_of(next)) || slice.pages >= MOST_PAGES)
        {
            return staging::give_up(run, &slice, "FlashERP's pages have no end").await;
        }
        staging::store(run, &slice, &page.records, page.next_cursor.as_deref()).await?;
        service::failpoint!("reconciler.page_stored");
        if page.next_cursor.is_none() {
            return Ok(());
        }
        slice.cursor = page.next_cursor;
        slice.pages += 1;
    }
}

fn number_of(cursor: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    cursor.hash(&mut hasher);
    hasher.finish()
}

/// Whether FlashERP itself says that it does not know the cursor, or not any more.
fn refuses_cursor(error: &CallError) -> bool {
    error.own_word && matches!(error.http_status, Some(400 | 404 | 410 | 422))
}

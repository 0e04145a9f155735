//! `erpctl preview`: what a sync of a record would send, as JSON.

use domain::{EntityType, RequestId};
use syncs::preview::{PreviewError, Previews};
use uuid::Uuid;

use crate::failure::Failure;
use crate::opened;
use crate::output::print;

pub(crate) async fn run(kind: EntityType, id: Uuid) -> Result<(), Failure> {
    let pool = opened::database().await?;
    let (stored, client) = opened::flasherp(&pool).await?;
    let previews = Previews { pool, client, scope: stored.scope(), adopted_at: stored.adopted_at() };
    let preview = previews.of(kind, id, RequestId(Uuid::new_v4())).await.map_err(|error| match error {
        PreviewError::NotFound => Failure::Failed(format!("UpCoach has no {kind} {id}")),
        error => Failure::failed("there is no preview", error),
    })?;
    let json = serde_json::to_string_pretty(&preview)
        .map_err(|error| Failure::failed("the preview can't be written", error))?;
    print(&format!("{json}\n"))
}

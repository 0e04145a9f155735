//! `erpctl adopt`: FlashERP's records become the targets of our syncs, page by page. Killed half-way, it is run again.

use domain::EntityType;
use syncs::adopt::{TYPES, Tally, adopt};

use crate::failure::Failure;
use crate::opened;
use crate::output::print;

pub(crate) async fn run(types: Vec<EntityType>) -> Result<(), Failure> {
    if types.contains(&EntityType::FinancialReport) {
        return Err(Failure::Usage(
            "financial reports are written over, never doubled; there is nothing to adopt".to_owned(),
        ));
    }
    let pool = opened::database().await?;
    let (_, client) = opened::flasherp(&pool).await?;
    for kind in TYPES.into_iter().filter(|kind| types.is_empty() || types.contains(kind)) {
        let told = |tally: &Tally| eprintln!("erpctl: {kind}: {} read, {} adopted", tally.seen, tally.adopted);
        let tally = adopt(&pool, &client, kind, told).await.map_err(|error| {
            Failure::failed(&format!("{kind}: broken off; what was adopted stays, run it again"), error)
        })?;
        print(&line(kind, &tally))?;
    }
    Ok(())
}

fn line(kind: EntityType, tally: &Tally) -> String {
    format!(
        "{kind}: {} read, {} adopted, {} known before, {} left to workers, {} doubles, {} of references that UpCoach has not, {} not ours\n",
        tally.seen,
        tally.adopted,
        tally.known,
        tally.left_to_workers,
        tally.doubles,
        tally.unknown_reference,
        tally.not_ours
    )
}

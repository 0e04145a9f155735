//! `erpctl restored`: the database comes from a backup, and FlashERP knows more than it. One transaction.

use service::settings;

use crate::failure::Failure;
use crate::opened;
use crate::output::print;

pub(crate) async fn run(by: &str, note: Option<&str>) -> Result<(), Failure> {
    let settle = opened::read(|env| env.duration(&settings::FLASHERP_SETTLE_SECS))?;
    let pool = opened::database().await?;
    let restored = syncs::restored(&pool, by, note, settle)
        .await
        .map_err(|error| Failure::failed("the restore could not be noted; nothing was changed", error))?;
    let head = restored.head.map_or_else(|| "nothing, since nothing was sealed".to_owned(), hex::encode);
    if !restored.configured {
        eprintln!("erpctl: there is no configuration yet; its first enabling will do the rest");
    }
    print(&format!(
        "epoch {} of the audit log continues from {head}; nothing is sent to FlashERP before {}\n",
        restored.epoch,
        domain::instant::text(restored.not_before)
    ))
}

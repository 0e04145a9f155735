//! `erpctl keys generate`: a fresh entry for `ERP_ENCRYPTION_KEYS`, printed and kept nowhere.

use secrecy::ExposeSecret as _;
use time::OffsetDateTime;

use crate::failure::Failure;
use crate::output::print;

pub(crate) fn generate(id: Option<String>) -> Result<(), Failure> {
    let id = id.unwrap_or_else(|| OffsetDateTime::now_utc().date().to_string());
    let entry = secrets::generate_key(&id)
        .map_err(|_| Failure::Usage("an id is 1 to 64 letters, digits, `-`, `_` and `.`".to_owned()))?;
    print(&format!("{}\n", entry.expose_secret()))
}

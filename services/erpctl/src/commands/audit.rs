//! `erpctl audit`: whether the audit log is what was sealed, and its months in files.

use std::path::Path;

use audit::verify::{Options, Verdict};
use service::settings;
use sqlx::PgConnection;

use crate::args::Audit;
use crate::connect::{check_owner, connect};
use crate::failure::Failure;
use crate::opened;
use crate::output::print;

pub(crate) async fn run(command: Audit) -> Result<(), Failure> {
    let url = opened::read(|env| env.secret(&settings::DATABASE_URL))?;
    let mut connection = connect(settings::DATABASE_URL.name, &url, None).await?;
    match command {
        Audit::Verify { heads, newest_rows, archives } => {
            let verdict = verify(&mut connection, &Options { heads, newest_rows, archives }).await?;
            let text = serde_json::to_string_pretty(&verdict).map_err(|error| Failure::failed("JSON", error))?;
            print(&format!("{text}\n"))?;
            intact(&verdict)
        }
        Audit::Archive { folder, by } => {
            check_owner(&mut connection, "this runs as").await?;
            archive(&mut connection, &folder, &by).await
        }
    }
}

async fn archive(connection: &mut PgConnection, folder: &Path, by: &str) -> Result<(), Failure> {
    // What was changed already is not to be carried on in a file that looks whole.
    let options = Options { archives: Some(folder.to_owned()), ..Options::default() };
    intact(&verify(connection, &options).await?)?;
    let archived = audit::archive::archive(connection, folder, by)
        .await
        .map_err(|error| Failure::failed("not every month could be exported", error))?;
    if archived.is_empty() {
        eprintln!("erpctl: no month is over, wholly sealed and not exported yet");
    }
    for month in archived {
        print(&format!("{}  {} ({} rows)\n", month.sha256, month.file.display(), month.rows))?;
        eprintln!(
            "erpctl: its partition may go now: ALTER TABLE audit.erp_audit_logs DETACH PARTITION audit.{}",
            month.partition
        );
    }
    Ok(())
}

async fn verify(connection: &mut PgConnection, options: &Options) -> Result<Verdict, Failure> {
    audit::verify(connection, options).await.map_err(|error| Failure::failed("the audit log can't be read", error))
}

fn intact(verdict: &Verdict) -> Result<(), Failure> {
    if verdict.intact {
        return Ok(());
    }
    let mut words: Vec<&str> = verdict.message.as_deref().into_iter().collect();
    words.extend(verdict.unprotected.iter().map(String::as_str));
    Err(Failure::Failed(format!("the audit log is not as it should be: {}", words.join("; "))))
}

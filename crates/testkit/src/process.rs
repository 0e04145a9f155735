//! Services as processes of a test.

use std::path::{Path, PathBuf};

use local_stack::ServiceOptions;

/// The program `name` of this workspace, as it was last built: in the folder that `ERP_BIN_DIR` names, else beside the
/// test's own program. `./justw test` builds all of them first.
///
/// # Panics
/// When it is not there, saying what to run.
pub fn binary(name: &str) -> PathBuf {
    let folder = std::env::var_os("ERP_BIN_DIR").map_or_else(beside_this_test, PathBuf::from);
    let program = folder.join(name);
    assert!(
        program.is_file(),
        "{} is not built: run `cargo build --workspace --bins` first, or the tests by `./justw test`",
        program.display()
    );
    program
}

/// How to start the service `name` with its files in `dir`, ending with this process.
///
/// # Panics
/// When its program is not built.
pub fn service(name: &str, dir: &Path) -> ServiceOptions {
    ServiceOptions::new(name, &binary(name), dir)
}

/// `target/debug` for a test in `target/debug/deps`.
fn beside_this_test() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own program");
    test.ancestors().nth(2).expect("a test's program is two folders below the target folder").to_owned()
}

//! `up`: starts the process that owns all servers in the background, and shows what it says until everything is ready.
//! Where it runs already, nothing is started.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use local_stack::stack::data_dir;
use local_stack::state::{Phase, State};
use local_stack::{spawn, wait};

use crate::say::say;
use crate::status;

const READY_WITHIN: Duration = Duration::from_secs(300);

/// Starts everything in the background.
pub(crate) async fn up() -> anyhow::Result<ExitCode> {
    let layout = data_dir()?;
    if let Some(state) = State::running(&layout) {
        if state.phase != Phase::Ready {
            bail!("the stack in {} is just being started or stopped", layout.root().display());
        }
        say("The stack runs already.");
        return status::status().await;
    }
    let log = layout.log_file("stack");
    let mut reader = Reader::at_the_end_of(&log)?;
    let program = std::env::current_exe().context("this program does not know where it is")?;
    let mut owner = spawn::detached(&program, &["run"], &log)?;
    let id = owner.id();
    let ready = wait::until_some(READY_WITHIN, "the stack to be ready", || {
        let ended = owner.ended();
        reader.show_new_lines();
        let state = State::running(&layout);
        async move {
            let ready = state.is_some_and(|state| state.owner == id && state.phase == Phase::Ready);
            ready.then_some(Ok(())).or_else(|| ended.map(Err))
        }
    });
    let ready = ready.await?;
    reader.show_new_lines();
    match ready {
        Ok(()) => {
            say("`./justw env` says how to reach it, `./justw down` stops it.");
            Ok(ExitCode::SUCCESS)
        }
        Err(_) => Ok(ExitCode::FAILURE),
    }
}

/// Shows what is added to a log.
struct Reader {
    file: std::fs::File,
    rest: String,
}

impl Reader {
    fn at_the_end_of(log: &Path) -> anyhow::Result<Self> {
        let open = || -> std::io::Result<std::fs::File> {
            let mut file = std::fs::File::options().create(true).append(true).read(true).open(log)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = open().with_context(|| format!("can't open {}", log.display()))?;
        Ok(Self { file, rest: String::new() })
    }

    fn show_new_lines(&mut self) {
        let mut bytes = Vec::new();
        if self.file.read_to_end(&mut bytes).is_err() {
            return;
        }
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        while let Some((line, rest)) = self.rest.split_once('\n') {
            // The time before it matters to later readers.
            let timed = line.split_once(' ').filter(|(time, _)| time.ends_with('Z'));
            say(timed.map_or(line, |(_, words)| words));
            self.rest = rest.to_owned();
        }
    }
}

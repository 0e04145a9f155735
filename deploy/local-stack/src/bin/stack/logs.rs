//! `logs`: what the servers have logged and go on logging.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use local_stack::layout::Layout;
use local_stack::stack::data_dir;

use crate::say::say;
use crate::signals::asked_to_end;

/// How often new lines are looked for.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// What to show.
#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Whose: postgres, nats, gateway, ingress, sync-worker, config-api, scheduler, flasherp-sandbox or stack; all when left out.
    server: Option<String>,
    /// Goes on until Ctrl-C.
    #[arg(short, long)]
    follow: bool,
    /// How many of the last lines to begin with.
    #[arg(short = 'n', long, default_value_t = 50)]
    lines: usize,
}

/// Shows logs.
pub(crate) async fn logs(args: LogsArgs) -> anyhow::Result<ExitCode> {
    let mut files = log_files(&data_dir()?, args.server.as_deref())?;
    let named = files.len() > 1;
    for file in &mut files {
        let lines = file.new_lines()?;
        for line in lines.iter().skip(lines.len().saturating_sub(args.lines)) {
            file.show(line, named);
        }
    }
    if !args.follow {
        return Ok(ExitCode::SUCCESS);
    }
    let end = asked_to_end();
    tokio::pin!(end);
    let mut looks = tokio::time::interval(BETWEEN_LOOKS);
    loop {
        tokio::select! {
            ended = &mut end => return ended.map(|()| ExitCode::SUCCESS),
            _ = looks.tick() => {}
        }
        for file in &mut files {
            for line in file.new_lines()? {
                file.show(&line, named);
            }
        }
    }
}

struct LogFile {
    name: String,
    path: PathBuf,
    read: u64,
    rest: String,
}

impl LogFile {
    /// Whole lines that were added since the last look.
    fn new_lines(&mut self) -> anyhow::Result<Vec<String>> {
        let look = || -> std::io::Result<Vec<u8>> {
            let mut file = std::fs::File::open(&self.path)?;
            file.seek(SeekFrom::Start(self.read))?;
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = look().with_context(|| format!("can't read {}", self.path.display()))?;
        self.read += u64::try_from(bytes.len()).unwrap_or_default();
        self.rest.push_str(&String::from_utf8_lossy(&bytes));
        let mut lines: Vec<String> = self.rest.split('\n').map(str::to_owned).collect();
        self.rest = lines.pop().unwrap_or_default();
        Ok(lines)
    }

    fn show(&self, line: &str, named: bool) {
        if named {
            say(&format!("{:<16} | {line}", self.name));
        } else {
            say(line);
        }
    }
}

fn log_files(layout: &Layout, server: Option<&str>) -> anyhow::Result<Vec<LogFile>> {
    let folder = layout.logs_dir();
    let entries = std::fs::read_dir(&folder).with_context(|| format!("can't read {}", folder.display()))?;
    let mut files: Vec<LogFile> = entries
        .flatten()
        .filter_map(|entry| {
            let path = entry.path();
            let name = path.file_name()?.to_str()?.strip_suffix(".log")?.to_owned();
            Some(LogFile { name, path, read: 0, rest: String::new() })
        })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let Some(server) = server else { return Ok(files) };
    let known: Vec<String> = files.iter().map(|file| file.name.clone()).collect();
    files.retain(|file| file.name == server);
    if files.is_empty() {
        bail!("no server {server} has logged in {}; there are: {}", folder.display(), known.join(", "));
    }
    Ok(files)
}

//! Starting a child that ends with its owner, and the one process that may outlive the command that started it.
//!
//! The kernel ends a child "with its parent" when the *thread* that started it ends, not the process. A test starts
//! servers on a thread that is gone when the test is over, while others still use the servers. So every child is
//! started by one thread that lives as long as the process.
//!
//! `setpriv --pdeathsig` asks the kernel for the signal, `setsid` takes the child out of the terminal's process group,
//! so that Ctrl-C reaches the owner alone, which then stops its children in order.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};

use crate::error::IoContext;
use crate::{ProcessId, Result, StackError};

/// What becomes of a child when its owner is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WhenOwnerDies {
    /// It stops in order and at once: what PostgreSQL calls a fast shutdown.
    Interrupt,
    /// It is killed.
    Kill,
    /// It runs on.
    Nothing,
}

/// A program to start, with its arguments, its whole environment and where its output goes.
#[derive(Debug)]
pub(crate) struct Program {
    /// The words of the command line; the first one is the program.
    pub(crate) words: Vec<OsString>,
    /// The environment; nothing else is handed down.
    pub(crate) env: Vec<(String, String)>,
    /// What becomes of it when this process is gone, whatever ended it.
    pub(crate) when_owner_dies: WhenOwnerDies,
}

/// A started child. Dropping it does not end it.
#[derive(Debug)]
pub struct Started {
    child: Child,
    id: ProcessId,
}

impl Started {
    /// Which process it is.
    pub fn id(&self) -> ProcessId {
        self.id
    }

    /// How it ended, if it has. Also takes the ended child off the kernel's list.
    pub fn ended(&mut self) -> Option<String> {
        match self.child.try_wait() {
            Ok(None) => None,
            Ok(Some(status)) => Some(status.to_string()),
            Err(error) => Some(error.to_string()),
        }
    }

    /// Waits, blocking, until it has ended. For destructors, after a signal that can't be refused.
    pub(crate) fn wait_blocking(&mut self) {
        // An error means that somebody else has already waited for it: gone all the same.
        drop(self.child.wait());
    }
}

/// Starts `program`, its output appended to `log`.
pub(crate) fn start(program: Program, log: &Path) -> Result<Started> {
    let output =
        OpenOptions::new().create(true).append(true).open(log).doing(|| format!("can't write {}", log.display()))?;
    let errors = output.try_clone().doing(|| format!("can't write {}", log.display()))?;
    let name = program.words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
    let mut command = Command::new("setsid");
    match program.when_owner_dies {
        WhenOwnerDies::Interrupt => command.args(["setpriv", "--pdeathsig", "INT", "--"]),
        WhenOwnerDies::Kill => command.args(["setpriv", "--pdeathsig", "KILL", "--"]),
        WhenOwnerDies::Nothing => &mut command,
    };
    command.args(&program.words).env_clear().envs(program.env);
    command.stdin(Stdio::null()).stdout(output).stderr(errors);
    let child = on_the_spawning_thread(command).doing(|| format!("can't start {name}"))?;
    match ProcessId::of(child.id()) {
        Some(id) => Ok(Started { child, id }),
        None => Err(StackError::DidNotStart {
            name,
            reason: "it ended at once".to_owned(),
            log: log.to_owned(),
            tail: crate::layout::tail(log),
        }),
    }
}

/// Starts `program` with `arguments` so that it outlives this process, with this process's environment, its output
/// appended to `log`.
///
/// # Errors
/// When it can't be started.
pub fn detached(program: &Path, arguments: &[&str], log: &Path) -> Result<Started> {
    let mut words = vec![program.into()];
    words.extend(arguments.iter().map(OsString::from));
    start(Program { words, env: std::env::vars().collect(), when_owner_dies: WhenOwnerDies::Nothing }, log)
}

type Job = (Command, mpsc::SyncSender<std::io::Result<Child>>);

fn on_the_spawning_thread(command: Command) -> std::io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                drop(reply.send(command.spawn()));
            }
        });
        jobs
    });
    let (reply, answer) = mpsc::sync_channel(1);
    let gone = || std::io::Error::other("the spawning thread is gone");
    spawner.send((command, reply)).map_err(|_| gone())?;
    answer.recv().map_err(|_| gone())?
}

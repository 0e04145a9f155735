//! The panel's files, held in memory: a path is looked up among those that were found at the last reading, so that no path leads anywhere
//! else. They are read when they are first asked for, and again when its page has changed, so that a new build needs no restart.

mod files;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

pub(crate) use files::{Asset, Files};

/// Between two looks at whether the page has changed.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// There is no folder, or no page in it.
#[derive(Debug)]
pub(crate) struct NoPanel;

/// A folder with a built panel, which may come, change and go.
pub(crate) struct Panel {
    folder: Option<PathBuf>,
    held: RwLock<Option<Arc<Files>>>,
    looked_at: Mutex<Option<Instant>>,
}

impl Panel {
    pub(crate) fn at(folder: Option<PathBuf>) -> Self {
        Self { folder, held: RwLock::new(None), looked_at: Mutex::new(None) }
    }

    /// The files as they were at most a second ago.
    ///
    /// # Errors
    /// [`NoPanel`].
    pub(crate) async fn files(&self) -> Result<Arc<Files>, NoPanel> {
        let folder = self.folder.clone().ok_or(NoPanel)?;
        // Whoever comes while somebody looks takes what is held, unless that is nothing.
        let looking = match (self.held(), self.looked_at.try_lock()) {
            (Some(files), Err(_)) => return Ok(files),
            (_, Ok(looking)) => Some(looking),
            (None, Err(_)) => None,
        };
        let mut looked_at = match looking {
            Some(looking) => looking,
            None => self.looked_at.lock().await,
        };
        if looked_at.is_none_or(|at| at.elapsed() >= BETWEEN_LOOKS) {
            self.look(folder).await;
            *looked_at = Some(Instant::now());
        }
        self.held().ok_or(NoPanel)
    }

    async fn look(&self, folder: PathBuf) {
        let known = self.held().map(|files| files.version());
        let read = tokio::task::spawn_blocking(move || files::read_unless(&folder, known)).await;
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(files))) => {
                tracing::info!(files = files.len(), "the panel's files are read");
                *held = Some(Arc::new(files));
            }
            Ok(Err(error)) => {
                if held.take().is_some() {
                    tracing::warn!(error = format!("{error:#}"), "the panel is gone");
                }
            }
            Err(_panicked) => {}
        }
    }

    fn held(&self) -> Option<Arc<Files>> {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

//! A disk whose power can be cut: what was written to it and not synced is gone afterwards, as on a real machine.
//!
//! A file system for the servers' data lies in an image file, which lies in a second, outer file system. To cut the power the outer one is
//! frozen: from that moment on no write reaches the image, syncs of the inner file system hang, and what its page cache holds is not in the
//! image, which nobody syncs. The image is copied as it stands, all of one moment. Whoever used the disk is killed meanwhile; then the copy is
//! mounted in the old place, and its journal is replayed, as after a real cut.
//!
//! What it leaves out: a drive with a volatile cache that loses writes it has taken but was not told to flush. Here every write that was taken
//! stays. PostgreSQL and the file system's journal ask for a flush where it matters, so this forgives only a kernel that forgets to pass that on.
//!
//! It needs root, loop devices and e2fsprogs; [`Disk::why_not`] says what is missing. A process that is killed leaves its mounts behind, unless
//! it runs in a mount namespace of its own ([`in_a_mount_namespace`]), which takes them along.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::{Scratch, eventually, infra};

/// Sizes of the file systems; only what is written takes room.
const INNER_MIB: u64 = 1_536;
const OUTER_MIB: u64 = 4_096;
/// The killed end once their last sync is through.
const NOBODY_WITHIN: Duration = Duration::from_secs(60);

/// A mounted disk.
#[derive(Debug)]
pub struct Disk {
    outer: PathBuf,
    mounted: PathBuf,
    /// The copy of the image while the power is away.
    copied: PathBuf,
    is_frozen: bool,
    _scratch: Scratch,
}

impl Disk {
    /// What keeps this machine from having such a disk, in words; none when it can.
    pub fn why_not() -> Option<String> {
        if !Path::new("/dev/loop-control").exists() {
            return Some("there are no loop devices (/dev/loop-control)".to_owned());
        }
        for tool in ["mkfs.ext4", "mount", "umount", "fsfreeze", "unshare"] {
            if run(Command::new(tool).arg("-V")).is_err_and(|error| error.contains("can't be started")) {
                return Some(format!("the program {tool} is missing"));
            }
        }
        let scratch = infra::scratch();
        let (image, folder) = (scratch.join("trial.img"), scratch.join("trial"));
        std::fs::create_dir(&folder).expect("a folder in a new one");
        make_file_system(&image, 8, &[]);
        // In a namespace that is gone at once, and the mount with it.
        let mut trial = Command::new("unshare");
        trial.args(["--mount", "--propagation", "private", "--", "mount", "-t", "ext4", "-o", "loop"]);
        trial.arg(&image).arg(&folder);
        run(&mut trial).err().map(|error| format!("no image can be mounted, which takes root: {error}"))
    }

    /// Makes a disk, which is empty.
    ///
    /// # Panics
    /// When it can't be made; ask [`Self::why_not`] before.
    pub fn make() -> Self {
        let scratch = infra::scratch();
        let (outer, mounted) = (scratch.join("outer"), scratch.join("disk"));
        for folder in [&outer, &mounted] {
            std::fs::create_dir(folder).expect("a folder in a new one");
        }
        let outer_image = scratch.join("outer.img");
        // Without a journal, and so with less to write when it is frozen.
        make_file_system(&outer_image, OUTER_MIB, &["-O", "^has_journal"]);
        mount(&outer_image, &outer);
        let disk = Self { copied: scratch.join("copy.img"), outer, mounted, is_frozen: false, _scratch: scratch };
        make_file_system(&disk.image(), INNER_MIB, &[]);
        mount(&disk.image(), &disk.mounted);
        disk
    }

    /// Where it is mounted, before and after each cut.
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// Writes everything to the disk, as the time that passes would.
    pub fn sync(&self) {
        must(Command::new("sync").arg("-f").arg(&self.mounted));
    }

    /// The power goes: from now on nothing reaches the disk. Whoever waits for it hangs, and is to be killed before [`Self::return_power`].
    pub fn cut_power(&mut self) {
        must(Command::new("fsfreeze").arg("-f").arg(&self.outer));
        self.is_frozen = true;
    }

    /// Brings back what the disk held when the power went. The killed that hang in a sync end meanwhile.
    ///
    /// # Panics
    /// When somebody still uses the disk after a minute.
    pub async fn return_power(&mut self) {
        must(Command::new("cp").args(["--sparse=always", "--"]).arg(self.image()).arg(&self.copied));
        self.thaw();
        eventually(NOBODY_WITHIN, "nobody to use the disk any more", || async {
            run(Command::new("umount").arg(&self.mounted)).is_ok()
        })
        .await;
        must(Command::new("cp").args(["--sparse=always", "--"]).arg(&self.copied).arg(self.image()));
        std::fs::remove_file(&self.copied).expect("the copy is there");
        mount(&self.image(), &self.mounted);
    }

    fn thaw(&mut self) {
        if self.is_frozen {
            must(Command::new("fsfreeze").arg("-u").arg(&self.outer));
            self.is_frozen = false;
        }
    }

    fn image(&self) -> PathBuf {
        self.outer.join("disk.img")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What fails here goes with the namespace.
        if self.is_frozen {
            let _thawed = run(Command::new("fsfreeze").arg("-u").arg(&self.outer));
        }
        for mounted in [&self.mounted, &self.outer] {
            let _gone = run(Command::new("umount").arg("--lazy").arg(mounted));
        }
    }
}

/// Runs the ignored test `name` of this test program by itself, with these variables, in a mount namespace of its own that ends with it.
///
/// # Panics
/// When it fails; what it says goes where this one's words go.
pub fn in_a_mount_namespace(name: &str, variables: &[(&str, String)]) {
    let this = std::env::current_exe().expect("a test knows its own program");
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "KILL", "--", "unshare", "--mount", "--propagation", "private", "--"])
        .arg(this)
        .args(["--exact", name, "--ignored", "--nocapture"])
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .status()
        .expect("setpriv starts");
    assert!(status.success(), "{name} failed ({status}); see above");
}

fn make_file_system(image: &Path, mib: u64, options: &[&str]) {
    let file = std::fs::File::create(image).unwrap_or_else(|error| panic!("can't make {}: {error}", image.display()));
    file.set_len(mib << 20).expect("a sparse file may be long");
    must(Command::new("mkfs.ext4").args(["-q", "-F", "-m", "0"]).args(options).arg(image));
}

fn mount(image: &Path, folder: &Path) {
    must(Command::new("mount").args(["-t", "ext4", "-o", "loop"]).arg(image).arg(folder));
}

fn must(command: &mut Command) {
    if let Err(error) = run(command) {
        panic!("{error}");
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?} can't be started: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())),
    }
}

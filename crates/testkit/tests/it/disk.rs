//! What the power cut takes and what it leaves.

use std::fs::File;
use std::io::Write as _;

use testkit::disk::{Disk, in_a_mount_namespace};

#[test]
fn a_power_cut_takes_what_was_not_synced_and_leaves_what_was() {
    match Disk::why_not() {
        Some(why) => eprintln!("skipped: no power can be cut here: {why}"),
        None => in_a_mount_namespace("disk::synced_and_not", &[]),
    }
}

#[tokio::test]
#[ignore = "the test above runs it, in a mount namespace of its own"]
async fn synced_and_not() {
    let mut disk = Disk::make();
    for round in 0..2 {
        let path = |name: &str| disk.path().join(format!("{name}-{round}"));
        let (synced, not, overwritten) = (path("synced"), path("not-synced"), path("overwritten"));
        for (path, words) in [(&synced, "kept"), (&overwritten, "before")] {
            std::fs::write(path, words).expect("written");
            File::open(path).and_then(|file| file.sync_all()).expect("synced");
        }
        File::open(disk.path()).and_then(|folder| folder.sync_all()).expect("synced");

        File::options().write(true).open(&overwritten).and_then(|mut file| file.write_all(b"after!")).expect("written");
        std::fs::write(&not, b"gone").expect("written");
        disk.cut_power();
        // Whoever writes now believes it, and writes to a disk that nobody will see again.
        std::fs::write(&synced, b"changed").expect("taken by the page cache");
        disk.return_power().await;

        assert_eq!(std::fs::read(&synced).expect("there"), b"kept");
        assert_eq!(std::fs::read(&overwritten).expect("there"), b"before");
        assert!(!not.exists() || std::fs::read(&not).expect("readable").is_empty());
    }
}

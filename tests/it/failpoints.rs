//! A process dies at each point that every payment passes, is started again, and every payment arrives once.

use std::collections::BTreeSet;
use std::path::Path;

use testkit::faults::Point;

use crate::deaths::{has_died, order, point};
use crate::system::{Plan, System};

const STORIES: u32 = 60;
const PER_SECOND: u32 = 100;
/// The pass at which it dies: not the first, so that something has been done before.
const PASS: u64 = 2;

async fn dies_at(name: &str) {
    let plan = Plan::new().await;
    let mut system: System = plan.start().await;
    order(&mut system, point(name), PASS).await;
    let send = system.send(STORIES, PER_SECOND).await;
    has_died(&mut system, point(name)).await;
    system.ends_with_every_payment_once(send).await;
}

macro_rules! dies_at {
    ($($test:ident: $point:literal;)*) => {
        $(#[tokio::test]
        async fn $test() {
            dies_at($point).await;
        })*
    };
}

dies_at! {
    ingress_before_it_commits: "ingress.before_commit";
    ingress_after_its_commit_before_it_answers: "ingress.after_commit";
    inbound_before_it_commits: "inbound.before_commit";
    inbound_after_its_commit_before_its_hints: "inbound.after_commit";
    outbound_after_a_claims_commit: "outbound.after_claim";
    outbound_before_it_sends: "outbound.before_send";
    outbound_after_it_sent_before_it_finishes: "outbound.after_send";
    outbound_in_finish_before_the_commit: "outbound.finish_before_commit";
    outbound_in_finish_after_the_commit: "outbound.finish_after_commit";
}

#[test]
fn every_point_in_the_source_has_a_test_that_kills_there_and_every_point_of_the_storm_is_in_the_source() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let (mut points, mut tests) = (BTreeSet::new(), read_below(&root.join("tests")));
    for folder in ["services", "crates"] {
        for member in std::fs::read_dir(root.join(folder)).expect("members") {
            let member = member.expect("a member").path();
            tests.push_str(&read_below(&member.join("tests")));
            // What makes them has tests of its own.
            if !member.ends_with("crates/service") {
                let source = read_below(&member.join("src"));
                let named = source.split("failpoint!(\"").skip(1).filter_map(|rest| rest.split_once('"'));
                points.extend(named.map(|(name, _)| name.to_owned()));
            }
        }
    }
    let unknown: Vec<&str> = Point::all().map(|point| point.name).filter(|name| !points.contains(*name)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "no program comes to these points");
    // By its name alone, or with the pass at which it kills.
    let is_killed_at = |name: &str| ["\"", ":"].iter().any(|end| tests.contains(&format!("\"{name}{end}")));
    let untested: Vec<&String> = points.iter().filter(|name| !is_killed_at(name)).collect();
    assert_eq!(untested, Vec::<&String>::new(), "no test kills at these points");
}

/// `service` and its features, as the programs are built for: `edges` are the dependencies that count.
fn service_as_built_for(package: &[&str], edges: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = std::process::Command::new(cargo)
        .args(["tree", "--locked", "--offline", "--prefix", "none", "--format", "{p} {f}", "--edges", edges])
        .args(package)
        .current_dir(root)
        .output()
        .expect("cargo runs");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let lines = String::from_utf8(tree.stdout).expect("text");
    let service: BTreeSet<&str> = lines.lines().filter(|line| line.starts_with("service v")).collect();
    assert!(!service.is_empty(), "nobody uses it: {lines}");
    service.into_iter().collect::<Vec<_>>().join("\n")
}

/// `.ci/run` looks into the programs themselves.
#[test]
fn the_programs_of_these_tests_have_failpoints_and_those_that_are_shipped_have_none() {
    let tested = service_as_built_for(&["--package", "system-tests"], "normal,build,dev");
    assert!(tested.contains("failpoints"), "{tested}");
    let shipped = service_as_built_for(&["--workspace"], "normal,build");
    assert!(!shipped.contains("failpoints"), "{shipped}");
}

/// All Rust source below a folder; nothing if there is none.
fn read_below(folder: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            all.push_str(&read_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            all.push_str(&std::fs::read_to_string(&path).expect("source"));
        }
    }
    all
}

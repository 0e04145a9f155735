//! Orders a process to die at a point, sees that it does, and brings it back.

use testkit::faults::{Point, Process};
use testkit::{Service, ServiceOptions};

use crate::system::{LONG, System};

/// The point of that name.
pub(crate) fn point(name: &str) -> Point {
    Point::all().find(|point| point.name == name).unwrap_or_else(|| panic!("{name} is not among the points"))
}

/// From now on its process dies when it comes to the point for so many times.
pub(crate) async fn order(system: &mut System, point: Point, pass: u64) {
    let (place, healthy) = part(system, point);
    let fatal = healthy.env("ERP_FAILPOINT", format!("{}:{pass}", point.name));
    place.stop().await.expect("it stops");
    *place = Service::start(fatal).await.unwrap_or_else(|error| {
        panic!(
            "{} does not start with a failpoint: are the programs built with them, as `./justw test` does? {error}",
            point.process
        )
    });
    place.until_ready(LONG).await.expect("ready");
}

/// Waits until its process has died there, and starts it again without the order.
pub(crate) async fn has_died(system: &mut System, point: Point) {
    let (place, healthy) = part(system, point);
    let (process, name) = (point.process, point.name);
    let end = place.until_ended(LONG).await.unwrap_or_else(|error| panic!("{process} never came to {name}: {error}"));
    assert!(end.contains("signal: 6"), "{process} ended otherwise than at {name}: {end}");
    let log = std::fs::read_to_string(place.log()).expect("its log");
    assert!(log.contains(&format!("failpoint {name}: the process dies here")), "{log}");
    *place = Service::start(healthy).await.expect("it starts again");
    place.until_ready(LONG).await.expect("ready again");
}

/// Its process and how that is started in health.
fn part(system: &mut System, point: Point) -> (&mut Service, ServiceOptions) {
    match point.process {
        Process::Ingress => (&mut system.ingress, system.ingress_options.clone()),
        Process::Worker => (&mut system.worker, system.worker_options.clone()),
        other => panic!("{other} has no failpoints"),
    }
}

//! Fuzz target (`./justw fuzz`): whatever Stripe's events say, the fold bears it, and hearing it twice changes nothing.

use webhooks::stripe;

use super::stories::{Shape, Story};
use super::{System, parse};

#[test]
fn fuzz_stripe_fold() {
    let mut examples = Vec::new();
    for shape in [Shape::Legacy, Shape::Current] {
        let story = Story::new(1, shape);
        for life in [story.payment(), story.refunds(), story.lost_dispute(), story.subscription_life()] {
            examples.extend(life.iter().map(|event| event.to_string().into_bytes()));
        }
    }
    let before: Vec<_> = Story::new(1, Shape::Current).payment().iter().take(4).map(parse).collect();
    let examples: Vec<&[u8]> = examples.iter().map(Vec::as_slice).collect();
    fuzzing::run(&examples, |body| {
        let Ok(event) = stripe::parse(body) else { return };
        let mut system = System::default();
        before.iter().for_each(|event| drop(system.take(event)));
        system.take(&event);
        if system.waiting() > 0 {
            return;
        }
        let once = system.end();
        system.take(&event);
        assert!(system.end() == once, "hearing it twice is hearing it once");
    });
}

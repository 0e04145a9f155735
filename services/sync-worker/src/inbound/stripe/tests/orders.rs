//! Neither order nor repetition changes where a story ends.

use proptest::prelude::*;
use serde_json::Value;
use webhooks::stripe::StripeEvent;

use super::stories::{Shape, Story};
use super::{parse, system_after};

fn read(events: &[Value]) -> Vec<StripeEvent> {
    events.iter().map(parse).collect()
}

/// Every order of `items`, by Heap's algorithm.
fn each_order(items: &mut Vec<usize>, n: usize, visit: &mut impl FnMut(&[usize])) {
    if n <= 1 {
        visit(items);
        return;
    }
    for index in 0..n {
        each_order(items, n - 1, visit);
        let other = if n.is_multiple_of(2) { index } else { 0 };
        items.swap(other, n - 1);
    }
}

fn ends_the_same_in_all_orders(events: &[Value]) {
    let events = read(events);
    let expected = system_after(&events).end();
    let mut orders = 0;
    each_order(&mut (0..events.len()).collect(), events.len(), &mut |order| {
        orders += 1;
        let end = system_after(order.iter().map(|index| &events[*index])).end();
        assert!(end == expected, "the order {order:?} ends in\n{end}\nand not in\n{expected}");
    });
    assert_eq!(orders, 5040);
}

#[test]
fn all_5040_orders_of_a_payments_seven_events_end_in_the_same_rows() {
    ends_the_same_in_all_orders(&Story::new(1, Shape::Legacy).payment());
    ends_the_same_in_all_orders(&Story::new(1, Shape::Current).payment());
}

#[test]
fn all_orders_of_a_payment_and_its_refunds_end_in_the_same_rows() {
    ends_the_same_in_all_orders(&Story::new(1, Shape::Current).refunds());
}

#[test]
fn all_orders_of_a_dispute_end_in_the_same_rows() {
    ends_the_same_in_all_orders(&Story::new(1, Shape::Legacy).lost_dispute());
}

#[test]
fn all_orders_of_a_subscriptions_life_end_in_the_same_rows() {
    ends_the_same_in_all_orders(&Story::new(1, Shape::Legacy).subscription_life());
    ends_the_same_in_all_orders(&Story::new(1, Shape::Current).subscription_life());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn any_events_doubled_in_any_order_end_in_the_same_rows(
        doubled in proptest::collection::vec(0_usize..28, 0..28),
        seed in any::<u64>(),
        legacy in any::<bool>(),
    ) {
        let story = Story::new(1, if legacy { Shape::Legacy } else { Shape::Current });
        let mut all = story.payment();
        all.extend(story.refunds());
        all.extend(story.lost_dispute());
        all.extend(story.subscription_life());
        let events = read(&all);
        let expected = system_after(&events).end();

        let mut order: Vec<usize> = (0..events.len()).chain(doubled).collect();
        let mut random = seed;
        for index in (1..order.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = usize::try_from(random >> 33).unwrap_or(0) % (index + 1);
            order.swap(index, other);
        }
        let end = system_after(order.iter().map(|index| &events[*index])).end();
        prop_assert!(end == expected, "the order {order:?} ends in\n{end}\nand not in\n{expected}");
    }
}

//! Stripe's stories as a library: coherent, repeatable, in both shapes.

use std::collections::HashSet;

use flasherp_sandbox::stripe::{ApiShape, EventKind, Plan, StoryOptions, StripeCurrency, StripeEvent, story};
use serde_json::Value;

const CREATED: i64 = 1_764_000_000;

fn options() -> StoryOptions {
    StoryOptions { payments: 3, ..StoryOptions::beginning_at(CREATED) }
}

fn read(event: &StripeEvent) -> Value {
    serde_json::from_slice(&event.body).unwrap()
}

fn object(event: &StripeEvent) -> Value {
    read(event)["data"]["object"].clone()
}

#[test]
fn a_storys_ids_fit_together() {
    for index in 0..20 {
        let events = story(1, index, &options());
        let [created, rest @ ..] = events.as_slice() else { panic!("a story begins") };
        assert_eq!(created.event_type, "customer.created");
        let customer = object(created);
        let payments: Vec<_> = rest
            .chunks_exact(2)
            .filter(|pair| pair.iter().all(|event| !event.event_type.starts_with("customer")))
            .collect();
        assert_eq!(payments.len(), 3);
        for pair in payments {
            let [charge, intent] = pair else { panic!("a pair") };
            assert_eq!((charge.event_type, intent.event_type), ("charge.succeeded", "payment_intent.succeeded"));
            let (charge, intent) = (object(charge), object(intent));
            assert_eq!(intent["customer"], customer["id"]);
            assert_eq!(charge["customer"], customer["id"]);
            assert_eq!(intent["latest_charge"], charge["id"]);
            assert_eq!(charge["payment_intent"], intent["id"]);
            assert_eq!(intent["amount_received"], intent["amount"]);
            for field in ["amount", "currency", "created", "payment_method"] {
                assert_eq!(intent[field], charge[field], "{field}");
            }
            assert_eq!((&intent["status"], &charge["status"]), (&"succeeded".into(), &"succeeded".into()));
        }
    }
}

#[test]
fn now_and_then_a_customer_is_renamed_and_stripe_tells_the_old_name() {
    let told: Vec<usize> = (0..8).map(|index| story(1, index, &options()).len()).collect();
    assert_eq!(told, [7, 7, 7, 8, 7, 7, 7, 8]);
    let events = story(1, 3, &options());
    let (first, last) = (events.first().unwrap(), events.last().unwrap());
    assert_eq!(last.event_type, "customer.updated");
    assert_eq!(object(last)["id"], object(first)["id"]);
    assert_ne!(object(last)["name"], object(first)["name"]);
    assert_eq!(read(last)["data"]["previous_attributes"]["name"], object(first)["name"]);
    assert!(last.created > first.created);
}

#[test]
fn a_story_is_a_function_of_seed_number_and_options() {
    assert_eq!(story(1, 2, &options()), story(1, 2, &options()));
    assert_ne!(story(1, 2, &options()), story(2, 2, &options()));
    let only_payments = StoryOptions { kinds: vec![EventKind::Payment], ..options() };
    let all = story(1, 3, &options());
    let expected: Vec<_> = all.into_iter().filter(|event| event.event_type == "payment_intent.succeeded").collect();
    assert_eq!(story(1, 3, &only_payments), expected);
}

#[test]
fn no_id_comes_twice_and_every_story_has_as_many_events_as_told() {
    let mut ids = HashSet::new();
    for index in 0..500 {
        let events = story(9, index, &options());
        assert_eq!(events.len(), usize::try_from(options().events_per_story(index)).unwrap());
        for event in events {
            assert_eq!(read(&event)["id"], event.id.as_str());
            assert_eq!(read(&event)["type"], event.event_type);
            assert_eq!(read(&event)["created"], event.created);
            assert!(event.id.starts_with("evt_") && ids.insert(event.id));
        }
    }
}

#[test]
fn people_are_synthetic() {
    let mut emails = HashSet::new();
    for index in 0..200 {
        let customer = object(story(1, index, &options()).first().unwrap());
        let email = customer["email"].as_str().unwrap();
        assert!(email.ends_with("@example.com") && email.is_ascii(), "{email}");
        assert!(emails.insert(email.to_owned()));
        assert!(!customer["name"].as_str().unwrap().is_empty());
    }
}

#[test]
fn amounts_are_in_stripes_units() {
    for (code, divisor, smallest) in [
        ("usd", 1, 500),
        ("jpy", 1, 500),
        ("mga", 1, 500),
        ("kwd", 10, 5_000),
        ("isk", 100, 50_000),
        ("ugx", 100, 50_000),
    ] {
        let options =
            StoryOptions { currencies: vec![StripeCurrency::from_code(&code.to_uppercase()).unwrap()], ..options() };
        for index in 0..50 {
            for event in story(1, index, &options).iter().filter(|event| event.event_type == "payment_intent.succeeded")
            {
                let intent = object(event);
                let amount = intent["amount"].as_i64().unwrap();
                assert_eq!((intent["currency"].as_str().unwrap(), amount % divisor), (code, 0), "{amount}");
                assert!((smallest..=smallest * 100).contains(&amount), "{code} {amount}");
            }
        }
    }
    assert!(StripeCurrency::from_code("xyz").is_err());
}

#[test]
fn each_shape_has_its_own_fields_and_version() {
    let of = |shape| story(1, 0, &StoryOptions { shape, ..options() });
    let (legacy, current) = (of(ApiShape::Legacy), of(ApiShape::Current));
    assert_eq!(read(legacy.first().unwrap())["api_version"], "2024-06-20");
    assert_eq!(read(current.first().unwrap())["api_version"], "2025-09-30.clover");
    for (old, new) in legacy.iter().zip(&current) {
        assert_eq!((&old.id, old.event_type), (&new.id, new.event_type));
        let (old_object, new_object) = (object(old), object(new));
        assert_eq!(old_object["id"], new_object["id"]);
        let names_invoice = !old.event_type.starts_with("customer");
        assert_eq!(old_object.get("invoice").is_some(), names_invoice, "{}", old.event_type);
        assert_eq!(new_object.get("invoice"), None);
        assert_eq!(new_object.get("customer_account").is_some(), new.event_type == "payment_intent.succeeded");
    }
}

#[test]
fn a_shuffled_plan_has_the_same_events_and_repeats_come_after_their_first() {
    let in_order = Plan::new(3, 0, 40, options(), false, 0.0);
    let shuffled = Plan::new(3, 0, 40, options(), true, 0.25);
    let ids = |plan: &Plan| (0..plan.len()).map(|place| plan.event(place).unwrap().id).collect::<Vec<_>>();
    let (in_order_ids, shuffled_ids) = (ids(&in_order), ids(&shuffled));
    assert_eq!(in_order_ids.len(), 40 * 7 + 10);
    assert_ne!(in_order.order(), shuffled.order());
    assert_eq!(in_order_ids.iter().collect::<HashSet<_>>(), shuffled_ids.iter().collect::<HashSet<_>>());
    assert_eq!(shuffled_ids.len(), in_order_ids.len() + shuffled.repeats());
    assert!((30..=120).contains(&shuffled.repeats()), "{} repeats", shuffled.repeats());
    assert_eq!(Plan::new(3, 0, 40, options(), true, 0.25).order(), shuffled.order());
}

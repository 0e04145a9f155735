//! Every plot of Stripe's stories, in every shape: what a reader of the events may rely on.

use std::collections::{BTreeMap, HashMap, HashSet};

use flasherp_sandbox::stripe::{
    ApiShape, EventKind, Plot, StoryOptions, StripeCurrency, StripeEvent, objects_of, story,
};
use serde_json::Value;

const CREATED: i64 = 1_764_000_000;
const SHAPES: [ApiShape; 3] = [ApiShape::Oldest, ApiShape::Legacy, ApiShape::Current];

fn plots() -> impl Iterator<Item = Plot> {
    Plot::ALL.into_iter().chain([Plot::UnknownPrice, Plot::OddInterval])
}

fn options(plot: Plot, shape: ApiShape) -> StoryOptions {
    StoryOptions {
        plots: vec![plot],
        shape,
        currencies: StripeCurrency::all().collect(),
        payments: 2,
        ..StoryOptions::beginning_at(CREATED)
    }
}

fn every_story(mut check: impl FnMut(Plot, ApiShape, &[StripeEvent], &[Value])) {
    for plot in plots() {
        for shape in SHAPES {
            for index in 0..8 {
                let options = StoryOptions { calendar: index % 2 == 1, ..options(plot, shape) };
                check(plot, shape, &story(5, index, &options), &objects_of(5, index, &options));
            }
        }
    }
}

fn read(event: &StripeEvent) -> Value {
    serde_json::from_slice(&event.body).unwrap()
}

/// Every string in a value, with the name of the field that holds it.
fn texts<'v>(value: &'v Value, name: &'v str, found: &mut Vec<(&'v str, &'v str)>) {
    match value {
        Value::String(text) => found.push((name, text)),
        Value::Array(values) => values.iter().for_each(|value| texts(value, name, found)),
        Value::Object(members) => members.iter().for_each(|(name, value)| texts(value, name, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[test]
fn every_plot_has_its_events_in_this_order() {
    let mut told = String::new();
    for plot in plots() {
        for shape in SHAPES {
            let events = story(5, 0, &options(plot, shape));
            let types: Vec<_> = events.iter().map(|event| event.event_type).collect();
            told.push_str(&format!("{plot:?} {shape:?}\n  {}\n", types.join("\n  ")));
        }
    }
    insta::assert_snapshot!(told);
}

#[test]
fn every_id_that_an_event_names_is_that_of_an_object_of_its_story() {
    every_story(|plot, _, events, objects| {
        let mut known: HashSet<String> =
            objects.iter().map(|object| object["id"].as_str().unwrap().to_owned()).collect();
        for event in events {
            let event = read(event);
            let (mut found, object) = (Vec::new(), &event["data"]["object"]);
            texts(&event["data"], "data", &mut found);
            // An item goes when the subscription is changed; it was there when it was told.
            known.extend(
                found
                    .iter()
                    .filter(|(name, text)| *name == "id" && text.starts_with("si_"))
                    .map(|(_, text)| (*text).to_owned()),
            );
            for prefix in ["cus_", "sub_", "si_", "in_", "ch_", "pi_", "re_", "dp_", "du_", "txn_", "inpay_"] {
                for (name, text) in
                    found.iter().filter(|(name, text)| text.starts_with(prefix) && *name != "client_secret")
                {
                    let id = text.split('/').next().unwrap();
                    assert!(known.contains(id), "{plot:?} {}: {name} {text} in {object}", event["type"]);
                }
            }
        }
    });
}

#[test]
fn events_are_in_the_order_of_their_times_and_have_ids_of_their_own() {
    let mut ids = HashSet::new();
    for plot in plots() {
        for index in 0..20 {
            let events = story(9, index * 100 + plot as u64, &options(plot, ApiShape::Current));
            assert!(events.is_sorted_by_key(|event| event.created), "{plot:?}");
            for event in events {
                assert!(ids.insert(event.id.clone()), "{plot:?} {}", event.id);
                let body = read(&event);
                assert_eq!(
                    (&body["id"], &body["type"], &body["created"]),
                    (&event.id.into(), &event.event_type.into(), &event.created.into())
                );
            }
        }
    }
}

#[test]
fn how_many_events_and_payments_a_plot_has_does_not_depend_on_what_is_drawn() {
    every_story(|plot, shape, events, objects| {
        let options = options(plot, shape);
        let paid = objects.iter().filter(|o| o["object"] == "payment_intent" && o["status"] == "succeeded").count();
        if plot != Plot::Payment {
            assert_eq!(
                (options.events_per_story(0), options.payments_per_story(0)),
                (u32::try_from(events.len()).unwrap(), u32::try_from(paid).unwrap()),
                "{plot:?}"
            );
        }
    });
}

#[test]
fn which_shape_and_which_kinds_are_told_does_not_change_the_ids() {
    for plot in plots() {
        let ids = |options: &StoryOptions| {
            story(3, 1, options).into_iter().map(|event| (event.id, event.event_type)).collect::<Vec<_>>()
        };
        let current = ids(&options(plot, ApiShape::Current));
        for shape in SHAPES {
            assert!(
                ids(&options(plot, shape)).iter().all(|id| current.contains(id) || id.1 == "never"),
                "{plot:?} {shape:?}"
            );
            let names =
                |shape| objects_of(3, 1, &options(plot, shape)).iter().map(|o| o["id"].clone()).collect::<Vec<_>>();
            assert_eq!(names(shape), names(ApiShape::Current), "{plot:?} {shape:?}");
        }
        let some =
            StoryOptions { kinds: vec![EventKind::Invoice, EventKind::Refund], ..options(plot, ApiShape::Current) };
        assert!(ids(&some).iter().all(|id| current.contains(id)));
    }
}

#[test]
fn the_last_event_about_an_object_shows_it_as_it_stays() {
    every_story(|plot, _, events, objects| {
        let mut last: HashMap<String, Value> = HashMap::new();
        for event in events {
            let object = read(event)["data"]["object"].clone();
            last.insert(object["id"].as_str().unwrap().to_owned(), object);
        }
        for object in objects {
            let Some(told) = last.get(object["id"].as_str().unwrap()) else { continue };
            // What Stripe changes without an event of that object.
            let untold: &[&str] = match object["object"].as_str().unwrap() {
                "customer" => &["next_invoice_sequence"],
                "subscription" => &["latest_invoice"],
                "charge" => &["disputed", "dispute", "amount_refunded", "refunded", "refunds"],
                "invoice" => &["attempted"],
                _ => &[],
            };
            for (name, value) in object.as_object().unwrap().iter().filter(|(name, _)| !untold.contains(&name.as_str()))
            {
                assert_eq!(told.get(name), Some(value), "{plot:?} {} {name}", object["object"]);
            }
        }
    });
}

#[test]
fn money_adds_up() {
    every_story(|plot, _, _, objects| {
        let of = |kind: &'static str| objects.iter().filter(move |object| object["object"] == kind);
        let number = |object: &Value, field: &str| {
            object[field].as_i64().unwrap_or_else(|| panic!("{plot:?} {field} of {object}"))
        };
        for object in objects.iter().filter(|object| object["currency"].is_string()) {
            let step = StripeCurrency::from_code(object["currency"].as_str().unwrap()).unwrap().step();
            for field in ["amount", "fee", "net", "amount_due", "total", "amount_received", "amount_refunded"] {
                assert_eq!(object[field].as_i64().unwrap_or(0) % step, 0, "{plot:?} {field} {}", object["currency"]);
            }
        }
        for booked in of("balance_transaction") {
            assert_eq!(number(booked, "net"), number(booked, "amount") - number(booked, "fee"));
            assert!(objects.iter().any(|object| object["id"] == booked["source"]), "{plot:?} {booked}");
        }
        for charge in of("charge").filter(|charge| charge["paid"] == true) {
            let back: i64 = of("refund")
                .filter(|refund| refund["charge"] == charge["id"] && refund["status"] == "succeeded")
                .map(|refund| number(refund, "amount"))
                .sum();
            assert_eq!(number(charge, "amount_refunded"), back, "{plot:?}");
            assert_eq!(charge["refunded"], back == number(charge, "amount"), "{plot:?}");
            let booked =
                of("balance_transaction").find(|booked| booked["id"] == charge["balance_transaction"]).unwrap();
            assert_eq!(number(booked, "amount"), number(charge, "amount"));
        }
        for invoice in of("invoice") {
            let lines = invoice["lines"]["data"].as_array().unwrap();
            assert_eq!(
                lines.iter().map(|line| number(line, "amount")).sum::<i64>(),
                number(invoice, "total"),
                "{plot:?}"
            );
            assert_eq!(
                number(invoice, "amount_due"),
                number(invoice, "amount_paid") + number(invoice, "amount_remaining")
            );
            assert!(number(invoice, "total") >= 0, "{plot:?}");
        }
    });
}

#[test]
fn what_links_invoice_subscription_and_payment_is_in_the_place_of_the_shape() {
    every_story(|plot, shape, events, objects| {
        let of = |kind: &'static str| objects.iter().filter(move |object| object["object"] == kind);
        let is_current = shape == ApiShape::Current;
        for invoice in of("invoice") {
            for field in ["subscription", "charge", "payment_intent", "paid"] {
                assert_eq!(invoice.get(field).is_some(), !is_current, "{plot:?} {field}");
            }
            assert_eq!(invoice.get("parent").is_some(), is_current);
            let named = if is_current {
                &invoice["parent"]["subscription_details"]["subscription"]
            } else {
                &invoice["subscription"]
            };
            let is_known = of("subscription").any(|subscription| subscription["id"] == *named);
            assert_eq!(is_known, invoice["billing_reason"] != "manual", "{plot:?} {named}");
            let has_payment = invoice["status"] == "paid" && invoice["total"] != 0;
            let link = of("invoice_payment").find(|link| link["invoice"] == invoice["id"]);
            assert_eq!(link.is_some(), has_payment, "{plot:?} {}", invoice["status"]);
            if let Some(link) = link.filter(|_| !is_current) {
                assert_eq!(invoice["payment_intent"], link["payment"]["payment_intent"]);
            }
        }
        for subscription in of("subscription") {
            let item = &subscription["items"]["data"][0];
            assert_eq!(subscription.get("current_period_end").is_some(), !is_current);
            assert_eq!(item.get("current_period_end").is_some(), is_current);
            let period = if is_current { item } else { subscription };
            assert!(period["current_period_start"].as_i64() < period["current_period_end"].as_i64(), "{plot:?}");
        }
        assert!(of("charge").chain(of("payment_intent")).all(|object| object.get("invoice").is_some() != is_current));
        assert_eq!(
            events.iter().any(|event| event.event_type == "invoice_payment.paid"),
            is_current && of("invoice_payment").next().is_some()
        );
        let is_oldest = shape == ApiShape::Oldest;
        assert!(of("charge").all(|charge| charge.get("refunds").is_some() == is_oldest), "{plot:?}");
    });
}

#[test]
fn a_plot_ends_as_its_name_says() {
    let mut ends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for plot in plots() {
        let told = objects_of(5, 0, &options(plot, ApiShape::Current)).into_iter();
        let statuses = told
            .filter(|object| object["object"] != "balance_transaction" && object["object"] != "invoice_payment")
            .filter_map(|object| Some(format!("{} {}", object["object"].as_str()?, object["status"].as_str()?)));
        ends.insert(format!("{plot:?}"), statuses.collect());
    }
    insta::assert_debug_snapshot!(ends);
}

#[test]
fn a_price_names_its_plan_by_lookup_key_or_metadata_but_for_the_unknown() {
    let mut ways = HashSet::new();
    every_story(|plot, _, _, objects| {
        for item in objects
            .iter()
            .filter(|o| o["object"] == "subscription")
            .flat_map(|o| o["items"]["data"].as_array().unwrap())
        {
            let price = &item["price"];
            let by_key =
                price["lookup_key"].as_str().and_then(|key| key.split_once('_')).map(|(plan, _)| plan.to_owned());
            let by_metadata = price["metadata"]["plan"].as_str().map(str::to_owned);
            assert_eq!(by_key.is_some() || by_metadata.is_some(), plot != Plot::UnknownPrice, "{price}");
            assert!(by_key.is_none() || by_metadata.is_none());
            ways.insert(by_key.is_some());
        }
    });
    assert_eq!(ways.len(), 2);
}

#[test]
fn by_the_calendar_a_story_ends_about_when_it_is_told() {
    for plot in plots() {
        let options = StoryOptions { calendar: true, ends_at_created: true, ..options(plot, ApiShape::Current) };
        for index in 0..10 {
            let events = story(2, index, &options);
            let (first, last) = (events.first().unwrap().created, events.last().unwrap().created);
            let is_told_live = first == CREATED;
            assert!(
                is_told_live || (last <= CREATED && last > CREATED - 45 * 86_400),
                "{plot:?} ends {}",
                last - CREATED
            );
        }
    }
}

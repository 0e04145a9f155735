//! Stripe's API: the list of events and objects by id, as a client that missed webhooks reads them.

use std::collections::HashSet;

use serde_json::{Value, json};
use testkit::sandbox::StripeSend;

use crate::support::{Answer, Erp, PATIENCE, answer};

const KEY: &str = "sk_test_1";

/// Tells stories of which no webhook is sent.
async fn happened(erp: &Erp, order: StripeSend) -> u64 {
    let order = StripeSend { miss_rate: Some(1.0), created: Some("2026-01-01T00:00:00Z".into()), ..order };
    let begun = erp.control.send_stripe(&order).await;
    assert_eq!(erp.control.wait_send_done(begun.id, PATIENCE).await.sent, 0);
    begun.id
}

async fn get(erp: &Erp, path: &str) -> Answer {
    let url = format!("{}/stripe/v1/{path}", erp.control.base);
    answer(erp.http.get(url).bearer_auth(KEY)).await.unwrap()
}

async fn found(erp: &Erp, path: &str) -> Value {
    let answer = get(erp, path).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    answer.json()
}

/// All pages of a list, in their order.
async fn all(erp: &Erp, path: &str) -> Vec<Value> {
    let mut data: Vec<Value> = Vec::new();
    loop {
        let after =
            data.last().map(|last| format!("&starting_after={}", last["id"].as_str().unwrap())).unwrap_or_default();
        let page = found(erp, &format!("{path}{after}")).await;
        data.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["has_more"] == false {
            return data;
        }
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

fn every_plot() -> StripeSend {
    StripeSend { count: 44, seed: Some(4), stories: Some(vec!["all".into()]), ..StripeSend::default() }
}

#[tokio::test]
async fn every_event_is_listed_once_newest_first_page_by_page() {
    let erp = Erp::start().await;
    happened(&erp, every_plot()).await;
    happened(&erp, StripeSend { count: 30, seed: Some(5), api_shape: Some("legacy".into()), ..StripeSend::default() })
        .await;
    let events = all(&erp, "events?limit=100").await;
    let options = flasherp_sandbox::stripe::StoryOptions {
        plots: flasherp_sandbox::stripe::Plot::ALL.to_vec(),
        ..flasherp_sandbox::stripe::StoryOptions::beginning_at(1_767_225_600)
    };
    let mut expected: Vec<String> = Vec::new();
    for index in 0..44 {
        expected.extend(flasherp_sandbox::stripe::story(4, index, &options).into_iter().map(|event| event.id));
    }
    let mut of_plots: Vec<&str> =
        ids(&events).into_iter().filter(|id| expected.iter().any(|known| known == id)).collect();
    of_plots.sort_unstable();
    expected.sort_unstable();
    assert_eq!(of_plots, expected);
    assert_eq!(ids(&events).iter().collect::<HashSet<_>>().len(), events.len());
    assert_eq!(events.len(), expected.len() + 30 * 3 + 7);
    assert!(events.iter().rev().is_sorted_by_key(|event| event["created"].as_i64().unwrap()));
    let small: Vec<Value> = all(&erp, "events?limit=7&types[]=invoice.paid&types[]=charge.refunded").await;
    let wanted: Vec<&Value> = events
        .iter()
        .filter(|event| ["invoice.paid", "charge.refunded"].iter().any(|kind| event["type"] == *kind))
        .collect();
    assert!(wanted.len() > 20);
    assert_eq!(small.iter().collect::<Vec<_>>(), wanted);
}

#[tokio::test]
async fn a_list_goes_backwards_too_and_is_narrowed_by_time_and_type() {
    let erp = Erp::start().await;
    happened(&erp, every_plot()).await;
    let events = all(&erp, "events?limit=100").await;
    let middle = events[50]["id"].as_str().unwrap();
    let page = found(&erp, &format!("events?limit=20&ending_before={middle}")).await;
    assert_eq!((ids(page["data"].as_array().unwrap()), &page["has_more"]), (ids(&events[30..50]), &json!(true)));
    let page = found(&erp, &format!("events?limit=100&ending_before={middle}")).await;
    assert_eq!((ids(page["data"].as_array().unwrap()), &page["has_more"]), (ids(&events[..50]), &json!(false)));

    let at = events[60]["created"].as_i64().unwrap();
    for (parameter, fits) in [
        ("created", Box::new(|c| c == at) as Box<dyn Fn(i64) -> bool>),
        ("created[gt]", Box::new(|c| c > at)),
        ("created[gte]", Box::new(|c| c >= at)),
        ("created[lt]", Box::new(|c| c < at)),
        ("created[lte]", Box::new(|c| c <= at)),
    ] {
        let narrowed = all(&erp, &format!("events?limit=100&{parameter}={at}")).await;
        let expected: Vec<&Value> = events.iter().filter(|event| fits(event["created"].as_i64().unwrap())).collect();
        assert_eq!(narrowed.iter().collect::<Vec<_>>(), expected, "{parameter}");
    }
    let disputes = all(&erp, "events?limit=100&type=charge.dispute.*").await;
    assert!(
        disputes.len() > 10
            && disputes.iter().all(|event| event["type"].as_str().unwrap().starts_with("charge.dispute."))
    );
    for refused in [
        "limit=0",
        "limit=101",
        "limit=x",
        "colour=red",
        "starting_after=evt_1",
        "type=a&types[]=b",
        "created[gte]=soon",
        "limit=1&limit=2",
    ] {
        let answer = get(&erp, &format!("events?{refused}")).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["type"]),
            (400, &json!("invalid_request_error")),
            "{refused}"
        );
    }
}

#[tokio::test]
async fn an_event_can_be_read_by_its_id_and_is_the_one_that_the_webhook_told() {
    let erp = Erp::start().await;
    happened(&erp, every_plot()).await;
    let options = flasherp_sandbox::stripe::StoryOptions {
        plots: flasherp_sandbox::stripe::Plot::ALL.to_vec(),
        ..flasherp_sandbox::stripe::StoryOptions::beginning_at(1_767_225_600)
    };
    for index in 0..22 {
        let told = flasherp_sandbox::stripe::story(4, index, &options);
        let event = told.last().unwrap();
        assert_eq!(
            found(&erp, &format!("events/{}", event.id)).await,
            serde_json::from_slice::<Value>(&event.body).unwrap()
        );
    }
    let missing = get(&erp, "events/evt_000000000000000000000000").await;
    assert_eq!((missing.status, &missing.json()["error"]["code"]), (404, &json!("resource_missing")));
}

#[tokio::test]
async fn every_object_of_a_story_can_be_read_by_its_id() {
    let erp = Erp::start().await;
    let send = happened(&erp, every_plot()).await;
    let mut seen = 0;
    for (path, kind) in [
        ("customers", "customer"),
        ("payment_intents", "payment_intent"),
        ("charges", "charge"),
        ("balance_transactions", "balance_transaction"),
        ("refunds", "refund"),
        ("disputes", "dispute"),
        ("invoices", "invoice"),
        ("invoice_payments", "invoice_payment"),
        ("subscriptions", "subscription"),
    ] {
        let objects = erp.control.stripe_objects(send, kind).await;
        assert!(!objects.is_empty(), "{kind}");
        for object in objects.iter().take(5) {
            let id = object["id"].as_str().unwrap();
            assert_eq!(found(&erp, &format!("{path}/{id}")).await, *object);
            let other = if path == "charges" { "refunds" } else { "charges" };
            assert_eq!(get(&erp, &format!("{other}/{id}")).await.status, 404);
            seen += 1;
        }
    }
    assert!(seen > 30);
    let subscription = erp.control.stripe_objects(send, "subscription").await.remove(0);
    let price = &subscription["items"]["data"][0]["price"];
    let id = price["id"].as_str().unwrap();
    assert_eq!(found(&erp, &format!("prices/{id}")).await, *price);
    assert_eq!(found(&erp, &format!("products/{}", price["product"].as_str().unwrap())).await["object"], "product");
}

#[tokio::test]
async fn what_an_object_names_is_expanded_on_demand() {
    let erp = Erp::start().await;
    let send = happened(&erp, every_plot()).await;
    let intents = erp.control.stripe_objects(send, "payment_intent").await;
    let intent = intents.iter().find(|intent| intent["status"] == "succeeded").unwrap();
    let path = format!("payment_intents/{}", intent["id"].as_str().unwrap());
    let expanded = found(&erp, &format!("{path}?expand[]=latest_charge.balance_transaction&expand[]=customer")).await;
    let booked = &expanded["latest_charge"]["balance_transaction"];
    assert_eq!(booked["object"], "balance_transaction");
    assert_eq!(booked["net"].as_i64().unwrap() + booked["fee"].as_i64().unwrap(), intent["amount"].as_i64().unwrap());
    assert_eq!(expanded["customer"]["id"], intent["customer"]);
    assert_eq!(get(&erp, &format!("{path}?expand[]=colour")).await.status, 400);
    assert_eq!(get(&erp, &format!("{path}?expand[]=a.b.c.d.e")).await.status, 400);

    let links = erp.control.stripe_objects(send, "invoice_payment").await;
    let (invoice, intent) =
        (links[0]["invoice"].as_str().unwrap(), links[0]["payment"]["payment_intent"].as_str().unwrap());
    let expanded = found(&erp, &format!("invoices/{invoice}?expand[]=payments")).await;
    assert_eq!(expanded["payments"]["data"][0]["payment"]["payment_intent"], intent);
    let by_intent =
        found(&erp, &format!("invoice_payments?payment[type]=payment_intent&payment[payment_intent]={intent}")).await;
    assert_eq!(by_intent["data"][0]["invoice"], invoice);
    let charges = found(&erp, &format!("charges?payment_intent={intent}&expand[]=data.balance_transaction")).await;
    assert_eq!(charges["data"][0]["balance_transaction"]["object"], "balance_transaction");
    assert_eq!(get(&erp, "charges").await.status, 400);
}

#[tokio::test]
async fn the_version_that_a_caller_names_decides_the_shape() {
    let erp = Erp::start().await;
    let send = happened(&erp, every_plot()).await;
    let invoices = erp.control.stripe_objects(send, "invoice").await;
    let invoice = invoices.iter().find(|invoice| invoice["billing_reason"] == "subscription_cycle").unwrap();
    assert!(invoice.get("subscription").is_none());
    let url = format!("{}/stripe/v1/invoices/{}", erp.control.base, invoice["id"].as_str().unwrap());
    let old = answer(erp.http.get(url).bearer_auth(KEY).header("stripe-version", "2024-06-20")).await.unwrap().json();
    assert_eq!(old["subscription"], invoice["parent"]["subscription_details"]["subscription"]);
    assert_eq!(old["id"], invoice["id"]);
}

#[tokio::test]
async fn nobody_reads_without_the_key_and_nobody_writes() {
    let erp = Erp::start().await;
    let url = format!("{}/stripe/v1/events", erp.control.base);
    for request in
        [erp.http.get(&url), erp.http.get(&url).bearer_auth("sk_test_2"), erp.http.get(&url).basic_auth("x", Some(KEY))]
    {
        let refused = answer(request).await.unwrap();
        assert_eq!((refused.status, refused.json()["error"]["type"].as_str()), (401, Some("invalid_request_error")));
    }
    assert_eq!(answer(erp.http.get(&url).basic_auth(KEY, None::<&str>)).await.unwrap().status, 200);
    assert_eq!(answer(erp.http.post(&url).bearer_auth(KEY)).await.unwrap().status, 404);
    assert_eq!(get(&erp, "wishes/1").await.status, 404);
}

#[tokio::test]
async fn stripes_api_can_be_told_to_fail() {
    let erp = Erp::start().await;
    let set = |body: Value| answer(erp.http.put(format!("{}/control/stripe/outage", erp.control.base)).json(&body));
    assert_eq!(set(json!({ "status": 503, "times": 2 })).await.unwrap().status, 200);
    for expected in [503, 503, 200] {
        assert_eq!(get(&erp, "events").await.status, expected);
    }
    set(json!({ "status": 429 })).await.unwrap();
    assert_eq!((get(&erp, "events").await.status, get(&erp, "events").await.status), (429, 429));
    set(json!({ "status": null })).await.unwrap();
    assert_eq!(get(&erp, "events").await.status, 200);
    assert_eq!(set(json!({ "status": 200 })).await.unwrap().status, 400);
    assert_eq!(erp.control.counters().await.stripe_calls["events"], 6);
}

#[tokio::test]
async fn a_story_that_is_told_twice_is_listed_once_and_a_reset_forgets_all() {
    let erp = Erp::start().await;
    let order = StripeSend { count: 3, seed: Some(1), ..StripeSend::default() };
    happened(&erp, StripeSend { kinds: Some(vec!["payment".into()]), ..order.clone() }).await;
    happened(&erp, StripeSend { kinds: Some(vec!["charge".into()]), ..order }).await;
    let events = all(&erp, "events?limit=2").await;
    assert_eq!(events.len(), 9);
    assert_eq!(ids(&events).iter().collect::<HashSet<_>>().len(), 9);
    erp.control.reset().await;
    assert_eq!(all(&erp, "events").await, Vec::<Value>::new());
    assert_eq!(get(&erp, &format!("events/{}", ids(&events)[0])).await.status, 404);
}

#[tokio::test]
async fn events_are_kept_for_30_days_and_those_to_come_are_not_listed() {
    let erp = Erp::start().await;
    let order = StripeSend { count: 1, seed: Some(1), update_every: Some(0), ..StripeSend::default() };
    happened(&erp, order.clone()).await;
    let tomorrow = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    let later = StripeSend {
        miss_rate: Some(1.0),
        created: Some(tomorrow.format(&time::format_description::well_known::Rfc3339).unwrap()),
        seed: Some(2),
        ..order
    };
    erp.control.send_stripe(&later).await;
    assert_eq!(all(&erp, "events").await.len(), 3);
    const DAY_MS: i64 = 24 * 60 * 60 * 1000;
    erp.control.set_clock_ahead(2 * DAY_MS).await;
    assert_eq!(all(&erp, "events").await.len(), 6);
    erp.control.set_clock_ahead(31 * DAY_MS).await;
    assert_eq!(all(&erp, "events").await.len(), 0);
}

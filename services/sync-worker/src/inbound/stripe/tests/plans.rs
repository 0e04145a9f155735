//! What prices say.

use std::collections::BTreeMap;

use domain::upcoach::{BillingInterval, Plan};
use rstest::rstest;
use serde_json::{Value, json};
use webhooks::stripe::Items;

use crate::inbound::stripe::plan::{Plans, Priced, read};

fn price(lookup_key: Option<&str>, unit: Value) -> Value {
    json!({
        "id": "price_1", "currency": "eur", "lookup_key": lookup_key, "metadata": {}, "unit_amount": unit,
        "recurring": {"interval": "month", "interval_count": 1, "usage_type": "licensed"},
    })
}

fn items(items: &[(Value, Option<i64>)]) -> Result<Priced, String> {
    let data: Vec<Value> =
        items.iter().map(|(price, quantity)| json!({"price": price, "quantity": quantity})).collect();
    let items: Items = serde_json::from_value(json!({"data": data, "has_more": false})).expect("items");
    read(&items, &Plans::from([("price_known".to_owned(), Plan::Team)]))
}

#[rstest]
#[case("pro_monthly", Plan::Pro)]
#[case("enterprise-yearly", Plan::Enterprise)]
#[case("Basic", Plan::Basic)]
fn the_plan_is_the_first_word_of_the_lookup_key(#[case] key: &str, #[case] plan: Plan) {
    let priced = items(&[(price(Some(key), json!(4900)), Some(1))]).expect("a plan");
    assert_eq!(priced, Priced { plan, interval: BillingInterval::Monthly, amount: 4900, currency: "eur".to_owned() });
}

#[test]
fn without_a_lookup_key_metadata_or_the_settings_say_the_plan_else_the_price_is_named() {
    let mut unnamed = price(None, json!(100));
    unnamed["metadata"] = json!({"plan": "team"});
    assert_eq!(items(&[(unnamed.clone(), None)]).map(|priced| priced.plan), Ok(Plan::Team));
    unnamed["metadata"] = json!({});
    unnamed["id"] = json!("price_known");
    assert_eq!(items(&[(unnamed.clone(), None)]).map(|priced| priced.plan), Ok(Plan::Team));
    unnamed["id"] = json!("price_unknown");
    let reason = items(&[(unnamed, None)]).expect_err("no plan");
    assert!(reason.starts_with("price price_unknown names no plan"), "{reason}");
}

#[test]
fn several_items_add_up_and_the_greatest_plan_counts() {
    let seats = price(Some("basic_seat"), json!(700));
    let priced = items(&[(price(Some("team_monthly"), json!(4900)), Some(1)), (seats, Some(3))]).expect("they add up");
    assert_eq!((priced.amount, priced.plan), (4900 + 3 * 700, Plan::Team));
}

#[test]
fn items_of_different_intervals_or_currencies_do_not_add_up() {
    let mut yearly = price(Some("pro_yearly"), json!(1));
    yearly["recurring"] = json!({"interval": "year", "interval_count": 1});
    let reason = items(&[(price(Some("pro"), json!(1)), None), (yearly, None)]).expect_err("two intervals");
    assert_eq!(reason, "price price_1 is paid yearly, another of the subscription's monthly");
    let mut dollars = price(Some("pro"), json!(1));
    dollars["currency"] = json!("usd");
    assert!(items(&[(price(Some("pro"), json!(1)), None), (dollars, None)]).is_err());
}

#[rstest]
#[case("month", 3, Some(BillingInterval::Quarterly))]
#[case("year", 1, Some(BillingInterval::Yearly))]
#[case("week", 2, None)]
#[case("month", 12, None)]
fn an_interval_that_flasherp_has_no_word_for_names_the_price(
    #[case] interval: &str,
    #[case] count: u32,
    #[case] expected: Option<BillingInterval>,
) {
    let mut price = price(Some("pro"), json!(100));
    price["recurring"] = json!({"interval": interval, "interval_count": count});
    let read = items(&[(price, None)]);
    match expected {
        Some(expected) => assert_eq!(read.map(|priced| priced.interval), Ok(expected)),
        None => assert!(read.expect_err("no word").contains("price price_1 is paid every")),
    }
}

#[rstest]
#[case(json!({"unit_amount": null, "unit_amount_decimal": "0.5"}), Some(10), Ok(5))]
#[case(json!({"unit_amount": null, "unit_amount_decimal": "12.345"}), Some(1000), Ok(12345))]
#[case(json!({"unit_amount": null, "unit_amount_decimal": "0.5"}), Some(3), Err("price price_1: 3 of it are no whole amount"))]
#[case(json!({"unit_amount": null}), Some(3), Err("price price_1 goes by tiers, so that the event does not say what is paid"))]
#[case(json!({"transform_quantity": {"divide_by": 10, "round": "up"}}), Some(21), Ok(300))]
#[case(json!({"transform_quantity": {"divide_by": 10, "round": "down"}}), Some(21), Ok(200))]
#[case(json!({"unit_amount": i64::MAX}), Some(2), Err("price price_1: the amount is out of range"))]
#[case(json!({"unit_amount": null, "unit_amount_decimal": "1e5"}), Some(2), Err("price price_1: the amount is out of range"))]
fn an_amount_is_exact_or_it_is_none(
    #[case] change: Value,
    #[case] quantity: Option<i64>,
    #[case] expected: Result<i64, &str>,
) {
    let mut price = price(Some("pro"), json!(100));
    let change: BTreeMap<String, Value> = serde_json::from_value(change).expect("members");
    for (name, value) in change {
        price[name] = value;
    }
    assert_eq!(items(&[(price, quantity)]).map(|priced| priced.amount), expected.map_err(str::to_owned));
}

#[test]
fn what_is_paid_by_use_has_no_amount_beforehand() {
    let mut metered = price(Some("pro_usage"), json!(3));
    metered["recurring"] = json!({"interval": "month", "interval_count": 1, "usage_type": "metered"});
    assert_eq!(items(&[(metered, None)]).map(|priced| priced.amount), Ok(0));
}

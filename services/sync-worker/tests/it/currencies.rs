//! Every amount in every currency, from Stripe's units to FlashERP's decimal, through the whole worker.

use std::collections::BTreeMap;

use domain::{EntityType, SourceSystem, SyncId, stripe_uuid};
use iso_currency::{Currency, IntoEnumIterator as _};
use serde_json::{Value, json};
use testkit::Service;

use crate::kit::{World, customer_created, payment_event};

/// ISO 4217's digits where they are not two, written down here again, so that the product's table is held against another.
const NO_DIGITS: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF",
    "XPF",
];
const THREE_DIGITS: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const FOUR_DIGITS: &[&str] = &["CLF", "UYW"];

/// What Stripe counts, and how FlashERP writes it, of a currency: from the smallest to more than a double could hold.
fn amounts(code: &str) -> Vec<(i64, &'static str)> {
    match code {
        // No decimals, and yet Stripe counts hundredths.
        "ISK" | "UGX" => vec![(100, "1"), (500, "5"), (123_400, "1234"), (900_719_925_474_099_300, "9007199254740993")],
        // Two decimals, and Stripe counts whole ones.
        "MGA" => vec![(1, "1.00"), (500, "500.00"), (9_007_199_254_740_993, "9007199254740993.00")],
        _ if NO_DIGITS.contains(&code) => vec![(1, "1"), (500, "500"), (9_007_199_254_740_993, "9007199254740993")],
        // Stripe wants a zero as the last digit; what it tells is exact all the same.
        _ if THREE_DIGITS.contains(&code) => {
            vec![(10, "0.010"), (1230, "1.230"), (9_007_199_254_740_990, "9007199254740.990")]
        }
        _ if FOUR_DIGITS.contains(&code) => {
            vec![(1, "0.0001"), (12_345, "1.2345"), (9_007_199_254_740_993, "900719925474.0993")]
        }
        _ => vec![
            (1, "0.01"),
            (1099, "10.99"),
            (1090, "10.90"),
            (100_000, "1000.00"),
            (9_007_199_254_740_993, "90071992547409.93"),
        ],
    }
}

fn in_currency(mut event: Value, code: &str) -> Value {
    event["data"]["object"]["currency"] = json!(code.to_lowercase());
    event
}

#[tokio::test]
async fn every_amount_in_every_currency_arrives_in_flasherp_to_the_digit() {
    let world = World::new().await;
    let currencies: Vec<&str> =
        Currency::iter().filter(|currency| currency.exponent().is_some()).map(|currency| currency.code()).collect();
    assert!(currencies.len() > 150, "{}", currencies.len());
    let (mut events, mut expected) = (vec![customer_created(1, 1_700_000_000)], BTreeMap::new());
    let mut n = 0;
    for code in &currencies {
        for (units, decimal) in amounts(code) {
            n += 1;
            events.push(in_currency(payment_event("succeeded", n, 1, 1_700_000_010, units), code));
            expected.insert(stripe_uuid(&format!("pi_{n}")).to_string(), (decimal.to_owned(), (*code).to_owned()));
            let mut refund = in_currency(payment_event("succeeded", n, 1, 1_700_000_020, units), code);
            refund["id"] = json!(format!("evt_re_{n}"));
            refund["type"] = json!("refund.created");
            refund["data"]["object"] = json!({
                "id": format!("re_{n}"), "object": "refund", "amount": units, "currency": code.to_lowercase(), "status": "succeeded",
                "charge": format!("ch_{n}"), "payment_intent": format!("pi_{n}"), "metadata": {}, "created": 1_700_000_020,
            });
            events.push(refund);
            expected.insert(stripe_uuid(&format!("re_{n}")).to_string(), (decimal.to_owned(), (*code).to_owned()));
        }
    }
    world.store(&events).await;
    let _worker = Service::start(world.worker_options("worker")).await.expect("a worker");
    world.all_settled().await;
    world.all_synced().await;
    let there: BTreeMap<String, (String, String)> = world
        .sandbox
        .records("transactions")
        .await
        .iter()
        .map(|record| {
            let amount = record.json("amount").expect("an amount").to_owned();
            (record.reference(), (amount, record.text("currency").expect("a currency")))
        })
        .collect();
    assert_eq!(there, expected);
}

#[tokio::test]
async fn an_amount_that_is_no_whole_one_in_its_currency_is_told_and_never_rounded() {
    let world = World::new().await;
    let mut events = vec![customer_created(1, 1_700_000_000)];
    let odd = [("ISK", 550), ("UGX", 1), ("MGA", i64::MAX)];
    for (n, (code, units)) in (1..).zip(odd) {
        events.push(in_currency(payment_event("succeeded", n, 1, 1_700_000_010, units), code));
    }
    world.store(&events).await;
    let _worker = world.worker().await;
    for n in 1..=3 {
        let sync = SyncId::of(SourceSystem::Upcoach, EntityType::Transaction, stripe_uuid(&format!("pi_{n}")));
        let row = world.sync_becomes(sync, "failed").await;
        assert_eq!(row.error_code.as_deref(), Some("VALIDATION_ERROR"));
        assert_eq!((row.retry_count, row.due_at), (0, None), "nothing that a retry would mend");
    }
    assert_eq!(world.sandbox.counters().await.records_of("transactions"), 0);
}

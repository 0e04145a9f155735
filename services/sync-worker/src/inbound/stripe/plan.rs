//! What a subscription's prices say: plan, interval, and how much per interval.
//!
//! The plan is the first word of a price's lookup key (`pro_monthly`), else its `metadata.plan`, else what the settings say of the price. Several
//! items add up, and have to be paid equally often; the greatest of their plans counts. What can't be told is no guess: the reason names the price.

use std::collections::BTreeMap;

use domain::upcoach::{BillingInterval, Plan};
use webhooks::stripe::{Item, Items, Price};

/// Which plan a price stands for that says so nowhere itself.
pub(crate) type Plans = BTreeMap<String, Plan>;

/// What the items come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Priced {
    pub(crate) plan: Plan,
    pub(crate) interval: BillingInterval,
    /// Per interval, in Stripe's units of `currency`.
    pub(crate) amount: i64,
    pub(crate) currency: String,
}

/// Reads the prices.
///
/// # Errors
/// What is wrong, naming the price.
pub(crate) fn read(items: &Items, plans: &Plans) -> Result<Priced, String> {
    if items.has_more {
        return Err("the subscription has more items than the event holds".to_owned());
    }
    let mut all: Option<Priced> = None;
    for item in &items.data {
        let one = read_item(item, plans)?;
        let Some(sum) = &mut all else {
            all = Some(one);
            continue;
        };
        let price = &item.price.id;
        if sum.interval != one.interval {
            return Err(format!(
                "price {price} is paid {}, another of the subscription's {}",
                one.interval, sum.interval
            ));
        }
        if sum.currency != one.currency {
            return Err(format!(
                "price {price} is in {}, another of the subscription's in {}",
                one.currency, sum.currency
            ));
        }
        sum.amount =
            sum.amount.checked_add(one.amount).ok_or_else(|| format!("price {price}: the sum is out of range"))?;
        sum.plan = sum.plan.max(one.plan);
    }
    all.ok_or_else(|| "the subscription has no items".to_owned())
}

fn read_item(item: &Item, plans: &Plans) -> Result<Priced, String> {
    let price = &item.price;
    let id = &price.id;
    let recurring = price.recurring.as_ref().ok_or_else(|| format!("price {id} is paid once"))?;
    let interval = BillingInterval::from_stripe(&recurring.interval, recurring.interval_count).ok_or_else(|| {
        format!(
            "price {id} is paid every {} {}, which FlashERP has no word for",
            recurring.interval_count, recurring.interval
        )
    })?;
    // What is paid by use has no amount beforehand.
    let metered = recurring.usage_type.as_deref() == Some("metered");
    let amount = if metered { 0 } else { amount(item)? };
    Ok(Priced { plan: plan(price, plans)?, interval, amount, currency: price.currency.clone() })
}

fn plan(price: &Price, plans: &Plans) -> Result<Plan, String> {
    let first_word = |text: &str| {
        let word = text.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        word.to_ascii_lowercase().parse::<Plan>().ok()
    };
    price
        .lookup_key
        .as_deref()
        .and_then(first_word)
        .or_else(|| price.metadata.get("plan").and_then(|plan| first_word(plan)))
        .or_else(|| plans.get(&price.id).copied())
        .ok_or_else(|| {
            format!(
                "price {} names no plan: give it a lookup key such as pro_monthly, metadata.plan, or a place in STRIPE_PRICE_PLANS",
                price.id
            )
        })
}

fn amount(item: &Item) -> Result<i64, String> {
    let price = &item.price;
    let out_of_range = || format!("price {}: the amount is out of range", price.id);
    let quantity = item.quantity.unwrap_or(1);
    let quantity = match &price.transform_quantity {
        Some(transform) if transform.divide_by > 0 => {
            let up = transform.round == "up" && quantity % transform.divide_by != 0;
            quantity / transform.divide_by + i64::from(up)
        }
        _ => quantity,
    };
    if let Some(unit) = price.unit_amount {
        return unit.checked_mul(quantity).ok_or_else(out_of_range);
    }
    let decimal = price
        .unit_amount_decimal
        .as_deref()
        .ok_or_else(|| format!("price {} goes by tiers, so that the event does not say what is paid", price.id))?;
    // A unit may cost a fraction of Stripe's smallest unit; the whole does not.
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let scale = u32::try_from(fraction.len()).ok().filter(|digits| *digits <= 12).ok_or_else(out_of_range)?;
    let unit: i128 = format!("{whole}{fraction}").parse().map_err(|_| out_of_range())?;
    let total = unit.checked_mul(i128::from(quantity)).ok_or_else(out_of_range)?;
    let divisor = 10_i128.pow(scale);
    if total % divisor != 0 {
        return Err(format!("price {}: {quantity} of it are no whole amount", price.id));
    }
    i64::try_from(total / divisor).map_err(|_| out_of_range())
}

//! What UpCoach sells at this Stripe: one product per plan, a price per plan, interval and currency. The same in every story, as an
//! account's catalog is.
//!
//! Prices in US dollars carry the lookup key (`pro_monthly`), the others `metadata.plan`: the two ways in which a price names its plan. Those
//! of [`Interval::Biannual`] and the unnamed one are for stories about prices that UpCoach can't place.

use std::{collections::HashMap, sync::LazyLock};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ApiShape, StripeCurrency};

/// What a price is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Item {
    Basic,
    Pro,
    Team,
    Enterprise,
    /// A further seat of a team.
    Seat,
    /// Its price names no plan.
    Unnamed,
}

/// How often a price is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Interval {
    Monthly,
    Quarterly,
    Yearly,
    /// Every six months, which UpCoach doesn't have.
    Biannual,
}

/// A price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Price {
    pub(super) id: String,
    pub(super) product: String,
    pub(super) item: Item,
    pub(super) interval: Interval,
    pub(super) currency: StripeCurrency,
    /// In Stripe's units.
    pub(super) amount: i64,
}

const SINCE: i64 = 1_704_067_200; // 2024-01-01

impl Item {
    const ALL: [Item; 6] = [Item::Basic, Item::Pro, Item::Team, Item::Enterprise, Item::Seat, Item::Unnamed];

    /// UpCoach's plan.
    pub(super) const fn plan(self) -> Option<&'static str> {
        match self {
            Item::Basic => Some("basic"),
            Item::Pro => Some("pro"),
            Item::Team | Item::Seat => Some("team"),
            Item::Enterprise => Some("enterprise"),
            Item::Unnamed => None,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Item::Basic => "UpCoach Basic",
            Item::Pro => "UpCoach Pro",
            Item::Team => "UpCoach Team",
            Item::Enterprise => "UpCoach Enterprise",
            Item::Seat => "Further seat",
            Item::Unnamed => "Founders' offer",
        }
    }

    /// A month of it in steps of the currency.
    const fn per_month(self) -> i64 {
        match self {
            Item::Basic => 1_900,
            Item::Pro => 4_900,
            Item::Team => 14_900,
            Item::Enterprise => 49_900,
            Item::Seat => 900,
            Item::Unnamed => 3_300,
        }
    }
}

impl Interval {
    const ALL: [Interval; 4] = [Interval::Monthly, Interval::Quarterly, Interval::Yearly, Interval::Biannual];

    /// UpCoach's three.
    pub(super) const USUAL: [Interval; 3] = [Interval::Monthly, Interval::Quarterly, Interval::Yearly];

    pub(super) const fn months(self) -> i32 {
        match self {
            Interval::Monthly => 1,
            Interval::Quarterly => 3,
            Interval::Biannual => 6,
            Interval::Yearly => 12,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Interval::Monthly => "monthly",
            Interval::Quarterly => "quarterly",
            Interval::Biannual => "biannual",
            Interval::Yearly => "yearly",
        }
    }

    /// Months that are paid for: a year costs ten.
    const fn paid_months(self) -> i64 {
        match self {
            Interval::Monthly => 1,
            Interval::Quarterly => 3,
            Interval::Biannual => 6,
            Interval::Yearly => 10,
        }
    }

    const fn stripes(self) -> (&'static str, i64) {
        match self {
            Interval::Monthly => ("month", 1),
            Interval::Quarterly => ("month", 3),
            Interval::Biannual => ("month", 6),
            Interval::Yearly => ("year", 1),
        }
    }
}

impl Price {
    pub(super) fn of(item: Item, interval: Interval, currency: StripeCurrency) -> Self {
        Self {
            id: constant_id("price_", &format!("{} {} {}", item.name(), interval.name(), currency.code())),
            product: constant_id("prod_", item.name()),
            item,
            interval,
            currency,
            amount: item.per_month() * interval.paid_months() * currency.step(),
        }
    }

    fn lookup_key(&self) -> Option<String> {
        let is_named = self.currency.code() == "usd" && self.item != Item::Seat;
        let plan = self.item.plan().filter(|_| is_named)?;
        Some(format!("{plan}_{}", self.interval.name()))
    }

    fn metadata(&self) -> Value {
        match self.item.plan().filter(|_| self.lookup_key().is_none()) {
            Some(plan) => json!({ "plan": plan }),
            None => json!({}),
        }
    }

    pub(super) fn render(&self, shape: ApiShape, livemode: bool) -> Value {
        let (interval, count) = self.interval.stripes();
        let mut price = json!({
            "id": self.id,
            "object": "price",
            "active": true,
            "billing_scheme": "per_unit",
            "created": SINCE,
            "currency": self.currency.code(),
            "custom_unit_amount": null,
            "livemode": livemode,
            "lookup_key": self.lookup_key(),
            "metadata": self.metadata(),
            "nickname": null,
            "product": self.product,
            "recurring": { "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null, "usage_type": "licensed" },
            "tax_behavior": "unspecified",
            "tiers_mode": null,
            "transform_quantity": null,
            "type": "recurring",
            "unit_amount": self.amount,
            "unit_amount_decimal": self.amount.to_string(),
        });
        if shape != ApiShape::Current {
            price["recurring"]["aggregate_usage"] = Value::Null;
        }
        price
    }

    /// The object that came before prices and that items still carry.
    pub(super) fn render_plan(&self, livemode: bool) -> Value {
        let (interval, count) = self.interval.stripes();
        json!({
            "id": self.id,
            "object": "plan",
            "active": true,
            "amount": self.amount,
            "amount_decimal": self.amount.to_string(),
            "billing_scheme": "per_unit",
            "created": SINCE,
            "currency": self.currency.code(),
            "interval": interval,
            "interval_count": count,
            "livemode": livemode,
            "metadata": self.metadata(),
            "meter": null,
            "nickname": null,
            "product": self.product,
            "tiers_mode": null,
            "transform_usage": null,
            "trial_period_days": null,
            "usage_type": "licensed",
        })
    }

    fn render_product(&self, livemode: bool) -> Value {
        json!({
            "id": self.product,
            "object": "product",
            "active": true,
            "created": SINCE,
            "default_price": null,
            "description": null,
            "images": [],
            "livemode": livemode,
            "marketing_features": [],
            "metadata": {},
            "name": self.item.name(),
            "package_dimensions": null,
            "shippable": null,
            "statement_descriptor": null,
            "tax_code": null,
            "type": "service",
            "unit_label": null,
            "updated": SINCE,
            "url": null,
        })
    }
}

static CATALOG: LazyLock<HashMap<String, Price>> = LazyLock::new(|| {
    let mut catalog = HashMap::new();
    for item in Item::ALL {
        for interval in Interval::ALL {
            for currency in StripeCurrency::all() {
                let price = Price::of(item, interval, currency);
                catalog.insert(price.product.clone(), price.clone());
                catalog.insert(price.id.clone(), price);
            }
        }
    }
    catalog
});

/// A price, plan or product by its id. `collection` is Stripe's name of it in paths.
pub(super) fn find(collection: &str, id: &str, shape: ApiShape) -> Option<Value> {
    let price = CATALOG.get(id)?;
    match collection {
        "prices" if id == price.id => Some(price.render(shape, false)),
        "plans" if id == price.id => Some(price.render_plan(false)),
        "products" if id == price.product => Some(price.render_product(false)),
        _ => None,
    }
}

fn constant_id(prefix: &str, of: &str) -> String {
    let digest = Sha256::digest(of.as_bytes());
    format!("{prefix}{}", hex::encode(&digest[..12]))
}

//! Table `upcoach.subscriptions`. A subscription.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "upcoach", table_name = "subscriptions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    #[sea_orm(column_type = "Text")]
    pub stripe_subscription_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stripe_customer_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub plan: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    #[sea_orm(column_type = "Text")]
    pub billing_interval: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub trial_start: Option<TimeDateTimeWithTimeZone>,
    pub trial_end: Option<TimeDateTimeWithTimeZone>,
    pub current_period_start: Option<TimeDateTimeWithTimeZone>,
    pub current_period_end: Option<TimeDateTimeWithTimeZone>,
    pub canceled_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "JsonBinary")]
    pub stripe_facts: Json,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

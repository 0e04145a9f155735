//! Table `upcoach.transactions`. A payment, refund, adjustment, chargeback or payout.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "upcoach", table_name = "transactions")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub subscription_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub stripe_transaction_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub r#type: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    #[sea_orm(column_type = "Text")]
    pub payment_method: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub description: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stripe_invoice_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stripe_charge_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub stripe_refund_id: Option<String>,
    pub original_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub failure_reason: Option<String>,
    pub refunded_amount: i64,
    pub fee: Option<i64>,
    pub net: Option<i64>,
    #[sea_orm(column_type = "JsonBinary")]
    pub stripe_facts: Json,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

//! Table `upcoach.invoices`. An invoice, born on either side.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(schema_name = "upcoach", table_name = "invoices")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    pub user_id: Uuid,
    pub subscription_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    #[sea_orm(column_type = "Text")]
    pub stripe_invoice_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub flasherp_invoice_id: Option<String>,
    #[sea_orm(column_type = "Text")]
    pub origin: String,
    #[sea_orm(column_type = "Text")]
    pub status: String,
    pub amount: i64,
    #[sea_orm(column_type = "Text")]
    pub currency: String,
    pub due_date: Option<TimeDateTimeWithTimeZone>,
    pub paid_at: Option<TimeDateTimeWithTimeZone>,
    #[sea_orm(column_type = "JsonBinary")]
    pub stripe_facts: Json,
    pub created_at: TimeDateTimeWithTimeZone,
    pub updated_at: TimeDateTimeWithTimeZone,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

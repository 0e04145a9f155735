//! From UpCoach's records to FlashERP's fields, and what of them has to be sent.
//!
//! A mapping makes [`Fields`]: typed values by [`Field`]. [`Base`] remembers per field what was sent and what FlashERP answered. The difference
//! between wanted fields and base ([`diff`]) or FlashERP's record ([`diff_against_record`]) is what a PUT carries; [`body`] writes it as JSON,
//! always the same bytes for the same fields. Comparison is by value: 10.990 is 10.99, and a time is an instant.

mod base;
mod body;
mod control;
mod customer;
mod decimal;
mod diff;
mod field;
mod invoice;
mod json;
mod marks;
mod metadata;
mod record;
mod report;
mod shared;
mod subscription;
mod theirs;
mod transaction;
mod unlike;
mod value;

pub use base::{Base, Exchanged};
pub use body::{body, value_json};
pub use control::control_amount;
pub use customer::customer;
pub use decimal::Decimal;
pub use diff::{Leftover, agrees, diff, diff_against_record};
pub use field::{Field, FieldKind};
pub use invoice::invoice;
pub use json::{Json, JsonError};
pub use marks::{Marks, mark};
pub use record::{Record, RecordError};
pub use report::financial_report;
pub use subscription::{before_cancelling, is_cancelled, subscription};
pub use theirs::{changed_there, open_to_flasherp};
pub use transaction::transaction;
pub use unlike::unlike;
pub use value::{FieldValue, Fields};

use crate::{error_code::ErrorCode, money::MoneyError};

/// A record that cannot be told to FlashERP as it is. Retrying does not mend it: somebody has to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct MappingError {
    /// [`ErrorCode::ValidationError`] or [`ErrorCode::MissingRequiredField`].
    pub code: ErrorCode,
    /// The FlashERP field that could not be filled.
    pub field: Field,
    /// What is wrong with it.
    pub message: String,
}

impl MappingError {
    fn missing(field: Field, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::MissingRequiredField, field, message: message.into() }
    }

    fn invalid(field: Field, message: impl Into<String>) -> Self {
        Self { code: ErrorCode::ValidationError, field, message: message.into() }
    }

    fn money(field: Field, error: &MoneyError) -> Self {
        let field = match error {
            MoneyError::UnknownCurrency(_) | MoneyError::NoMinorUnit(_) => Field::Currency,
            MoneyError::DoesNotDivide { .. }
            | MoneyError::OutOfRange { .. }
            | MoneyError::TooManyDigits { .. }
            | MoneyError::NotANumber(_) => field,
        };
        Self::invalid(field, error.to_string())
    }
}

//! A user as FlashERP's customer.

use super::{
    Field, FieldValue, Fields, MappingError,
    shared::{filled, put_text, shortened},
};
use crate::upcoach::User;

/// FlashERP's limit for e-mail and name.
const MAX_CHARS: usize = 255;

/// All fields of the customer. Without a name it is called by its e-mail's local part.
///
/// # Errors
/// No e-mail: MISSING_REQUIRED_FIELD. One over 255 characters, or without a local part: VALIDATION_ERROR.
pub fn customer(user: &User) -> Result<Fields, MappingError> {
    let email = filled(user.email.as_deref())
        .ok_or_else(|| MappingError::missing(Field::Email, "the user has no e-mail address"))?;
    if email.chars().count() > MAX_CHARS {
        return Err(MappingError::invalid(Field::Email, "the e-mail address is longer than 255 characters"));
    }
    let local_part = match email.split_once('@') {
        Some((local, domain)) if !local.is_empty() && !domain.is_empty() => local,
        _ => {
            return Err(MappingError::invalid(Field::Email, "the e-mail address is none"));
        }
    };
    let name = filled(user.name.as_deref()).unwrap_or(local_part);

    let mut fields = Fields::from([
        (Field::Email, FieldValue::text(email)),
        (Field::Name, FieldValue::text(shortened(name, MAX_CHARS))),
        (Field::UpcoachReference, FieldValue::text(user.id.to_string())),
    ]);
    put_text(&mut fields, Field::StripeCustomerId, user.stripe_customer_id.as_deref());
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{mapping::body, upcoach::samples};
    use rstest::rstest;

    #[test]
    fn a_user_is_a_customer() {
        let fields = customer(&samples::user()).expect("it maps");
        let json = String::from_utf8(body(&fields)).expect("JSON is UTF-8");
        insta::assert_snapshot!(json, @r#"{"upcoachReference":"0189d7c2-0f4b-7a31-9c55-6d2f6f0f7d11","email":"zoe.miller@example.com","name":"Zoë Miller","stripeCustomerId":"cus_1"}"#);
    }

    #[rstest]
    #[case(Some("Zoë"), "Zoë")]
    #[case(Some("  Zoë  "), "Zoë")]
    #[case(Some("   "), "zoe.miller")]
    #[case(None, "zoe.miller")]
    fn without_a_name_the_emails_local_part_is_the_name(#[case] name: Option<&str>, #[case] sent: &str) {
        let fields = customer(&User { name: name.map(str::to_owned), ..samples::user() }).expect("it maps");
        assert_eq!(fields.get(&Field::Name), Some(&FieldValue::text(sent)));
    }

    #[rstest]
    #[case(None, "MISSING_REQUIRED_FIELD")]
    #[case(Some(" "), "MISSING_REQUIRED_FIELD")]
    #[case(Some("nobody"), "VALIDATION_ERROR")]
    #[case(Some("@example.com"), "VALIDATION_ERROR")]
    #[case(Some("zoe@"), "VALIDATION_ERROR")]
    fn without_a_usable_email_there_is_no_customer(#[case] email: Option<&str>, #[case] code: &str) {
        let error =
            customer(&User { email: email.map(str::to_owned), ..samples::user() }).expect_err("it must not map");
        assert_eq!((error.code.as_str(), error.field), (code, Field::Email));
    }

    #[test]
    fn limits_count_characters_a_long_name_is_cut_and_a_long_email_refused() {
        let named = |name: String| customer(&User { name: Some(name), ..samples::user() }).expect("it maps");
        let fits = "ü".repeat(255);
        assert_eq!(named(fits.clone()).get(&Field::Name), Some(&FieldValue::text(fits)));
        let cut = named("ü".repeat(256));
        let expected = format!("{}…", "ü".repeat(254));
        assert_eq!(cut.get(&Field::Name), Some(&FieldValue::text(expected)));
        let email = Some(format!("{}@example.com", "z".repeat(244)));
        let error = customer(&User { email, ..samples::user() }).expect_err("it must not map");
        assert_eq!(error.code.as_str(), "VALIDATION_ERROR");
    }
}

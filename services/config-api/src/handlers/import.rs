//! Records of UpCoach's from a file: users, subscriptions, transactions and invoices, as many as come.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use actix_web::{HttpRequest, HttpResponse, post, web};
use domain::{EntityType, ErrorCode};
use import::{Format, Options};
use service::http::{ApiError, ErrorBody, declared_length};

use super::manual_sync::idempotency_key;
use crate::input::Query;
use crate::records::import::{self as records, ImportParameters, Imported, LARGEST_IMPORT, Of, too_large};
use crate::{Actor, State};

/// Import records
///
/// An object a line, or CSV with a first line that names the fields; `entityType` in each line, or once in the query. Records are found by their
/// id: new ones are made, of others the fields that the line has are brought up to date. A line that can't be used is told and costs no other
/// one anything. Up to 1 GiB, read as it comes; a pause of more than 30 s ends it. A thousand records are one transaction: what ends the import
/// before its file leaves those that were committed, and the same file under the same key goes on behind them.
#[utoipa::path(
    tag = "batches",
    operation_id = "importRecords",
    params(
        ("Idempotency-Key" = Option<String>, Header, min_length = 1, max_length = 255, pattern = "^[!-~]([ -~]*[!-~])?$", description = "Within 24 h the same key and file are the same import, which goes on where it broke off or is told how it ended; 1 to 255 printable characters"),
        ImportParameters,
    ),
    request_body(content((String = "application/x-ndjson"), (String = "text/csv"))),
    responses(
        (status = 200, description = "All of the file was read; `errors` tells which lines were not taken", body = Imported),
        (status = 409, description = "The key is another request's or another file's, the import was cancelled, or UpCoach's records are views here", body = ErrorBody),
        (status = 413, description = "The body has more than 1 GiB", body = ErrorBody),
        (status = 415, description = "The body is neither NDJSON nor CSV", body = ErrorBody),
        (status = 503, description = "Not available at the moment, or others are importing; `Retry-After` says when to try again", body = ErrorBody),
    ),
)]
#[post("/api/erp/import")]
pub(crate) async fn run(
    actor: Actor,
    request: HttpRequest,
    Query(Of(entity_type)): Query<Of>,
    state: web::Data<State>,
    body: web::Payload,
) -> Result<HttpResponse, ApiError> {
    let options = options(&actor, &request, entity_type)?;
    if declared_length(request.headers()).is_some_and(|length| length > LARGEST_IMPORT) {
        return Err(too_large());
    }
    Ok(HttpResponse::Ok().json(records::run(&state, body, options).await?))
}

fn options(actor: &Actor, request: &HttpRequest, entity_type: Option<EntityType>) -> Result<Options, ApiError> {
    let format = format(request).ok_or_else(|| {
        let message = "send the records as application/x-ndjson or text/csv, in UTF-8 and not compressed";
        ApiError::new(ErrorCode::InvalidRequest, message).with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    })?;
    Ok(Options { format, entity_type, key: idempotency_key(request)?, asked: records::asked(actor) })
}

/// What the body is written in, as far as it can be read.
fn format(request: &HttpRequest) -> Option<Format> {
    let headers = request.headers();
    if headers.get(CONTENT_ENCODING).is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return None;
    }
    let mut parts = headers.get(CONTENT_TYPE)?.to_str().ok()?.split(';').map(|part| part.trim().to_ascii_lowercase());
    let format = match parts.next()?.as_str() {
        "application/x-ndjson" | "application/ndjson" => Format::Ndjson,
        "text/csv" => Format::Csv,
        _ => return None,
    };
    let charset = parts.find_map(|part| Some(part.strip_prefix("charset=")?.trim_matches('"').to_owned()));
    charset.is_none_or(|charset| matches!(charset.as_str(), "utf-8" | "us-ascii")).then_some(format)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn only_utf_8_that_is_not_compressed_can_be_read() {
        let of = |kind: &str, coding: &str| {
            let headers = [(CONTENT_TYPE, kind), (CONTENT_ENCODING, coding)];
            format(&headers.into_iter().fold(TestRequest::post(), TestRequest::insert_header).to_http_request())
        };
        assert_eq!(of("application/x-ndjson", "identity"), Some(Format::Ndjson));
        assert_eq!(of("Text/CSV; header=present; charset=\"UTF-8\"", "identity"), Some(Format::Csv));
        for (kind, coding) in [
            ("text/csv; charset=latin1", "identity"),
            ("text/csv", "gzip"),
            ("application/json", "identity"),
            ("", "identity"),
        ] {
            assert_eq!(of(kind, coding), None, "{kind} {coding}");
        }
        assert_eq!(format(&TestRequest::post().to_http_request()), None);
    }
}

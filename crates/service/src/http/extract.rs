//! What actix' extractors refuse becomes an error body of ours: bodies, queries and path parameters that can't be read.

use actix_web::error::{JsonPayloadError, PathError, QueryPayloadError};
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, web};
use domain::ErrorCode;

use super::ApiError;

/// The largest body taken: 1 MiB.
pub const BODY_LIMIT: usize = 1 << 20;

/// Sets limits and error answers of the `Json`, `Query`, `Path`, `Bytes` and `String` extractors.
pub fn configure_extractors(config: &mut web::ServiceConfig) {
    config
        .app_data(web::PayloadConfig::new(BODY_LIMIT))
        .app_data(
            web::JsonConfig::default()
                .limit(BODY_LIMIT)
                .error_handler(|error, _: &HttpRequest| json_error(&error).into()),
        )
        .app_data(web::QueryConfig::default().error_handler(|error, _: &HttpRequest| query_error(&error).into()))
        .app_data(web::PathConfig::default().error_handler(|error, _: &HttpRequest| path_error(&error).into()));
}

fn json_error(error: &JsonPayloadError) -> ApiError {
    match error {
        JsonPayloadError::OverflowKnownLength { .. } | JsonPayloadError::Overflow { .. } => {
            ApiError::from_status(StatusCode::PAYLOAD_TOO_LARGE)
        }
        JsonPayloadError::ContentType => ApiError::new(ErrorCode::InvalidRequest, "send the body as application/json")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
        JsonPayloadError::Deserialize(error) => {
            ApiError::new(ErrorCode::ValidationError, "the body can't be used; see details")
                .with_detail("body", error.to_string())
        }
        _ => ApiError::new(ErrorCode::InvalidRequest, "the body could not be read; send it again"),
    }
}

fn query_error(error: &QueryPayloadError) -> ApiError {
    let issue = match error {
        QueryPayloadError::Deserialize(error) => error.to_string(),
        _ => "can't be read".to_owned(),
    };
    ApiError::new(ErrorCode::ValidationError, "the query can't be used; see details").with_detail("query", issue)
}

fn path_error(error: &PathError) -> ApiError {
    let issue = match error {
        PathError::Deserialize(error) => error.to_string(),
        _ => "can't be read".to_owned(),
    };
    ApiError::new(ErrorCode::ValidationError, "the path can't be used; ids are UUIDs").with_detail("path", issue)
}

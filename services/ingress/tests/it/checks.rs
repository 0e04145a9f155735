//! Every check, in the order of the design, with its status and body; and that the order holds.

use reqwest::StatusCode;

use testkit::described::{admin_api, strays};

use crate::harness::{Answer, Bench, SECRET, event, now, rows, signature, signature_at, start};

const MEBIBYTE: usize = 1 << 20;

/// A body sent without a length, in pieces.
fn chunked(len: usize) -> reqwest::Body {
    let chunks =
        vec![b'x'; len].chunks(64 * 1024).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    reqwest::Body::wrap_stream(futures::stream::iter(chunks))
}

/// An ingress whose database nobody needs: all is refused before.
async fn without_database(settings: &[(&str, &str)]) -> crate::harness::Running {
    start("postgres://nobody:none@127.0.0.1:1/none", settings).await
}

#[tokio::test]
async fn a_body_over_a_mebibyte_is_413_with_and_without_a_length() {
    let ingress = without_database(&[]).await;
    let declared = Answer::of(ingress.post().body(vec![b'x'; MEBIBYTE + 1])).await.redacted();
    let streamed = Answer::of(ingress.post().body(chunked(MEBIBYTE + 1))).await.redacted();
    assert_eq!(declared, streamed);
    insta::assert_snapshot!(declared, @r#"
        413 Payload Too Large
        {
          "code": "INVALID_REQUEST",
          "details": [],
          "error": "Payload Too Large",
          "message": "The body is larger than 1 MiB.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_looked_at() {
    let ingress = without_database(&[]).await;
    for body in [reqwest::Body::from(vec![b'x'; MEBIBYTE]), chunked(MEBIBYTE)] {
        assert_eq!(Answer::of(ingress.post().body(body)).await.status, StatusCode::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn content_encoding_is_415() {
    let ingress = without_database(&[]).await;
    let answer = Answer::of(ingress.signed(event("evt_1")).header("content-encoding", "gzip")).await;
    insta::assert_snapshot!(answer.redacted(), @r#"
        415 Unsupported Media Type
        {
          "code": "INVALID_REQUEST",
          "details": [],
          "error": "Unsupported Media Type",
          "message": "The signature is over the bytes that are sent: send the body without Content-Encoding.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn more_than_the_allowance_is_429_with_retry_after() {
    let ingress = without_database(&[("WEBHOOK_RATE_LIMIT_STRIPE", "2")]).await;
    for _ in 0..2 {
        assert_eq!(Answer::of(ingress.post()).await.status, StatusCode::UNAUTHORIZED);
    }
    let answer = Answer::of(ingress.post()).await;
    let seconds: u64 = answer.header("retry-after").expect("a time").parse().expect("seconds");
    assert!((1..=30).contains(&seconds), "{seconds}");
    insta::assert_snapshot!(answer.redacted(), @r#"
        429 Too Many Requests
        {
          "code": "RATE_LIMIT_EXCEEDED",
          "details": [],
          "error": "Too Many Requests",
          "message": "This address sends more than its allowance; send the event again after Retry-After seconds.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn clients_behind_a_trusted_proxy_have_their_own_allowances() {
    let ingress = without_database(&[("WEBHOOK_RATE_LIMIT_STRIPE", "1"), ("TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    for (client, expected) in [
        ("203.0.113.1", StatusCode::UNAUTHORIZED),
        ("203.0.113.2", StatusCode::UNAUTHORIZED),
        ("9.9.9.9, 203.0.113.1", StatusCode::TOO_MANY_REQUESTS),
        ("2001:db8::1", StatusCode::UNAUTHORIZED),
        ("2001:db8::2", StatusCode::TOO_MANY_REQUESTS),
    ] {
        assert_eq!(Answer::of(ingress.post().header("x-forwarded-for", client)).await.status, expected, "{client}");
    }
}

#[tokio::test]
async fn without_a_trusted_proxy_x_forwarded_for_changes_nothing() {
    let ingress = without_database(&[("WEBHOOK_RATE_LIMIT_STRIPE", "1")]).await;
    assert_eq!(
        Answer::of(ingress.post().header("x-forwarded-for", "203.0.113.1")).await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        Answer::of(ingress.post().header("x-forwarded-for", "203.0.113.2")).await.status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[tokio::test]
async fn without_a_secret_it_is_503() {
    let ingress = without_database(&[("STRIPE_WEBHOOK_SECRET", "")]).await;
    let answer = Answer::of(ingress.signed(event("evt_1"))).await;
    assert!(answer.header("retry-after").is_some());
    insta::assert_snapshot!(answer.redacted(), @r#"
        503 Service Unavailable
        {
          "code": "CONFIG_NOT_FOUND",
          "details": [],
          "error": "Service Unavailable",
          "message": "No secret is set for these webhooks, so none can be believed. Set STRIPE_WEBHOOK_SECRET and send the event again.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn a_missing_signature_is_401() {
    let ingress = without_database(&[]).await;
    insta::assert_snapshot!(Answer::of(ingress.post().body(event("evt_1"))).await.redacted(), @r#"
        401 Unauthorized
        {
          "code": "AUTH_FAILED",
          "details": [],
          "error": "Unauthorized",
          "message": "The stripe-signature header is missing.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn an_unreadable_signature_is_401() {
    let ingress = without_database(&[]).await;
    let answer = Answer::of(ingress.post().header("stripe-signature", "t=-1,v1=00").body(event("evt_1"))).await;
    insta::assert_snapshot!(answer.redacted(), @r#"
        401 Unauthorized
        {
          "code": "AUTH_FAILED",
          "details": [],
          "error": "Unauthorized",
          "message": "The stripe-signature header can't be read: the timestamp is not plain digits.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn two_signature_headers_are_401() {
    let ingress = without_database(&[]).await;
    let answer = Answer::of(ingress.signed(event("evt_1")).header("stripe-signature", "t=1,v1=00")).await;
    insta::assert_snapshot!(answer.redacted(), @r#"
        401 Unauthorized
        {
          "code": "AUTH_FAILED",
          "details": [],
          "error": "Unauthorized",
          "message": "The stripe-signature header can't be read: it is there more than once.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn a_timestamp_more_than_300_seconds_off_is_401() {
    let ingress = without_database(&[]).await;
    let body = event("evt_1");
    // A few seconds more than the limit, since the clock goes on.
    for off in [-310, 310] {
        let header = signature_at(SECRET, now() + off, body.as_bytes());
        let answer = Answer::of(ingress.post().header("stripe-signature", header).body(body.clone())).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        let message = answer.body["message"].as_str().expect("a message");
        assert!(message.contains(if off < 0 { "in the past" } else { "in the future" }), "{message}");
    }
}

#[tokio::test]
async fn a_signature_over_other_bytes_or_under_another_secret_is_401() {
    let ingress = without_database(&[]).await;
    let body = event("evt_1");
    let other_bytes =
        Answer::of(ingress.post().header("stripe-signature", signature(body.as_bytes())).body(format!("{body} ")))
            .await;
    let other_secret = signature_at("whsec_other", now(), body.as_bytes());
    let other_secret = Answer::of(ingress.post().header("stripe-signature", other_secret).body(body)).await;
    let (other_bytes, other_secret) = (other_bytes.redacted(), other_secret.redacted());
    assert_eq!(other_bytes, other_secret, "an answer does not tell what was wrong");
    insta::assert_snapshot!(other_bytes, @r#"
        401 Unauthorized
        {
          "code": "AUTH_FAILED",
          "details": [],
          "error": "Unauthorized",
          "message": "No signature matches this body under an active secret. Check that the secret is the endpoint's and that nothing between changes the body.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn what_is_not_json_is_400() {
    let ingress = without_database(&[]).await;
    insta::assert_snapshot!(Answer::of(ingress.signed("id=evt_1")).await.redacted(), @r#"
        400 Bad Request
        {
          "code": "INVALID_REQUEST",
          "details": [],
          "error": "Bad Request",
          "message": "The body is not JSON.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn an_event_without_id_or_type_is_400() {
    let ingress = without_database(&[]).await;
    insta::assert_snapshot!(Answer::of(ingress.signed(r#"{"type":"t"}"#)).await.redacted(), @r#"
        400 Bad Request
        {
          "code": "VALIDATION_ERROR",
          "details": [
            {
              "field": "id",
              "issue": "must be a string that is not empty"
            }
          ],
          "error": "Bad Request",
          "message": "The body is no event: it has no id.",
          "requestId": "[request id]"
        }
        "#);
    let no_type = Answer::of(ingress.signed(r#"{"id":"evt_1"}"#)).await;
    assert_eq!(no_type.body["details"][0]["field"], "type");
}

#[tokio::test]
async fn what_can_not_be_stored_is_503() {
    let ingress = without_database(&[]).await;
    let answer = Answer::of(ingress.signed(event("evt_1"))).await;
    assert_eq!(answer.header("retry-after"), Some("5"));
    insta::assert_snapshot!(answer.redacted(), @r#"
        503 Service Unavailable
        {
          "code": "SERVICE_UNAVAILABLE",
          "details": [],
          "error": "Service Unavailable",
          "message": "The event could not be stored at the moment; send it again.",
          "requestId": "[request id]"
        }
        "#);
}

#[tokio::test]
async fn what_is_stored_is_200() {
    let bench = Bench::new().await;
    let ingress = bench.start().await;
    insta::assert_snapshot!(Answer::of(ingress.signed(event("evt_1"))).await.redacted(), @r#"
        200 OK
        {
          "duplicate": false,
          "received": true,
          "requestId": "[request id]"
        }
        "#);
    insta::assert_snapshot!(Answer::of(ingress.signed(event("evt_1"))).await.redacted(), @r#"
        200 OK
        {
          "duplicate": true,
          "received": true,
          "requestId": "[request id]"
        }
        "#);
    assert_eq!(rows(&bench.pool().await, "evt_1").await, 1);
}

/// A request with everything wrong is told the first thing; with that mended the next.
#[tokio::test]
async fn the_checks_come_in_the_order_of_the_design() {
    let ingress = without_database(&[("WEBHOOK_RATE_LIMIT_STRIPE", "2")]).await;
    let closed = without_database(&[("STRIPE_WEBHOOK_SECRET", ""), ("WEBHOOK_RATE_LIMIT_STRIPE", "1")]).await;
    // Nothing but what passes size and encoding counts against the allowance.
    for large in [reqwest::Body::from(vec![b'x'; MEBIBYTE + 1]), chunked(MEBIBYTE + 1)] {
        let answer = Answer::of(ingress.post().header("content-encoding", "gzip").body(large)).await;
        assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    }
    for _ in 0..3 {
        let answer = Answer::of(ingress.post().header("content-encoding", "gzip").body("not json")).await;
        assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    assert_eq!(Answer::of(closed.post().body("not json")).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(Answer::of(closed.post().body("not json")).await.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(Answer::of(ingress.post().body("not json")).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(Answer::of(ingress.signed("not json")).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(Answer::of(ingress.signed(event("evt_1"))).await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn old_and_new_secret_are_believed_while_rotating() {
    let bench = Bench::new().await;
    let ingress = bench.start_with(&[("STRIPE_WEBHOOK_SECRET", "whsec_new, whsec_old")]).await;
    for (secret, id) in [("whsec_new", "evt_1"), ("whsec_old", "evt_2")] {
        let body = event(id);
        let header = signature_at(secret, now(), body.as_bytes());
        assert_eq!(
            Answer::of(ingress.post().header("stripe-signature", header).body(body)).await.status,
            StatusCode::OK
        );
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let ingress = without_database(&[]).await;
    let answer = Answer::of(ingress.post().header("x-request-id", "given-1")).await;
    assert_eq!(answer.body["requestId"], "given-1");
    let answer = Answer::of(ingress.post().header("x-request-id", "no \" id")).await;
    assert!(answer.body["requestId"].as_str().is_some_and(|id| uuid::Uuid::try_parse(id).is_ok()));
}

#[tokio::test]
async fn other_methods_and_paths_have_an_error_body() {
    let ingress = without_database(&[]).await;
    let wrong_method = Answer::of(ingress.client().get(ingress.url())).await;
    assert_eq!(
        (wrong_method.status, wrong_method.body["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("INVALID_REQUEST"))
    );
    let wrong_path = Answer::of(ingress.client().post(format!("{}/nothing", ingress.url()))).await;
    assert_eq!(
        (wrong_path.status, wrong_path.body["code"].as_str()),
        (StatusCode::NOT_FOUND, Some("RESOURCE_NOT_FOUND"))
    );
}

#[tokio::test]
async fn health_says_healthy() {
    let ingress = without_database(&[]).await;
    let answer = ingress.client().get(format!("{}/health", ingress.url())).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    let body: serde_json::Value = answer.json().await.expect("JSON");
    assert_eq!((body["status"].as_str(), body["service"].as_str()), (Some("healthy"), Some("stripe-webhooks")));
    assert!(body["timestamp"].as_str().is_some_and(|text| text.len() == 24 && text.ends_with('Z')));
    assert_eq!(strays(&admin_api(), "WebhooksHealth", &body), Vec::<String>::new());
    let posted = ingress.client().post(format!("{}/health", ingress.url())).send().await.expect("an answer");
    assert_eq!((posted.status().as_u16(), &posted.headers()["allow"]), (405, &"GET".parse().expect("a value")));
}

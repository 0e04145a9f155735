//! What the running sandbox answers, held against `proto-schemas/flasherp-api.yaml`: the status, the headers and the body of each operation's good
//! answers and errors; and that it refuses each request that the contract's schemas refuse.

use std::collections::{BTreeMap, BTreeSet};

use jsonschema::Validator;
use serde_json::{Map, Value, json};
use testkit::sandbox::{Fault, Limits, Outage};

use crate::{
    contract::contract,
    support::{Answer, Erp, answer, customer, invoice, subscription, transaction},
};

/// The contract, and every answer that was held against it.
struct Contract {
    document: Value,
    /// Operation and status.
    seen: BTreeSet<(String, u16)>,
}

/// What FlashERP itself says with a status.
fn codes(status: u16) -> &'static [&'static str] {
    match status {
        400 | 413 | 422 => &["VALIDATION_ERROR", "MISSING_REQUIRED_FIELD"],
        401 => &["INVALID_API_KEY", "INVALID_API_SECRET"],
        403 => &["AUTH_FAILED"],
        404 => &["RESOURCE_NOT_FOUND"],
        409 => &["RESOURCE_ALREADY_EXISTS", "RESOURCE_CONFLICT"],
        429 => &["RATE_LIMIT_EXCEEDED", "QUOTA_EXCEEDED"],
        500 => &["SERVER_ERROR"],
        502..=504 => &["SERVICE_UNAVAILABLE"],
        _ => &[],
    }
}

impl Contract {
    fn new() -> Self {
        Self { document: contract(), seen: BTreeSet::new() }
    }

    /// A schema within the contract; `closed`: and nothing that it does not name.
    fn validator(&self, schema: &Value, closed: bool) -> Validator {
        let mut whole = json!({ "allOf": [schema], "components": self.document["components"] });
        if closed {
            whole["unevaluatedProperties"] = json!(false);
        }
        jsonschema::options().should_validate_formats(true).build(&whole).unwrap()
    }

    /// What an operation's answer of that status has in it: named in `content`, or by the description's words.
    fn schema(&self, operation: &str, status: u16) -> Option<Value> {
        let (method, path) = operation.split_once(' ').unwrap();
        let answer = &self.document["paths"][path][method.to_lowercase()]["responses"][status.to_string()];
        if let Some(reference) = answer["$ref"].as_str() {
            assert_eq!(reference, "#/components/responses/Error");
            return Some(reference_to("Error"));
        }
        if let Some(schema) = answer["content"]["application/json"].get("schema") {
            return Some(schema.clone());
        }
        let named = answer["description"].as_str()?;
        match named.strip_prefix("page of ") {
            Some(of) => {
                let data = json!({ "properties": { "data": { "items": reference_to(of) } } });
                Some(json!({ "allOf": [reference_to("Page"), data] }))
            }
            None => Some(reference_to(named)),
        }
    }

    /// Holds an answer against what the contract says of the operation, or of all errors.
    #[track_caller]
    fn hold(&mut self, operation: &str, answer: &Answer) {
        let Answer { status, headers, text } = answer;
        let documented = self.schema(operation, *status);
        assert!(documented.is_some() || *status >= 400, "{operation}: {status} is not documented: {text}");
        let schema = documented.unwrap_or_else(|| reference_to("Error"));
        assert_eq!(headers["content-type"], "application/json", "{operation} {status}");
        let body = answer.json();
        // A page's records are closed each by itself.
        let is_page = body.get("nextCursor").is_some();
        let whole = self.validator(&schema, !is_page);
        let wrong: Vec<String> = whole.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(wrong.is_empty(), "{operation} {status}: {wrong:?}: {text}");
        if is_page {
            let of = schema["allOf"][1]["properties"]["data"]["items"].clone();
            let record = self.validator(&of, true);
            for one in body["data"].as_array().unwrap() {
                assert!(record.is_valid(one), "{operation}: {one}");
            }
        }
        if *status >= 400 {
            let code = body["code"].as_str().unwrap();
            assert!(codes(*status).contains(&code), "{operation} {status} {code}");
        }
        if *status == 429 {
            let retry_after = headers["retry-after"].to_str().unwrap();
            assert!(retry_after.parse::<u32>().is_ok_and(|seconds| seconds <= 86_400), "{retry_after}");
            for name in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] {
                assert!(headers[name].to_str().unwrap().parse::<u64>().is_ok(), "{name}");
            }
        }
        self.seen.insert((operation.to_owned(), *status));
    }

    /// Every operation with each status that it is documented to answer.
    fn documented(&self) -> BTreeSet<(String, u16)> {
        let mut all = BTreeSet::new();
        for (path, operations) in self.document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let statuses = operation["responses"].as_object().unwrap().keys();
                all.extend(
                    statuses.map(|status| (format!("{} {path}", method.to_uppercase()), status.parse().unwrap())),
                );
            }
        }
        all
    }
}

fn reference_to(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn metrics() -> Value {
    json!({
        "revenue": 10.5, "costs": 3, "profit": 7.5, "mrr": 0, "arr": 0, "currency": "EUR", "period": "daily",
        "periodStart": "2026-01-01T00:00:00Z", "periodEnd": "2026-01-02T00:00:00Z", "metadata": { "a": 1 },
    })
}

/// A record with everything in it that its type can have, by collection; what is to be put into it afterwards.
fn records(customer_id: &str) -> [(&'static str, Value, Value); 4] {
    let with = |mut record: Value, more: Value| {
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        record
    };
    [
        (
            "/customers",
            with(customer("u-2"), json!({ "stripeCustomerId": "cus_1", "metadata": { "a": [1, null] } })),
            json!({ "name": "Other" }),
        ),
        (
            "/transactions",
            with(
                transaction(customer_id, "t-1"),
                json!({
                    "paymentMethod": "card", "description": "x", "stripeTransactionId": "pi_1", "metadata": { "a": { "b": "c" } },
                }),
            ),
            json!({ "status": "refunded", "description": null }),
        ),
        (
            "/subscriptions",
            with(
                subscription(customer_id, "s-1"),
                json!({ "canceledAt": "2026-01-15T00:00:00Z", "stripeSubscriptionId": "sub_1", "metadata": {} }),
            ),
            json!({ "canceledAt": null, "status": "past_due" }),
        ),
        (
            "/invoices",
            with(
                invoice(customer_id, "i-1"),
                json!({ "status": "paid", "paidAt": "2026-01-31T11:00:00Z", "metadata": { "upcoachTransactionId": "t" } }),
            ),
            json!({ "status": "void", "paidAt": null }),
        ),
    ]
}

#[tokio::test]
async fn every_documented_answer_of_every_operation_is_as_the_contract_has_it() {
    let erp = Erp::start().await;
    let mut contract = Contract::new();
    let stranger = |method: &str, path: &str| {
        erp.http.request(method.parse().unwrap(), format!("{}{path}", erp.control.api_url())).bearer_auth("key-2")
    };
    contract.hold("GET /health", &erp.get("/health").await);
    erp.control.set_outage(Outage::Degraded).await;
    contract.hold("GET /health", &erp.get("/health").await);
    erp.control.set_outage(Outage::Off).await;
    contract.hold("GET /health", &answer(stranger("GET", "/health")).await.unwrap());
    contract.hold("POST /metrics", &erp.post("/metrics", &metrics()).await);
    contract.hold("POST /metrics", &erp.post("/metrics", &metrics()).await);
    contract.hold("POST /metrics", &erp.post("/metrics", &json!({})).await);
    let owner = erp.customer("u-1").await;
    for (path, full, change) in records(&owner) {
        let operation = |method: &str, of: &str| format!("{method} {path}{of}");
        contract.hold(&operation("GET", ""), &erp.get(path).await);
        let first = erp.post_with_key(path, &format!("k-{path}"), &full).await;
        contract.hold(&operation("POST", ""), &first);
        let replayed = erp.post_with_key(path, &format!("k-{path}"), &full).await;
        assert_eq!(
            (replayed.headers["idempotent-replayed"].as_bytes(), replayed.text.as_str()),
            (b"true".as_slice(), first.text.as_str())
        );
        contract.hold(&operation("POST", ""), &replayed);
        contract.hold(&operation("POST", ""), &erp.post_with_key(path, &format!("k-{path}"), &change).await);
        contract.hold(&operation("POST", ""), &erp.post(path, &json!({})).await);
        let (one, nobody) = (format!("{path}/{}", first.id()), format!("{path}/nobody"));
        contract.hold(&operation("GET", "/{id}"), &erp.get(&one).await);
        contract.hold(&operation("GET", "/{id}"), &erp.get(&nobody).await);
        contract.hold(&operation("PUT", "/{id}"), &erp.put(&one, &change).await);
        contract.hold(&operation("PUT", "/{id}"), &erp.put(&one, &json!({ "metadata": { "b": 2 } })).await);
        contract.hold(&operation("PUT", "/{id}"), &erp.put(&one, &json!({ "upcoachReference": 7 })).await);
        contract.hold(&operation("PUT", "/{id}"), &erp.put(&nobody, &change).await);
        erp.control.add_fault(&Fault::status(409).on("PUT", &format!("{path}/{{id}}")).times(1)).await;
        contract.hold(&operation("PUT", "/{id}"), &erp.put(&one, &change).await);
        if path == "/subscriptions" {
            for _ in 0..2 {
                contract.hold(&operation("DELETE", "/{id}"), &erp.delete(&one).await);
            }
            contract.hold(&operation("DELETE", "/{id}"), &erp.delete(&nobody).await);
        }
        erp.post(path, &full).await;
        let page = erp.get(&format!("{path}?limit=1")).await;
        assert!(page.json()["nextCursor"].is_string());
        contract.hold(&operation("GET", ""), &page);
        contract.hold(&operation("GET", ""), &erp.get(&format!("{path}?limit=0")).await);
        contract.hold(&operation("GET", ""), &answer(stranger("GET", path)).await.unwrap());
    }
    for (operation, status) in contract.documented() {
        // A cancelled subscription is answered as a record, which is one of the two ways.
        let is_other_way = status == 204;
        assert!(
            is_other_way || contract.seen.contains(&(operation.clone(), status)),
            "{operation} was not answered {status}"
        );
    }
}

#[tokio::test]
async fn every_operation_is_refused_in_the_contracts_words_whatever_the_reason() {
    let erp = Erp::start().await;
    let mut contract = Contract::new();
    let operations: BTreeSet<String> = contract.documented().into_iter().map(|(operation, _)| operation).collect();
    for operation in &operations {
        let (method, path) = operation.split_once(' ').unwrap();
        let url = path.replace("{id}", "nobody");
        let call = || async {
            let body = matches!(method, "POST" | "PUT").then(|| json!({}).to_string());
            answer(erp.request(method, &url, body)).await.unwrap()
        };
        for status in [400, 401, 403, 404, 409, 422, 500, 502, 503, 504] {
            let id = erp.control.add_fault(&Fault::status(status).times(1)).await;
            let refused = call().await;
            assert_eq!(refused.status, status, "{operation}, fault {id}");
            contract.hold(operation, &refused);
        }
        for limits in [
            Limits { per_window: Some(0), health: true, ..Limits::default() },
            Limits { per_day: Some(0), health: true, ..Limits::default() },
        ] {
            erp.control.set_limits(&limits).await;
            let refused = call().await;
            assert_eq!(refused.status, 429, "{operation}");
            contract.hold(operation, &refused);
        }
        erp.control.set_limits(&Limits::default()).await;
    }
    assert_eq!(contract.seen.len(), operations.len() * 11);
}

/// Values that a property's schema refuses.
fn bad_values(property: &Value) -> Vec<Value> {
    let mut bad = vec![json!(null), json!([]), json!(true)];
    match property["type"].as_str().unwrap() {
        "string" => bad.extend([json!(7), json!({})]),
        "number" => bad.extend([json!("7"), json!({})]),
        "object" => bad.extend([json!("x"), json!(7)]),
        other => panic!("a property of type {other}"),
    }
    if property.get("enum").is_some() {
        bad.extend([json!("something else"), json!("")]);
    }
    if let Some(most) = property["maxLength"].as_u64() {
        bad.push(json!("é".repeat(usize::try_from(most).unwrap() + 1)));
    }
    if property["minLength"] == 1 {
        bad.push(json!(""));
    }
    if let Some(most) = property["maxProperties"].as_u64() {
        bad.push((0..=most).map(|n| (format!("k{n}"), json!(n))).collect::<Map<_, _>>().into());
    }
    match property["format"].as_str() {
        Some("date-time") => bad.extend([json!("2026-01-31"), json!("2026-13-01T00:00:00Z"), json!("soon")]),
        Some("email") => bad.extend([json!("nobody"), json!("@example.com")]),
        _ => {}
    }
    if property.get("pattern").is_some() {
        bad.extend([json!("EURO"), json!("E1R"), json!("")]);
    }
    bad
}

#[tokio::test]
async fn every_request_that_the_schemas_refuse_is_refused_and_its_field_is_named() {
    let erp = Erp::start().await;
    let contract = Contract::new();
    let owner = erp.customer("u-1").await;
    let mut bodies: BTreeMap<&str, Value> = records(&owner).into_iter().map(|(path, full, _)| (path, full)).collect();
    bodies.insert("/metrics", metrics());
    let mut refused = 0;
    for (path, full) in bodies {
        let post = &contract.document["paths"][path]["post"];
        let reference = &post["requestBody"]["content"]["application/json"]["schema"];
        let schema = &contract.document["components"]["schemas"]
            [reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap()];
        let validator = contract.validator(reference, false);
        assert!(validator.is_valid(&full), "{path}: what is changed below is good");
        let made = erp.post(path, &full).await;
        assert_eq!(made.status, 201, "{path}: {}", made.text);
        let required: BTreeSet<&str> =
            schema["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        for (name, property) in schema["properties"].as_object().unwrap() {
            if required.contains(name.as_str()) {
                let mut without = full.clone();
                without.as_object_mut().unwrap().remove(name);
                let answer = erp.post(path, &without).await;
                assert_eq!(answer.is_error(400, "MISSING_REQUIRED_FIELD").bad_fields(), [name.as_str()], "{path}");
                refused += 1;
            }
            for value in bad_values(property) {
                let body = {
                    let mut body = full.clone();
                    body[name] = value.clone();
                    body
                };
                assert!(!validator.is_valid(&body), "{path}: the contract takes {name}: {value}");
                let answer = erp.post(path, &body).await;
                assert_eq!(
                    answer.is_error(400, "VALIDATION_ERROR").bad_fields(),
                    [name.as_str()],
                    "POST {path} {value}"
                );
                refused += 1;
                // PUT takes a part of it, and null for what may be absent.
                if path != "/metrics" && (required.contains(name.as_str()) || !value.is_null()) {
                    let answer = erp.put(&format!("{path}/{}", made.id()), &json!({ name: value })).await;
                    assert_eq!(
                        answer.is_error(400, "VALIDATION_ERROR").bad_fields(),
                        [name.as_str()],
                        "PUT {path} {value}"
                    );
                    refused += 1;
                }
            }
        }
        let key = erp.request("POST", path, Some(full.to_string())).header("idempotency-key", "k".repeat(256));
        let key = answer(key).await.unwrap();
        assert_eq!(key.is_error(400, "VALIDATION_ERROR").bad_fields(), ["Idempotency-Key"]);
    }
    assert!(refused > 300, "{refused}");
    for path in ["/customers", "/transactions", "/subscriptions", "/invoices"] {
        for (name, value) in [
            ("limit", "0"),
            ("limit", "501"),
            ("limit", "ten"),
            ("limit", "1.5"),
            ("updatedSince", "yesterday"),
            ("createdFrom", "2026-01-31"),
            ("createdTo", ""),
            ("cursor", "nowhere"),
        ] {
            let answer = erp.get(&format!("{path}?{name}={value}")).await;
            assert_eq!(answer.is_error(400, "VALIDATION_ERROR").bad_fields(), [name], "{path} {value}");
        }
    }
}

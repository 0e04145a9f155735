//! What nobody could mean, for every operation of the API's description and every one of its parameters and fields: refused with a clear code, the
//! wrong field named and no other, never a fault of ours, and nothing changed. Made from the description alone, so that a new operation is covered as
//! soon as it is described; what of it can't be broken by the rules here fails.

use std::collections::BTreeSet;

use domain::ErrorCode;
use reqwest::Method;
use serde_json::{Map, Value, json};
use sqlx::PgPool;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::api::{Answer, Api, DEADLINE};
use crate::rows::{self, superuser};

const ID: &str = "00000000-0000-4000-8000-000000000001";
const SQL: &str = "' OR '1'='1'; DROP TABLE sync.erp_syncs; --";
/// What the description says of a text that may hold anything but NUL.
const ANY_TEXT: &str = r"^[^\u0000]*$";

/// An operation, with all references resolved.
#[derive(Debug)]
struct Operation {
    method: Method,
    path: String,
    parameters: Vec<Value>,
    /// The schema of its JSON body; the empty object where the description has none, since none is read.
    body: Option<Value>,
    /// Whether it reads a body of another kind, which has no fields that a description could tell of.
    reads_a_file: bool,
}

/// A request that can only be refused.
#[derive(Clone, Debug)]
struct Wrong {
    what: String,
    method: Method,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    content_type: &'static str,
    status: Vec<u16>,
    /// The fields that the answer names; none where there is nothing to name.
    named: Vec<String>,
}

/// Everything that config-api answers itself.
fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(config_api::openapi::document()).expect("JSON");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        if ["/api/auth/", "/api/webhooks/"].iter().any(|elsewhere| path.starts_with(elsewhere)) {
            continue;
        }
        for (method, operation) in item.as_object().expect("operations") {
            let method: Method = method.to_uppercase().parse().expect("a method");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let body = &operation["requestBody"]["content"];
            let reads_a_file = body.is_object() && body.get("application/json").is_none();
            let body = match body.get("application/json") {
                Some(json) => Some(resolved(&document, &json["schema"])),
                None if reads_a_file => None,
                None => {
                    matches!(method, Method::POST | Method::PUT).then(|| json!({"type": "object", "properties": {}}))
                }
            };
            let parameters = parameters.iter().map(|parameter| resolved(&document, parameter)).collect();
            all.push(Operation { method, path: path.clone(), parameters, body, reads_a_file });
        }
    }
    assert!(all.len() >= 45, "{all:?}");
    all
}

/// With what a reference names in its place, to the bottom.
fn resolved(document: &Value, value: &Value) -> Value {
    match value {
        Value::Object(members) => match members.get("$ref").and_then(Value::as_str) {
            Some(reference) => {
                resolved(document, document.pointer(reference.trim_start_matches('#')).expect(reference))
            }
            None => members.iter().map(|(name, value)| (name.clone(), resolved(document, value))).collect(),
        },
        Value::Array(items) => items.iter().map(|item| resolved(document, item)).collect(),
        other => other.clone(),
    }
}

impl Operation {
    /// With something of the right kind in each parameter's place.
    fn plain_path(&self) -> String {
        self.path_with("", "")
    }

    fn path_with(&self, name: &str, value: &str) -> String {
        self.of("path").fold(self.path.clone(), |path, parameter| {
            let own = parameter["name"].as_str().expect("a name");
            let given = if own == name { value.to_owned() } else { in_place(&parameter["schema"]) };
            path.replace(&format!("{{{own}}}"), &given)
        })
    }

    fn of(&self, place: &str) -> impl Iterator<Item = &Value> {
        self.parameters.iter().filter(move |parameter| parameter["in"] == place)
    }

    /// What it can't do without.
    fn least_body(&self) -> Map<String, Value> {
        let Some(schema) = &self.body else { return Map::new() };
        let needed = schema["required"].as_array().into_iter().flatten().map(|name| name.as_str().expect("a name"));
        needed.map(|name| (name.to_owned(), sample(&schema["properties"][name]))).collect()
    }

    /// What the query can't do without, but for one.
    fn least_query(&self, but: &str) -> String {
        let needed = self.of("query").filter(|parameter| parameter["required"] == true && parameter["name"] != but);
        let pairs = needed.map(|parameter| {
            let (name, value) = (&parameter["name"], sample(&parameter["schema"]));
            format!("{}={}&", name.as_str().expect("a name"), value.as_str().expect("a text"))
        });
        pairs.collect()
    }

    fn wrong(&self, what: impl Into<String>, named: &[&str]) -> Wrong {
        let body = self.body.as_ref().map(|_| Value::Object(self.least_body()).to_string().into_bytes());
        let (body, content_type) =
            if self.reads_a_file { (Some(Vec::new()), "application/x-ndjson") } else { (body, "application/json") };
        Wrong {
            what: what.into(),
            method: self.method.clone(),
            path: self.plain_path(),
            query: self.least_query(""),
            headers: Vec::new(),
            body,
            content_type,
            status: vec![400],
            named: named.iter().map(ToString::to_string).collect(),
        }
    }

    fn all_that_is_wrong(&self) -> Vec<Wrong> {
        let mut all = self.wrong_paths();
        all.extend(self.wrong_queries());
        all.extend(self.wrong_headers());
        if self.body.is_some() {
            all.extend(self.wrong_bodies());
        }
        all
    }

    fn wrong_paths(&self) -> Vec<Wrong> {
        let wrong = self.of("path").flat_map(|parameter| {
            let name = parameter["name"].as_str().expect("a name");
            let long = "x".repeat(300);
            ["1", "nope'", "%27%20OR%201=1", "%00", "%FF", &long].map(|value| Wrong {
                path: self.path_with(name, value),
                // An id or a name that nobody has, where it is one at all.
                status: vec![400, 404],
                ..self.wrong(format!("{name} is {value:.20}"), &[])
            })
        });
        wrong.collect()
    }

    fn wrong_queries(&self) -> Vec<Wrong> {
        let with = |what: &str, query: String, name: &str| Wrong {
            query: format!("{}{query}", self.least_query(name)),
            ..self.wrong(what, &[name])
        };
        let mut all = vec![
            with("an unknown parameter", "nope=1".to_owned(), "nope"),
            with("SQL where some sort", "sort=created_at;DROP%20TABLE%20x".to_owned(), "sort"),
        ];
        for parameter in self.of("query") {
            let name = parameter["name"].as_str().expect("a name");
            all.push(with("twice", format!("{name}=1&{name}=2"), name));
            for text in wrong_texts(&parameter["schema"]) {
                let value: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
                all.push(with(&format!("{name} is {text:.40?}"), format!("{name}={value}"), name));
            }
        }
        all
    }

    fn wrong_headers(&self) -> Vec<Wrong> {
        let mut all = Vec::new();
        for parameter in self.of("header") {
            let (name, schema) = (parameter["name"].as_str().expect("a name"), &parameter["schema"]);
            let value = match (schema["maxLength"].as_u64(), schema["pattern"].is_string()) {
                (Some(most), _) => "x".repeat(usize::try_from(most).expect("a length") + 1),
                (None, true) => "nope".to_owned(),
                (None, false) => continue,
            };
            all.push(Wrong {
                headers: vec![(name.to_owned(), value)],
                ..self.wrong(format!("{name} is wrong"), &[name])
            });
        }
        all
    }

    fn wrong_bodies(&self) -> Vec<Wrong> {
        let schema = self.body.as_ref().expect("it takes a body");
        let mut all = Vec::new();
        // What is not there at all is named beside what is no object.
        let needed: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let none_there = [&["body"], needed.as_slice()].concat();
        let mut raw = |what: &str, bytes: &[u8], named: &[&str]| {
            all.push(Wrong { body: Some(bytes.to_vec()), ..self.wrong(what, named) });
        };
        for (what, bytes) in [
            ("nested deeply", "[".repeat(100_000).as_bytes()),
            ("nested deeply within", format!("{{\"a\":{}", "{\"a\":".repeat(50_000)).as_bytes()),
            ("half an object", b"{"),
            ("no UTF-8", b"{\"a\": \"\xff\"}"),
            ("two documents", b"{} {}"),
        ] {
            raw(what, bytes, &["body"]);
        }
        for (what, bytes) in [("a list", &b"[]"[..]), ("a number", b"1"), ("null", b"null")] {
            raw(what, bytes, &none_there);
        }
        raw("a key twice", b"{\"nope\": 1, \"nope\": 1}", &["nope"]);
        let mut least = self.least_body();
        least.insert("nope".to_owned(), json!(1));
        raw("an unknown field", Value::Object(least).to_string().as_bytes(), &["nope"]);
        for (name, of) in schema["properties"].as_object().expect("properties") {
            let twice = format!("{{{0}: {1}, {0}: {1}}}", json!(name), sample(of));
            raw(&format!("{name} twice"), twice.as_bytes(), &[name]);
            for (named, value) in wrong_values(name, of) {
                let mut body = self.least_body();
                let what = format!("{named} is {:.60}", value.to_string());
                body.insert(name.clone(), value);
                raw(&what, Value::Object(body).to_string().as_bytes(), &[&named]);
            }
        }
        let large = vec![b' '; (1 << 20) + 1];
        all.push(Wrong { body: Some(large), status: vec![413], ..self.wrong("over a mebibyte", &[]) });
        all.push(Wrong {
            body: Some(b"{}".to_vec()),
            content_type: "text/plain",
            status: vec![415],
            ..self.wrong("no JSON by its type", &[])
        });
        all
    }
}

/// Something of the right kind, for a path.
fn in_place(schema: &Value) -> String {
    match schema["pattern"].as_str() {
        Some("^[0-9a-f]{32}$") => "0".repeat(32),
        Some(_) => "no-such-thing".to_owned(),
        None => sample(schema).as_str().expect("a text").to_owned(),
    }
}

/// Something that fits.
fn sample(schema: &Value) -> Value {
    if let Some(words) = schema["enum"].as_array() {
        return words[0].clone();
    }
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("string"), Some("uuid")) => json!(ID),
        (Some("string"), Some("date-time")) => json!("2026-01-01T00:00:00Z"),
        (Some("string"), Some("uri")) => json!("https://erp.example.com/v1"),
        (Some("string"), None) => json!("x"),
        (Some("integer"), _) => json!(schema["minimum"].as_i64().unwrap_or(1)),
        (Some("boolean"), _) => json!(true),
        (Some("array"), _) => json!([sample(&schema["items"])]),
        (Some("object"), _) => json!({}),
        _ => panic!("say here what fits {schema}"),
    }
}

/// Texts that a parameter can't be.
fn wrong_texts(schema: &Value) -> Vec<String> {
    let mut all = vec!["\0".to_owned()];
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    match (schema["type"].as_str(), schema["format"].as_str()) {
        (Some("integer"), _) => {
            all.extend(owned(&["", "x", "1.5", "+1", "1e2", "99999999999999999999", "1;DROP TABLE x", SQL]));
            all.extend(schema["minimum"].as_i64().map(|least| (least - 1).to_string()));
            all.extend(schema["maximum"].as_i64().map(|most| (most + 1).to_string()));
        }
        (Some("string"), Some("uuid")) => all.extend(owned(&["", "1", ID.trim_end_matches('1'), SQL])),
        (Some("string"), Some("date-time")) => {
            all.extend(owned(&["", "yesterday", "2026-13-01T00:00:00Z", "99999-01-01T00:00:00Z", "2026-01-01", SQL]));
        }
        (Some("string"), None) => {
            if schema["enum"].is_array() {
                all.extend(owned(&["", "nope", SQL]));
            } else if schema["pattern"].as_str().is_some_and(|pattern| pattern != ANY_TEXT) {
                all.extend(owned(&["", SQL]));
            }
            if schema["minLength"].as_u64().is_some_and(|least| least > 0) {
                all.push(String::new());
            }
            all.extend(longer(schema));
        }
        _ => panic!("say here what breaks {schema}"),
    }
    all
}

fn longer(schema: &Value) -> Option<String> {
    Some("x".repeat(usize::try_from(schema["maxLength"].as_u64()?).expect("a length") + 1))
}

/// What a field of a body can't be, and which field is named then.
fn wrong_values(name: &str, schema: &Value) -> Vec<(String, Value)> {
    let mut all = vec![Value::Null];
    let mut within = Vec::new();
    match schema["type"].as_str() {
        Some("string") => {
            all.extend([json!(1), json!(true), json!(["x"]), json!({"a": 1}), json!("")]);
            all.extend(wrong_texts_of_a_body(schema).into_iter().map(Value::String));
        }
        Some("integer") => {
            all.extend([json!("x"), json!("300"), json!(1.5), json!(1e30), json!(true), json!([1]), json!({})]);
            all.extend(schema["minimum"].as_i64().map(|least| json!(least - 1)));
            all.extend(schema["maximum"].as_i64().map(|most| json!(most + 1)));
        }
        Some("boolean") => all.extend([json!("true"), json!(1), json!([true]), json!({})]),
        Some("array") => {
            all.extend([
                json!("x"),
                json!(1),
                json!({}),
                json!([]),
                json!([null]),
                json!([1]),
                json!([[]]),
                json!([SQL]),
            ]);
            let one = sample(&schema["items"]);
            if schema["uniqueItems"] == true {
                all.push(json!([one, one]));
            }
            if let Some(most) = schema["maxItems"].as_u64() {
                let id = |n: u64| format!("00000000-0000-4000-8000-{n:012}");
                all.push((0..=most).map(id).collect());
            }
        }
        Some("object") => {
            all.extend([json!(1), json!("x"), json!([])]);
            within.push((format!("{name}.nope"), json!({"nope": 1})));
            for (inner, of) in schema["properties"].as_object().expect("properties") {
                within.extend(
                    wrong_values(inner, of)
                        .into_iter()
                        .map(|(named, value)| (format!("{name}.{named}"), json!({inner: value}))),
                );
            }
        }
        _ => panic!("say here what breaks {schema}"),
    }
    all.into_iter().map(|value| (name.to_owned(), value)).chain(within).collect()
}

fn wrong_texts_of_a_body(schema: &Value) -> Vec<String> {
    let mut all = if schema["format"] == "uri" { vec!["nope".to_owned(), SQL.to_owned()] } else { wrong_texts(schema) };
    if schema["pattern"].as_str().is_some_and(|pattern| pattern != ANY_TEXT) {
        all.push("with a space".to_owned());
    }
    all.extend(longer(schema));
    all
}

impl Wrong {
    fn request(&self, api: &Api) -> reqwest::RequestBuilder {
        let query = if self.query.is_empty() { String::new() } else { format!("?{}", self.query) };
        let request = api.request(self.method.clone(), &format!("{}{query}", self.path));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        match &self.body {
            Some(body) => request.header("content-type", self.content_type).body(body.clone()),
            None => request,
        }
    }

    /// What is not as it should be about the answer.
    fn judge(&self, answer: &Answer) -> Option<String> {
        let Self { what, method, path, query, .. } = self;
        let told =
            |issue: &str| Some(format!("{method} {path}?{query}, {what}: {issue}: {} {}", answer.status, answer.text));
        let Ok(body) = serde_json::from_str::<Value>(&answer.text) else { return told("no JSON") };
        let code = body["code"].as_str().and_then(|code| code.parse::<ErrorCode>().ok());
        let named: BTreeSet<String> = answer.wrong_fields().into_iter().collect();
        if !self.status.contains(&answer.status) {
            return told(&format!("not {:?}", self.status));
        }
        if code.is_none() || body["message"].as_str().is_none_or(str::is_empty) || body["requestId"].is_null() {
            return told("no code, message or requestId");
        }
        if !self.named.is_empty() && named != self.named.iter().cloned().collect() {
            return told(&format!("names other fields than {:?}", self.named));
        }
        None
    }
}

/// What all tables hold.
async fn everything(pool: &PgPool) -> Vec<(String, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    )
    .fetch_all(pool)
    .await
    .expect("tables");
    let mut all = Vec::new();
    for table in tables {
        let statement = format!(
            "SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '' ORDER BY t::text)), '') FROM {table} t"
        );
        let held: String = sqlx::query_scalar(sqlx::AssertSqlSafe(statement)).fetch_one(pool).await.expect("rows");
        all.push((table, held));
    }
    all
}

/// With rows of every kind, so that whatever is done although it was refused can be seen.
async fn filled() -> (Api, PgPool) {
    let api = Api::start().await;
    let pool = superuser(&api.database).await;
    testkit::configure(&pool, "http://127.0.0.1:9/v1").await;
    rows::syncs(&pool, 300).await;
    rows::audit_rows(&pool, 100).await;
    rows::webhooks(&pool, 300).await;
    rows::batches(&pool, 20).await;
    rows::runs(&pool, 20).await;
    rows::findings(&pool, 100).await;
    (api, pool)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_wrong_parameter_and_field_of_every_operation_is_named_and_nothing_is_done() {
    let (api, pool) = filled().await;
    let before = everything(&pool).await;
    let all: Vec<Wrong> = operations().iter().flat_map(Operation::all_that_is_wrong).collect();
    assert!(all.len() > 1_500, "{} requests", all.len());
    let mut issues = Vec::new();
    for wrong in &all {
        issues.extend(wrong.judge(&Answer::of(wrong.request(&api)).await));
    }
    assert!(issues.is_empty(), "{} of {} requests:\n{}", issues.len(), all.len(), issues.join("\n"));
    assert_eq!(everything(&pool).await, before);
    api.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_stands_still_is_a_408_at_every_operation_that_reads_one() {
    let (api, pool) = filled().await;
    let before = everything(&pool).await;
    let address = api.service.addresses().http.expect("it serves HTTP");
    // All at once: each waits for the deadline of its body.
    let waiting = operations().into_iter().filter(|operation| operation.body.is_some()).map(|operation| async move {
        let mut client = TcpStream::connect(address).await.expect("connects");
        let head = format!(
            "{} {} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: 100\r\nConnection: close\r\n\r\n{{",
            operation.method,
            operation.plain_path(),
            testkit::tokens::admin()
        );
        client.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        let reading = client.read_to_end(&mut answer);
        let _closed_or_reset = tokio::time::timeout(DEADLINE, reading).await.expect("an end");
        (operation.path, String::from_utf8_lossy(&answer).into_owned())
    });
    let answers = futures::future::join_all(waiting).await;
    assert!(answers.len() >= 20, "{answers:?}");
    for (path, answer) in answers {
        assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("\"TIMEOUT\""), "{path}: {answer}");
    }
    assert_eq!(everything(&pool).await, before);
    api.stop().await;
}

//! Calls a second of the sandbox on one core, against a handler of the same HTTP server that answers the same bytes and does nothing, in turns
//! on the same machine. That there are at least 10,000 a second is what the sandbox promises: it must not be what is measured when the path
//! through it is.
//!
//! Each server is a process of its own with one worker; what one core gives is the calls divided by the processor time that they took of that
//! process, which does not depend on what else the machine does. A page of a hundred records is no single call's work: its figure stands for
//! itself.
//!
//! Then how much memory records take, also while the same ones are updated again and again.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, ensure};
use benches::cpu;
use benches::load::{self, Round};
use flasherp_sandbox::Config;
use service::Binary;
use service::settings::{Env, read};

/// What a core must give, at least.
const PROMISED_PER_SECOND: u128 = 10_000;
/// Kinds of calls.
const CREATE: &str = "create";
const UPDATE: &str = "update";
const PAGE: &str = "page of 100";
const AUTHORIZED: &str = "authorization: Bearer sandbox-key\r\nx-api-secret: sandbox-secret\r\n";

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("serve-sandbox") => actix_web::rt::System::new().block_on(serve_sandbox()).map(|()| ExitCode::SUCCESS),
        Some("serve-bare") => actix_web::rt::System::new().block_on(serve_bare()).map(|()| ExitCode::SUCCESS),
        _ => measure(),
    }
}

async fn serve_sandbox() -> anyhow::Result<()> {
    let config = read(Env::from_pairs(Binary::Sandbox, [("RUST_LOG", "warn")]), Config::read)?;
    let running = flasherp_sandbox::start(SocketAddr::from(([127, 0, 0, 1], 0)), 1, &config)?;
    eprintln!("{}", running.address());
    std::future::pending().await
}

async fn serve_bare() -> anyhow::Result<()> {
    let body = String::from_utf8(transaction("fcu_0000000000000000", 0))?;
    let server = HttpServer::new(move || {
        let body = body.clone();
        App::new().default_service(web::to(move |_request: web::Bytes| {
            let body = body.clone();
            async move { HttpResponse::Ok().content_type("application/json").body(body) }
        }))
    });
    let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0))?;
    eprintln!("{}", server.addrs().first().context("the server has no address")?);
    server.run().await?;
    Ok(())
}

/// A server in a process of its own; ends with this value.
struct Server {
    process: Child,
    address: SocketAddr,
}

impl Server {
    fn start(what: &str) -> anyhow::Result<Self> {
        let mut process =
            Command::new(std::env::current_exe()?).arg(what).stdin(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(process.stderr.take().context("its standard error is a pipe")?).lines();
        let address = lines.next().context("it ended at once")??;
        let address = address.trim().parse().with_context(|| format!("it said {address}"))?;
        // Whatever else it says must not fill the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| eprintln!("{line}")));
        Ok(Self { process, address })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ended_already = self.process.kill();
        let _ended_already = self.process.wait();
    }
}

fn measure() -> anyhow::Result<ExitCode> {
    let rounds = number("ROUNDS", 5)?;
    let connections = number("CONNECTIONS", 64)?;
    let each = number("REQUESTS", 40_000)? / connections;
    let (sandbox, bare) = (Server::start("serve-sandbox")?, Server::start("serve-bare")?);
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    let run = |name: &str, server: &Server, requests| {
        let before = cpu::used_by(server.process.id());
        let round = client.block_on(local.run_until(load::run(server.address, requests)))?;
        let used = cpu::used_by(server.process.id()).saturating_sub(before);
        let per_core = per_core(&round, used);
        eprintln!(
            "{name:14} {:8.0}/s  p50 {:?} p99 {:?}; {per_core} a second and core",
            round.rate(),
            round.quantile(500),
            round.quantile(990)
        );
        anyhow::Ok(per_core)
    };
    let customer_id = customer(&client, sandbox.address)?;
    let mut slowest = u128::MAX;
    for kind in [CREATE, "create, key", "look up", UPDATE, PAGE] {
        let mut shares = Vec::new();
        for round in 0..=rounds {
            // Those of a page are a hundred times as long.
            let each = if kind == PAGE { each.div_ceil(20) } else { each };
            let requests = |of: usize| requests(kind, &customer_id, connections, each, of * connections * each);
            let with = run(kind, &sandbox, requests(round))?;
            let without = run("  bare handler", &bare, requests(round))?;
            // The first round warms up.
            if round > 0 {
                shares.push(with * 1000 / without.max(1));
                if kind != PAGE {
                    slowest = slowest.min(with);
                }
            }
        }
        shares.sort_unstable();
        let median = shares.get(shares.len() / 2).copied().unwrap_or_default();
        eprintln!("{kind}: median {} per mille of the bare handler, all {shares:?}", median);
    }
    drop((sandbox, bare));
    memory(&run, &client, connections)?;
    let is_kept = slowest >= PROMISED_PER_SECOND;
    eprintln!(
        "slowest round: {slowest} a second and core; promised are {PROMISED_PER_SECOND}{}",
        if is_kept { "" } else { ": NOT KEPT" }
    );
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// How much the sandbox takes for each record, and after each of several updates of all of them.
fn memory(
    run: &impl Fn(&str, &Server, Vec<Vec<Vec<u8>>>) -> anyhow::Result<u128>,
    client: &tokio::runtime::Runtime,
    connections: usize,
) -> anyhow::Result<()> {
    let sandbox = Server::start("serve-sandbox")?;
    let customer = customer(client, sandbox.address)?;
    let each = number("RECORDS", 100_000)?.div_ceil(connections);
    let records = connections * each;
    let empty = resident_kb(sandbox.process.id())?;
    run("fill", &sandbox, requests(CREATE, &customer, connections, each, 0))?;
    let full = resident_kb(sandbox.process.id())?;
    eprintln!(
        "memory: {empty} kB empty, {full} kB with {records} records: {} bytes each",
        full.saturating_sub(empty) * 1024 / records
    );
    for round in 1..=number("ROUNDS", 5)? {
        run("update all", &sandbox, requests(UPDATE, &customer, connections, each, 0))?;
        let now = resident_kb(sandbox.process.id())?;
        eprintln!("memory: {now} kB after they were all updated {round} times");
    }
    Ok(())
}

/// `VmRSS` of a process.
fn resident_kb(pid: u32) -> anyhow::Result<usize> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("VmRSS is a number")
}

/// Calls of a second of processor time.
fn per_core(round: &Round, used: Duration) -> u128 {
    round.answers as u128 * 1_000_000 / used.as_micros().max(1)
}

/// The id of a new customer.
fn customer(client: &tokio::runtime::Runtime, address: SocketAddr) -> anyhow::Result<String> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let body = r#"{"email":"ada@example.com","name":"Ada Example","upcoachReference":"bench"}"#;
    let request = request("POST", "/v1/customers", "connection: close\r\n", body.as_bytes());
    let answer = client.block_on(async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(&request).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        anyhow::Ok(answer)
    })?;
    ensure!(answer.starts_with("HTTP/1.1 201"), "no customer: {answer}");
    let (_, rest) = answer.split_once(r#""id":""#).context("a customer has an id")?;
    Ok(rest.split('"').next().unwrap_or_default().to_owned())
}

fn requests(kind: &str, customer: &str, connections: usize, each: usize, first: usize) -> Vec<Vec<Vec<u8>>> {
    // The customer has the first id, and the records that were made first have the next ones.
    let first_id = customer.rsplit('_').next().and_then(|id| u64::from_str_radix(id, 16).ok()).unwrap_or_default() + 1;
    let request = |nth: usize| match kind {
        "look up" => request("GET", &format!("/v1/transactions?upcoachReference=bench-{nth}"), "", b""),
        UPDATE => request("PUT", &format!("/v1/transactions/ftx_{:016x}", first_id + nth as u64), "", &changed(nth)),
        PAGE => request("GET", "/v1/transactions?limit=100", "", b""),
        "create, key" => {
            let key = format!("idempotency-key: create:bench-{nth}:0\r\n");
            request("POST", "/v1/transactions", &key, &transaction(customer, nth))
        }
        _ => request("POST", "/v1/transactions", "", &transaction(customer, nth)),
    };
    (0..connections).map(|connection| (0..each).map(|nth| request(first + connection * each + nth)).collect()).collect()
}

fn transaction(customer: &str, nth: usize) -> Vec<u8> {
    format!(
        r#"{{"customerId":"{customer}","amount":10.99,"currency":"USD","status":"completed","type":"payment","paymentMethod":"card","description":"Coaching","upcoachReference":"bench-{nth}","stripeTransactionId":"pi_{nth:024}","metadata":{{"fee":"0.62"}}}}"#
    )
    .into_bytes()
}

fn changed(nth: usize) -> Vec<u8> {
    format!(r#"{{"status":"refunded","description":"Coaching, changed","metadata":{{"fee":"0.62","nth":{nth}}}}}"#)
        .into_bytes()
}

fn request(method: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{AUTHORIZED}{headers}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("{name} is not a number")),
        Err(_) => Ok(default),
    }
}

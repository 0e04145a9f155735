//! `up`, `down`, `status`, `env` and `logs`, as a user types them.

use std::collections::HashMap;
use std::net::TcpListener;
use std::time::Duration;

use local_stack::{ports, wait};
use rustix::process::Signal;

use crate::support::{OwnStack, all_gone, pids, text};

#[tokio::test]
async fn up_makes_everything_ready_and_down_leaves_no_process() {
    let stack = OwnStack::new();
    assert!(!stack.run(&["status"]).status.success(), "nothing runs yet");
    stack.must(&["up"]);

    let status = stack.must(&["status"]);
    for server in [
        "postgres",
        "nats",
        "flasherp-sandbox",
        "config-api",
        "sync-worker",
        "scheduler",
        "reconciler",
        "ingress",
        "gateway",
    ] {
        assert!(status.contains(server), "{server} is missing in:\n{status}");
    }
    let env = stack.env();
    assert_eq!(env["GATEWAY_URL"], format!("http://127.0.0.1:{}", stack.base));
    for name in ["DATABASE_URL", "NATS_URL", "SANDBOX_URL", "STRIPE_WEBHOOK_SECRET", "INGRESS_PID", "POSTGRES_PID"] {
        assert!(env.contains_key(name), "{name} is missing");
    }
    assert!(stack.must(&["logs", "ingress", "-n", "5"]).contains('{'), "services log JSON");
    ways_in_lead_in(&env).await;
    assert!(stack.must(&["up"]).contains("runs already"));

    let processes = stack.processes();
    stack.must(&["down"]);
    assert!(processes.iter().all(|process| !process.is_alive()), "down waits until all are gone");
    assert!(!stack.run(&["env"]).status.success());
    assert!(stack.must(&["down"]).contains("No stack runs"), "once more does no harm");
}

/// The tokens let in whom they name, and the link makes a session.
async fn ways_in_lead_in(env: &HashMap<String, String>) {
    drop(rustls::crypto::ring::default_provider().install_default());
    let client = local_stack::http::client().expect("a client");
    let url = |path: &str| format!("{}{path}", env["GATEWAY_URL"]);
    let status = async |request: reqwest::RequestBuilder| request.send().await.expect("an answer").status().as_u16();
    let erp_status = || client.get(url("/api/erp/status"));
    assert_eq!(status(erp_status()).await, 401);
    assert_eq!(status(erp_status().bearer_auth(&env["ADMIN_TOKEN"])).await, 200);
    assert_eq!(status(erp_status().bearer_auth(&env["VIEWER_TOKEN"])).await, 200);
    let pause = || client.post(url("/api/erp/resume"));
    assert_eq!(status(pause().bearer_auth(&env["VIEWER_TOKEN"])).await, 403);
    assert_eq!(status(pause().bearer_auth(&env["ADMIN_TOKEN"])).await, 200);

    let (page, token) = env["SIGN_IN_URL"].split_once("#token=").expect("the token where no server sees it");
    assert_eq!((page, status(client.get(page)).await), (url("/sign-in").as_str(), 200));
    let session = client.post(url("/api/auth/session")).bearer_auth(token).send().await.expect("an answer");
    let cookie =
        session.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a cookie").to_owned();
    assert_eq!(status(erp_status().header("cookie", cookie)).await, 200);
}

#[tokio::test]
async fn two_stacks_run_side_by_side_and_one_goes_down_alone() {
    let (one, two) = (OwnStack::new(), OwnStack::new());
    one.must(&["up"]);
    two.must(&["up"]);
    one.must(&["down"]);
    two.must(&["status"]);
}

#[tokio::test]
async fn a_port_in_use_is_named_and_nothing_is_left_running() {
    let stack = OwnStack::new();
    let holder = TcpListener::bind(ports::local(stack.base + 2)).expect("the broker's port");
    let output = stack.run(&["up"]);
    assert!(!output.status.success());
    let said = text(&output.stdout);
    let port = holder.local_addr().expect("bound").port().to_string();
    for word in [port.as_str(), "nats", "ERP_PORT_BASE", "ERP_DATA_DIR", "ERP_PORT_NATS"] {
        assert!(said.contains(word), "{word} is missing in: {said}");
    }
    assert!(stack.must(&["down"]).contains("No stack runs"));
}

#[tokio::test]
async fn killing_the_owner_leaves_no_process_and_the_next_start_works_on_the_same_data() {
    let stack = OwnStack::new();
    stack.must(&["up"]);
    let (processes, env) = (stack.processes(), stack.env());
    let owner = pids(&env).into_iter().find(|process| process.pid.to_string() == env["STACK_PID"]).expect("the owner");
    owner.signal(Signal::KILL);
    all_gone(processes).await;

    stack.must(&["up"]);
    assert_eq!(stack.env()["DATABASE_URL"], env["DATABASE_URL"], "the same password");
}

#[tokio::test]
async fn a_server_that_is_killed_is_started_again_on_its_port() {
    let stack = OwnStack::new();
    stack.must(&["up"]);
    for name in ["INGRESS_PID", "NATS_PID", "POSTGRES_PID"] {
        let before = stack.env();
        let victim =
            pids(&before).into_iter().find(|process| process.pid.to_string() == before[name]).expect("it runs");
        victim.signal(Signal::KILL);
        let restarted = wait::until(Duration::from_secs(60), "the server to be started again", || async {
            stack.env().get(name).is_some_and(|pid| *pid != before[name])
        });
        restarted.await.expect(name);
    }
    let ready = wait::until(Duration::from_secs(60), "everything to be ready again", || async {
        stack.run(&["status"]).status.success()
    });
    ready.await.expect("ready");
}

#[tokio::test]
async fn other_ports_on_the_same_data_are_refused_before_anything_is_sent_astray() {
    let stack = OwnStack::new();
    stack.must(&["up"]);
    stack.must(&["down"]);
    let moved = stack.command(&["up"]).env("ERP_PORT_SANDBOX", (stack.base + 19).to_string()).output().expect("run");
    assert!(!moved.status.success());
    assert!(text(&moved.stdout).contains("ERP_DATA_DIR"), "{}", text(&moved.stdout));
}

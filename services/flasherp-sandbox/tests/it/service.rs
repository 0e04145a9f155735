//! The sandbox as a process: settings, port file, management port, stop.

use std::process::{Child, Command, Stdio};

use serde_json::Value;
use testkit::sandbox::Sandbox;

use crate::support::PATIENCE;

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _ended_already = self.0.wait();
    }
}

fn sandbox(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flasherp-sandbox"));
    command.env_clear().envs(settings.iter().copied()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn the_process_tells_where_it_listens_and_stops_when_asked() {
    let dir = tempfile::tempdir().unwrap();
    let port_file = dir.path().join("ports.json");
    let settings = [
        ("HTTP_ADDR", "127.0.0.1:0"),
        ("MANAGEMENT_ADDR", "127.0.0.1:0"),
        ("ERP_PORT_FILE", port_file.to_str().unwrap()),
        ("SANDBOX_API_KEY", "k"),
        ("SANDBOX_API_SECRET", "s"),
        ("SANDBOX_CAPABILITIES", "updated-since"),
    ];
    let mut process = Process(sandbox(&settings).stderr(Stdio::null()).spawn().unwrap());
    let ports: Value = testkit::eventually_some(PATIENCE, "the port file is there", || async {
        serde_json::from_slice(&std::fs::read(&port_file).ok()?).ok()
    })
    .await;
    let control = Sandbox::at(format!("http://{}", ports["http"].as_str().unwrap()));
    assert_eq!(control.counters().await.records_of("customers"), 0);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let health = http
        .get(format!("{}/health", control.api_url()))
        .bearer_auth("k")
        .header("x-api-secret", "s")
        .send()
        .await
        .unwrap();
    assert!(health.text().await.unwrap().contains(r#"["updated-since"]"#));
    let management = format!("http://{}", ports["management"].as_str().unwrap());
    let alive: Value =
        serde_json::from_str(&http.get(format!("{management}/healthz")).send().await.unwrap().text().await.unwrap())
            .unwrap();
    assert_eq!((&alive["service"], &alive["pid"]), (&"flasherp-sandbox".into(), &process.0.id().into()));
    assert_eq!(http.get(format!("{management}/readyz")).send().await.unwrap().status(), 200);

    let pid = process.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let ended = testkit::eventually_some(PATIENCE, "the sandbox ends", || {
        let ended = process.0.try_wait().unwrap();
        async move { ended }
    })
    .await;
    assert!(ended.success(), "{ended}");
}

#[test]
fn wrong_settings_stop_the_start_with_every_mistake() {
    let output =
        sandbox(&[("SANDBOX_LATENCY_MS", "soon"), ("SANDBOX_CAPABILITIES", "telepathy"), ("SANDBOX_COLOUR", "red")])
            .output()
            .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8(output.stderr).unwrap();
    for name in ["SANDBOX_LATENCY_MS", "SANDBOX_CAPABILITIES", "SANDBOX_COLOUR"] {
        assert!(told.contains(name), "{told}");
    }
}

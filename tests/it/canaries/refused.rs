//! Settings that nobody can use: each program says what is wrong with which, and repeats none.

use std::process::Command;

use super::search::Place;
use super::stage::Stage;

pub(super) fn settings(stage: &mut Stage) {
    let secret = stage.of("a password");
    let all = [
        ("DATABASE_URL", format!("postgres//erp:{secret}@host")),
        ("DATABASE_URL", format!("postgres://erp:{secret}@127.0.0.1:notaport/erp")),
        ("NATS_URL", format!("nats:/{secret}@host:x")),
        ("ERP_ENCRYPTION_KEYS", secret.clone()),
        ("ERP_ENCRYPTION_KEYS", format!("k:{secret}")),
        ("AUTH_JWT_SECRET", secret[..30].to_owned()),
        ("AUTH_JWKS_URL", format!("http://user:{secret}@example.com/keys")),
        ("FLASHERP_BASE_URL", format!("https://user:{secret}@example.com:x")),
        ("FLASHERP_BASE_URL", format!("https://user:{secret}@example.com")),
        ("STRIPE_BASE_URL", format!("https://user:{secret}@example.com:x")),
        ("STRIPE_API_KEY", format!("{secret}\u{1}")),
        ("FLASHERP_API_KEYS", secret.clone()),
        ("CONFIG_API_URL", format!("http://user:{secret}@127.0.0.1:1/path")),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http//user:{secret}@host")),
        ("SLACK_WEBHOOK_URL", format!("https//hooks.slack.com/{secret}")),
        ("SMTP_URL", format!("smtp//alerts:{secret}@host")),
    ];
    for (name, value) in all {
        for program in ["gateway", "config-api", "ingress", "sync-worker", "scheduler", "reconciler"] {
            say(stage, program, &[], &[(name, &value)]);
        }
    }
    // These are no mistakes: whoever is asked refuses them.
    let port = stage.database.postgres.admin_url();
    let port = port.rsplit(':').next().and_then(|rest| rest.split('/').next()).expect("a port").to_owned();
    let url = format!("postgres://erp_owner:{secret}@127.0.0.1:{port}/erp");
    say(stage, "erpctl", &["migrate"], &[("DATABASE_URL", &url)]);
    say(stage, "erpctl", &["keys", "rotate"], &[("DATABASE_URL", &url), ("ERP_ENCRYPTION_KEYS", &secret)]);
}

fn say(stage: &mut Stage, program: &str, args: &[&str], env: &[(&str, &str)]) {
    let output = Command::new(testkit::binary(program))
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .output()
        .expect("it runs");
    assert!(!output.status.success(), "{program} {args:?} took a bad setting: {}", env[0].0);
    let said = [output.stdout, output.stderr].concat();
    stage.places.push(Place::new(format!("words of {program} about {}", env[0].0), String::from_utf8_lossy(&said)));
}

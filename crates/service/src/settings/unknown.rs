//! Tells a misspelt variable of ours from everybody else's, so that `SYNC_MAX_RETRY=9` does not silently do nothing.

use super::setting::Setting;

/// Names that start so are ours: one that is not in the table is a mistake.
const PREFIXES: &[&str] = &[
    "ERP_",
    "FLASHERP_",
    "SYNC_",
    "CIRCUIT_",
    "HTTP_",
    "MANAGEMENT_",
    "NATS_",
    "WEBHOOK_",
    "AUTH_",
    "SANDBOX_",
    "GATEWAY_",
    "STRIPE_",
];

/// Names that start like ours and are other programs', or what the local stack tells scripts.
const OTHERS: &[&str] = &["HTTP_PROXY", "GATEWAY_URL", "GATEWAY_PID", "GATEWAY_MANAGEMENT_URL"];

/// Whether the name claims to be ours without being in the table.
pub(crate) fn is_unknown(name: &str, value: &str, table: &[&Setting]) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !table.iter().any(|setting| setting.name == name)
        && !OTHERS.contains(&name)
        && !is_for_tests(name)
        && !is_service_link(name, value)
}

/// The failpoint's variable, in the builds that have failpoints. In others it is refused, so that nobody believes to have set one.
#[cfg(feature = "failpoints")]
fn is_for_tests(name: &str) -> bool {
    name == crate::failpoints::VARIABLE
}

#[cfg(not(feature = "failpoints"))]
fn is_for_tests(_name: &str) -> bool {
    false
}

/// Kubernetes gives every container variables for each service beside it: a service named `nats` makes `NATS_SERVICE_HOST`,
/// `NATS_PORT=tcp://...`, `NATS_PORT_4222_TCP_ADDR` and so on.
fn is_service_link(name: &str, value: &str) -> bool {
    let link = |value: &str| value.starts_with("tcp://") || value.starts_with("udp://");
    name.ends_with("_SERVICE_HOST")
        || name.ends_with("_SERVICE_PORT")
        || name.contains("_SERVICE_PORT_")
        || (name.ends_with("_PORT") && link(value))
        || name.split_once("_PORT_").is_some_and(|(_, rest)| {
            let digits = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            digits.len() < rest.len() && (digits.starts_with("_TCP") || digits.starts_with("_UDP"))
        })
}

/// The known name that was probably meant.
pub(crate) fn suggestion(name: &str, table: &[&'static Setting]) -> Option<&'static str> {
    table
        .iter()
        .map(|setting| (strsim::damerau_levenshtein(name, setting.name), setting.name))
        .min()
        .filter(|(distance, _)| *distance <= (name.len() / 4).max(2))
        .map(|(_, name)| name)
}

//! Whom a request comes from, behind however many proxies of ours.
//!
//! Anyone can write `X-Forwarded-For`, so it is believed only as far as proxies that we trust have written it: each appends the address it
//! was called from, so the list is read from the right, and the first address that is none of our proxies is the client.

use std::net::IpAddr;

use actix_web::http::header::{HeaderMap, X_FORWARDED_FOR};
use ipnet::IpNet;

/// The client's address: the peer's own, or what trusted proxies say of it.
#[must_use]
pub fn client_address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    if trusted.is_empty() || !is_trusted(&client) {
        return client;
    }
    let lines: Vec<&[u8]> = headers.get_all(X_FORWARDED_FOR).map(|value| value.as_bytes()).collect();
    for entry in lines.iter().rev().flat_map(|line| line.rsplit(|byte| *byte == b',')) {
        // An entry that is no address can't have come from a proxy of ours; what is left of it is the client's invention.
        let Some(address) = parse(entry) else { break };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// An address, also with a port or in brackets, as some proxies write it.
fn parse(entry: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(entry).ok()?.trim();
    let address = text
        .parse()
        .ok()
        .or_else(|| text.parse().ok().map(|with_port: std::net::SocketAddr| with_port.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn client(peer: &str, forwarded: &[&'static str], trusted: &str) -> String {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append(X_FORWARDED_FOR, HeaderValue::from_static(line));
        }
        let trusted: Vec<IpNet> =
            trusted.split_whitespace().map(|network| network.parse().expect("a network")).collect();
        client_address(peer.parse().expect("an address"), &headers, &trusted).to_string()
    }

    #[test]
    fn without_trusted_proxies_the_peer_is_the_client_whatever_it_says() {
        assert_eq!(client("192.0.2.1", &["203.0.113.9"], ""), "192.0.2.1");
        assert_eq!(client("192.0.2.1", &["203.0.113.9"], "10.0.0.0/8"), "192.0.2.1");
    }

    #[test]
    fn the_first_untrusted_address_from_the_right_is_the_client() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9"], "10.0.0.0/8"), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1, 203.0.113.9, 10.0.0.2"], "10.0.0.0/8"), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["1.1.1.1", "203.0.113.9", "10.0.0.2,10.0.0.3"], "10.0.0.0/8"), "203.0.113.9");
    }

    #[test]
    fn what_a_client_invents_on_the_left_changes_nothing() {
        for invented in ["10.0.0.7", "unknown", "' OR 1=1", "", "::1"] {
            let line: &'static str = format!("{invented}, 203.0.113.9").leak();
            assert_eq!(client("10.0.0.1", &[line], "10.0.0.0/8"), "203.0.113.9");
        }
    }

    #[test]
    fn an_unreadable_entry_ends_the_chain_at_the_last_proxy() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9, unknown, 10.0.0.2"], "10.0.0.0/8"), "10.0.0.2");
        assert_eq!(client("10.0.0.1", &[], "10.0.0.0/8"), "10.0.0.1");
    }

    #[test]
    fn ports_brackets_and_mapped_addresses_are_understood() {
        assert_eq!(client("10.0.0.1", &["203.0.113.9:4711"], "10.0.0.0/8"), "203.0.113.9");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]:443"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("10.0.0.1", &["[2001:db8::1]"], "10.0.0.0/8"), "2001:db8::1");
        assert_eq!(client("::ffff:10.0.0.1", &["::ffff:203.0.113.9"], "10.0.0.0/8"), "203.0.113.9");
    }
}

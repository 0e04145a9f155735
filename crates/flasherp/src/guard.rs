//! Where the base URL may lead: https, and to nothing inside our own network.
//!
//! An admin types the base URL, and answers to it are shown: without this the integration could be made to read a cloud's metadata service or
//! a neighbour's database. It is checked when the URL is saved ([`check_url`], [`check_resolves`]) and again by the resolver of every
//! connection, so that a name that leads elsewhere later does not get through. Resolvers are not asked for literal addresses: those are
//! checked in the URL.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ipnet::{Ipv4Net, Ipv6Net};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a base URL is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    /// Not https (nor http where that is allowed).
    #[error("the base URL must begin with https://")]
    Scheme,
    /// No host.
    #[error("the base URL names no host")]
    NoHost,
    /// Something that belongs in the credentials, or nowhere.
    #[error("the base URL must not hold a user, a password, a query or a fragment")]
    Extras,
    /// It is, or leads to, an address inside our network.
    #[error(transparent)]
    Address(#[from] AddressRefused),
    /// The name does not resolve.
    #[error("the host name does not resolve")]
    Unresolvable,
}

/// An address that only we ourselves should reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the base URL must not lead to loopback, private, link-local, metadata or reserved addresses ({0})")]
pub struct AddressRefused(pub IpAddr);

/// Checks what can be seen of the URL itself; literal addresses included. `allow_private` lets http and addresses of our network pass.
///
/// # Errors
/// [`UrlRefused`], except `Unresolvable`.
pub fn check_url(url: &Url, allow_private: bool) -> Result<(), UrlRefused> {
    if url.scheme() != "https" && !(allow_private && url.scheme() == "http") {
        return Err(UrlRefused::Scheme);
    }
    let bare =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !bare {
        return Err(UrlRefused::Extras);
    }
    match url.host() {
        None => Err(UrlRefused::NoHost),
        Some(Host::Domain(_)) => Ok(()),
        Some(Host::Ipv4(ip)) => Ok(check_address(IpAddr::V4(ip), allow_private)?),
        Some(Host::Ipv6(ip)) => Ok(check_address(IpAddr::V6(ip), allow_private)?),
    }
}

/// Checks where the URL's name leads now, beside [`check_url`]. Needs a tokio runtime; asks the system's resolver.
///
/// # Errors
/// [`UrlRefused`].
pub async fn check_resolves(url: &Url, allow_private: bool) -> Result<(), UrlRefused> {
    check_resolves_by(&System, url, allow_private).await
}

async fn check_resolves_by(names: &impl Names, url: &Url, allow_private: bool) -> Result<(), UrlRefused> {
    check_url(url, allow_private)?;
    if let Some(Host::Domain(name)) = url.host() {
        let found = names.addresses(name).await.map_err(|_| UrlRefused::Unresolvable)?;
        if found.is_empty() {
            return Err(UrlRefused::Unresolvable);
        }
        check_all(&found, allow_private)?;
    }
    Ok(())
}

/// One refused address refuses the name: who mixes them is not to be trusted with the rest.
fn check_all(found: &[SocketAddr], allow_private: bool) -> Result<(), AddressRefused> {
    found.iter().try_for_each(|address| check_address(address.ip(), allow_private))
}

fn check_address(ip: IpAddr, allow_private: bool) -> Result<(), AddressRefused> {
    if allow_private || is_public(ip) { Ok(()) } else { Err(AddressRefused(ip)) }
}

/// Whether an address belongs to the public internet. IPv4 in IPv6's clothes is looked at as IPv4.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => !CLOSED_V4.iter().any(|net| net.contains(&ip)),
        IpAddr::V6(ip) => match embedded_v4(ip) {
            Some(inner) => is_public(IpAddr::V4(inner)),
            None => OPEN_V6.contains(&ip) && !CLOSED_V6.iter().any(|net| net.contains(&ip)),
        },
    }
}

/// The IPv4 address that NAT64 (64:ff9b::/96) and 6to4 (2002::/16) addresses lead to.
fn embedded_v4(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = ip.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match [a, b, c, d, e, f] {
        [0x64, 0xff9b, 0, 0, 0, 0] => Some(joined(g, h)),
        [0x2002, high, low, ..] => Some(joined(high, low)),
        _ => None,
    }
}

/// IANA's special-purpose IPv4 addresses (RFC 6890 and after), multicast and the reserved rest. 169.254/16 and 100.64/10 hold clouds' metadata.
const CLOSED_V4: [Ipv4Net; 16] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 0, 0, 0, 24),
    v4(192, 0, 2, 0, 24),
    v4(192, 31, 196, 0, 24),
    v4(192, 52, 193, 0, 24),
    v4(192, 88, 99, 0, 24),
    v4(192, 168, 0, 0, 16),
    v4(198, 18, 0, 0, 15),
    v4(198, 51, 100, 0, 24),
    v4(203, 0, 113, 0, 24),
    v4(224, 0, 0, 0, 3),
];

/// All of IPv6 that is handed out; what lies outside is loopback, unique local, link-local, multicast or nothing.
const OPEN_V6: Ipv6Net = v6(0x2000, 0, 3);
/// What is closed inside it: protocol assignments (Teredo among them) and documentation.
const CLOSED_V6: [Ipv6Net; 3] = [v6(0x2001, 0, 23), v6(0x2001, 0xdb8, 32), v6(0x3fff, 0, 20)];

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(a: u16, b: u16, prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), prefix)
}

/// Who says where a name leads.
pub(crate) trait Names: Clone + Send + Sync + 'static {
    /// All addresses of a name, at this moment.
    fn addresses(&self, name: &str) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy)]
pub(crate) struct System;

impl Names for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((name, 0)).await?.collect())
    }
}

/// The resolver of every connection: what the names lead to, if all of it may be called. The connection goes to the very addresses that were checked;
/// nobody asks a second time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GuardedResolver<N = System> {
    pub(crate) names: N,
    pub(crate) allow_private: bool,
}

impl<N: Names> Resolve for GuardedResolver<N> {
    fn resolve(&self, name: Name) -> Resolving {
        let (names, allow_private) = (self.names.clone(), self.allow_private);
        Box::pin(async move {
            let found = names.addresses(name.as_str()).await?;
            check_all(&found, allow_private)?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use futures::FutureExt as _;
    use rstest::rstest;
    use tokio::net::TcpListener;

    use super::*;

    #[rstest]
    fn addresses_of_our_own_network_are_not_public(
        #[values(
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "100.100.100.200",
            "192.0.0.192",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "203.0.113.9",
            "::",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "100::1"
        )]
        ip: IpAddr,
    ) {
        assert!(!is_public(ip));
    }

    #[rstest]
    fn addresses_of_the_internet_are_public(
        #[values(
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "172.15.0.1",
            "172.32.0.1",
            "192.167.1.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.1.1",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "64:ff9b::808:808",
            "2002:808:808::1"
        )]
        ip: IpAddr,
    ) {
        assert!(is_public(ip));
    }

    #[rstest]
    #[case("https://api.flasherp.com/v1", Ok(()))]
    #[case("https://1.1.1.1/v1", Ok(()))]
    #[case("http://api.flasherp.com/v1", Err(UrlRefused::Scheme))]
    #[case("file:///etc/passwd", Err(UrlRefused::Scheme))]
    #[case("https://user@api.flasherp.com/", Err(UrlRefused::Extras))]
    #[case("https://:pw@api.flasherp.com/", Err(UrlRefused::Extras))]
    #[case("https://api.flasherp.com/?a=b", Err(UrlRefused::Extras))]
    #[case("https://api.flasherp.com/#x", Err(UrlRefused::Extras))]
    #[case("https://127.0.0.1/v1", Err(AddressRefused(IpAddr::V4(Ipv4Addr::LOCALHOST)).into()))]
    #[case("https://0x7f.1/v1", Err(AddressRefused(IpAddr::V4(Ipv4Addr::LOCALHOST)).into()))]
    #[case("https://2130706433/", Err(AddressRefused(IpAddr::V4(Ipv4Addr::LOCALHOST)).into()))]
    #[case("https://[::1]/v1", Err(AddressRefused(IpAddr::V6(Ipv6Addr::LOCALHOST)).into()))]
    fn a_base_url_is_checked(#[case] url: &str, #[case] verdict: Result<(), UrlRefused>) {
        assert_eq!(check_url(&Url::parse(url).expect("a URL"), false), verdict);
    }

    #[test]
    fn development_may_use_http_and_loopback() {
        for url in ["http://127.0.0.1:8084/v1", "http://localhost:8084", "https://[::1]/"] {
            assert_eq!(check_url(&Url::parse(url).expect("a URL"), true), Ok(()));
        }
        assert_eq!(check_url(&Url::parse("ftp://127.0.0.1").expect("a URL"), true), Err(UrlRefused::Scheme));
    }

    /// A name that leads elsewhere each time that it is asked for: first to these, then to the next, and to the last for ever.
    #[derive(Clone)]
    struct Rebinding(Arc<Mutex<Vec<Vec<SocketAddr>>>>);

    impl Rebinding {
        fn to(turns: &[&[SocketAddr]]) -> Self {
            Self(Arc::new(Mutex::new(turns.iter().rev().map(|turn| turn.to_vec()).collect())))
        }
    }

    impl Names for Rebinding {
        async fn addresses(&self, _: &str) -> io::Result<Vec<SocketAddr>> {
            let mut turns = self.0.lock().expect("no panic before");
            Ok(if turns.len() > 1 { turns.pop() } else { turns.last().cloned() }.unwrap_or_default())
        }
    }

    /// Whether a call to the name, checked first as when it is saved, comes through to the listener.
    async fn comes_through(names: Rebinding, listener: &TcpListener, allow_private: bool) -> bool {
        let port = listener.local_addr().expect("an address").port();
        // The very URL passes when it is saved.
        let url = Url::parse(&format!("https://rebinding.example:{port}/v1")).expect("a URL");
        assert_eq!(check_resolves_by(&names, &url, allow_private).await, Ok(()));
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().no_proxy().dns_resolver(GuardedResolver { names, allow_private });
        let call = client.build().expect("a client").get(url).send();
        tokio::select! {
            // Something is there that speaks no TLS: that it was called is enough.
            called = listener.accept() => called.is_ok(),
            answered = call => {
                let error = answered.expect_err("nobody answers");
                let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
                let told: Vec<String> = causes.map(ToString::to_string).collect();
                assert!(told.iter().any(|cause| cause.contains("must not lead to loopback")), "{told:?}");
                false
            }
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_into_our_network_once_it_was_checked_is_not_called() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let inside = listener.local_addr().expect("an address");
        let public = SocketAddr::from(([1, 1, 1, 1], 443));
        let rebinding = || Rebinding::to(&[&[public], &[inside]]);
        assert!(comes_through(rebinding(), &listener, true).await, "the name does lead there");
        assert!(!comes_through(rebinding(), &listener, false).await);
        // One of several is enough: which of them is called is not ours to say.
        let beside = Rebinding::to(&[&[public], &[public, inside]]);
        assert!(!comes_through(beside, &listener, false).await);
        assert!(listener.accept().now_or_never().is_none(), "nobody came");
    }

    #[tokio::test]
    async fn a_name_that_leads_to_loopback_is_refused_when_it_is_saved() {
        let url = Url::parse("https://localhost/v1").expect("a URL");
        assert!(matches!(check_resolves(&url, false).await, Err(UrlRefused::Address(_))));
        assert_eq!(check_resolves(&url, true).await, Ok(()));
        let nowhere = Url::parse("https://no-such-host.invalid/").expect("a URL");
        assert_eq!(check_resolves(&nowhere, false).await, Err(UrlRefused::Unresolvable));
    }
}

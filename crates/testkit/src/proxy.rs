//! A TCP proxy that misbehaves when told to, between any two parts of a system: a slow, lossy, half-dead or cut network without touching the
//! machine's own.
//!
//! It runs as tasks of the test and ends with the value. Settings ([`Link`]) hold for every connection, also for those that were there
//! before, from the moment they are set. A byte stream can't miss bytes in its middle: a connection that lost some is reset by the next that
//! come the same way once the link is well again, as a router that forgot it would. Until then both sides believe in it.

mod link;
mod pump;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub use link::{Direction, Flow, Link};

use pump::{Broken, Pump};

/// A proxy on a port of its own.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    link: watch::Sender<Setting>,
    resets: watch::Sender<u64>,
    counts: Arc<Counts>,
    accepting: JoinHandle<()>,
}

/// A link as it was set; `version` tells two settings of the same link apart.
#[derive(Debug, Clone, Copy, Default)]
struct Setting {
    version: u64,
    link: Link,
}

/// What a proxy has seen.
#[derive(Debug, Default)]
struct Counts {
    opened: AtomicU64,
    open: AtomicU64,
    reset: AtomicU64,
    to_server: AtomicU64,
    to_client: AtomicU64,
    lost: AtomicU64,
    held: AtomicU64,
}

/// What a proxy has seen so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyCounts {
    /// Connections that were made.
    pub opened: u64,
    /// Connections that are there now.
    pub open: u64,
    /// Connections that the proxy reset.
    pub reset: u64,
    /// Bytes that reached the server.
    pub to_server: u64,
    /// Bytes that reached the client.
    pub to_client: u64,
    /// Bytes that it threw away.
    pub lost: u64,
    /// Bytes that it held back until the link was well.
    pub held: u64,
}

impl Proxy {
    /// A proxy in front of `server`, on a free port.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (link, _) = watch::channel(Setting::default());
        let (resets, _) = watch::channel(0);
        let counts = Arc::new(Counts::default());
        let accepting = tokio::spawn(accept(listener, server, link.clone(), resets.clone(), Arc::clone(&counts)));
        Self { address, link, resets, counts, accepting }
    }

    /// Where clients go.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `url` with this proxy instead of the server in it, which must be written as `127.0.0.1:port`.
    ///
    /// # Panics
    /// When the server is not in it.
    pub fn instead_of(&self, server: SocketAddr, url: &str) -> String {
        let (server, proxy) = (server.to_string(), self.address.to_string());
        assert!(url.contains(&server), "{server} is not in the URL");
        url.replace(&server, &proxy)
    }

    /// From now on the link is like this.
    pub fn set(&self, link: Link) {
        self.link.send_modify(|setting| *setting = Setting { version: setting.version + 1, link });
    }

    /// From now on the link is well. What was held goes on; what lost bytes is reset by the next ones.
    pub fn heal(&self) {
        self.set(Link::default());
    }

    /// Resets every connection that is there.
    pub fn reset(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }

    /// What it has seen so far.
    pub fn counts(&self) -> ProxyCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProxyCounts {
            opened: read(&self.counts.opened),
            open: read(&self.counts.open),
            reset: read(&self.counts.reset),
            to_server: read(&self.counts.to_server),
            to_client: read(&self.counts.to_client),
            lost: read(&self.counts.lost),
            held: read(&self.counts.held),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections are tasks of this one's set and end with it.
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    link: watch::Sender<Setting>,
    resets: watch::Sender<u64>,
    counts: Arc<Counts>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it was let in is its own affair.
                let Ok((client, _)) = accepted else { continue };
                counts.opened.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, server, link.subscribe(), resets.subscribe(), Arc::clone(&counts)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    mut link: watch::Receiver<Setting>,
    mut resets: watch::Receiver<u64>,
    counts: Arc<Counts>,
) {
    resets.mark_unchanged();
    if link.borrow_and_update().link.refuse {
        return reset(&client, &counts);
    }
    let Ok(mut server) = TcpStream::connect(server).await else { return reset(&client, &counts) };
    for stream in [&client, &server] {
        // Only a matter of speed.
        let _slow = stream.set_nodelay(true);
    }
    let _open = Open::count(&counts);
    let ended = {
        let (mut from_client, mut to_client) = client.split();
        let (mut from_server, mut to_server) = server.split();
        let up = Pump { link: link.clone(), of: |link| link.to_server, passed: &counts.to_server, counts: &counts };
        let down = Pump { link, of: |link| link.to_client, passed: &counts.to_client, counts: &counts };
        // An end in order leaves the other direction running; a broken one takes it along.
        let both = async {
            tokio::try_join!(up.run(&mut from_client, &mut to_server), down.run(&mut from_server, &mut to_client))
        };
        tokio::select! {
            both = both => both.map(drop),
            _ = resets.changed() => Err(Broken),
        }
    };
    if ended.is_err() {
        reset(&client, &counts);
        let _gone = server.set_zero_linger();
    }
}

/// Makes the end of this value's connection a reset.
fn reset(client: &TcpStream, counts: &Counts) {
    counts.reset.fetch_add(1, Ordering::Relaxed);
    // An error means that the client is gone already.
    let _gone = client.set_zero_linger();
}

/// Counts a connection for as long as it is there, also when its task is aborted.
struct Open<'a>(&'a Counts);

impl<'a> Open<'a> {
    fn count(counts: &'a Counts) -> Self {
        counts.open.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

//! A TCP proxy that misbehaves when told to, between any two parts of a system: a slow, lossy, half-dead or cut network without touching the
//! machine's own.
//!
//! It runs as tasks of the test and ends with the value. Settings ([`Link`]) hold for every connection, also for those that were there
//! before, from the moment they are set. A byte stream can't miss bytes in its middle: a connection that lost some is reset by the next that
//! come the same way once the link is well again, as a router that forgot it would. Until then both sides believe in it.
//!
//! Where several programs have one address for the same server, each can have a link of its own ([`Proxy::shared`]).

mod caller;
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

/// A proxy on a port of its own, or one of several on a port that they share.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    line: Line,
    _accepting: Arc<Accepting>,
}

/// What connections are led through.
#[derive(Debug, Clone, Default)]
struct Line {
    link: watch::Sender<Setting>,
    resets: watch::Sender<u64>,
    counts: Arc<Counts>,
}

/// The task that lets clients in; ends with the last of its proxies.
#[derive(Debug)]
struct Accepting(JoinHandle<()>);

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
        let (proxy, _) = Self::shared(server, Vec::new()).await;
        proxy
    }

    /// The same, and beside it, on the same port, a proxy for the connections of each of these programs: the first has what is left.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn shared(server: SocketAddr, programs: Vec<&'static str>) -> (Self, Vec<Self>) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (rest, lines) = (Line::default(), programs.iter().map(|_| Line::default()).collect::<Vec<_>>());
        let of_programs = programs.into_iter().zip(lines.clone()).collect();
        let accepting = Arc::new(Accepting(tokio::spawn(accept(listener, server, rest.clone(), of_programs))));
        let proxy = |line| Self { address, line, _accepting: Arc::clone(&accepting) };
        (proxy(rest), lines.into_iter().map(proxy).collect())
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
        self.line.link.send_modify(|setting| *setting = Setting { version: setting.version + 1, link });
    }

    /// From now on the link is well. What was held goes on; what lost bytes is reset by the next ones.
    pub fn heal(&self) {
        self.set(Link::default());
    }

    /// Resets every connection that is there.
    pub fn reset(&self) {
        self.line.resets.send_modify(|resets| *resets += 1);
    }

    /// What it has seen so far.
    pub fn counts(&self) -> ProxyCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ProxyCounts {
            opened: read(&self.line.counts.opened),
            open: read(&self.line.counts.open),
            reset: read(&self.line.counts.reset),
            to_server: read(&self.line.counts.to_server),
            to_client: read(&self.line.counts.to_client),
            lost: read(&self.line.counts.lost),
            held: read(&self.line.counts.held),
        }
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        // The connections are tasks of this one's set and end with it.
        self.0.abort();
    }
}

async fn accept(listener: TcpListener, server: SocketAddr, rest: Line, of_programs: Vec<(&'static str, Line)>) {
    let mut connections = JoinSet::new();
    let address = listener.local_addr().expect("its address");
    let programs: Vec<&str> = of_programs.iter().map(|(program, _)| *program).collect();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone before it was let in is its own affair.
                let Ok((client, from)) = accepted else { continue };
                let caller = caller::program(from, address, &programs);
                let own = of_programs.iter().find(|(program, _)| caller == Some(*program));
                let Line { link, resets, counts } = own.map_or(&rest, |(_, line)| line);
                counts.opened.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, server, link.subscribe(), resets.subscribe(), Arc::clone(counts)));
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

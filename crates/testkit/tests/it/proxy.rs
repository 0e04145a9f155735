//! The proxy does what it is told, also to connections that are there already.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use testkit::eventually;
use testkit::proxy::{Direction, Flow, Link, Proxy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(30);

/// Answers every byte with the same byte, until the client says that it is done.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                // A connection that was reset ends the copy.
                let _reset = tokio::io::copy(&mut from, &mut to).await;
                let _reset = to.shutdown().await;
            });
        }
    });
    address
}

async fn connected() -> (Proxy, TcpStream) {
    let proxy = Proxy::start(echo().await).await;
    let mut client = TcpStream::connect(proxy.address()).await.expect("the proxy accepts");
    say(&mut client, b"hello").await;
    (proxy, client)
}

/// Says it and hears it again.
async fn say(client: &mut TcpStream, words: &[u8]) {
    client.write_all(words).await.expect("sent");
    hear(client, words).await;
}

async fn hear(client: &mut TcpStream, words: &[u8]) {
    let mut heard = vec![0; words.len()];
    tokio::time::timeout(LONG, client.read_exact(&mut heard)).await.expect("in time").expect("heard");
    assert_eq!(heard, words);
}

async fn is_reset(client: &mut TcpStream) {
    let mut rest = Vec::new();
    let error = tokio::time::timeout(LONG, client.read_to_end(&mut rest)).await.expect("in time").expect_err("a reset");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_link_that_is_well_passes_everything_and_the_end_of_each_side() {
    let (proxy, mut client) = connected().await;
    let words: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let (mut from, mut to) = client.split();
    let mut heard = Vec::new();
    let (sent, read) = tokio::join!(
        async {
            to.write_all(&words).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut heard)
    );
    sent.expect("sent");
    read.expect("the end comes in order");
    assert!(heard == words);
    let counts = proxy.counts();
    assert_eq!((counts.opened, counts.reset, counts.lost), (1, 0, 0));
    assert_eq!((counts.to_server, counts.to_client), (3_000_005, 3_000_005));
    eventually(LONG, "the connection is gone", || async { proxy.counts().open == 0 }).await;
}

#[tokio::test]
async fn delay_holds_back_each_byte_and_can_be_lifted_while_bytes_wait() {
    let (proxy, mut client) = connected().await;
    let delay = Duration::from_millis(150);
    proxy.set(Link::delayed(delay));
    let begun = Instant::now();
    say(&mut client, b"slowly").await;
    assert!(begun.elapsed() >= 2 * delay, "it came before its time");
    proxy.set(Link::delayed(Duration::from_secs(3600)));
    client.write_all(b"at last").await.expect("sent");
    proxy.heal();
    hear(&mut client, b"at last").await;
}

#[tokio::test]
async fn what_is_held_passes_when_the_link_is_well() {
    let (proxy, mut client) = connected().await;
    proxy.set(Link::held());
    client.write_all(b"patience").await.expect("sent");
    // A new connection waits just as well.
    let mut other = TcpStream::connect(proxy.address()).await.expect("accepted");
    other.write_all(b"me too").await.expect("sent");
    eventually(LONG, "both are there", || async { proxy.counts().open == 2 && proxy.counts().held == 14 }).await;
    assert_eq!(proxy.counts().to_server, 5);
    proxy.heal();
    hear(&mut client, b"patience").await;
    hear(&mut other, b"me too").await;
    assert_eq!(proxy.counts().lost, 0);
}

#[tokio::test]
async fn a_black_hole_swallows_and_the_connection_is_reset_once_the_link_is_well() {
    let (proxy, mut client) = connected().await;
    proxy.set(Link::dropped());
    client.write_all(b"gone").await.expect("sent");
    eventually(LONG, "it is swallowed", || async { proxy.counts().lost == 4 }).await;
    proxy.heal();
    client.write_all(b"and now").await.expect("sent");
    is_reset(&mut client).await;
    let mut other = TcpStream::connect(proxy.address()).await.expect("accepted");
    say(&mut other, b"a new one works").await;
}

#[tokio::test]
async fn neither_side_hears_of_the_others_end_in_a_black_hole() {
    let (proxy, client) = connected().await;
    proxy.set(Link::dropped());
    drop(client);
    let mut other = TcpStream::connect(proxy.address()).await.expect("accepted");
    other.write_all(b"lost").await.expect("sent");
    eventually(LONG, "the later bytes are swallowed", || async { proxy.counts().lost == 4 }).await;
    assert_eq!(proxy.counts().open, 2, "the server still holds the first connection");
    proxy.heal();
    eventually(LONG, "the first is reset", || async { proxy.counts().reset >= 1 }).await;
}

#[tokio::test]
async fn half_open_one_direction_is_dead_and_the_other_works() {
    let (proxy, mut client) = connected().await;
    proxy.set(Link::deaf_client());
    client.write_all(b"heard there").await.expect("sent");
    eventually(LONG, "the server hears it, its answer is lost", || async {
        let counts = proxy.counts();
        counts.to_server == 16 && counts.lost == 11
    })
    .await;
    assert_eq!(proxy.counts().to_client, 5);

    let (proxy, mut client) = connected().await;
    proxy.set(Link::deaf_server());
    client.write_all(b"unheard").await.expect("sent");
    eventually(LONG, "it is lost on the way", || async { proxy.counts().lost == 7 }).await;
    assert_eq!(proxy.counts().to_server, 5);
}

#[tokio::test]
async fn reset_ends_the_connections_that_are_there() {
    let (proxy, mut client) = connected().await;
    proxy.reset();
    is_reset(&mut client).await;
    assert_eq!(proxy.counts().reset, 1);
    let mut other = TcpStream::connect(proxy.address()).await.expect("accepted");
    say(&mut other, b"later ones live").await;
}

#[tokio::test]
async fn refusing_resets_new_connections_only() {
    let (proxy, mut client) = connected().await;
    proxy.set(Link::refusing());
    let refused = async {
        let mut other = TcpStream::connect(proxy.address()).await?;
        other.read_u8().await
    };
    refused.await.expect_err("a reset");
    say(&mut client, b"still here").await;
}

#[tokio::test]
async fn bandwidth_is_not_exceeded() {
    let (proxy, mut client) = connected().await;
    let slow = Direction { bytes_per_second: Some(20_000), ..Direction::default() };
    proxy.set(Link { to_server: slow, ..Link::default() });
    let begun = Instant::now();
    say(&mut client, &[7; 6_000]).await;
    // The first portion goes at once, and each of the other five waits for the one before.
    assert!(begun.elapsed() >= Duration::from_millis(250), "faster than allowed");
}

#[tokio::test]
async fn a_connection_is_cut_after_so_many_bytes_and_so_is_the_next() {
    let (proxy, mut client) = connected().await;
    proxy.set(Link::cut_after_to_server(3));
    client.write_all(b"abcdef").await.expect("sent");
    is_reset(&mut client).await;
    assert_eq!(proxy.counts().to_server, 8);
    let mut other = TcpStream::connect(proxy.address()).await.expect("accepted");
    other.write_all(b"abcdef").await.expect("sent");
    is_reset(&mut other).await;
    assert_eq!((proxy.counts().to_server, proxy.counts().reset), (11, 2));

    let (proxy, mut client) = connected().await;
    proxy.set(Link::cut_after_to_client(2));
    client.write_all(b"abcdef").await.expect("sent");
    is_reset(&mut client).await;
    assert_eq!((proxy.counts().to_server, proxy.counts().to_client), (11, 7));
}

#[tokio::test]
async fn directions_are_set_each_by_itself_and_a_url_leads_through_the_proxy() {
    let server = echo().await;
    let proxy = Proxy::start(server).await;
    let url = format!("postgres://erp:pw@{server}/erp");
    assert_eq!(proxy.instead_of(server, &url), format!("postgres://erp:pw@{}/erp", proxy.address()));
    let held = Direction { flow: Flow::Held, ..Direction::default() };
    proxy.set(Link { to_client: held, ..Link::default() });
    let mut client = TcpStream::connect(proxy.address()).await.expect("accepted");
    client.write_all(b"one way").await.expect("sent");
    eventually(LONG, "the server hears it", || async { proxy.counts().to_server == 7 }).await;
    assert_eq!(proxy.counts().to_client, 0);
    proxy.heal();
    hear(&mut client, b"one way").await;
}

#[tokio::test]
async fn a_server_that_is_away_resets_the_client() {
    let server = echo().await;
    let nobody = {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        listener.local_addr().expect("its address")
    };
    assert_ne!(server, nobody);
    let proxy = Proxy::start(nobody).await;
    let mut client = TcpStream::connect(proxy.address()).await.expect("accepted");
    is_reset(&mut client).await;
}

#[tokio::test]
async fn programs_that_share_an_address_have_links_of_their_own() {
    let (rest, programs) = Proxy::shared(echo().await, vec!["bash"]).await;
    let [of_bash] = programs.as_slice() else { panic!("one for each") };
    assert_eq!(rest.address(), of_bash.address());
    of_bash.set(Link::refusing());
    let port = rest.address().port();
    // Says a word, and what it hears, in a program of another name than this one's.
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo hello >&3 && read -r heard <&3 && echo \"$heard\"");
    let bash_says = || async {
        let output = tokio::process::Command::new("bash").args(["-c", &script]).output().await.expect("bash runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    assert_eq!(bash_says().await, "", "its link refuses");
    let mut client = TcpStream::connect(rest.address()).await.expect("the proxy accepts");
    say(&mut client, b"hello").await;
    assert_eq!((rest.counts().reset, of_bash.counts().reset), (0, 1));
    of_bash.heal();
    rest.set(Link::refusing());
    assert_eq!(bash_says().await, "hello\n");
    assert_eq!((rest.counts().opened, of_bash.counts().opened), (1, 2));
}

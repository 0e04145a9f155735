//! A client's stream, with a clock of its own.

use std::pin::Pin;
use std::sync::Arc;

use futures::StreamExt as _;
use serde_json::json;

use super::*;
use crate::live::{Hub, KEPT, Kind};

const LONG: Duration = Duration::from_secs(3600);

type Text = Pin<Box<dyn Stream<Item = Result<Bytes, Infallible>>>>;

/// A client that has read the beginning.
async fn client(hub: &Arc<Hub>, last_seen: Option<&str>, lasts: Duration) -> Text {
    let mut stream: Text = Box::pin(stream(hub.subscribe(last_seen), lasts, CancellationToken::new()));
    assert_eq!(read(&mut stream).await, "retry: 2000\n\n");
    stream
}

async fn read(stream: &mut Text) -> String {
    let Some(Ok(text)) = stream.next().await else { panic!("the stream has ended") };
    String::from_utf8(text.to_vec()).expect("UTF-8")
}

fn id(text: &str) -> &str {
    text.lines().find_map(|line| line.strip_prefix("id: ")).expect("an id")
}

fn number(text: &str) -> u64 {
    let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
    serde_json::from_str::<serde_json::Value>(data).expect("JSON")["n"].as_u64().expect("a number")
}

fn publish(hub: &Hub, numbers: std::ops::Range<usize>) {
    numbers.for_each(|n| hub.publish(Kind::Sync, &json!({ "n": n })));
}

#[tokio::test(start_paused = true)]
async fn events_come_in_order_and_a_heartbeat_every_15_seconds_between() {
    let hub = Hub::new();
    let mut stream = client(&hub, None, LONG).await;
    publish(&hub, 0..2);
    let (first, second) = (read(&mut stream).await, read(&mut stream).await);
    assert_eq!((number(&first), number(&second)), (0, 1));
    assert!(first.contains("\nevent: sync\ndata: {"), "{first}");
    let before = Instant::now();
    for _ in 0..3 {
        assert_eq!(read(&mut stream).await, ": heartbeat\n\n");
    }
    assert_eq!(before.elapsed(), HEARTBEAT * 3);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_back_in_time_gets_what_it_missed_and_no_more() {
    let hub = Hub::new();
    let mut stream = client(&hub, None, LONG).await;
    publish(&hub, 0..1);
    let seen = read(&mut stream).await;
    drop(stream);
    publish(&hub, 1..KEPT);
    let mut back = client(&hub, Some(id(&seen)), LONG).await;
    for n in 1..KEPT {
        assert_eq!(number(&read(&mut back).await), n as u64);
    }
    assert_eq!(read(&mut back).await, ": heartbeat\n\n");
}

#[tokio::test(start_paused = true)]
async fn one_that_was_away_too_long_or_elsewhere_is_told_to_fetch_everything_again() {
    let (hub, another) = (Hub::new(), Hub::new());
    publish(&hub, 0..1);
    publish(&another, 0..1);
    let mut elsewhere = client(&another, Some("x"), LONG).await;
    let foreign = read(&mut elsewhere).await;
    let first =
        format!("{}1", id(&read(&mut client(&hub, Some(id(&foreign)), LONG).await).await).trim_end_matches('1'));
    publish(&hub, 1..KEPT + 2);
    let beyond = format!("{}999999", first.trim_end_matches('1'));
    for last_seen in ["", "x", "18446744073709551615", id(&foreign), &first, &beyond] {
        let mut back = client(&hub, Some(last_seen), LONG).await;
        let told = read(&mut back).await;
        assert!(told.contains("event: resync\n"), "{last_seen}: {told}");
        publish(&hub, 7..8);
        assert_eq!(number(&read(&mut back).await), 7, "from there on it hears everything");
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_slower_than_the_events_begins_anew_and_costs_no_memory() {
    let hub = Hub::new();
    let mut slow = client(&hub, None, LONG).await;
    publish(&hub, 0..50 * KEPT);
    let told = read(&mut slow).await;
    assert!(told.contains("event: resync\ndata: {\"reason\":\"slow\"}"), "{told}");
    publish(&hub, 5..6);
    let next = read(&mut slow).await;
    assert_eq!(number(&next), 5);
    // Its id is one to come back with.
    publish(&hub, 6..7);
    assert_eq!(number(&read(&mut client(&hub, Some(id(&told)), LONG).await).await), 5);
}

#[tokio::test(start_paused = true)]
async fn it_ends_with_the_token_and_with_the_process() {
    let hub = Hub::new();
    let mut stream = client(&hub, None, HEARTBEAT + Duration::from_secs(1)).await;
    assert_eq!(read(&mut stream).await, ": heartbeat\n\n");
    assert_eq!(hub.clients(), 1);
    assert!(stream.next().await.is_none());
    assert_eq!(hub.clients(), 0);

    let stop = CancellationToken::new();
    let mut stream: Text = Box::pin(super::stream(hub.subscribe(None), LONG, stop.clone()));
    read(&mut stream).await;
    stop.cancel();
    assert!(stream.next().await.is_none());
}

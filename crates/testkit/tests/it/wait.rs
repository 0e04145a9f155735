//! Waiting.

use std::cell::Cell;
use std::time::Duration;

use testkit::{eventually, eventually_some};

#[tokio::test]
async fn waiting_ends_as_soon_as_the_condition_is_true() {
    let looks = Cell::new(0);
    eventually(Duration::from_secs(60), "the third look", || async {
        looks.set(looks.get() + 1);
        looks.get() == 3
    })
    .await;
    assert_eq!(looks.get(), 3);
}

#[tokio::test]
#[should_panic(expected = "waited 0 s for what never comes, in vain")]
async fn waiting_in_vain_says_for_what() {
    eventually_some::<(), _, _>(Duration::ZERO, "what never comes", || async { None }).await;
}

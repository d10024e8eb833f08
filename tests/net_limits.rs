//! The largest message between nodes: what is above it is refused where it is sent, and what
//! may be set.

#[macro_use]
mod support;

use fika::prelude::*;
use fika::{NodeError, StartError};
use support::{Place, TestNode, down};

#[derive(Message, Serialize, Deserialize)]
struct Text(String);

/// Says how long each text is.
#[remote]
async fn measures(to: Pid) {
    loop {
        let Text(text) = next!(Text);
        send(to, text.len() as u64);
    }
}

/// Sends texts from one node to another, where the largest message is `max` bytes: one that
/// fits arrives, one that does not ends its sender, and the connection goes on.
fn try_around(place: Place, max: Option<usize>, fits: u64, too_long: u64) {
    let node = |alive: &str| {
        let builder = place.builder(alive);
        TestNode::of(match max {
            Some(max) => builder.message_bytes_max(max),
            None => builder,
        })
    };
    let (here, _there) = (node("here"), node("there"));
    here.block_on(async move {
        let text = |length: u64| Text("x".repeat(length as usize));
        monitor_nodes(true);
        let pid = spawn_on(place.name("there"), measures(self_pid())).await;
        send(pid, text(fits));
        assert_eq!(next!(u64), fits);
        let (_, monitor) = spawn_monitor(async move { send(pid, text(too_long)) });
        let ExitReason::Badarg(why) = down(monitor).await else { panic!("it was sent") };
        assert!(why.contains("above the limit"), "{why}");
        send(pid, text(1));
        assert_eq!(next!(u64), 1);
        assert_eq!(next!(NodeUp).node.as_str(), place.name("there"));
        none!(NodeDown);
    });
}

#[test]
fn the_largest_message_is_of_16_mib() {
    try_around(Place::new(), None, (16 << 20) - 100, 16 << 20);
}

#[test]
fn the_largest_message_can_be_made_smaller() {
    try_around(Place::new(), Some(4 << 10), 4000, 4 << 10);
}

#[test]
fn the_largest_message_can_be_made_larger() {
    try_around(Place::new(), Some(17 << 20), (17 << 20) - 100, 17 << 20);
}

#[test]
fn what_is_out_of_its_range_is_refused() {
    for bytes in [0, (4 << 10) - 1, (1 << 31) + 1] {
        let error = Place::new().builder("here").message_bytes_max(bytes).build().unwrap_err();
        assert!(matches!(error, NodeError::Start(StartError::Setting(_))), "{error:?}");
    }
}

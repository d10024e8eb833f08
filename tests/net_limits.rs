//! The largest message between nodes: what is above it is refused where it is sent, and what
//! may be set. And mailboxes with a limit, to which other nodes send.

#[macro_use]
mod support;

use fika::prelude::*;
use fika::{NodeError, StartError, alias};
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

/// Has a mailbox for three numbers, and waits for a word before it looks into it; then says
/// what was in it, and waits for another word.
#[remote]
async fn holds_three(to: Pid, when_full: String) {
    trap_exit(true);
    let when_full = match &*when_full {
        "kill" => WhenFull::Kill,
        "drop" => WhenFull::DropNewest,
        _ => WhenFull::Wait,
    };
    mailbox_limit(MailboxLimit::messages(3).when_full(when_full).log(false));
    register("three", self_pid()).unwrap();
    for _ in 0..2 {
        send(to, alias());
        next!(Exit);
        let mut numbers = Vec::new();
        loop {
            receive! { n: u64 => numbers.push(n), after Duration::ZERO => break }
        }
        send(to, numbers);
    }
}

/// FLAG-3: for what comes from another node it is the receiver's limit that decides; who sends
/// is told nothing, and does not wait. Links and monitors are not concerned.
#[test]
fn a_full_mailbox_takes_nothing_from_other_nodes() {
    let place = Place::new();
    let (here, _there) = (place.node("here"), place.node("there"));
    here.block_on(async move {
        let there = place.name("there");
        for when_full in ["drop", "wait", "kill"] {
            let function = holds_three(self_pid(), when_full.to_owned());
            let (pid, monitor) = spawn_monitor_on(&there, function).await;
            let alias = next!(Reference);
            for n in 0..9_u64 {
                match n % 3 {
                    0 => send(pid, n),
                    1 => try_send(("three", &*there), n).unwrap(),
                    _ => send_wait(alias, n).await.unwrap(),
                }
            }
            if when_full == "kill" {
                assert_eq!(down(monitor).await, ExitReason::Killed);
                continue;
            }
            exit_process(pid, ExitReason::Shutdown);
            assert_eq!(next!(Vec<u64>), [0, 1, 2], "{when_full}");
            next!(Reference);
            (3..6_u64).for_each(|n| send(pid, n));
            exit_process(pid, ExitReason::Shutdown);
            assert_eq!(next!(Vec<u64>), [3, 4, 5], "the room is free again");
            assert_eq!(down(monitor).await, ExitReason::Normal);
        }
    });
}

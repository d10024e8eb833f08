//! Cases of `distribution_SUITE` about busy connections.

use super::super::*;
use fika::inspect::info;
use fika::message::try_send;
use fika::process::{SpawnOpts, spawn_opt, yield_now};

/// BUSY-1, LINK-14: a process that links over a congested connection is suspended, and the link
/// holds.
#[test]
fn link_to_busy() {
    busy::suspends(link, |remote, _| async move {
        send(remote, EndWith(ExitReason::Shutdown));
        let exit = next!(Exit);
        assert_eq!((exit.from, exit.reason), (remote, ExitReason::Shutdown));
    });
}

/// BUSY-1, EXIT-18: a process that sends an exit over a congested connection is suspended, and the
/// signal arrives.
#[test]
fn exit_to_busy() {
    busy::suspends(
        |remote| exit_process(remote, ExitReason::Shutdown),
        |remote, _| async move { assert_eq!(down(monitor(remote)).await, ExitReason::Noproc) },
    );
}

/// FLAG-1, FLAG-5: `async_dist` comes from the node's setting or from the spawn options, and the
/// process can change it.
#[test]
fn async_dist_flag() {
    for default in [false, true] {
        let place = Place::new();
        let node = TestNode::of(place.builder("here").async_dist(default));
        node.block_on(async move {
            assert_eq!(info::async_dist(self_pid()).await, Some(default));
            assert_eq!(async_dist(default), default);
            assert_eq!(async_dist(!default), default);
            assert_eq!(info::async_dist(self_pid()).await, Some(!default));
            // A child has the node's setting, unless its spawn options say otherwise.
            let flag = async || receive!(pid: Pid => send(pid, async_dist(false)));
            for (opts, is) in [
                (SpawnOpts::new(), default),
                (SpawnOpts::new().async_dist(true), true),
                (SpawnOpts::new().async_dist(false), false),
            ] {
                let child = spawn_opt(opts, flag()).pid;
                assert_eq!(info::async_dist(child).await, Some(is));
                send(child, self_pid());
                assert_eq!(next!(bool), is);
            }
        });
    }
}

/// BUSY-6: a process with `async_dist` is not suspended, and its messages arrive.
#[test]
fn async_dist_port_dctrlr() {
    const MESSAGES: u64 = 200;
    let pair = busy::Pair::new();
    let there = pair.there.clone();
    pair.run(move |sink, valve| async move {
        let taker = there.spawn(takes_bulk(MESSAGES, self_pid())).unwrap();
        valve.close();
        let filler = busy::fill(sink).await;
        async_dist(true);
        for n in 0..MESSAGES {
            let message = (n, vec![n as u8; 16 << 10]);
            if n % 2 == 0 {
                send(taker, message)
            } else {
                try_send(taker, message).unwrap()
            }
            yield_now().await;
        }
        none!(BusyDist);
        valve.open();
        busy::all_came(filler, sink).await;
        assert_eq!(next!(usize), MESSAGES as usize * (16 << 10));
    });
}

fn large_reason() -> ExitReason {
    ExitReason::term(vec![7_u8; busy::LARGE_BYTES])
}

/// BUSY-7, TICK-6: a large message does not delay a small one of another process.
#[test]
fn message_latency_large_message() {
    busy::small_comes_first(
        |remote| send(remote, busy::Do::Data(vec![7; busy::LARGE_BYTES])),
        |_, _| async { assert_eq!(next!(usize), busy::LARGE_BYTES) },
    );
}

/// BUSY-7: a link's large exit reason does not delay a small message of another process.
#[test]
fn message_latency_large_link_exit() {
    busy::small_comes_first(
        |_| fika::process::exit(large_reason()),
        |_, sender| async move {
            let exit = next!(Exit);
            assert_eq!((exit.from, exit.reason), (sender, large_reason()));
        },
    );
}

/// BUSY-7: an exit signal's large reason does not delay a small message of another process.
#[test]
fn message_latency_large_exit2() {
    busy::small_comes_first(
        |remote| exit_process(remote, large_reason()),
        |_, sender| async move {
            let exit = next!(Exit);
            assert_eq!((exit.from, exit.reason), (sender, large_reason()));
        },
    );
}

//! `message_queue_data_SUITE`: how a mailbox is stored does not change its contents.
//!
//! OTP keeps messages on the heap of their process or off it. Here, a mailbox counts its messages
//! if it has a limit, and does not count them otherwise. A hibernating process frees the memory
//! that its mailbox does not need.

use fika::inspect::info;
use fika::message::{MailboxLimit, mailbox_limit};
use fika::prelude::*;
use fika::process::{SpawnOpts, spawn_opt};
use serde::{Deserialize, Serialize};

use crate::wait::{LIMIT, down, end_of, next};

/// A limit that no mailbox reaches.
const COUNTED: MailboxLimit = MailboxLimit::messages(usize::MAX >> 1);

/// Switches to the next way to store the mailbox, by the number. Returns the previous one.
pub(crate) fn change(n: u64) -> MailboxLimit {
    mailbox_limit(if n.is_multiple_of(2) { COUNTED } else { MailboxLimit::NONE })
}

/// Checks that exactly these numbers arrive, in this order.
pub(crate) async fn expect(numbers: impl IntoIterator<Item = u64>) {
    for expected in numbers {
        receive! {
            n: u64 => assert_eq!(n, expected),
            after LIMIT => panic!("no {expected}"),
        }
    }
}

/// FLAG-4: a process stores its mailbox as its spawn options say, else as its node says, and can
/// change it.
#[test]
fn basic() {
    let by_default = |limit| async move {
        let begins_with = |limit| async move { assert_eq!(change(1), limit) };
        assert_eq!(end_of(begins_with(limit)).await, ExitReason::Normal);
        for asked in [COUNTED, MailboxLimit::NONE] {
            let options = SpawnOpts::new().mailbox_limit(asked).monitor();
            let child = spawn_opt(options, begins_with(asked));
            assert_eq!(down(child.monitor.unwrap()).await, ExitReason::Normal);
        }
        assert_eq!([change(0), change(1), change(0)], [limit, COUNTED, MailboxLimit::NONE]);
    };
    let node = Node::builder().workers(1).mailbox_limit(COUNTED).build().unwrap();
    node.block_on(by_default(COUNTED));
    node.stop();
    let node = Node::builder().workers(1).build().unwrap();
    node.block_on(by_default(MailboxLimit::NONE));
    node.stop();
}

/// FLAG-4, INFO-6: a mailbox keeps its messages while its storage changes back and forth.
#[fika::test(workers = 2)]
async fn process_info_messages() {
    const ROUNDS: u64 = 50;
    let me = self_pid();
    let (child, watch) = spawn_monitor(async move {
        for n in 0..ROUNDS {
            receive! { Go => drop(change(n)), after LIMIT => panic!("no {n}") }
            send(me, ());
        }
        next::<Go>().await;
        expect(0..ROUNDS * 10).await;
    });
    for n in 0..ROUNDS {
        (0..10).for_each(|i| send(child, n * 10 + i));
        send(child, Go);
        next::<()>().await;
        let len = info::message_queue_len(child).await;
        assert_eq!(len, Some((n as usize + 1) * 10));
    }
    let messages = info::messages(child).await.unwrap();
    let shown: Vec<u64> = messages.iter().map(|m| m.get().unwrap()).collect();
    assert!(shown.into_iter().eq(0..ROUNDS * 10));
    send(child, Go);
    assert_eq!(down(watch).await, ExitReason::Normal);
}

#[derive(Message, Serialize, Deserialize)]
struct Go;

//! Waiting with as little memory as possible.

use std::future::poll_fn;
use std::task::Poll;

use crate::context;
use crate::process::core::{Control, gives_way};

/// Waits until the mailbox is not empty, with as little memory as possible (Erlang's
/// `erlang:hibernate/3`). Ready at once if there is a message, which stays in the mailbox.
///
/// The runtime frees its own unused room, such as that of former links and monitors. The variables
/// of the program stay as they are: shrink them first.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, hibernate, self_pid, send};
/// # use fika_macros::receive;
/// # Node::builder().build().unwrap().block_on(async {
/// # send(self_pid(), 1_u64);
/// loop {
///     hibernate().await;
///     receive! {
///         n: u64 => println!("{n}"),
///     }
/// #   break;
/// }
/// # });
/// ```
///
/// # Panics
/// Outside of a process.
pub async fn hibernate() {
    poll_fn(|context| {
        context::process("hibernate", |me| {
            me.take_signals_in_call();
            if me.control.is_in_destructor() {
                Poll::Ready(())
            } else if me.control.stops() {
                me.control.wakes_with_signals(context);
                Poll::Pending
            } else if me.control.message_count() == 0 {
                me.control.slot.vitals.set_hibernating(true);
                me.control.wakes_with_signals(context);
                Poll::Pending
            } else if gives_way(context) {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
    })
    .await;
}

impl Control {
    /// Frees the parts that are empty, at the end of a turn in which the process began to
    /// hibernate.
    pub(in crate::process) fn shrink(&mut self) {
        self.slot.vitals.set_hibernating(false);
        self.mailbox.get_mut().shrink();
        self.shrink_rare();
    }
}

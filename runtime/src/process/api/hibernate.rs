//! Waiting with as little memory as can be.

use std::future::poll_fn;
use std::task::Poll;

use crate::context;
use crate::process::core::{Control, gives_way};

/// Waits until the mailbox is not empty, and lets the process keep as little as it can
/// meanwhile (Erlang's `erlang:hibernate/3`). Ready at once if there is a message, which stays
/// in the mailbox.
///
/// What the program itself keeps, in its variables, it must shrink itself before. The runtime
/// lets go of its own room for links, monitors and the like that are no more.
///
/// ```
/// # use fika_runtime::{Node, hibernate, self_pid, send, spawn};
/// # Node::builder().build().unwrap().block_on(async {
/// # send(self_pid(), 1_u64);
/// loop {
///     hibernate().await;
///     // receive! { .. }
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
                me.wakes_with_signals(context);
                Poll::Pending
            } else if me.control.message_count() == 0 {
                me.control.slot.vitals.set_hibernating(true);
                me.wakes_with_signals(context);
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
    /// The turn is over, and the process hibernates: lets go of what is empty.
    pub(in crate::process) fn shrink(&mut self) {
        self.slot.vitals.set_hibernating(false);
        self.mailbox.get_mut().shrink();
        self.shrink_rare();
    }
}

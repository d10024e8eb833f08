//! Questions from the processes of this folder to net_kernel.

use fika_runtime::{Local, NodeName, Pid, Reference, make_ref, self_pid, send};

use super::net_kernel::Command;

/// Where an answer goes.
#[derive(Clone, Copy)]
pub(super) struct Caller {
    pid: Pid,
    reference: Reference,
}

/// An answer.
struct Answer<T> {
    reference: Reference,
    value: T,
}

impl Caller {
    pub(super) fn pid(self) -> Pid {
        self.pid
    }

    pub(super) fn answer<T: Send + 'static>(self, value: T) {
        let Caller { pid, reference } = self;
        send(pid, Local(Answer { reference, value }));
    }
}

/// Asks net_kernel, and waits for its answer.
pub(super) async fn ask<T: Send + 'static>(
    net_kernel: Pid,
    question: impl FnOnce(Caller) -> Command,
) -> T {
    let asked = make_ref();
    send(net_kernel, Local(question(Caller { pid: self_pid(), reference: asked })));
    fika_macros::receive! {
        for asked,
        Local(Answer { reference, value }): Local<Answer<T>> if reference == asked => value,
    }
}

/// The list of nodes that two nodes tell each other of when they connect, so that a full
/// mesh comes about.
#[derive(serde::Serialize, serde::Deserialize, fika_macros::Message)]
#[message(tag = "fika::Mesh")]
pub(super) struct Mesh {
    pub(super) nodes: Vec<NodeName>,
}

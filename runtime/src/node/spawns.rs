//! Requests from other nodes to spawn a `#[remote]` function on this node.

use super::Inner;
use crate::carrier::SpawnRequest;
use crate::context;
use crate::pid::Pid;
use crate::printable::printable;
use crate::process::{self, NewProcess, Start};
use crate::report;
use crate::signal::{Signal, SpawnError};
use crate::undecodable::{Undecodable, UndecodablePart};

/// Spawns the process and answers the request. `None` if no process was spawned.
pub(super) fn receive_spawn(node: &Inner, request: SpawnRequest) -> Option<Pid> {
    let SpawnRequest { reference, from, group_leader, function, args, .. } = request;
    let reply = |result| {
        node.signal_out(from, Signal::SpawnReply { connection: None, reference, result });
    };
    let Some(entry) = node.functions.get(function.as_str()) else {
        node.logs.spawns_refused.line(node.env.now(), |left_out| {
            report!(
                warn, function = printable(&function), %from, left_out,
                "a request to spawn was refused: this node does not have the function"
            );
        });
        reply(Err(SpawnError::Notsup));
        return None;
    };
    // The program defines the types of the arguments and the code that decodes them. This code runs
    // outside of a process: the process that runs here may be net_kernel, and an `exit` must not
    // end it.
    let made = context::enter_node(node, || {
        process::catch(|| {
            (entry.start)(&args).map_err(|error| match error.is_malformed() {
                true => (SpawnError::Badarg, printable(error)),
                false => (SpawnError::Notsup, printable(error)),
            })
        })
    });
    let future = match made.unwrap_or_else(|panic| Err((SpawnError::Badarg, printable(panic)))) {
        Ok(future) => future,
        Err((answer, why)) => {
            let (part, tag) = (UndecodablePart::Arguments, function.as_str().into());
            let lost = Undecodable { part, sender: Some(from), receiver: None, tag, why };
            process::undecodable(node, Some(from.node()), args.wire_type.connection, &lost);
            reply(Err(answer));
            return None;
        }
    };
    let start = Start {
        link: request.link.then_some(from),
        watcher: request.monitor.then_some((reference, from)),
        priority: request.priority,
        group_leader: Some(group_leader),
        ..Start::new(Some(from), entry.site)
    };
    // SPAWN-6: the answer goes out before the child can send anything.
    let started = process::start(node, start, NewProcess::of()(future), |pid| reply(Ok(pid)));
    if started.is_none() {
        reply(Err(SpawnError::SystemLimit));
    }
    started
}

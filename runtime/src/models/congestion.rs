//! A process sends over a congested connection while another thread makes room in it, or over a
//! lost connection. The process continues, whatever comes first.

use std::sync::Arc;

use loom::thread;

use super::processes::{Seen, node, run};
use crate::carrier::{Busy, Carried, Carrier, Conditions, Congested, NotCarried};
use crate::sync::{Mutex, model};
use crate::{
    ConnectionId, Creation, EncodeError, ExitReason, LocalId, Node, NodeId, NodeName, Pid,
    RemoteDest, Signal, SpawnRequest, Target, Undecodable, send, yield_now,
};

const CONNECTION: ConnectionId = ConnectionId(1);

/// A connection whose output stays above its limit until it is written.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Output>>);

#[derive(Default)]
struct Output {
    messages: usize,
    waiting: Vec<Pid>,
}

impl Carrier for Wire {
    fn send(&self, _: Option<Pid>, _: RemoteDest, _: Signal) -> Result<Carried, EncodeError> {
        self.0.lock().messages += 1;
        let congested: Arc<dyn Congested> = Arc::new(self.clone());
        Ok(Carried { connection: CONNECTION, congested: Some(congested) })
    }

    fn send_if(
        &self,
        _: Option<Pid>,
        _: RemoteDest,
        signal: Signal,
        _: Conditions,
    ) -> Result<Carried, NotCarried> {
        let congested = Arc::new(self.clone());
        Err(NotCarried::Nosuspend(signal, Busy { connection: CONNECTION, congested }))
    }

    fn spawn(&self, _: &NodeName, _: SpawnRequest) -> Carried {
        Carried { connection: CONNECTION, congested: None }
    }

    fn flush(&self) {}

    fn undecodable(&self, _: NodeId, _: ConnectionId, _: &Undecodable) {}
}

impl Congested for Wire {
    fn node(&self) -> NodeName {
        there().node().name()
    }

    fn wait(&self, pid: Pid) -> bool {
        let mut output = self.0.lock();
        if output.messages > 0 {
            output.waiting.push(pid);
        }
        output.messages > 0
    }
}

impl Wire {
    fn write(&self, node: &Node) {
        let mut output = self.0.lock();
        output.messages = 0;
        let waiting = std::mem::take(&mut output.waiting);
        drop(output);
        for pid in waiting {
            node.receive(&Target::Pid(pid), Signal::ConnectionRoom { connection: CONNECTION });
        }
    }
}

fn there() -> Pid {
    let node = NodeId::of(&"there@h".parse().unwrap(), Creation(1));
    Pid::new(node, LocalId { slot: 1, generation: 1 })
}

fn congested(meanwhile: impl Fn(&Node, Pid) + Send + Sync + Copy + 'static, goes_on: bool) {
    model(move || {
        let (node, wire, seen) = (node(), Wire::default(), Seen::default());
        assert!(node.set_carrier(Arc::new(wire.clone())));
        let sender = {
            let seen = seen.clone();
            node.spawn(async move {
                send(there(), 1_u8);
                yield_now().await;
                send(there(), 2_u8);
                yield_now().await;
                seen.end();
            })
        };
        let sender = sender.expect("there is room");
        let writer = {
            let (node, wire) = (node.clone(), wire.clone());
            thread::spawn(move || {
                wire.write(&node);
                meanwhile(&node, sender);
            })
        };
        run(&node);
        writer.join().unwrap();
        // The last thing that was written is the last thing that was sent.
        for _ in 0..2 {
            wire.write(&node);
            run(&node);
        }
        if goes_on {
            seen.check(1, &node);
        }
        assert_eq!(node.process_count(), 0, "the sender hangs");
    });
}

/// BUSY-1: a suspended sender continues when the congestion ends.
#[test]
fn loom_congestion_ends_while_a_process_is_suspended() {
    congested(|_, _| {}, true);
}

/// BUSY-4: a suspended sender can be killed.
#[test]
fn loom_a_suspended_process_is_killed() {
    congested(|node, sender| node.exit_process(sender, ExitReason::Kill), false);
}

//! Values that are not messages, and values that are not destinations.
use std::rc::Rc;

use fika::process::Name;
use fika::prelude::*;
use fika::message::Local;
use fika::node::NodeName;

struct Plain(u64);

async fn messages(to: Pid, text: &str) {
    send(to, Plain(1));
    send(to, text);
    send(to, vec!["a"]);
    send(to, Rc::new(1));
    send(to, Local(Rc::new(1)));
}

async fn destinations(node: NodeName, name: Name) {
    send(5, 1_u64);
    send(whereis("counter"), 1_u64);
    send(("counter", 5), 1_u64);
    send((&node, "counter"), 1_u64);
    send((&name, &name), 1_u64);
    monitor(&node);
    exit_process("counter", ExitReason::Normal);
}

fn main() {}

//! The demo: drives three nodes, and prints what happens as a timeline.
//!
//! The demo is a hidden node, so the others do not count it. It starts them as separate programs
//! (`children`), spawns a `witness` on each with `spawn_on`, and talks to their caches as any
//! process does. It only waits for messages: each line is printed when its message arrives. A step
//! that takes too long ends the demo with an error. The nodes end with the demo, however it ends.

mod children;
mod guardian;
mod timeline;
mod witness;

use std::future::Future;
use std::net::TcpListener;

use fika::message::make_ref;
use fika::net::{NodeDownReason, NodeKind, monitor_nodes_of};
use fika::node::{Creation, Env as _, NodeError, SystemEnv};
use fika::prelude::*;
use fika::process::{spawn_blocking, try_spawn_on};

use crate::{cache, member};
use children::Children;
use guardian::{Hello, echo, guard};
use timeline::Timeline;
use witness::{Event, Seen, witness};

pub(crate) use children::run_child;

const DEMO: &str = "demo@127.0.0.1";
const A: &str = "a@127.0.0.1";
const B: &str = "b@127.0.0.1";
const C: &str = "c@127.0.0.1";

/// The limits for a step and for one event. Both take less than a tenth of that.
const STEP_TIME: Duration = secs(30);
const EVENT_TIME: Duration = secs(10);

/// How many ports to try, since another program may take a free port before the demo uses it.
const PORT_TRIES: u32 = 5;

/// Runs the demo.
pub(crate) fn run() -> fika::Result {
    let cookie = random_cookie();
    let (node, mapper) = start_node(&cookie)?;
    let children = Children::new(DEMO, mapper, cookie);
    let ended = node.try_block_on(Demo { timeline: Timeline::default(), children }.run());
    node.stop();
    ended.unwrap_or_else(|reason| Err(format!("the demo's process ended: {reason}").into()))
}

fn random_cookie() -> String {
    let mut bytes = [0; 32];
    SystemEnv::new().secure_random(&mut bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Starts the demo's node, which starts a port mapper for all nodes. If the mapper belongs to
/// another demo, the node's name is already taken there.
fn start_node(cookie: &str) -> fika::Result<(Node, u16)> {
    let mut tries = 1;
    loop {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let node = Node::builder().name(DEMO).hidden(true).cookie(cookie).epmd_port(port);
        match node.build() {
            Err(NodeError::Start(_)) if tries < PORT_TRIES => tries += 1,
            built => return Ok((built?, port)),
        }
    }
}

/// The steps of the demo, in order.
struct Demo {
    timeline: Timeline,
    children: Children,
}

impl Demo {
    async fn run(mut self) -> fika::Result {
        // All nodes are hidden to a hidden node.
        monitor_nodes_of(NodeKind::Hidden, true);
        self.timeline.title();
        let first = step("three programs start, each a node", self.start()).await?;
        step("the nodes find each other", self.meet()).await?;
        step("a key that is put on one node is read on all", self.put_and_get()).await?;
        let old = step("processes on different nodes", self.spawn_across()).await?;
        step("a node dies", self.kill(old)).await?;
        step("it comes back", self.come_back(first)).await?;
        step("pids of its earlier life stay dead", self.old_pid(old)).await?;
        spawn_blocking(|| drop(self.children)).await;
        self.timeline.say(DEMO, format_args!("all steps happened; {A}, {B} and {C} are ended"));
        Ok(())
    }

    /// Starts the nodes, and returns the creation of C.
    async fn start(&mut self) -> fika::Result<Creation> {
        for node in [A, B, C] {
            self.start_child(node).await?;
        }
        self.expect([A, B, C].map(|node| (DEMO, node_up(node)))).await?;
        self.attach(A).await?;
        self.attach(B).await?;
        self.attach(C).await
    }

    async fn start_child(&mut self, node: &'static str) -> fika::Result {
        let id = self.children.start(node).await?;
        self.timeline.say(DEMO, format_args!("starts {node} as OS process {id}"));
        Ok(())
    }

    /// Spawns a witness on a node. Its pid shows the node's creation.
    async fn attach(&self, node: &str) -> fika::Result<Creation> {
        let witness = try_spawn_on(node, witness(self_pid())).await?;
        self.expect([(node, Event::Attached(witness))]).await?;
        Ok(witness.node().creation())
    }

    /// B and C join A, and so find each other.
    async fn meet(&self) -> fika::Result {
        for node in [B, C] {
            self.join(node, A).await?;
        }
        let pairs = [(A, B), (A, C), (B, A), (B, C), (C, A), (C, B)];
        self.expect(pairs.map(|(node, other)| (node, node_up(other)))).await
    }

    async fn join(&self, node: &str, other: &str) -> fika::Result {
        self.timeline.say(node, format_args!("is told to join {other}, and nobody else"));
        try_spawn_on(node, member::join(other.parse()?)).await?;
        Ok(())
    }

    async fn put_and_get(&self) -> fika::Result {
        self.put(A, "tea", "green", &[A, B, C]).await?;
        self.get(B, "tea", Some("green")).await?;
        self.get(C, "tea", Some("green")).await?;
        self.put(C, "coffee", "black", &[A, B, C]).await?;
        self.get(A, "coffee", Some("black")).await?;
        self.put(B, "milk", "cold", &[A, B, C]).await?;
        self.timeline.say(A, "del milk");
        cache::del(A, "milk").await;
        self.expect([A, B, C].map(|node| (node, changed("milk", None)))).await?;
        self.get(C, "milk", None).await
    }

    /// Puts a key on a node, and waits until all nodes in `on` have it.
    async fn put(&self, node: &str, key: &str, value: &str, on: &[&'static str]) -> fika::Result {
        self.timeline.say(node, format_args!("put {key} {value}"));
        cache::put(node, key, value).await;
        self.expect(on.iter().map(|node| (*node, changed(key, Some(value))))).await
    }

    async fn get(&self, node: &str, key: &str, expected: Option<&str>) -> fika::Result {
        let value = cache::get(node, key).await;
        let text = value.as_deref().unwrap_or("nothing");
        self.timeline.say(node, format_args!("get {key} gives {text}"));
        if value.as_deref() != expected {
            return Err(format!("{key} on {node}: {expected:?} was expected").into());
        }
        Ok(())
    }

    /// A process on A spawns a process on C, links to it and monitors it.
    async fn spawn_across(&self) -> fika::Result<Pid> {
        try_spawn_on(A, guard(C.parse()?, self_pid())).await?;
        let echo = receive! {
            Seen { event: Event::Guards(pid), .. } => pid,
            after EVENT_TIME => return Err("no process was spawned".into()),
        };
        self.timeline.say(A, format_args!("spawn_on gave {echo:?}, on {}", echo.node().name()));
        self.timeline.say(A, "links to it, and monitors it");
        self.greet(echo).await?;
        Ok(echo)
    }

    /// Sends a process a message that it sends back.
    async fn greet(&self, echo: Pid) -> fika::Result {
        let reference = make_ref();
        send(echo, Hello { from: self_pid(), reference });
        receive! {
            Hello { from, reference: answered } if answered == reference => {
                self.timeline.say(DEMO, format_args!("sent hello to {from:?}: it answers"));
                Ok(())
            }
            after EVENT_TIME => Err(format!("{echo} does not answer").into()),
        }
    }

    /// Kills C. Prints the reaction of A and B with the time since the kill. Then both go on.
    async fn kill(&mut self, echo: Pid) -> fika::Result {
        self.timeline.say(DEMO, format_args!("kill -9 of {C}"));
        self.timeline.measure_from_now();
        self.children.kill(C)?;
        let down = node_down(C, NodeDownReason::ConnectionClosed);
        self.expect([
            (A, Event::Exit(echo, ExitReason::Noconnection)),
            (A, Event::Down(echo, ExitReason::Noconnection)),
            (A, down.clone()),
            (B, down.clone()),
            (DEMO, down),
        ])
        .await?;
        self.timeline.measure_no_more();
        self.put(B, "water", "still", &[A, B]).await
    }

    /// Starts C again, which is empty until it has joined A.
    async fn come_back(&mut self, earlier: Creation) -> fika::Result {
        self.start_child(C).await?;
        self.expect([(DEMO, node_up(C))]).await?;
        let creation = self.attach(C).await?;
        if creation == earlier {
            return Err(format!("{C} has the creation of its earlier life").into());
        }
        self.get(C, "tea", None).await?;
        self.join(C, A).await?;
        let nodes = [(A, C), (B, C), (C, A), (C, B)].map(|(node, other)| (node, node_up(other)));
        let copy = [("coffee", "black"), ("tea", "green"), ("water", "still")];
        let copy = copy.map(|(key, value)| (C, changed(key, Some(value))));
        self.expect(nodes.into_iter().chain(copy)).await?;
        self.timeline.say(C, "has its copy of the whole cache");
        self.get(C, "milk", None).await
    }

    /// Shows that a message to a pid of C's earlier life is lost, and that a monitor reports
    /// `noproc`.
    async fn old_pid(&self, old: Pid) -> fika::Result {
        let new = try_spawn_on(C, echo()).await?;
        self.timeline.say(DEMO, format_args!("spawn_on gave {new:?}, a pid of its new life"));
        send(old, Hello { from: self_pid(), reference: make_ref() });
        self.timeline.say(DEMO, format_args!("sends hello to {old:?}, a pid of its old life"));
        self.greet(new).await?;
        let monitor = monitor(old);
        receive! {
            Down { monitor: fired, reason: ExitReason::Noproc, .. } if fired == monitor => {
                self.timeline.say(DEMO, format_args!("no answer, and a monitor gives DOWN {old:?}: noproc"));
            }
            Hello { from, .. } => return Err(format!("{from:?} is dead, and answers").into()),
            after EVENT_TIME => return Err(format!("no DOWN with noproc for {old:?}").into()),
        }
        Ok(())
    }

    /// Waits until all of these events have happened, and prints events as they arrive.
    async fn expect<'a>(&self, events: impl IntoIterator<Item = (&'a str, Event)>) -> fika::Result {
        let mut missing: Vec<(&str, Event)> = events.into_iter().collect();
        while !missing.is_empty() {
            let (node, event) = receive! {
                Seen { node, event } => (node, event),
                NodeUp { node, .. } => (self_node().name(), Event::NodeUp(node)),
                NodeDown { node, reason, .. } => (self_node().name(), Event::NodeDown(node, reason)),
                after EVENT_TIME => {
                    let missing = missing.iter().map(|(node, event)| format!("{node}: {event}"));
                    return Err(format!("not seen: {}", missing.collect::<Vec<_>>().join(", ")).into());
                }
            };
            self.timeline.say(node.as_str(), &event);
            missing.retain(|expected| *expected != (node.as_str(), event.clone()));
        }
        Ok(())
    }
}

/// Runs one step, with a time limit.
async fn step<T>(what: &str, work: impl Future<Output = fika::Result<T>>) -> fika::Result<T> {
    println!("\n{what}");
    let done = timeout(STEP_TIME, work).await;
    let done = done.unwrap_or_else(|_| Err(format!("takes longer than {STEP_TIME:?}").into()));
    done.map_err(|why| format!("step `{what}`: {why}").into())
}

fn node_up(node: &str) -> Event {
    Event::NodeUp(node.parse().expect("one of the names above"))
}

fn node_down(node: &str, reason: NodeDownReason) -> Event {
    Event::NodeDown(node.parse().expect("one of the names above"), reason)
}

fn changed(key: &str, value: Option<&str>) -> Event {
    Event::Changed(key.into(), value.map(Into::into))
}

//! The state of a supervisor. The functions that change the state are in `starting`, `ending`,
//! `planning` and `commanding`.
//!
//! These functions never wait. A start is a future that is polled beside the mailbox (`flights`);
//! the end of a child is the `Down` of a monitor; a time limit is an entry of the agenda. So the
//! supervisor answers requests while a child starts or ends slowly. A child is always in one
//! `State`:
//!
//! | state | by | next |
//! |---|---|---|
//! | `Starting` | `launch` | `Running`, `Stopped`, or `Restarting` if a restart has failed |
//! | `Running` | `landed` | `Ending`, or `Stopped` when it has ended |
//! | `Ending` | `stop`, or an exit signal of a child that lives | `Stopped`, when the `Down` has come |
//! | `Restarting` | `put_off` | `Starting` |
//! | `Stopped` | | `Starting` |
//!
//! The exit signal of a link says that a child has ended, but a process can also send such a signal
//! while it is alive. So a child counts as ended only when its process is gone: the next `init` of
//! the child never overlaps with the old process. The link stays until then, so no child is left
//! behind if the supervisor is killed meanwhile. (OTP removes the link first.)

mod agenda;
mod children;
pub(crate) mod command;
mod commanding;
mod decide;
mod ending;
mod flights;
mod plan;
mod planning;
mod report;
pub(crate) mod run;
mod starting;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::pin::Pin;
use std::time::Duration;

use fika_macros::Message;
use fika_runtime::{ExitReason, Name, Node, Pid, Sleep, Time};
use foldhash::fast::RandomState;

use self::agenda::Agenda;
use self::children::{Children, Key};
use self::command::Command;
use self::decide::Intensity;
use self::flights::Flights;
use self::plan::{Deferred, End, Plan};
use crate::r#gen::InitAck;
use crate::r#gen::behaviour::Listed;
use crate::supervisor::spec::child_error::ChildRef;
use crate::supervisor::spec::flags::SupFlags;

/// Asks for another attempt of a restart, after the messages that have come meanwhile (SUP-13).
#[derive(Message)]
#[message(local)]
struct Retry {
    key: Key,
    token: u64,
}

struct Engine {
    node: Node,
    me: Pid,
    /// Its name on its node, for reports.
    name: Option<Name>,
    parent: Pid,
    flags: SupFlags,
    /// Whether children have ids. Otherwise, the supervisor is a simple or a dynamic one.
    keyed: bool,
    listed: Listed,
    /// Acknowledges when all children have started.
    ack: Option<InitAck<()>>,
    children: Children,
    flights: Flights,
    /// Exit signals from unknown processes while children are being started: a child may end before
    /// its start function returns.
    early: HashMap<Pid, ExitReason, RandomState>,
    agenda: Agenda,
    /// Wakes the supervisor when the agenda's first entry is due.
    alarm: Option<(Time, Pin<Box<Sleep>>)>,
    intensity: Intensity,
    plan: Option<Plan>,
    deferred: VecDeque<Deferred>,
    /// Requests about a child that is being started or ended.
    queues: BTreeMap<Key, VecDeque<(ChildRef, Command)>>,
    tokens: u64,
    end: Option<End>,
    idle: Option<Duration>,
    suspended: bool,
}

impl Engine {
    fn new(
        listed: Listed,
        ack: InitAck<()>,
        name: Option<Name>,
        flags: SupFlags,
        keyed: bool,
        idle: Option<Duration>,
    ) -> Engine {
        Engine {
            node: fika_runtime::self_node(),
            me: fika_runtime::self_pid(),
            name,
            parent: ack.starter,
            flags,
            keyed,
            listed,
            ack: Some(ack),
            children: Children::default(),
            flights: Flights::default(),
            early: HashMap::default(),
            agenda: Agenda::default(),
            alarm: None,
            intensity: Intensity::new(flags.intensity, flags.period),
            plan: Some(Plan::boot()),
            deferred: VecDeque::new(),
            queues: BTreeMap::new(),
            tokens: 0,
            end: None,
            idle,
            suspended: false,
        }
    }

    fn now(&self) -> Time {
        self.node.env().now()
    }

    fn token(&mut self) -> u64 {
        self.tokens += 1;
        self.tokens
    }

    fn booted(&mut self) {
        self.listed.behaviour.rests();
        if let Some(ack) = self.ack.take() {
            ack.ok(());
        }
    }

    fn reporter(&self) -> report::Reporter<'_> {
        let name = self.name.as_ref();
        report::Reporter { node: &self.node, supervisor: self.me, name }
    }

    fn report(
        &self,
        key: Key,
        pid: Option<Pid>,
        reason: &dyn std::fmt::Display,
        event: report::Event,
    ) {
        if let Some(child) = self.children.get(key) {
            self.reporter().failed(child, pid, reason, event);
        }
    }
}

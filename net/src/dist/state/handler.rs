//! The program's own handler for decisions about connections: see [`NetHandler`].
//!
//! A node without a handler pays one test of a field for it. Messages to pids are not asked about.
//!
//! Prior art: `net_kernel` is a gen_server that one can replace; here one stands in front of it.

use std::fmt;
use std::net::SocketAddr;

use fika_runtime::{
    Env, Envelope, LogRate, Name, NodeDown, NodeName, NodeUp, Pid, Priority, Signal, SpawnError,
    SpawnRequest, Target, contained, report,
};

use crate::dist::link::Admitted;
use crate::proto::connection::Event;

/// What a [`NetHandler`] decides.
///
/// ```
/// use fika_net::{Decision, NetHandler};
/// use fika_runtime::NodeUp;
///
/// /// Keeps the nodes of another team out of sight.
/// struct OwnNodes;
///
/// impl NetHandler for OwnNodes {
///     fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
///         if up.node.alive().starts_with("our_") { Decision::Pass(up) } else { Decision::Refuse }
///     }
/// }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision<T> {
    /// It goes on, be it as it came or changed.
    Pass(T),
    /// It does not.
    Refuse,
}

/// Stands in front of net_kernel: sees what it is about to do, and may let that pass, change it
/// or refuse it. All methods let everything pass if they are not implemented.
///
/// `spawn` and `send_to_name` are called where packets arrive, on a worker that runs processes
/// as soon as they return: they should be done soon and must not block, and the free functions
/// that act for a running process can't be used in them. One that panics refuses.
///
/// ```no_run
/// use std::collections::BTreeSet;
/// use std::net::IpAddr;
/// use std::sync::Mutex;
///
/// use fika_net::{BadCookie, Decision, NetHandler, SpawnAsked};
///
/// /// Has only functions of the module `jobs` be spawned, and remembers who knocks.
/// #[derive(Default)]
/// struct Guard {
///     knocked: Mutex<BTreeSet<IpAddr>>,
/// }
///
/// impl NetHandler for Guard {
///     fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
///         match asked.function().as_str().contains("::jobs::") {
///             true => Decision::Pass(asked),
///             false => Decision::Refuse,
///         }
///     }
///
///     fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
///         self.knocked.lock().unwrap().insert(attempt.from.ip());
///         Decision::Pass(attempt)
///     }
/// }
/// ```
pub trait NetHandler: Send + Sync + 'static {
    /// A node has proved itself, and its connection is about to be up. A change affects what
    /// subscribers of `monitor_nodes` are told. If refused, the connection is closed, and no
    /// `nodeup` is sent.
    fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
        Decision::Pass(up)
    }

    /// A connection is lost. A change affects what subscribers of `monitor_nodes` are told; if
    /// refused, they are told nothing. Links, monitors and `monitor_node` are not affected.
    fn nodedown(&self, down: NodeDown) -> Decision<NodeDown> {
        Decision::Pass(down)
    }

    /// A peer asks for a process. If refused, the answer is `notsup`, as for a function that this
    /// node does not have.
    fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
        Decision::Pass(asked)
    }

    /// A process of a peer sends a message to a registered name other than `net_kernel`. If
    /// refused, the message is dropped, as for a name that is not registered.
    fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
        Decision::Pass(sent)
    }

    /// A program that does not know the cookie has tried to connect. The connection is refused in
    /// any case, and logged unless the handler refuses it.
    fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
        Decision::Pass(attempt)
    }
}

impl fmt::Debug for dyn NetHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetHandler")
    }
}

/// A peer's request for a process.
///
/// ```
/// use fika_net::{Decision, NetHandler, SpawnAsked};
///
/// /// Lets other nodes spawn one function only.
/// struct Workers;
///
/// impl NetHandler for Workers {
///     fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
///         if asked.function().as_str() == "shop::worker" { Decision::Pass(asked) } else { Decision::Refuse }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SpawnAsked(SpawnRequest);

impl SpawnAsked {
    /// The process that asks.
    #[must_use]
    pub fn from(&self) -> Pid {
        self.0.from
    }

    /// The name of the `#[remote]` function.
    #[must_use]
    pub fn function(&self) -> &Name {
        &self.0.function
    }

    /// Whether the new process is linked to who asks.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.0.link
    }

    /// Whether who asks monitors it.
    #[must_use]
    pub fn is_monitored(&self) -> bool {
        self.0.monitor
    }

    /// The priority of the new process.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    /// The same for another function, which takes the same arguments.
    #[must_use]
    pub fn with_function(mut self, function: impl Into<Name>) -> SpawnAsked {
        self.0.function = function.into();
        self
    }

    /// The same with another priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> SpawnAsked {
        self.0.priority = priority;
        self
    }
}

/// A message of a peer's process to a name of this node.
///
/// ```
/// use fika_net::{Decision, NetHandler, SentToName};
///
/// /// Lets other nodes send to the service `shop` only.
/// struct Shop;
///
/// impl NetHandler for Shop {
///     fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
///         if sent.to.as_str() == "shop" { Decision::Pass(sent) } else { Decision::Refuse }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct SentToName {
    /// The node that it came from.
    pub from: NodeName,
    /// The name.
    pub to: Name,
    /// The message, which nobody has decoded. [`Envelope::new`] makes another one.
    pub message: Envelope,
}

/// An attempt to connect by a program that does not know the cookie.
///
/// ```
/// use fika_net::{BadCookie, Decision, NetHandler};
///
/// struct Alarm;
///
/// impl NetHandler for Alarm {
///     fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
///         eprintln!("{} at {} does not know the cookie", attempt.claimed, attempt.from);
///         // Reported, so it need not be logged.
///         Decision::Refuse
///     }
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadCookie {
    /// The node that it said it was, which it has not proved.
    pub claimed: NodeName,
    /// Where it came from.
    pub from: SocketAddr,
}

/// Asks a handler, and takes a panic for a refusal.
pub(crate) fn decide<T>(
    panics: &LogRate,
    env: &dyn Env,
    decide: impl FnOnce() -> Decision<T>,
) -> Decision<T> {
    contained(decide).unwrap_or_else(|| {
        panics.line(env.now(), |left_out| {
            let what = "the node's handler has panicked: what it was asked about is refused";
            report!(error, left_out, "{what}");
        });
        Decision::Refuse
    })
}

/// Asks a handler about an event from this peer.
pub(crate) fn admit(
    handler: &dyn NetHandler,
    (panics, env): (&LogRate, &dyn Env),
    peer: &NodeName,
    event: Event,
) -> Admitted {
    match event {
        Event::Spawn(request) => {
            let (from, reference) = (request.from, request.reference);
            match decide(panics, env, || handler.spawn(SpawnAsked(*request))) {
                Decision::Pass(SpawnAsked(request)) => Admitted::Yes(Event::Spawn(request.into())),
                Decision::Refuse => {
                    let result = Err(SpawnError::Notsup);
                    let connection = None;
                    let answer = Signal::SpawnReply { connection, reference, result };
                    Admitted::Answered(from, answer)
                }
            }
        }
        Event::Signal { target: Target::Name(to), signal: Signal::Message(message) }
            if to.as_str() != "net_kernel" =>
        {
            let sent = SentToName { from: peer.clone(), to, message };
            match decide(panics, env, || handler.send_to_name(sent)) {
                Decision::Pass(SentToName { to, message, .. }) => Admitted::Yes(Event::Signal {
                    target: Target::Name(to),
                    signal: Signal::Message(message),
                }),
                Decision::Refuse => Admitted::No,
            }
        }
        event => Admitted::Yes(event),
    }
}

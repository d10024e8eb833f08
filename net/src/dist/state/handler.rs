//! The program's handler for decisions about connections: see [`NetHandler`].
//!
//! For a node without a handler, the only cost is the test of a field. The handler is not asked
//! about messages to pids.
//!
//! Prior art: in OTP, a program can replace the gen_server `net_kernel`. Here, a handler stands in
//! front of it.

use std::fmt;
use std::net::SocketAddr;

use fika_runtime::{
    Env, Envelope, LogRate, Name, NodeDown, NodeName, NodeUp, Pid, Priority, Signal, SpawnError,
    SpawnRequest, Target, contained, report,
};

use crate::dist::link::Admitted;
use crate::proto::connection::Event;

/// The decision of a [`NetHandler`].
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
    /// Continue with this value, which the handler may have changed.
    Pass(T),
    /// Refuse it.
    Refuse,
}

/// A handler that stands in front of net_kernel: it sees each decision, and may pass, change or
/// refuse it. The default implementations pass everything.
///
/// `spawn` and `send_to_name` are called while incoming packets are handled, on a worker that also
/// runs processes. So they should return soon and must not block, and they can't use the free
/// functions that act for a running process. A method that panics refuses.
///
/// ```no_run
/// use std::collections::BTreeSet;
/// use std::net::IpAddr;
/// use std::sync::Mutex;
///
/// use fika_net::{BadCookie, Decision, NetHandler, SpawnAsked};
///
/// /// Allows only functions of the module `jobs`, and keeps the addresses with a wrong cookie.
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
///
/// The other methods decide about nodes that come and go, and about messages to names:
///
/// ```
/// use fika_net::{Decision, NetHandler, SentToName};
/// use fika_runtime::{NodeDown, NodeUp};
///
/// /// Lets nodes with names such as `probe@10.0.0.9` end unnoticed, and not send to names.
/// struct HideProbes;
///
/// fn unless<T>(is_probe: bool, value: T) -> Decision<T> {
///     if is_probe { Decision::Refuse } else { Decision::Pass(value) }
/// }
///
/// impl NetHandler for HideProbes {
///     // Refusing the `NodeUp` would refuse the connection.
///     fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
///         println!("{} is connected", up.node);
///         Decision::Pass(up)
///     }
///
///     fn nodedown(&self, down: NodeDown) -> Decision<NodeDown> {
///         unless(down.node.alive() == "probe", down)
///     }
///
///     fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
///         unless(sent.from.alive() == "probe", sent)
///     }
/// }
/// ```
pub trait NetHandler: Send + Sync + 'static {
    /// Called when a node has proved itself, before its connection is up. A change of the `NodeUp`
    /// affects the message to subscribers of `monitor_nodes`. If refused, the connection is closed,
    /// and no `NodeUp` is sent.
    fn nodeup(&self, up: NodeUp) -> Decision<NodeUp> {
        Decision::Pass(up)
    }

    /// Called when a connection is lost. A change of the `NodeDown` affects the message to
    /// subscribers of `monitor_nodes`. If refused, they get no message. Links, monitors and
    /// `monitor_node` are not affected.
    fn nodedown(&self, down: NodeDown) -> Decision<NodeDown> {
        Decision::Pass(down)
    }

    /// Called when a peer asks this node to spawn a process. If refused, the answer is `notsup`, as
    /// for a function that this node does not have.
    fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
        Decision::Pass(asked)
    }

    /// Called when a process of a peer sends a message to a registered name other than
    /// `net_kernel`. If refused, the message is dropped, as for a name that is not registered.
    fn send_to_name(&self, sent: SentToName) -> Decision<SentToName> {
        Decision::Pass(sent)
    }

    /// Called when a program that does not know the cookie has tried to connect. The connection is
    /// always refused. The attempt is logged unless the handler refuses it.
    fn bad_cookie(&self, attempt: BadCookie) -> Decision<BadCookie> {
        Decision::Pass(attempt)
    }
}

impl fmt::Debug for dyn NetHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NetHandler")
    }
}

/// A peer's request to spawn a process.
///
/// ```
/// use fika_net::{Decision, NetHandler, SpawnAsked};
/// use fika_runtime::Priority;
///
/// /// Lets other nodes spawn one function only, with the normal priority at most.
/// struct Workers;
///
/// impl NetHandler for Workers {
///     fn spawn(&self, asked: SpawnAsked) -> Decision<SpawnAsked> {
///         if asked.function().as_str() != "shop::worker" {
///             println!("{} may not spawn {}", asked.from(), asked.function());
///             return Decision::Refuse;
///         }
///         if !asked.is_linked() && !asked.is_monitored() {
///             println!("nobody would notice its end");
///         }
///         // The function has another name in this version.
///         let asked = asked.with_function("shop::worker_2");
///         Decision::Pass(match asked.priority() {
///             Priority::Low => asked,
///             _ => asked.with_priority(Priority::Normal),
///         })
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SpawnAsked(SpawnRequest);

impl SpawnAsked {
    /// Returns the process that asks.
    #[must_use]
    pub fn from(&self) -> Pid {
        self.0.from
    }

    /// Returns the name of the `#[remote]` function.
    #[must_use]
    pub fn function(&self) -> &Name {
        &self.0.function
    }

    /// Returns whether the new process is linked to the process that asks.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        self.0.link
    }

    /// Returns whether the process that asks monitors the new process.
    #[must_use]
    pub fn is_monitored(&self) -> bool {
        self.0.monitor
    }

    /// Returns the priority of the new process.
    #[must_use]
    pub fn priority(&self) -> Priority {
        self.0.priority
    }

    /// Replaces the function. The new function must take the same arguments.
    #[must_use]
    pub fn with_function(mut self, function: impl Into<Name>) -> SpawnAsked {
        self.0.function = function.into();
        self
    }

    /// Replaces the priority.
    #[must_use]
    pub fn with_priority(mut self, priority: Priority) -> SpawnAsked {
        self.0.priority = priority;
        self
    }
}

/// A message from a process of a peer to a registered name of this node.
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
    /// The node that sent the message.
    pub from: NodeName,
    /// The registered name.
    pub to: Name,
    /// The message, which is not decoded yet. Use [`Envelope::new`] to replace it.
    pub message: Envelope,
}

/// An attempt of a program without the right cookie to connect.
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
    /// The node name that the program claimed and has not proved.
    pub claimed: NodeName,
    /// The address from which the program connected.
    pub from: SocketAddr,
}

/// Asks a handler. A panic counts as a refusal.
pub(crate) fn decide<T>(
    panics: &LogRate,
    env: &dyn Env,
    decide: impl FnOnce() -> Decision<T>,
) -> Decision<T> {
    contained(decide).unwrap_or_else(|| {
        panics.line(env.now(), |left_out| {
            let what = "the node's handler has panicked, which counts as a refusal";
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

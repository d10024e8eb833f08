//! Spawning on another node: the request, and waiting for its answer.
//!
//! These functions are not `async fn`s, since an `async fn` does not know its caller. The caller is
//! the place where a process is spawned if the node is the caller's own.

use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::spawn_opt::{SpawnOpts, Spawned, spawn_reference, spawn_with};
use super::spawn_request::{abandon, request_there};
use crate::context;
use crate::dest::Dest;
use crate::exit_reason::ExitReason;
use crate::node_id::{Creation, NodeId};
use crate::node_name::NodeName;
use crate::pid::Pid;
use crate::process::core::NewProcess;
use crate::process::core::relations::{Spawning, Tag};
use crate::process::failure::raise;
use crate::process::wait::Waiting;
use crate::reference::Reference;
use crate::remote::RemoteFn;
use crate::signal::SpawnError;

/// Spawns a process on a node (Erlang's `spawn/2`).
///
/// The function must be marked `#[remote]`, and its arguments are sent to the node. If there is no
/// connection, one is made first. This has to be awaited, since the pid of the new process is not
/// known before the node has answered. On the process's own node it does what
/// [`spawn`](crate::spawn) does.
///
/// If the node can't be reached, or has no such function, the result is the pid of a process that
/// never existed, which is printed as `<nobody@node>`. To learn why, use [`try_spawn_on`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, Pid, send, spawn_on};
/// # use fika_macros::remote;
/// #[remote]
/// async fn greeter(to: Pid) {
///     send(to, "hello".to_string());
/// }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// let me = fika::self_pid();
/// let pid = spawn_on(&node, greeter(me)).await;
/// println!("{pid} runs on {node}");
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
#[track_caller]
pub fn spawn_on<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> SpawnOn<impl Future<Output = Pid>> {
    let spawned = spawn_opt_on(node, SpawnOpts::new(), function);
    SpawnOn { future: async { spawned.await.pid } }
}

/// Spawns a process on a node with a link (Erlang's `spawn_link/2`). If that fails, the running
/// process gets an exit signal: `noconnection`, or the reason of the [`SpawnError`]. See
/// [`spawn_on`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, Pid, send, spawn_link_on};
/// # use fika_macros::remote;
/// #[remote]
/// async fn worker() { /* ... */ }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// // If the node is lost, the calling process receives an exit signal with `noconnection`.
/// let pid = spawn_link_on(&node, worker()).await;
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
#[track_caller]
pub fn spawn_link_on<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> SpawnOn<impl Future<Output = Pid>> {
    let spawned = spawn_opt_on(node, SpawnOpts::new().link(), function);
    SpawnOn { future: async { spawned.await.pid } }
}

/// Spawns a process on a node with a monitor (Erlang's `spawn_monitor/2`). If that fails, a `Down`
/// says why. See [`spawn_on`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Down, Node, spawn_monitor_on};
/// # use fika_macros::{receive, remote};
/// #[remote]
/// async fn worker() { /* ... */ }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// let (pid, watch) = spawn_monitor_on(&node, worker()).await;
/// receive! { Down { monitor, reason, .. } if monitor == watch => println!("{pid}: {reason}") }
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
#[track_caller]
pub fn spawn_monitor_on<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> impl Future<Output = (Pid, Reference)> {
    let spawned = spawn_opt_on(node, SpawnOpts::new().monitor(), function);
    async {
        let spawned = spawned.await;
        (spawned.pid, spawned.monitor.expect("the options ask for a monitor"))
    }
}

/// Spawns a process on a node with options (Erlang's `spawn_opt/3`). If that fails, a link gives an
/// exit signal, and a monitor a `Down`. See [`spawn_on`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, Priority, SpawnOpts, spawn_opt_on};
/// # use fika_macros::remote;
/// #[remote]
/// async fn worker() { /* ... */ }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// let opts = SpawnOpts::new().monitor().priority(Priority::Low);
/// let spawned = spawn_opt_on(&node, opts, worker()).await;
/// println!("{} is watched by {:?}", spawned.pid, spawned.monitor);
/// # });
/// ```
///
/// # Panics
/// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
#[track_caller]
pub fn spawn_opt_on<F: RemoteFn>(
    node: impl AsRef<str>,
    opts: SpawnOpts,
    function: F,
) -> impl Future<Output = Spawned> {
    let site = Location::caller();
    async move {
        let monitored = opts.monitor.is_some();
        let (reference, pid, _) = request(node.as_ref(), site, opts, function, true).await;
        Spawned { pid, monitor: monitored.then_some(reference) }
    }
}

/// Spawns a process on a node, or returns why the node has not spawned it. See [`spawn_on`].
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, SpawnError, try_spawn_on};
/// # use fika_macros::remote;
/// #[remote]
/// async fn worker() { /* ... */ }
///
/// # Node::builder().build().unwrap().block_on(async {
/// let error = try_spawn_on("gone@127.0.0.1", worker()).await;
/// assert_eq!(error, Err(SpawnError::Noconnection));
/// # });
/// ```
///
/// # Errors
/// [`SpawnError::Noconnection`] if the node can't be reached, or is lost before it answers.
/// [`SpawnError::Notsup`] if it has no such function.
///
/// # Panics
/// Outside of a process. If `node` is not a node name, the calling process ends with `badarg`.
#[track_caller]
pub fn try_spawn_on<F: RemoteFn>(
    node: impl AsRef<str>,
    function: F,
) -> impl Future<Output = Result<Pid, SpawnError>> {
    let site = Location::caller();
    async move {
        let (_, pid, error) = request(node.as_ref(), site, SpawnOpts::new(), function, false).await;
        error.map_or(Ok(pid), Err)
    }
}

pin_project! {
    /// The future that [`spawn_on`] and [`spawn_link_on`] return: when it is awaited, it spawns the
    /// process and returns its pid.
    ///
    /// ```no_run
    /// # extern crate fika_runtime as fika;
    /// # use fika::{Node, send, spawn_on};
    /// # use fika_macros::remote;
    /// # #[remote]
    /// # async fn work() {}
    /// # Node::builder().build().unwrap().block_on(async {
    /// let spawning = spawn_on("b@127.0.0.1", work());
    /// send(spawning.await, 7_u64);
    /// # });
    /// ```
    #[must_use = "the process is spawned when this is awaited"]
    pub struct SpawnOn<F> {
        #[pin]
        future: F,
    }
}

impl<F: Future<Output = Pid>> Future for SpawnOn<F> {
    type Output = Pid;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Pid> {
        self.project().future.poll(context)
    }
}

/// No type has this trait. It is there for the error of a program that forgets an `.await`.
#[diagnostic::on_unimplemented(
    message = "a process that is spawned on another node has no pid yet",
    label = "this is a future: did you forget `.await`?",
    note = "the other node makes the pid: write `spawn_on(..).await`"
)]
pub trait Awaited {
    #[doc(hidden)]
    fn dest(self) -> Dest<'static>;
}

#[doc(hidden)]
impl<F: Awaited> From<SpawnOn<F>> for Dest<'_> {
    fn from(spawned: SpawnOn<F>) -> Self {
        spawned.future.dest()
    }
}

/// Requests a process on a node, and waits for the answer. If that fails, the pid is that of a
/// process that never existed. If `as_ended` is set, its link and its monitor report its end. `site`
/// is the caller's place in the source.
pub(in crate::process) async fn request<F: RemoteFn>(
    node: &str,
    site: &'static Location<'static>,
    opts: SpawnOpts,
    function: F,
    as_ended: bool,
) -> (Reference, Pid, Option<SpawnError>) {
    let (answer, waiting) = Waiting::new();
    let (reference, asked) = context::process("spawn_on", |me| {
        let monitored = opts.monitor.is_some();
        let reference = if monitored { spawn_reference(me, &opts) } else { me.node.make_ref() };
        let node = match node.parse::<NodeName>() {
            Ok(node) => node,
            Err(error) => raise(ExitReason::badarg(error)),
        };
        let never = Pid::nobody(NodeId::of(&node, Creation(0)));
        let (there, opts) = if me.node.is_called(node.as_str()) {
            match spawn_with(me, reference, site, opts, NewProcess::of()(function), |_| ()) {
                Ok(child) => return (reference, Ok(child)),
                Err(failed) => (Err(failed.error), failed.opts),
            }
        } else {
            (Ok(function), opts)
        };
        let priority = opts.priority;
        let mut spawning = Spawning::new(opts.link, opts.monitor.map(|opts| opts.delivery));
        spawning.never = as_ended.then_some(never);
        spawning.reply_tag = Some(Tag::spawned(answer));
        match there {
            Ok(function) => request_there(me, &node, reference, spawning, priority, &function),
            Err(error) => me.spawn_answered(reference, spawning, Err(error)),
        }
        (reference, Err(never))
    });
    let never = match asked {
        Ok(child) => return (reference, child, None),
        Err(never) => never,
    };
    let mut pending = Pending(Some(reference));
    // A process that ends sends no request.
    let result = waiting.await.unwrap_or(Err(SpawnError::Noconnection));
    pending.0 = None;
    (reference, result.unwrap_or(never), result.err())
}

/// A request whose answer is awaited. Dropping it abandons the request.
struct Pending(Option<Reference>);

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(request) = self.0 else { return };
        context::try_process(|me| {
            // SPAWN-7: a process that ends gives the child its own exit reason instead.
            if let Some(me) = me.unless_ending().filter(|_| !std::thread::panicking()) {
                abandon(me, request);
            }
        });
    }
}

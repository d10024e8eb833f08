//! Requests to the servers with one name on many nodes: [`multi_call`] and [`abcast`].

use std::time::Duration;

use fika_runtime::{Message, NodeName, Time, self_node};

use super::{HandleCall, HandleCast, RequestId, ServerRef};

/// The result of [`multi_call`]: each node is in one of the two lists (OTP's `{Replies,
/// BadNodes}`).
///
/// ```
/// use fika::gen_server::MultiCall;
///
/// fn report(counts: &MultiCall<u64>) {
///     let sum: u64 = counts.replies.iter().map(|(_, count)| count).sum();
///     println!("{sum} on {} nodes; no reply from {:?}", counts.replies.len(), counts.bad_nodes);
/// }
/// # report(&MultiCall { replies: Vec::new(), bad_nodes: Vec::new() });
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MultiCall<A> {
    /// The replies, with their nodes, in the order of the nodes in the call.
    pub replies: Vec<(NodeName, A)>,
    /// The nodes that have no such server, can't be reached, or whose server failed or did not
    /// reply in time.
    pub bad_nodes: Vec<NodeName>,
}

/// Makes a request to the server of this name on each of these nodes, and waits for all replies (OTP's
/// `gen_server:multi_call/4`). A late reply is dropped.
///
/// All requests are sent at once, so the call takes as long as the slowest node, and at most
/// `limit`. Replies do not go through the caller's mailbox, so a long mailbox does not slow the
/// call down.
///
/// ```
/// # use fika::gen_server::*;
/// # use fika::prelude::*;
/// # #[message] #[derive(Clone)] struct Get;
/// # struct Counter(u64);
/// # impl GenServer for Counter {
/// #     type Args = u64;
/// #     type Receives = (Call<Get>,);
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Counter(n)) }
/// # }
/// # impl HandleCall<Get> for Counter {
/// #     type Reply = u64;
/// #     async fn handle_call(&mut self, _: Get, _: &mut Caller<'_, u64>) -> Reply<u64> { self.0.into() }
/// # }
/// # #[fika::main]
/// # async fn main() {
/// let counter = fika::gen_server::start_link::<Counter>(Start::name("counter"), 7).await.unwrap();
/// let nodes = [self_node().name()];
/// let counts = multi_call::<Counter, _>(&nodes, "counter", Get, secs(5)).await;
/// assert_eq!(counts.replies, [(self_node().name(), 7)]);
/// # let _ = counter;
/// # }
/// ```
///
/// The node of the caller is asked only if it is in the list.
///
/// # Panics
/// Outside of a process. The caller ends with `badarg` if another node is in the list and its own
/// node has no name.
pub async fn multi_call<S, R>(
    nodes: &[NodeName],
    name: &str,
    request: R,
    limit: Duration,
) -> MultiCall<S::Reply>
where
    S: HandleCall<R>,
    R: Message + Clone,
{
    let until: Time = self_node().env().now() + limit;
    let send = |node: &NodeName| {
        let server = ServerRef::<S>::at((name, node.as_str()));
        (node.clone(), server.call(request.clone()).send())
    };
    let sent: Vec<(NodeName, RequestId<S::Reply>)> = nodes.iter().map(send).collect();
    let mut result = MultiCall { replies: Vec::new(), bad_nodes: Vec::new() };
    for (node, request) in sent {
        let left = until.since(self_node().env().now());
        match request.receive_response(left).await {
            Ok(reply) => result.replies.push((node, reply)),
            Err(_) => result.bad_nodes.push(node),
        }
    }
    result
}

/// Sends a request without a reply to the server of this name on each of these nodes (OTP's
/// `gen_server:abcast/3`). Nodes without such a server, and nodes that can't be reached, are skipped.
///
/// ```
/// use fika::gen_server::abcast;
/// use fika::prelude::*;
/// # use fika::gen_server::{Cast, GenServer, HandleCast, Init, Next};
/// # #[message] #[derive(Clone)] struct Reset;
/// # struct Counter(u64);
/// # impl GenServer for Counter {
/// #     type Args = u64;
/// #     type Receives = (Cast<Reset>,);
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Counter(n)) }
/// # }
/// # impl HandleCast<Reset> for Counter {
/// #     async fn handle_cast(&mut self, _: Reset) -> Next { self.0 = 0; Next::go_on() }
/// # }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// # let counter = fika::gen_server::start_link::<Counter>(Start::name("counter"), 7).await?;
/// // To the counter of each connected node, and to that of this node.
/// let mut all = nodes();
/// all.push(self_node().name());
/// abcast::<Counter, _>(&all, "counter", Reset);
/// # assert_eq!(fika::sys::with_state(&counter, |counter| counter.0).await?, 0);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// Outside of a process. The caller ends with `badarg` if the request can't leave this node.
pub fn abcast<S, R>(nodes: &[NodeName], name: &str, request: R)
where
    S: HandleCast<R>,
    R: Message + Clone,
{
    for node in nodes {
        ServerRef::<S>::at((name, node.as_str())).cast(request.clone());
    }
}

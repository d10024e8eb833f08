//! A call of a `#[remote]` function as a message: [`RemoteCall`].

use std::fmt;

use bytes::Bytes;

use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::{
    Buffer, DecodeError, EncodeError, Encoded, Message, Term, decode_postcard_shared,
    encode_postcard, fingerprint_of,
};
use crate::node::Inner;
use crate::remote::{BoxFuture, RemoteFn};

/// A call of a `#[remote]` function as a message: the process that gets it runs the function, and
/// gets the function's value (Erlang's `{Module, Function, Args}` and `apply/3`).
///
/// With [`spawn_on`](crate::spawn_on), the new process runs the function itself, and its value is
/// dropped. With a `RemoteCall`, a process of the program's own can do something before and after
/// it, such as sending the value back:
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, Pid, RemoteCall, Term, self_pid, send, spawn_on};
/// # use fika_macros::{receive, remote};
/// #[remote(name = "doc::double")]
/// async fn double(n: u64) -> u64 {
///     2 * n
/// }
///
/// #[remote(name = "doc::apply")]
/// async fn apply(call: RemoteCall, to: Pid) {
///     let value: Term = call.run().await.unwrap();
///     send(to, value);
/// }
///
/// # Node::builder().build().unwrap().block_on(async {
/// # let node = fika::self_node().name();
/// let call = RemoteCall::new(&double(21)).unwrap();
/// spawn_on(&node, apply(call, self_pid())).await;
/// receive! { value: Term => assert_eq!(value.get::<u64>(), Some(42)) }
/// # });
/// ```
///
/// A node without the function can't decode a `RemoteCall`. As the argument of a `#[remote]`
/// function, it makes the request fail with [`SpawnError::Notsup`](crate::SpawnError::Notsup), as
/// if the function itself were missing. A call that has arrived on another node can only be run
/// there, and not be sent further.
#[must_use = "a call does nothing until it is sent or run"]
pub struct RemoteCall(State);

enum State {
    /// As it was made.
    Made { name: &'static str, args: Term },
    /// As it has arrived.
    Arrived { name: &'static str, future: BoxFuture },
}

impl RemoteCall {
    /// Makes a call from what a `#[remote]` function returns.
    ///
    /// # Errors
    /// If an argument can't leave this node.
    pub fn new(function: &impl RemoteFn) -> Result<RemoteCall, EncodeError> {
        let (name, args) = (function.name(), function.args()?);
        let text = format!("the arguments of `{name}`");
        Ok(RemoteCall(State::Made { name, args: Term::of_encoded(args, text) }))
    }

    /// Returns the name of the function.
    ///
    /// ```
    /// # extern crate fika_runtime as fika;
    /// # use fika::RemoteCall;
    /// # use fika_macros::remote;
    /// #[remote(name = "shop::greet")]
    /// async fn greet(name: String) {
    ///     println!("hello, {name}");
    /// }
    ///
    /// assert_eq!(RemoteCall::new(&greet("Ann".to_owned()))?.name(), "shop::greet");
    /// # Ok::<(), fika::EncodeError>(())
    /// ```
    #[must_use]
    pub fn name(&self) -> &'static str {
        match &self.0 {
            State::Made { name, .. } | State::Arrived { name, .. } => name,
        }
    }

    /// Runs the function in the calling process, and returns its value.
    ///
    /// # Errors
    /// The exit reason, if the function returns an error. `badarg` if its value can't leave the node.
    ///
    /// # Panics
    /// Outside of a process, and if the function panics.
    pub async fn run(self) -> Result<Term, ExitReason> {
        let name = self.name();
        let future = match self.0 {
            State::Arrived { future, .. } => future,
            State::Made { args, .. } => {
                context::process("RemoteCall::run", |me| {
                    let made = start(me.node, name, args.as_encoded());
                    made.map_err(ExitReason::badarg)
                })?
                .1
            }
        };
        let Some(value) = future.await? else {
            let why = format!("the value of `{name}` is not a message");
            return Err(ExitReason::badarg(why));
        };
        let encoded = value.to_encoded().map_err(ExitReason::badarg)?;
        Ok(Term::of_encoded(encoded, format!("the value of `{name}`")))
    }
}

/// Decodes the arguments, and makes the function's future.
fn start(
    node: &Inner,
    name: &str,
    args: &Encoded,
) -> Result<(&'static str, BoxFuture), DecodeError> {
    let entry = node.functions().get(name).ok_or_else(|| DecodeError::no_function(name))?;
    Ok((entry.name(), (entry.start)(args)?))
}

impl Message for RemoteCall {
    fn tag() -> std::borrow::Cow<'static, str> {
        "fika_runtime::RemoteCall".into()
    }

    fn fingerprint() -> u64 {
        fingerprint_of::<(String, Term)>()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        match &self.0 {
            State::Made { name, args } => encode_postcard(&((*name).to_owned(), args.clone()), out),
            State::Arrived { .. } => {
                let why = "it has come from another node, and can only be run here";
                Err(EncodeError::new::<RemoteCall>(why))
            }
        }
    }

    fn decode(bytes: &Bytes) -> Result<RemoteCall, DecodeError> {
        let (name, args): (String, Term) = decode_postcard_shared(bytes)?;
        let made = context::try_node(|node| start(node, &name, args.as_encoded()));
        let outside = || DecodeError::malformed::<RemoteCall>("it is decoded outside of a node");
        let (name, future) = made.ok_or_else(outside)??;
        Ok(RemoteCall(State::Arrived { name, future }))
    }
}

impl fmt::Debug for RemoteCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteCall({})", self.name())
    }
}

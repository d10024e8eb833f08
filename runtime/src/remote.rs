//! Functions that other nodes may spawn: what `#[remote]` generates for them, and the table of the
//! program's remote functions. `remote_call` has the calls that are messages.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;

use crate::exit_reason::ExitReason;
use crate::message::{Args, DecodeError, EncodeError, Encoded, Envelope, Message};
use crate::outcome::Outcome;

/// A call of a `#[remote]` function that has not started: the function's name and its arguments. It
/// can run in a process here, on another node, or where it is awaited.
///
/// ```
/// # extern crate fika_runtime as fika;
/// # use fika::{Node, Pid, RemoteFn, spawn};
/// # use fika_macros::remote;
/// #[remote(name = "doc::greet")]
/// async fn greet(name: String) {
///     println!("hello, {name}");
/// }
///
/// /// Spawns a function, and says so.
/// fn start(function: impl RemoteFn) -> Pid {
///     println!("{} with {} bytes", function.name(), function.args().unwrap().bytes.len());
///     spawn(function)
/// }
///
/// # Node::builder().build().unwrap().block_on(async {
/// start(greet("Ann".to_owned()));
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot run on another node",
    label = "not a call of a `#[remote]` function",
    note = "other nodes find a function by its name: write `#[remote]` on the `async fn`, and pass \
            a call of it",
    note = "an `async` block or a closure has no name that another node could find: make it a \
            `#[remote]` function whose arguments are what it captures"
)]
#[must_use = "a `#[remote]` function runs when it is spawned or awaited"]
pub trait RemoteFn:
    IntoFuture<Output: Outcome, IntoFuture: Send + 'static> + Send + 'static
{
    /// Returns the function's stable name.
    fn name(&self) -> &'static str;

    /// Encodes the arguments.
    ///
    /// # Errors
    /// If an argument can't leave this node.
    fn args(&self) -> Result<Encoded, EncodeError>;
}

/// The value that a `#[remote]` function returns.
#[derive(Debug, Clone)]
pub struct Remote<A, F> {
    name: &'static str,
    args: A,
    run: F,
}

impl<A, F> Remote<A, F> {
    #[doc(hidden)]
    pub fn new<Fut>(name: &'static str, args: A, run: F) -> Remote<A, F>
    where
        F: FnOnce(A) -> Fut,
        Fut: Future,
    {
        Remote { name, args, run }
    }
}

impl<A, F, Fut> IntoFuture for Remote<A, F>
where
    F: FnOnce(A) -> Fut,
    Fut: Future,
{
    type Output = Fut::Output;
    type IntoFuture = Fut;

    fn into_future(self) -> Fut {
        (self.run)(self.args)
    }
}

impl<A, F, Fut> RemoteFn for Remote<A, F>
where
    A: Args,
    F: FnOnce(A) -> Fut + Send + 'static,
    Fut: Future<Output: Outcome> + Send + 'static,
{
    fn name(&self) -> &'static str {
        self.name
    }

    fn args(&self) -> Result<Encoded, EncodeError> {
        self.args.encoded()
    }
}

/// The future of a remote function, on the node that runs it. Its value is `None` if it has a type
/// that is not a message.
pub type BoxFuture = Pin<Box<dyn Future<Output = Result<Option<Envelope>, ExitReason>> + Send>>;

/// Takes the value out of what a remote function returns.
///
/// # Errors
/// The exit reason, if the function has failed.
#[doc(hidden)]
pub fn ended<O: Outcome>(value: O) -> Result<O::Value, ExitReason> {
    value.into_result()
}

/// A value that a remote function returns. It has a method `into_message` twice: the compiler takes
/// the one here if the value is a message, and else that of [`NotMessage`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Returned<V>(pub V);

impl<V: Message> Returned<V> {
    #[doc(hidden)]
    pub fn into_message(self) -> Option<Envelope> {
        Some(Envelope::new(self.0))
    }
}

/// Drops a value that is not a message.
#[doc(hidden)]
pub trait NotMessage: Sized {
    fn into_message(self) -> Option<Envelope> {
        None
    }
}

impl<V> NotMessage for Returned<V> {}

type StartFn = fn(&Encoded) -> Result<BoxFuture, DecodeError>;

/// An entry in the program's list of remote functions, which the linker makes.
#[derive(Debug)]
pub struct RemoteEntry {
    name: &'static str,
    /// Decodes the arguments, and makes the future.
    pub(crate) start: StartFn,
    /// Where the program defines the function. For a process that another node has spawned, this is
    /// the place where it was spawned.
    pub(crate) site: &'static Location<'static>,
}

impl RemoteEntry {
    #[doc(hidden)]
    #[must_use]
    #[track_caller]
    pub const fn new(name: &'static str, start: StartFn) -> RemoteEntry {
        RemoteEntry { name, start, site: Location::caller() }
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }
}

inventory::collect!(RemoteEntry);

/// The remote functions of the program, by name.
pub(crate) struct Functions(BTreeMap<&'static str, &'static RemoteEntry>);

impl Functions {
    /// Returns the remote functions of the program.
    ///
    /// # Errors
    /// Returns a name that two functions have.
    pub(crate) fn of_program() -> Result<Functions, &'static str> {
        let mut functions = BTreeMap::new();
        for entry in inventory::iter::<RemoteEntry> {
            if functions.insert(entry.name, entry).is_some() {
                return Err(entry.name);
            }
        }
        Ok(Functions(functions))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'static RemoteEntry> {
        self.0.get(name).copied()
    }
}

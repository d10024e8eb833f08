//! A process that keeps a value: [`Agent`].
//!
//! ```
//! use fika::agent::Agent;
//! use fika::prelude::*;
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     let visits = Agent::start_link(Start::name("visits"), || 0_u64).await?;
//!     visits.update(|n| *n += 1).await?;
//!     visits.cast(|n| *n += 1);
//!     assert_eq!(visits.get(|n| *n).await?, 2);
//!
//!     // Another process finds it by its name.
//!     let visits = Agent::<u64>::at("visits");
//!     let before = visits.get_and_update(|n| std::mem::take(n)).await?;
//!     assert_eq!(before, 2);
//!     Ok(())
//! }
//! ```
//!
//! The closures run in the agent's process, one after another. They must not block, and can't wait:
//! a value whose functions wait needs a [server](mod@crate::gen_server).
//!
//! Closures can't be sent to another node. So an agent of another node can't be used:
//! [`get`](Agent::get), [`update`](Agent::update) and [`get_and_update`](Agent::get_and_update)
//! return an error, and [`cast`](Agent::cast) ends the caller with `badarg`.
//!
//! Prior art: Elixir's `Agent`.

use std::any::Any;
use std::fmt;

use fika_macros::Message;
use fika_runtime::Local;

use crate::r#gen::{CallError, Caller, ServerRef, Start, StartError};
use crate::gen_server::{self, Call, Cast, GenServer, HandleCall, HandleCast, Init, Next, Reply};

/// A value that a process of this node keeps (Elixir's `Agent`). Closures read and change it, one
/// after another, in that process.
///
/// The functions for the value panic outside of a process.
///
/// ```
/// use fika::agent::Agent;
/// use fika::prelude::*;
/// use std::collections::HashMap;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let stock = Agent::start_link(Start::new(), HashMap::<String, u64>::new).await?;
///     stock.update(|stock| drop(stock.insert("tea".into(), 7))).await?;
///     let left = stock.get_and_update(|stock| {
///         let tea = stock.entry("tea".into()).or_default();
///         *tea = tea.saturating_sub(2);
///         *tea
///     });
///     assert_eq!(left.await?, 5);
///     stock.server().stop(ExitReason::Normal, secs(5)).await?;
///     Ok(())
/// }
/// ```
pub struct Agent<S>(ServerRef<Keeper<S>>);

/// The server behind an agent.
#[doc(hidden)]
pub struct Keeper<S>(S);

/// Work on the state.
#[doc(hidden)]
#[derive(Message)]
#[message(local)]
pub struct Work<S>(Box<Change<S>>);

type Change<S> = dyn FnOnce(&mut S) -> Box<dyn Any + Send> + Send;

impl<S: Send + 'static> Agent<S> {
    /// Starts an agent on this node that is linked to the caller (Elixir's `Agent.start_link`).
    /// `make` makes the value, in the agent's process.
    ///
    /// # Errors
    /// If the name is taken, or `make` panics.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn start_link(
        opts: Start,
        make: impl FnOnce() -> S + Send + 'static,
    ) -> Result<Agent<S>, StartError> {
        gen_server::start_link(opts, Box::new(make) as Box<dyn FnOnce() -> S + Send>)
            .await
            .map(Agent)
    }

    /// Returns the agent with this pid, or with this name on this node. The compiler can't check
    /// the type of its value: if it is another one, the functions return an error, for which
    /// [`is_unknown_request`](CallError::is_unknown_request) is true.
    ///
    /// # Panics
    /// If the name of a process or of a node is invalid.
    #[must_use]
    #[track_caller]
    pub fn at<'a>(agent: impl Into<fika_runtime::Dest<'a>>) -> Agent<S> {
        Agent(ServerRef::at(agent))
    }

    /// Returns what `read` returns for the value (Elixir's `Agent.get`).
    ///
    /// # Errors
    /// If the agent has ended, can't be reached, or does not reply within five seconds. The agent
    /// ends if `read` panics.
    pub async fn get<A: Send + 'static>(
        &self,
        read: impl FnOnce(&S) -> A + Send + 'static,
    ) -> Result<A, CallError> {
        self.get_and_update(|state| read(state)).await
    }

    /// Changes the value, and returns when it has changed (Elixir's `Agent.update`).
    ///
    /// # Errors
    /// If the agent has ended, can't be reached, or does not reply within five seconds. The agent
    /// ends if `change` panics.
    pub async fn update(
        &self,
        change: impl FnOnce(&mut S) + Send + 'static,
    ) -> Result<(), CallError> {
        self.get_and_update(change).await
    }

    /// Changes the value, and returns what `change` returns (Elixir's `Agent.get_and_update`).
    ///
    /// # Errors
    /// If the agent has ended, can't be reached, or does not reply within five seconds. The agent
    /// ends if `change` panics.
    pub async fn get_and_update<A: Send + 'static>(
        &self,
        change: impl FnOnce(&mut S) -> A + Send + 'static,
    ) -> Result<A, CallError> {
        let Local(value) = self.0.call(work(change)).await?;
        Ok(*value.downcast().expect("the closure returned this type"))
    }

    /// Changes the value later, without waiting for it (Elixir's `Agent.cast`). If the agent has
    /// ended, nothing happens. The agent ends if `change` panics.
    pub fn cast(&self, change: impl FnOnce(&mut S) + Send + 'static) {
        self.0.cast(work(change));
    }

    /// Returns the server behind the agent, to stop it or to look at it by [`sys`](crate::sys).
    #[must_use]
    pub fn server(&self) -> &ServerRef<Keeper<S>> {
        &self.0
    }
}

fn work<S, A: Send + 'static>(change: impl FnOnce(&mut S) -> A + Send + 'static) -> Work<S> {
    Work(Box::new(move |state| Box::new(change(state))))
}

impl<S: Send + 'static> GenServer for Keeper<S> {
    type Args = Box<dyn FnOnce() -> S + Send>;
    type Receives = (Call<Work<S>>, Cast<Work<S>>);

    async fn init(make: Self::Args) -> Init<Self> {
        Init::ok(Keeper(make()))
    }
}

impl<S: Send + 'static> HandleCall<Work<S>> for Keeper<S> {
    type Reply = Local<Box<dyn Any + Send>>;

    async fn handle_call(
        &mut self,
        Work(work): Work<S>,
        _: &mut Caller<'_, Self::Reply>,
    ) -> Reply<Self::Reply> {
        Local(work(&mut self.0)).into()
    }
}

impl<S: Send + 'static> HandleCast<Work<S>> for Keeper<S> {
    async fn handle_cast(&mut self, Work(work): Work<S>) -> Next {
        work(&mut self.0);
        Next::go_on()
    }
}

impl<S> Clone for Agent<S> {
    fn clone(&self) -> Agent<S> {
        Agent(self.0.clone())
    }
}

impl<S> fmt::Debug for Agent<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Agent({})", self.0)
    }
}

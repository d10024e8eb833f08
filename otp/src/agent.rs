//! A process that keeps a value: [`Agent`].
//!
//! Prior art: Elixir's `Agent`.

use std::any::Any;
use std::fmt;

use fika_macros::Message;
use fika_runtime::Local;

use crate::r#gen::{CallError, Caller, ServerRef, Start, StartError};
use crate::gen_server::{self, Call, Cast, GenServer, HandleCall, HandleCast, Init, Next, Reply};

/// A value that a process of this node keeps. Closures read and change it, one after another, in
/// that process.
///
/// ```
/// use fika::agent::Agent;
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let visits = Agent::start_link(Default::default(), || 0_u64).await?;
///     visits.update(|n| *n += 1).await?;
///     visits.cast(|n| *n += 1);
///     assert_eq!(visits.get(|n| *n).await?, 2);
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
    /// Starts an agent that is linked to the caller. `make` makes the value, in the agent's process.
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

    /// Returns the agent with this address.
    ///
    /// # Panics
    /// If the name of a process or of a node is invalid.
    #[must_use]
    #[track_caller]
    pub fn at<'a>(agent: impl Into<fika_runtime::Dest<'a>>) -> Agent<S> {
        Agent(ServerRef::at(agent))
    }

    /// Returns what `read` returns for the value.
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

    /// Changes the value.
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

    /// Changes the value, and returns what `change` returns.
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

    /// Changes the value later, without waiting for it.
    pub fn cast(&self, change: impl FnOnce(&mut S) + Send + 'static) {
        self.0.cast(work(change));
    }

    /// Returns the server behind the agent, to stop it or to look at it.
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

//! The functions that make the requests to a supervisor.

use fika_runtime::{Message, Pid, is_process_alive, self_pid};

use super::engine::command::{
    CountChildren, DeleteChild, EndReply, RestartChild, StartChild, StartReply, TerminateChild,
    WhichChildren,
};
use super::spec::child_error::{ChildError, ChildRef};
use super::spec::child_spec::{ChildCount, ChildId, ChildInfo, ChildSpec};
use super::spec::starter::Started;
use super::{DynamicSupervisor, SimpleSupervisor, Supervises, Supervisor};
use crate::r#gen::{CallError, Request, ServerRef};

async fn ask<S, R: Message, A: Message>(
    supervisor: &ServerRef<S>,
    request: R,
) -> Result<A, CallError> {
    Request::new(supervisor.address(), request).no_timeout().await
}

impl<S: Supervises> ServerRef<S> {
    /// Lists the children, the newest first (OTP's `supervisor:which_children/1`). With very many
    /// children the list is long; [`count_children`](ServerRef::count_children) costs the same for
    /// any number. The supervisor may be on another node.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::supervisor::{self, ChildSpec, SupFlags};
    /// # async fn serve() { std::future::pending().await }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let child = |id| ChildSpec::new(id, || async { spawn_link(serve()) });
    /// let flags = SupFlags::one_for_one();
    /// let top = supervisor::start_link(Start::new(), flags, [child("a"), child("b")]).await?;
    ///
    /// let ids = top.which_children().await?.into_iter().map(|child| child.id.unwrap());
    /// assert_eq!(ids.collect::<Vec<_>>(), ["b", "a"]);
    /// assert_eq!(top.count_children().await?.active, 2);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If there is no such supervisor, it ends before it answers, or its node can't be reached.
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, CallError> {
        ask(self, WhichChildren).await
    }

    /// Counts the children (OTP's `supervisor:count_children/1`). The supervisor may be on another
    /// node.
    ///
    /// # Errors
    /// If there is no such supervisor, it ends before it answers, or its node can't be reached.
    pub async fn count_children(&self) -> Result<ChildCount, CallError> {
        ask(self, CountChildren).await
    }
}

/// The supervisor answers after it has performed the request, which may take long. So these
/// functions have no time limit, as in OTP; [`timeout`](fika_runtime::timeout()) sets one.
impl ServerRef<Supervisor> {
    /// Adds a child and starts it (OTP's `supervisor:start_child/2`). Returns when the child has
    /// started. The supervisor must be on this node, since the specification has a function.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::supervisor::{self, ChildSpec, SupFlags};
    /// # async fn serve() { std::future::pending().await }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let top = supervisor::start_link(Start::new(), SupFlags::one_for_one(), []).await?;
    /// top.start_child(ChildSpec::new("a", || async { spawn_link(serve()) })).await?;
    /// top.terminate_child("a").await?;
    /// top.restart_child("a").await?;
    /// top.terminate_child("a").await?;
    /// top.delete_child("a").await?;
    /// assert_eq!(top.count_children().await?.specs, 0);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the id is taken, the specification does not fit the supervisor, the child does not start,
    /// or the supervisor is ending. Then nothing is stored. [`ChildError::Call`] if there is no such
    /// supervisor on this node, or it ends before it answers.
    pub async fn start_child(&self, child: ChildSpec) -> Result<Started, ChildError> {
        ask::<_, _, StartReply>(self, StartChild(child)).await?
    }

    /// Ends a child (OTP's `supervisor:terminate_child/2`). Its specification stays, unless the
    /// child is temporary. Returns when the child has ended. Meanwhile, the supervisor answers
    /// other requests. Succeeds if the child does not run.
    ///
    /// # Errors
    /// If there is no such child, or the supervisor is ending. [`ChildError::Call`] if the
    /// supervisor does not answer.
    pub async fn terminate_child(&self, id: impl Into<ChildId>) -> Result<(), ChildError> {
        ask::<_, _, EndReply>(self, TerminateChild(ChildRef::Id(id.into()))).await?
    }

    /// Starts a child that does not run (OTP's `supervisor:restart_child/2`).
    ///
    /// # Errors
    /// If there is no such child, it runs or is about to be restarted, or it does not start; or if
    /// the supervisor is ending. [`ChildError::Call`] if the supervisor does not answer.
    pub async fn restart_child(&self, id: impl Into<ChildId>) -> Result<Started, ChildError> {
        ask::<_, _, StartReply>(self, RestartChild(id.into())).await?
    }

    /// Removes the specification of a child that does not run (OTP's `supervisor:delete_child/2`).
    ///
    /// # Errors
    /// If there is no such child, it runs or is about to be restarted, or the supervisor is ending.
    /// [`ChildError::Call`] if the supervisor does not answer.
    pub async fn delete_child(&self, id: impl Into<ChildId>) -> Result<(), ChildError> {
        ask::<_, _, EndReply>(self, DeleteChild(id.into())).await?
    }
}

impl ServerRef<DynamicSupervisor> {
    /// Adds a child and starts it (Elixir's `DynamicSupervisor.start_child`). Its id is not used.
    /// Other requests do not wait for the start. The supervisor must be on this node, since the
    /// specification has a function.
    ///
    /// # Errors
    /// If the child does not start, or the supervisor is ending. Then nothing is stored.
    /// [`ChildError::Call`] if there is no such supervisor on this node, or it ends before it answers.
    pub async fn start_child(&self, child: ChildSpec) -> Result<Started, ChildError> {
        ask::<_, _, StartReply>(self, StartChild(child)).await?
    }

    /// Ends a child and removes it (Elixir's `DynamicSupervisor.terminate_child`). Returns when the
    /// child has ended. Succeeds if it has already ended.
    ///
    /// # Errors
    /// If the process is not a child of this supervisor, and is alive or on another node; or if the
    /// supervisor is ending. [`ChildError::Call`] if the supervisor does not answer.
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), ChildError> {
        terminate_pid(self, pid).await
    }
}

impl<A: Message + Clone> ServerRef<SimpleSupervisor<A>> {
    /// Starts a child of the template with these arguments (OTP's `supervisor:start_child/2`). Other
    /// requests do not wait for the start. The supervisor may be on another node if the arguments
    /// can leave this one.
    ///
    /// # Errors
    /// If the child does not start, or the supervisor is ending. Then nothing is stored.
    /// [`ChildError::Call`] if the supervisor does not answer.
    pub async fn start_child(&self, args: A) -> Result<Started, ChildError> {
        ask::<_, _, StartReply>(self, args).await?
    }

    /// Ends a child and removes it (OTP's `supervisor:terminate_child/2`). Returns when the child
    /// has ended. Succeeds if it has already ended.
    ///
    /// # Errors
    /// If the process is not a child of this supervisor, and is alive or on another node; or if the
    /// supervisor is ending. [`ChildError::Call`] if the supervisor does not answer.
    pub async fn terminate_child(&self, pid: Pid) -> Result<(), ChildError> {
        terminate_pid(self, pid).await
    }
}

async fn terminate_pid<S>(supervisor: &ServerRef<S>, pid: Pid) -> Result<(), ChildError> {
    let ended = ask::<_, _, EndReply>(supervisor, TerminateChild(ChildRef::Pid(pid))).await?;
    match ended {
        Err(ChildError::NotFound { .. })
            if pid.node() == self_pid().node() && !is_process_alive(pid).await =>
        {
            Ok(())
        }
        ended => ended,
    }
}

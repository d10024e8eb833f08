//! Starting supervisors.

use std::future::Future;

use fika_runtime::{ExitReason, Message};

use super::engine::command::NewChild;
use super::engine::run::{Setup, opener, run};
use super::spec::child_spec::{ChildSpec, Template};
use super::spec::flags::{SpecError, SupFlags, check_childspecs};
use super::{DynamicSupervisor, SimpleSupervisor, Supervisor};
use crate::r#gen::start::{address, start as start_process};
use crate::r#gen::{Bond, ServerRef, Start, StartError};

/// Starts a supervisor on this node with these children, linked to the caller (OTP's
/// `supervisor:start_link`). It returns when all children have started, one after the other.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let child = |id| ChildSpec::new(id, || async { spawn_link(serve()) });
/// let flags = SupFlags::one_for_all();
/// let top = supervisor::start_link(Start::name("top"), flags, ["a", "b"].map(child)).await?;
/// top.stop(ExitReason::Normal, secs(5)).await?;       // ends "b", then "a", then the supervisor
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, if the flags or the specifications are invalid ([`SpecError`] as the term
/// of the reason), or if a child does not start
/// ([`FailedToStartChild`](super::FailedToStartChild)). In the last case, the children that have
/// started are ended in reverse order. The caller gets no exit signal.
///
/// # Panics
/// Outside of a process.
pub async fn start_link(
    opts: Start,
    flags: SupFlags,
    children: impl IntoIterator<Item = ChildSpec>,
) -> Result<ServerRef<Supervisor>, StartError> {
    let children: Vec<ChildSpec> = children.into_iter().collect();
    start_link_with(opts, move || async move { Ok((flags, children)) }).await
}

/// Starts a supervisor on this node whose flags and children are made by a function that runs in
/// the supervisor's process (OTP's `init/1`). The supervisor is linked to the caller. The function
/// returns [`StartError::Ignored`] if the supervisor is not needed now.
///
/// ```
/// use fika::gen_server::StartError;
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, SupFlags};
/// # async fn serve() { std::future::pending().await }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let top = supervisor::start_link_with(Start::name("top"), || async {
///     if std::env::var_os("WITHOUT_WORKERS").is_some() {
///         return Err(StartError::Ignored);
///     }
///     let worker = |n: u32| ChildSpec::new(n, || async { spawn_link(serve()) });
///     Ok((SupFlags::one_for_one(), (0..4).map(worker).collect()))
/// })
/// .await?;
/// assert_eq!(top.count_children().await?.active, 4);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the function fails or panics, the name is taken, the flags or the specifications are invalid,
/// or a child does not start. The caller gets no exit signal.
///
/// # Panics
/// Outside of a process.
pub async fn start_link_with<F, Fut>(
    opts: Start,
    init: F,
) -> Result<ServerRef<Supervisor>, StartError>
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<(SupFlags, Vec<ChildSpec>), StartError>> + Send + 'static,
{
    start(opts, async move {
        let (flags, children) = init().await?;
        check_childspecs(&flags, &children).map_err(invalid)?;
        let children = children.into_iter().map(|spec| NewChild {
            id: Some(spec.id),
            start: spec.start,
            opts: spec.opts,
        });
        Ok(Setup { flags, children: children.collect(), keyed: true, opener: None })
    })
    .await
}

/// Starts a supervisor on this node whose children are added by
/// [`start_child`](ServerRef::<DynamicSupervisor>::start_child), and have no ids (Elixir's
/// `DynamicSupervisor.start_link`). The supervisor is linked to the caller. The strategy of the
/// flags is ignored: it is always one for one.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, ChildSpec, Restart, SupFlags};
///
/// async fn session(user: String) {
///     println!("hello {user}");
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let flags = SupFlags::one_for_one();
/// let sessions = supervisor::start_link_dynamic(Start::name("sessions"), flags).await?;
/// for user in ["Ada", "Grace"] {
///     let start = move || async move { spawn_link(session(user.to_owned())) };
///     sessions.start_child(ChildSpec::new(user, start).restart(Restart::Temporary)).await?;
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or the flags are invalid.
///
/// # Panics
/// Outside of a process.
pub async fn start_link_dynamic(
    opts: Start,
    flags: SupFlags,
) -> Result<ServerRef<DynamicSupervisor>, StartError> {
    start(opts, async move { unkeyed(flags, None) }).await
}

/// Starts a supervisor on this node whose children are all started from one template (OTP's
/// `simple_one_for_one`). The supervisor is linked to the caller. The strategy of the flags is
/// ignored: it is always one for one.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{self, SupFlags, Template};
///
/// async fn session(user: String) {
///     println!("hello {user}");
/// }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// let template = Template::new(|user: String| async { spawn_link(session(user)) });
/// let flags = SupFlags::one_for_one();
/// let sessions = supervisor::start_link_simple(Start::name("sessions"), flags, template).await?;
/// let ada = sessions.start_child("Ada".to_owned()).await?.pid().unwrap();
/// sessions.terminate_child(ada).await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// If the name is taken, or the flags are invalid.
///
/// # Panics
/// Outside of a process.
pub async fn start_link_simple<A: Message + Clone>(
    opts: Start,
    flags: SupFlags,
    template: Template<A>,
) -> Result<ServerRef<SimpleSupervisor<A>>, StartError> {
    let opener = opener(template.start, template.opts);
    start(opts, async move { unkeyed(flags, Some(opener)) }).await
}

fn unkeyed(
    flags: SupFlags,
    opener: Option<super::engine::run::Opener>,
) -> Result<Setup, StartError> {
    check_childspecs(&flags, &[]).map_err(invalid)?;
    let flags = SupFlags { strategy: super::Strategy::OneForOne, ..flags };
    Ok(Setup { flags, children: Vec::new(), keyed: false, opener })
}

fn invalid(error: SpecError) -> StartError {
    StartError::Failed(ExitReason::term(error))
}

async fn start<S>(
    opts: Start,
    init: impl Future<Output = Result<Setup, StartError>> + Send + 'static,
) -> Result<ServerRef<S>, StartError> {
    let (name, idle) = (opts.name.clone(), opts.hibernate_after);
    let child_name = name.clone();
    let started = start_process(&opts, Bond::Link, move |ack| run(ack, child_name, idle, init));
    let (pid, ()) = started.await?;
    Ok(ServerRef::from_address(address(name.as_ref(), pid)))
}

//! Several supervisors or servers behind one name: [`Partitions`].

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, ready};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use crossbeam_utils::atomic::AtomicCell;
use fika_runtime::{Name, Node, Pid, self_node};
use parking_lot::Mutex;

use super::spec::child_spec::{ChildSpec, ChildType};
use super::spec::flags::SupFlags;
use super::supervisor_start::start_link_with;
use super::{DynamicSupervisor, Supervisor};
use crate::r#gen::{ServerRef, Start, StartError, Via};

/// Several processes of one kind behind one name, on one node. A key selects one of them. This
/// spreads the requests of very many children, which a single dynamic supervisor would handle one
/// after another. In Elixir, this is a `PartitionSupervisor`.
///
/// ```
/// use fika::prelude::*;
/// use fika::supervisor::{ChildSpec, Partitions, SupFlags};
///
/// async fn session() {
///     receive! { "end" => {} }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let sessions = Partitions::start_link("sessions", 4, SupFlags::one_for_one()).await?;
///     let child = ChildSpec::new("session", || async { spawn_link(session()) });
///     sessions.get("Ada").start_child(child).await?;
///
///     // Another process finds them by their name.
///     let found = Partitions::find("sessions").unwrap();
///     assert_eq!(found.get("Ada").count_children().await?.active, 1);
///     let mut active = 0;
///     for partition in found.iter() {
///         active += partition.count_children().await?.active;
///     }
///     assert_eq!(active, 1);
///     assert_eq!(found.supervisor().count_children().await?.supervisors, 4);
///     Ok(())
/// }
/// ```
pub struct Partitions<S = DynamicSupervisor> {
    group: Arc<Group>,
    kind: PhantomData<fn() -> S>,
}

struct Group {
    name: Name,
    /// The processes. Each enters its pid when it starts.
    pids: Box<[AtomicCell<Option<Pid>>]>,
}

/// The groups of a node.
#[derive(Default)]
struct Groups(Mutex<HashMap<Name, Arc<Group>>>);

/// A group that is found by its name until this is dropped, with its supervisor.
struct Listed {
    node: Node,
    group: Arc<Group>,
}

impl Listed {
    fn new(node: Node, group: Arc<Group>) -> Listed {
        let groups = node.extension_or_init(Groups::default);
        let old = groups.0.lock().insert(group.name.clone(), group.clone());
        drop(old);
        Listed { node, group }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        let Some(groups) = self.node.extension::<Groups>() else { return };
        let mut groups = groups.0.lock();
        // Another group may have the name by now.
        let is_own = |found: &Arc<Group>| Arc::ptr_eq(found, &self.group);
        let own = groups.get(&self.group.name).is_some_and(is_own);
        let removed = own.then(|| groups.remove(&self.group.name));
        drop(groups);
        drop(removed);
    }
}

impl Partitions {
    /// Starts a supervisor with this name, linked to the caller, and below it `count` dynamic
    /// supervisors with these flags.
    ///
    /// # Errors
    /// If the name is taken, or if one of the processes does not start, for example because of
    /// invalid flags.
    ///
    /// # Panics
    /// Outside of a process, and if `count` is zero.
    pub async fn start_link(
        name: impl Into<Name>,
        count: usize,
        flags: SupFlags,
    ) -> Result<Partitions, StartError> {
        let start = move |opts, _| super::start_link_dynamic(opts, flags);
        Partitions::start_link_with(name, count, ChildType::Supervisor, start).await
    }

    /// Returns the dynamic supervisors that were started with this name on this node, while their
    /// supervisor runs. Otherwise `None`.
    ///
    /// # Panics
    /// Outside of a process.
    #[must_use]
    pub fn find(name: impl Into<Name>) -> Option<Partitions> {
        Partitions::find_as(name)
    }
}

impl<S: 'static> Partitions<S> {
    /// Starts a supervisor with this name, linked to the caller, and below it `count` processes.
    /// The function starts one of them: it gets the options that it must use, and the number of the
    /// partition, from zero.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::supervisor::{ChildType, Partitions};
    ///
    /// struct Counter(u64);
    ///
    /// #[gen_server]
    /// impl Counter {
    ///     async fn init(start: u64) -> Self {
    ///         Counter(start)
    ///     }
    ///
    ///     #[call]
    ///     async fn next(&mut self) -> u64 {
    ///         self.0 += 1;
    ///         self.0
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let start = |opts, _| fika::gen_server::start_link::<Counter>(opts, (100,));
    /// Partitions::start_link_with("counters", 4, ChildType::Worker, start).await?;
    ///
    /// let counters = Partitions::<Counter>::find_as("counters").unwrap();
    /// let counter = CounterClient::from(counters.get("a key"));
    /// assert_eq!(counter.next().await?, 101);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// If the name is taken, or if one of the processes does not start, for example because of
    /// invalid flags.
    ///
    /// # Panics
    /// Outside of a process, and if `count` is zero.
    pub async fn start_link_with<F, Fut>(
        name: impl Into<Name>,
        count: usize,
        kind: ChildType,
        start: F,
    ) -> Result<Partitions<S>, StartError>
    where
        F: Fn(Start, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ServerRef<S>, StartError>> + Send + 'static,
    {
        assert!(count > 0, "badarg: a group has at least one partition");
        let pids = (0..count).map(|_| AtomicCell::new(None)).collect();
        let group = Arc::new(Group { name: name.into(), pids });
        let (opts, own) = (Start::name(group.name.clone()), group.clone());
        // This runs in the supervisor, which has the name by then.
        let init = move || async move {
            let shared = Arc::new((Listed::new(self_node(), own), start));
            Ok((SupFlags::one_for_one(), Self::specs(count, kind, &shared)))
        };
        start_link_with(opts, init).await?;
        Ok(Partitions { group, kind: PhantomData })
    }

    /// Specifies the processes of a group. Their start functions keep the group's entry.
    fn specs<F, Fut>(count: usize, kind: ChildType, shared: &Arc<(Listed, F)>) -> Vec<ChildSpec>
    where
        F: Fn(Start, usize) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ServerRef<S>, StartError>> + Send + 'static,
    {
        let specs = (0..count).map(|index| {
            let shared = shared.clone();
            let start = move || {
                let partition = Partition { group: shared.0.group.clone(), index };
                (shared.1)(Start::via(Arc::new(partition)), index)
            };
            match kind {
                ChildType::Supervisor => ChildSpec::supervisor(index, start),
                ChildType::Worker => ChildSpec::new(index, start),
            }
        });
        specs.collect()
    }

    /// Returns the processes of another kind that were started with this name on this node, while
    /// their supervisor runs. Otherwise `None`. The compiler can't check the kind.
    ///
    /// # Panics
    /// Outside of a process.
    #[must_use]
    pub fn find_as(name: impl Into<Name>) -> Option<Partitions<S>> {
        let node = self_node();
        let group = node.extension::<Groups>()?.0.lock().get(&name.into()).cloned()?;
        Some(Partitions { group, kind: PhantomData })
    }

    /// Returns the process that this key selects. A key always selects the same partition, also
    /// after a restart.
    #[must_use]
    pub fn get<K: Hash + ?Sized>(&self, key: &K) -> ServerRef<S> {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        // The remainder is smaller than the number of partitions.
        self.partition((hasher.finish() % self.group.pids.len() as u64) as usize)
    }

    /// Returns all processes, in their order.
    pub fn iter(&self) -> impl Iterator<Item = ServerRef<S>> + '_ {
        (0..self.group.pids.len()).map(|index| self.partition(index))
    }

    /// Returns the supervisor of the processes.
    #[must_use]
    pub fn supervisor(&self) -> ServerRef<Supervisor> {
        ServerRef::at(&self.group.name)
    }

    fn partition(&self, index: usize) -> ServerRef<S> {
        ServerRef::via(Arc::new(Partition { group: self.group.clone(), index }))
    }
}

impl<S> Clone for Partitions<S> {
    fn clone(&self) -> Partitions<S> {
        Partitions { group: self.group.clone(), kind: PhantomData }
    }
}

impl<S> fmt::Debug for Partitions<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Partitions({}, {})", self.group.name, self.group.pids.len())
    }
}

/// The name of one of the processes. The supervisor starts a new process only after the old one has
/// ended, so the name is never taken.
struct Partition {
    group: Arc<Group>,
    index: usize,
}

impl Via for Partition {
    fn register(&self, pid: Pid) -> Pin<Box<dyn Future<Output = Result<(), Pid>> + Send + '_>> {
        self.group.pids[self.index].store(Some(pid));
        Box::pin(ready(Ok(())))
    }

    fn unregister(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.group.pids[self.index].store(None);
        Box::pin(ready(()))
    }

    fn whereis(&self) -> Option<Pid> {
        self.group.pids[self.index].load()
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.group.name, self.index)
    }
}

//! Names of any type for processes of a node, with values: [`Registry`].
//!
//! ```
//! use fika::agent::Agent;
//! use fika::prelude::*;
//! use fika::registry::{Keys, Registry};
//!
//! #[fika::main]
//! async fn main() -> fika::Result {
//!     // Names: each key belongs to one process.
//!     let carts = Registry::<u64>::new(Keys::Unique);
//!     carts.start_link(Start::name("carts")).await?;
//!     for customer in [7, 8] {
//!         Agent::start_link(Start::via(carts.via(customer)), Vec::<String>::new).await?;
//!     }
//!     let cart = Agent::<Vec<String>>::at(carts.whereis(&7).unwrap());
//!     cart.update(|cart| cart.push("tea".into())).await?;
//!
//!     // Topics: each key belongs to any number of processes.
//!     let topics = Registry::<&str>::new(Keys::Duplicate);
//!     topics.start_link(Start::name("topics")).await?;
//!     topics.register("weather", ()).await?;
//!     assert_eq!(topics.dispatch(&"weather", "rain".to_owned()), 1);
//!     receive! { "rain" => {} }
//!     Ok(())
//! }
//! ```
//!
//! A registry is a table that its handles share, and a process that removes the entries of
//! processes that have ended. Looking up a name takes a shared lock, and sends no message. The
//! table outlives the process: when a supervisor restarts the process, it watches all entries
//! again.
//!
//! Prior art: Elixir's `Registry`.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::pin::Pin as StdPin;
use std::sync::Arc;

use fika_macros::{Message, receive};
use fika_runtime::{
    Down, Message, Object, Pid, Reference, is_process_alive, monitor, self_pid, send,
};
use parking_lot::{Mutex, RwLock};
use serde::{Deserialize, Serialize};

use crate::r#gen::contained::{contained, discard};
use crate::r#gen::start::settle;
use crate::r#gen::{Bond, Start, StartError, Via, start};

/// How many processes may have one key (Elixir's `:keys`).
///
/// ```
/// use fika::prelude::*;
/// use fika::registry::{Keys, Registry};
///
/// # #[fika::main]
/// # async fn main() {
/// let names = Registry::<&str>::new(Keys::Unique);
/// names.register("a", ()).await.unwrap();
/// assert!(names.register("a", ()).await.is_err());
///
/// let topics = Registry::<&str>::new(Keys::Duplicate);
/// topics.register("a", ()).await.unwrap();
/// topics.register("a", ()).await.unwrap();
/// assert_eq!(topics.count(), 2);
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Keys {
    /// One process: the key is its name.
    Unique,
    /// Any number of processes: the key is a topic.
    Duplicate,
}

/// The error of a registration: this process has the key already (Elixir's
/// `{:error, {:already_registered, pid}}`).
///
/// ```
/// use fika::prelude::*;
/// use fika::registry::{AlreadyRegistered, Keys, Registry};
///
/// # #[fika::main]
/// # async fn main() {
/// let names = Registry::<&str>::new(Keys::Unique);
/// names.register("a", ()).await.unwrap();
/// let AlreadyRegistered(holder) = names.register("a", ()).await.unwrap_err();
/// assert_eq!(holder, self_pid());
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("already_registered: {0} has the key")]
pub struct AlreadyRegistered(pub Pid);

/// Names of any type for processes of this node, unique or not, each with a value (Elixir's
/// `Registry`).
///
/// An entry ends with its process. A registry can give a server its name ([`via`](Registry::via)),
/// and deliver messages to all processes of a key ([`dispatch`](Registry::dispatch)). A clone is
/// another handle of the same registry.
///
/// ```
/// use fika::prelude::*;
/// use fika::registry::{Keys, Registry};
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     // The members of rooms, with the number of their messages.
///     let rooms = Registry::<String, u32>::new(Keys::Duplicate);
///     rooms.start_link(Start::new()).await?;
///     let lobby = "lobby".to_owned();
///     rooms.register(lobby.clone(), 0).await?;
///
///     assert_eq!(rooms.dispatch(&lobby, "hello".to_owned()), 1);
///     receive! { text: String => assert_eq!(text, "hello") }
///     assert!(rooms.update_value(&lobby, |messages| *messages += 1));
///     assert_eq!(rooms.lookup(&lobby), [(self_pid(), 1)]);
///     assert_eq!(rooms.keys(self_pid()), [lobby.clone()]);
///
///     rooms.unregister(&lobby);
///     assert_eq!(rooms.whereis(&lobby), None);
///     assert_eq!(rooms.count(), 0);
///     Ok(())
/// }
/// ```
///
/// # On another node
/// A registry has the processes of one node, and only this node can use it: a registry can't be
/// sent.
pub struct Registry<K, V = ()>(Arc<Table<K, V>>);

const SHARDS: usize = 16;

struct Table<K, V> {
    keys: Keys,
    hasher: RandomState,
    shards: [RwLock<HashMap<K, Vec<Entry<V>>>>; SHARDS],
    /// The keys of each process.
    owned: Mutex<BTreeMap<Pid, Vec<K>>>,
    /// The process that removes entries, while it runs.
    cleaner: Mutex<Option<Pid>>,
}

struct Entry<V> {
    pid: Pid,
    value: V,
}

/// Asks the cleaner to watch a process.
#[derive(Serialize, Deserialize, Message)]
#[message(tag = "fika_otp::registry::Watch")]
struct Watch(Pid);

impl<K, V> Registry<K, V>
where
    K: Eq + Hash + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// Returns an empty registry. Entries end with their processes once
    /// [`start_link`](Registry::start_link) has started its process.
    #[must_use]
    pub fn new(keys: Keys) -> Registry<K, V> {
        let shards = std::array::from_fn(|_| RwLock::default());
        let (hasher, owned, cleaner) = Default::default();
        Registry(Arc::new(Table { keys, hasher, shards, owned, cleaner }))
    }

    /// Starts the process that removes the entries of processes that have ended, linked to the
    /// caller. The name in `opts` is the name of that process, and has no meaning for the registry.
    ///
    /// # Errors
    /// If the name in `opts` is taken.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn start_link(&self, opts: Start) -> Result<Pid, StartError> {
        let (registry, name) = (self.clone(), opts.name.clone());
        let started = start(&opts, Bond::Link, |ack| async move {
            let (ack, _listed) = settle(ack, "Registry", name.as_ref()).await;
            *registry.0.cleaner.lock() = Some(self_pid());
            ack.ok(());
            registry.clean().await;
        });
        started.await.map(|(pid, ())| pid)
    }

    /// Removes the entries of processes that end.
    async fn clean(&self) {
        let mut watched: HashMap<Pid, Reference> = HashMap::new();
        let all: Vec<Pid> = self.0.owned.lock().keys().copied().collect();
        for pid in all {
            watched.entry(pid).or_insert_with(|| monitor(pid));
        }
        loop {
            receive! {
                Watch(pid) => {
                    watched.entry(pid).or_insert_with(|| monitor(pid));
                },
                Down { object: Object::Pid(pid), .. } => {
                    watched.remove(&pid);
                    self.remove_all(pid);
                },
                _ => {},
            }
        }
    }

    /// Gives the running process a key, with a value (Elixir's `Registry.register`). With duplicate
    /// keys, a process may have the same key several times.
    ///
    /// # Errors
    /// If keys are unique and a process has this key, which may be the caller.
    ///
    /// # Panics
    /// Outside of a process.
    pub async fn register(&self, key: K, value: V) -> Result<(), AlreadyRegistered> {
        self.register_process(self_pid(), key, value).await
    }

    async fn register_process(&self, pid: Pid, key: K, value: V) -> Result<(), AlreadyRegistered> {
        let mut value = Some(value);
        while let Some(holder) = self.try_register(pid, &key, &mut value) {
            if is_process_alive(holder).await {
                return Err(AlreadyRegistered(holder));
            }
            // The holder has ended, but its entries were not removed yet.
            self.remove_all(holder);
        }
        let cleaner = *self.0.cleaner.lock();
        if let Some(cleaner) = cleaner {
            send(cleaner, Watch(pid));
        }
        Ok(())
    }

    /// Takes the value and registers the process. Returns the holder if the key is taken.
    fn try_register(&self, pid: Pid, key: &K, value: &mut Option<V>) -> Option<Pid> {
        // Copied before anything changes: a key's `clone` may panic.
        let (listed, owned) = (key.clone(), key.clone());
        let mut shard = self.shard(key).write();
        let holder = shard.get(key).and_then(|entries| entries.first());
        if self.0.keys == Keys::Unique
            && let Some(holder) = holder
        {
            return Some(holder.pid);
        }
        let value = value.take()?;
        shard.entry(listed).or_default().push(Entry { pid, value });
        self.0.owned.lock().entry(pid).or_default().push(owned);
        None
    }

    /// Removes a key of the running process (Elixir's `Registry.unregister`). Its other keys stay.
    ///
    /// # Panics
    /// Outside of a process.
    pub fn unregister(&self, key: &K) {
        self.unregister_process(self_pid(), key);
    }

    fn unregister_process(&self, pid: Pid, key: &K) {
        self.remove(pid, key);
        let mut owned = self.0.owned.lock();
        if let Some(keys) = owned.get_mut(&pid) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                owned.remove(&pid);
            }
        }
    }

    fn remove(&self, pid: Pid, key: &K) {
        let mut shard = self.shard(key).write();
        let (mut removed, mut entry) = (Vec::new(), None);
        if let Some(entries) = shard.get_mut(key) {
            removed.extend(entries.extract_if(.., |entry| entry.pid == pid));
            if entries.is_empty() {
                entry = shard.remove_entry(key);
            }
        }
        drop(shard);
        // The lock is released first: dropping a key or a value may run the program's code.
        removed.into_iter().for_each(discard);
        discard(entry);
    }

    fn remove_all(&self, pid: Pid) {
        let keys = self.0.owned.lock().remove(&pid);
        for key in keys.into_iter().flatten() {
            // The other entries are removed even if the code of this key fails.
            let _ = contained(|| self.remove(pid, &key));
            discard(key);
        }
    }

    /// Returns the process that has this key (Elixir's `Registry.whereis_name`); with duplicate
    /// keys, the first one. A process that has just ended may still be in the registry.
    #[must_use]
    pub fn whereis(&self, key: &K) -> Option<Pid> {
        self.shard(key).read().get(key)?.first().map(|entry| entry.pid)
    }

    /// Returns the processes that have this key, with their values, oldest first (Elixir's
    /// `Registry.lookup`).
    #[must_use]
    pub fn lookup(&self, key: &K) -> Vec<(Pid, V)>
    where
        V: Clone,
    {
        let shard = self.shard(key).read();
        let entries = shard.get(key).map(Vec::as_slice).unwrap_or_default();
        entries.iter().map(|entry| (entry.pid, entry.value.clone())).collect()
    }

    /// Changes the value that the running process has for this key (Elixir's
    /// `Registry.update_value`). Returns whether it has the key.
    ///
    /// # Panics
    /// Outside of a process. `change` must not use the registry: it would wait for itself.
    pub fn update_value(&self, key: &K, change: impl FnOnce(&mut V)) -> bool {
        let me = self_pid();
        let mut shard = self.shard(key).write();
        let entries = shard.get_mut(key).map(Vec::as_mut_slice).unwrap_or_default();
        match entries.iter_mut().find(|entry| entry.pid == me) {
            Some(entry) => {
                change(&mut entry.value);
                true
            }
            None => false,
        }
    }

    /// Returns the keys of a process, in the order of their registration (Elixir's
    /// `Registry.keys`).
    #[must_use]
    pub fn keys(&self, pid: Pid) -> Vec<K> {
        self.0.owned.lock().get(&pid).cloned().unwrap_or_default()
    }

    /// Returns the number of entries (Elixir's `Registry.count`).
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.shards.iter().map(|shard| shard.read().values().map(Vec::len).sum::<usize>()).sum()
    }

    /// Sends a message to each process that has this key, and returns their number. In Elixir,
    /// `Registry.dispatch` calls a function for them.
    ///
    /// # Panics
    /// Outside of a process.
    pub fn dispatch<M: Message + Clone>(&self, key: &K, message: M) -> usize {
        let pids: Vec<Pid> = {
            let shard = self.shard(key).read();
            shard.get(key).into_iter().flatten().map(|entry| entry.pid).collect()
        };
        for pid in &pids {
            send(*pid, message.clone());
        }
        pids.len()
    }

    /// Returns a name for [`Start::via`] and [`ServerRef::via`](crate::ServerRef::via) (OTP's
    /// `{via, Registry, {registry, key}}`). An entry that is made by a start has the default value.
    ///
    /// ```
    /// use fika::prelude::*;
    /// use fika::registry::{Keys, Registry};
    ///
    /// struct Room {
    ///     number: u32,
    /// }
    ///
    /// #[gen_server]
    /// impl Room {
    ///     async fn init(number: u32) -> Self {
    ///         Room { number }
    ///     }
    ///
    ///     #[call]
    ///     async fn number(&mut self) -> u32 {
    ///         self.number
    ///     }
    /// }
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let rooms = Registry::<u32>::new(Keys::Unique);
    /// rooms.start_link(Start::new()).await?;
    /// Room::start_link(Start::via(rooms.via(101)), 101).await?;
    ///
    /// let room = Room::via(rooms.via(101));
    /// assert_eq!(room.number().await?, 101);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn via(&self, key: K) -> Arc<dyn Via>
    where
        K: fmt::Debug,
        V: Default,
    {
        Arc::new(Named { registry: self.clone(), key })
    }

    fn shard(&self, key: &K) -> &RwLock<HashMap<K, Vec<Entry<V>>>> {
        &self.0.shards[self.0.hasher.hash_one(key) as usize % SHARDS]
    }
}

/// A key in a registry, as the name of a server.
struct Named<K, V> {
    registry: Registry<K, V>,
    key: K,
}

impl<K, V> Via for Named<K, V>
where
    K: Eq + Hash + Clone + fmt::Debug + Send + Sync + 'static,
    V: Default + Send + Sync + 'static,
{
    fn register(&self, pid: Pid) -> StdPin<Box<dyn Future<Output = Result<(), Pid>> + Send + '_>> {
        Box::pin(async move {
            let registered = self.registry.register_process(pid, self.key.clone(), V::default());
            registered.await.map_err(|AlreadyRegistered(holder)| holder)
        })
    }

    fn unregister(&self) -> StdPin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async { self.registry.unregister(&self.key) })
    }

    fn whereis(&self) -> Option<Pid> {
        self.registry.whereis(&self.key)
    }

    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.key)
    }
}

impl<K, V> Clone for Registry<K, V> {
    fn clone(&self) -> Registry<K, V> {
        Registry(self.0.clone())
    }
}

impl<K, V> fmt::Debug for Registry<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("keys", &self.0.keys).finish_non_exhaustive()
    }
}

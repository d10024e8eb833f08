//! The address of a server: [`ServerRef`].

use std::any::type_name;
use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin as StdPin;
use std::sync::Arc;

use bytes::Bytes;
use fika_runtime::message::{
    Buffer, decode_postcard_shared, encode_postcard, fingerprint_of, generic_tag, generic_tag_hash,
};
use fika_runtime::{
    DecodeError, Dest, EncodeError, Message, Name, NodeName, Pid, Printable, current_node, whereis,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// A name in a registry of the program's choice (OTP's `{via, Module, Name}`).
///
/// [`Registry::via`](crate::registry::Registry::via) makes one. A registry of your own implements this for
/// the pair of itself and the key. The registry itself frees a name when the process that has it
/// ends, for example by a monitor. Names have a meaning on their own node only.
///
/// ```
/// use std::fmt;
/// use std::future::{Future, ready};
/// use std::pin::Pin;
/// use std::sync::{Arc, Mutex};
///
/// use fika::agent::Agent;
/// use fika::gen_server::Via;
/// use fika::prelude::*;
///
/// /// A name that one process has.
/// #[derive(Default)]
/// struct Leader(Mutex<Option<Pid>>);
///
/// impl Via for Leader {
///     fn register(&self, pid: Pid) -> Pin<Box<dyn Future<Output = Result<(), Pid>> + Send + '_>> {
///         let leader = *self.0.lock().unwrap().get_or_insert(pid);
///         Box::pin(ready(if leader == pid { Ok(()) } else { Err(leader) }))
///     }
///
///     fn unregister(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
///         *self.0.lock().unwrap() = None;
///         Box::pin(ready(()))
///     }
///
///     fn whereis(&self) -> Option<Pid> {
///         *self.0.lock().unwrap()
///     }
///
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("the leader")
///     }
/// }
///
/// #[fika::main]
/// async fn main() -> fika::Result {
///     let leader = Arc::new(Leader::default());
///     Agent::start_link(Start::via(leader.clone()), || 0_u64).await?;
///     assert!(leader.whereis().is_some());
///     Ok(())
/// }
/// ```
pub trait Via: Send + Sync + 'static {
    /// Registers the process, which is the running one, under the name.
    ///
    /// # Errors
    /// The process that has the name, if the name is taken.
    fn register(&self, pid: Pid) -> StdPin<Box<dyn Future<Output = Result<(), Pid>> + Send + '_>>;

    /// Removes the name. A process that is registered under the name calls this when its start has
    /// failed.
    fn unregister(&self) -> StdPin<Box<dyn Future<Output = ()> + Send + '_>>;

    /// Returns the process that has the name now. Every use of the name calls this, so it must be
    /// fast, and must not block.
    fn whereis(&self) -> Option<Pid>;

    /// Writes the name for reports.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result;
}

/// The address of a server of type `S`: a pid, a name on this node, a name on another node, or a
/// name in a registry (OTP's `server_ref()`).
///
/// A reference by name stays valid when the server is restarted: each use looks the name up again.
/// A reference is cheap to clone, and can be sent to other processes.
///
/// ```
/// use fika::gen_server::{ServerRef, start_link};
/// use fika::prelude::*;
/// # use fika::gen_server::{Call, Caller, GenServer, HandleCall, Init, Reply};
/// # #[message] struct Add(u64);
/// # struct Counter(u64);
/// # impl GenServer for Counter {
/// #     type Args = u64;
/// #     type Receives = (Call<Add>,);
/// #     async fn init(n: u64) -> Init<Self> { Init::ok(Counter(n)) }
/// # }
/// # impl HandleCall<Add> for Counter {
/// #     type Reply = u64;
/// #     async fn handle_call(&mut self, Add(n): Add, _: &mut Caller<'_, u64>) -> Reply<u64> {
/// #         self.0 += n;
/// #         self.0.into()
/// #     }
/// # }
///
/// # #[fika::main]
/// # async fn main() -> fika::Result {
/// start_link::<Counter>(Start::name("counter"), 0).await?;
///
/// let by_name = ServerRef::<Counter>::at("counter");
/// assert_eq!(by_name.call(Add(1)).await?, 1);
/// let by_pid = ServerRef::<Counter>::pid(by_name.whereis().unwrap());
/// assert_eq!(by_pid.call(Add(1)).await?, 2);
/// let on_node_b = ServerRef::<Counter>::at(("counter", "b@127.0.0.1"));
/// # let _ = on_node_b;
/// # Ok(())
/// # }
/// ```
///
/// # On another node
/// All requests work in the same way. A name on another node ends the process that calls with
/// `badarg` if its own node has no name, since it can reach no other node. A reference by a plain
/// name is sent as the name on the node of the sender. A reference by a name in a registry can't be
/// sent to another node: send the server's pid instead.
pub struct ServerRef<S> {
    to: Address,
    server: PhantomData<fn() -> S>,
}

/// Where a server is.
#[derive(Clone)]
pub(crate) enum Address {
    Pid(Pid),
    Name(Name),
    NameAt(Name, NodeName),
    Via(Arc<dyn Via>),
}

impl<S> ServerRef<S> {
    /// Returns the reference to a process. The compiler can't check that the process is an `S`: a
    /// request that the server does not know fails with
    /// [`CallError::is_unknown_request`](crate::CallError::is_unknown_request).
    #[must_use]
    pub fn pid(pid: Pid) -> ServerRef<S> {
        ServerRef { to: Address::Pid(pid), server: PhantomData }
    }

    /// Returns the reference to a name in a registry (OTP's `{via, Module, Name}`).
    ///
    /// ```
    /// use fika::agent::Agent;
    /// use fika::gen_server::ServerRef;
    /// use fika::prelude::*;
    /// use fika::registry::{Keys, Registry};
    /// use fika::sys;
    ///
    /// # #[fika::main]
    /// # async fn main() -> fika::Result {
    /// let rooms = Registry::<u32>::new(Keys::Unique);
    /// rooms.start_link(Start::new()).await?;
    /// Agent::start_link(Start::via(rooms.via(101)), || "a room".to_owned()).await?;
    ///
    /// let room = ServerRef::<()>::via(rooms.via(101));
    /// assert_eq!(room.whereis(), rooms.whereis(&101));
    /// assert!(!sys::get_status(&room).await?.suspended);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn via(name: Arc<dyn Via>) -> ServerRef<S> {
        ServerRef { to: Address::Via(name), server: PhantomData }
    }

    /// Returns the reference to a pid, to a name on this node, or to a name on another node, such
    /// as `("counter", "b@127.0.0.1")`. The compiler can't check that the process is an `S`.
    ///
    /// # Panics
    /// If the name of a process or of a node is invalid, or for an alias.
    #[must_use]
    #[track_caller]
    pub fn at<'a>(server: impl Into<Dest<'a>>) -> ServerRef<S> {
        let to = match server.into() {
            Dest::Pid(pid) => Address::Pid(pid),
            Dest::Name(name) => Address::Name(name.as_ref().into()),
            Dest::NameAt(name, node) => match node.parse() {
                Ok(node) => Address::NameAt(name.as_ref().into(), node),
                Err(error) => panic!("badarg: {error}"),
            },
            Dest::Alias(_) => panic!("badarg: an alias takes single messages and is not a server"),
        };
        ServerRef { to, server: PhantomData }
    }

    /// Returns the server's current process (OTP's `gen_server:whereis`). `None` for a name that no
    /// process has, and for a name on another node.
    ///
    /// # Panics
    /// Outside of a process, if the reference is a name on this node.
    #[must_use]
    pub fn whereis(&self) -> Option<Pid> {
        self.to.whereis()
    }

    pub(crate) fn address(&self) -> &Address {
        &self.to
    }

    pub(crate) fn from_address(to: Address) -> ServerRef<S> {
        ServerRef { to, server: PhantomData }
    }

    /// Returns this address as the address of a server of another type.
    #[doc(hidden)]
    #[must_use]
    pub fn cast_type<T>(&self) -> ServerRef<T> {
        ServerRef { to: self.to.clone(), server: PhantomData }
    }
}

impl Address {
    pub(crate) fn whereis(&self) -> Option<Pid> {
        match self {
            Address::Pid(pid) => Some(*pid),
            Address::Name(name) => whereis(name),
            Address::NameAt(name, node) => {
                (fika_runtime::self_node().name() == *node).then(|| whereis(name)).flatten()
            }
            Address::Via(via) => via.whereis(),
        }
    }
}

impl Address {
    /// Returns whether the address is a process of this node, or a name that is looked up on this
    /// node.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Address::Pid(pid) => pid.node() == fika_runtime::self_pid().node(),
            Address::NameAt(_, node) => fika_runtime::self_node().name() == *node,
            Address::Name(_) | Address::Via(_) => true,
        }
    }

    /// Returns the destination of a message. `None` if the registry does not know the name.
    pub(crate) fn dest(&self) -> Option<Dest<'static>> {
        match self {
            Address::Pid(pid) => Some(Dest::Pid(*pid)),
            // A send to an unregistered name would end the sender (GS-8).
            Address::Name(name) => whereis(name).map(Dest::Pid),
            Address::NameAt(name, node) => Some(Dest::from((name.clone(), node.clone()))),
            Address::Via(via) => via.whereis().map(Dest::Pid),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Pid(pid) => pid.fmt(f),
            // A peer may have sent the names.
            Address::Name(name) => Printable(name).fmt(f),
            Address::NameAt(name, node) => Printable(Dest::from((name, node))).fmt(f),
            Address::Via(via) => Printable(Shown(&**via)).fmt(f),
        }
    }
}

/// Shows a name in a registry.
struct Shown<'a>(&'a dyn Via);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<S> Clone for ServerRef<S> {
    fn clone(&self) -> ServerRef<S> {
        ServerRef { to: self.to.clone(), server: PhantomData }
    }
}

impl<S> fmt::Debug for ServerRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to, f)
    }
}

impl<S> fmt::Display for ServerRef<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.to, f)
    }
}

/// A server's address as other nodes see it.
#[derive(Serialize, Deserialize)]
enum Sent {
    Pid(Pid),
    NameAt(Name, NodeName),
}

impl<S> Serialize for ServerRef<S> {
    fn serialize<W: Serializer>(&self, to: W) -> Result<W::Ok, W::Error> {
        let sent = match &self.to {
            Address::Pid(pid) => Sent::Pid(*pid),
            Address::NameAt(name, node) => Sent::NameAt(name.clone(), node.clone()),
            Address::Name(name) => {
                let node = current_node().ok_or_else(|| {
                    let why = "a name without a node means a process of the node that sends it: \
                               send it in a process, or use the name with the node's";
                    ser::Error::custom(why)
                })?;
                Sent::NameAt(name.clone(), node.name())
            }
            Address::Via(_) => {
                let why = "a name in a registry has a meaning on its own node only: send the \
                           server's pid";
                return Err(ser::Error::custom(why));
            }
        };
        sent.serialize(to)
    }
}

impl<'de, S> Deserialize<'de> for ServerRef<S> {
    fn deserialize<R: Deserializer<'de>>(from: R) -> Result<ServerRef<S>, R::Error> {
        match Sent::deserialize(from)? {
            Sent::Pid(pid) => Ok(ServerRef::pid(pid)),
            Sent::NameAt(name, _) if !is_registrable(name.as_str()) => {
                Err(de::Error::custom("this is not the name of a process"))
            }
            Sent::NameAt(name, node) => Ok(ServerRef::from_address(Address::NameAt(name, node))),
        }
    }
}

/// Returns whether a process can have this name. A send to an invalid name ends the sender.
fn is_registrable(name: &str) -> bool {
    (1..=Name::BYTES_MAX).contains(&name.len()) && name != "undefined"
}

impl<S: 'static> Message for ServerRef<S> {
    fn tag() -> Cow<'static, str> {
        generic_tag::<Self>(|| format!("fika_otp::ServerRef<{}>", type_name::<S>())).into()
    }

    fn tag_hash() -> u64 {
        generic_tag_hash::<Self>(|| Self::tag().into_owned())
    }

    fn fingerprint() -> u64 {
        fingerprint_of::<Self>()
    }

    fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
        encode_postcard(self, out)
    }

    fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        decode_postcard_shared(bytes)
    }
}

//! `Message` for the types of std and of the runtime.
//!
//! All types of std that serde supports are messages, except those that don't own their value or
//! can be changed while shared: `Rc`, `Weak`, references, cells and locks.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::ffi::{CStr, CString, OsStr, OsString};
use std::hash::{BuildHasher, Hash};
use std::marker::PhantomData;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::num::{
    NonZeroI8, NonZeroI16, NonZeroI32, NonZeroI64, NonZeroI128, NonZeroIsize, NonZeroU8,
    NonZeroU16, NonZeroU32, NonZeroU64, NonZeroU128, NonZeroUsize, Saturating, Wrapping,
};
use std::ops::{Bound, Range, RangeFrom, RangeInclusive, RangeTo};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Buffer, DecodeError, EncodeError, Message, composed_fingerprint, decode_postcard_shared,
    encode_postcard, generic_tag, generic_tag_hash, hash_bytes, hash_tag,
};

/// The two methods that are the same for each type with serde's traits.
macro_rules! by_postcard {
    () => {
        fn encode(&self, out: &mut Buffer) -> Result<(), EncodeError> {
            encode_postcard(self, out)
        }

        fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
            decode_postcard_shared(bytes)
        }
    };
}

/// Implements `Message` for types whose tag also stands for their shape.
macro_rules! plain {
    ($($type:ty = $tag:literal),* $(,)?) => {$(
        impl Message for $type {
            fn tag() -> Cow<'static, str> {
                $tag.into()
            }

            fn tag_hash() -> u64 {
                const { hash_tag($tag) }
            }

            fn fingerprint() -> u64 {
                1
            }

            by_postcard!();
        }
    )*};
}

plain! {
    () = "()", bool = "bool", char = "char", String = "string",
    u8 = "u8", u16 = "u16", u32 = "u32", u64 = "u64", u128 = "u128", usize = "usize",
    i8 = "i8", i16 = "i16", i32 = "i32", i64 = "i64", i128 = "i128", isize = "isize",
    f32 = "f32", f64 = "f64", Duration = "duration", SystemTime = "system_time",
    NonZeroU8 = "nonzero_u8", NonZeroU16 = "nonzero_u16", NonZeroU32 = "nonzero_u32",
    NonZeroU64 = "nonzero_u64", NonZeroU128 = "nonzero_u128", NonZeroUsize = "nonzero_usize",
    NonZeroI8 = "nonzero_i8", NonZeroI16 = "nonzero_i16", NonZeroI32 = "nonzero_i32",
    NonZeroI64 = "nonzero_i64", NonZeroI128 = "nonzero_i128", NonZeroIsize = "nonzero_isize",
    Saturating<u8> = "saturating_u8", Saturating<u16> = "saturating_u16",
    Saturating<u32> = "saturating_u32", Saturating<u64> = "saturating_u64",
    Saturating<usize> = "saturating_usize",
    Saturating<i8> = "saturating_i8", Saturating<i16> = "saturating_i16",
    Saturating<i32> = "saturating_i32", Saturating<i64> = "saturating_i64",
    Saturating<isize> = "saturating_isize",
    IpAddr = "ip_addr", Ipv4Addr = "ipv4_addr", Ipv6Addr = "ipv6_addr",
    SocketAddr = "socket_addr", SocketAddrV4 = "socket_addr_v4", SocketAddrV6 = "socket_addr_v6",
    CString = "c_string", OsString = "os_string", PathBuf = "path",
    Box<str> = "box<str>", Box<CStr> = "box<c_str>", Box<OsStr> = "box<os_str>",
    Box<Path> = "box<path>",
    Arc<str> = "arc<str>", Arc<CStr> = "arc<c_str>", Arc<OsStr> = "arc<os_str>",
    Arc<Path> = "arc<path>",
    Cow<'static, str> = "cow<str>", Cow<'static, CStr> = "cow<c_str>",
    Cow<'static, OsStr> = "cow<os_str>", Cow<'static, Path> = "cow<path>",
    crate::Pid = "pid", crate::Reference = "reference", crate::Name = "name",
    crate::NodeName = "node_name", crate::ExitReason = "exit_reason", super::Term = "term",
    crate::Down = "DOWN", crate::Exit = "EXIT", crate::NodeUp = "nodeup",
    crate::NodeDown = "nodedown", crate::SpawnReply = "spawn_reply",
    crate::BusyDist = "busy_dist",
}

/// Implements `Message` for types that are made of others. The fingerprint is made of theirs.
macro_rules! composed {
    ($([$($bound:tt)*] $type:ty = $kind:literal of $($part:ident),+;)*) => {$(
        impl<$($bound)*> Message for $type {
            fn tag() -> Cow<'static, str> {
                generic_tag::<Self>(|| [$kind, "<", &[$($part::tag()),+].join(","), ">"].concat())
                    .into()
            }

            fn tag_hash() -> u64 {
                generic_tag_hash::<Self>(|| Self::tag().into_owned())
            }

            fn fingerprint() -> u64 {
                composed_fingerprint::<Self>(|| {
                    let mut hash = hash_tag($kind);
                    $(hash = hash_bytes(hash, &$part::fingerprint().to_le_bytes());)+
                    hash
                })
            }

            by_postcard!();
        }
    )*};
}

/// A message that can be part of another: in a tuple, an `Option` or a `Vec`, as an argument of a
/// `#[remote]` function, or in place of a type parameter of a message.
///
/// It is the bound that generic code needs:
///
/// ```
/// use fika_runtime::{Part, Pid, send};
///
/// fn send_twice<T: Part + Clone>(to: Pid, value: T) {
///     send(to, (1_u64, value.clone()));
///     send(to, vec![value]);
/// }
/// ```
///
/// Every [`Message`] with serde's two traits has it, so nothing implements it by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "this cannot be sent to a process",
    note = "write `#[fika::message]` on it; a type parameter needs the bound `fika::message::Part`",
    note = "a message owns its data: send `String` for `&str`, `Vec<T>` for `&[T]`, `Arc<T>` for \
            `Rc<T>`, and what is in a `Cell`, a `RefCell` or a `Mutex`"
)]
pub trait Part: Message + Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Message + Serialize + DeserializeOwned> Part for T {}

composed! {
    [T: Part] Option<T> = "option" of T;
    [T: Part] Box<T> = "box" of T;
    [T: Part] Box<[T]> = "box_list" of T;
    [T: Part + Sync] Arc<T> = "arc" of T;
    [T: Part + Sync] Arc<[T]> = "arc_list" of T;
    [T: Part + Clone + Sync] Cow<'static, T> = "cow" of T;
    [T: Part + Clone + Sync] Cow<'static, [T]> = "cow_list" of T;
    [T: Part] Vec<T> = "list" of T;
    [T: Part] VecDeque<T> = "queue" of T;
    [T: Part] LinkedList<T> = "linked_list" of T;
    [T: Part + Ord] BinaryHeap<T> = "heap" of T;
    [T: Part + Eq + Hash, S: BuildHasher + Default + Send + 'static] HashSet<T, S> = "set" of T;
    [T: Part + Ord] BTreeSet<T> = "ordset" of T;
    [K: Part + Eq + Hash, V: Part, S: BuildHasher + Default + Send + 'static]
        HashMap<K, V, S> = "map" of K, V;
    [K: Part + Ord, V: Part] BTreeMap<K, V> = "ordmap" of K, V;
    [T: Part, E: Part] Result<T, E> = "result" of T, E;
    [T: Part] Reverse<T> = "reverse" of T;
    [T: Part] Wrapping<T> = "wrapping" of T;
    [T: Part] Range<T> = "range" of T;
    [T: Part] RangeInclusive<T> = "range_inclusive" of T;
    [T: Part] RangeFrom<T> = "range_from" of T;
    [T: Part] RangeTo<T> = "range_to" of T;
    [T: Part] Bound<T> = "bound" of T;
    [T: Part] PhantomData<T> = "phantom" of T;
    [A: Part]
        (A,) = "tuple1" of A;
    [A: Part, B: Part]
        (A, B) = "tuple2" of A, B;
    [A: Part, B: Part, C: Part]
        (A, B, C) = "tuple3" of A, B, C;
    [A: Part, B: Part, C: Part, D: Part]
        (A, B, C, D) = "tuple4" of A, B, C, D;
    [A: Part, B: Part, C: Part, D: Part, E: Part]
        (A, B, C, D, E) = "tuple5" of A, B, C, D, E;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part]
        (A, B, C, D, E, F) = "tuple6" of A, B, C, D, E, F;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part]
        (A, B, C, D, E, F, G) = "tuple7" of A, B, C, D, E, F, G;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part, H: Part]
        (A, B, C, D, E, F, G, H) = "tuple8" of A, B, C, D, E, F, G, H;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part, H: Part, I: Part]
        (A, B, C, D, E, F, G, H, I) = "tuple9" of A, B, C, D, E, F, G, H, I;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part, H: Part, I: Part, J: Part]
        (A, B, C, D, E, F, G, H, I, J) = "tuple10" of A, B, C, D, E, F, G, H, I, J;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part, H: Part, I: Part, J: Part, K: Part]
        (A, B, C, D, E, F, G, H, I, J, K) = "tuple11" of A, B, C, D, E, F, G, H, I, J, K;
    [A: Part, B: Part, C: Part, D: Part, E: Part, F: Part, G: Part, H: Part, I: Part, J: Part, K: Part, L: Part]
        (A, B, C, D, E, F, G, H, I, J, K, L) = "tuple12" of A, B, C, D, E, F, G, H, I, J, K, L;
}

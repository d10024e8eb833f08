//! `Message` for the types of std and for the runtime's own values.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{
    Buffer, DecodeError, EncodeError, Message, decode_postcard_shared, encode_postcard, hash_bytes,
    hash_tag,
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

/// A type whose tag stands for its shape as well.
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
    f32 = "f32", f64 = "f64", Duration = "duration",
    crate::Pid = "pid", crate::Reference = "reference", crate::Name = "name",
    crate::NodeName = "node_name", crate::ExitReason = "exit_reason", super::Term = "term",
    crate::Down = "DOWN", crate::Exit = "EXIT", crate::NodeUp = "nodeup",
    crate::NodeDown = "nodedown", crate::SpawnReply = "spawn_reply",
    crate::BusyDist = "busy_dist",
}

/// A type that is made of others: its fingerprint is made of theirs.
macro_rules! composed {
    ($([$($bound:tt)*] $type:ty = $kind:literal of $($part:ident),+;)*) => {$(
        impl<$($bound)*> Message for $type {
            fn tag() -> Cow<'static, str> {
                [$kind, "<", &[$($part::tag()),+].join(","), ">"].concat().into()
            }

            fn fingerprint() -> u64 {
                let mut hash = hash_tag($kind);
                $(hash = hash_bytes(hash, &$part::fingerprint().to_le_bytes());)+
                hash
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
    note = "write `#[derive(Message, Serialize, Deserialize)]` on it; a type parameter needs the \
            bound `fika::Part`",
    note = "a message owns its data: send a `String` for a `&str`, a `Vec<T>` for a `&[T]`"
)]
pub trait Part: Message + Serialize + DeserializeOwned {}
#[diagnostic::do_not_recommend]
impl<T: Message + Serialize + DeserializeOwned> Part for T {}

composed! {
    [T: Part] Option<T> = "option" of T;
    [T: Part] Box<T> = "box" of T;
    [T: Part] Vec<T> = "list" of T;
    [T: Part] VecDeque<T> = "queue" of T;
    [T: Part + Eq + Hash] HashSet<T> = "set" of T;
    [T: Part + Ord] BTreeSet<T> = "ordset" of T;
    [K: Part + Eq + Hash, V: Part] HashMap<K, V> = "map" of K, V;
    [K: Part + Ord, V: Part] BTreeMap<K, V> = "ordmap" of K, V;
    [T: Part, E: Part] Result<T, E> = "result" of T, E;
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

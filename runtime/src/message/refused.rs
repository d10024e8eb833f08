//! What serde takes and a message is not: things that are shared, borrowed, or stay on their
//! thread. They have an implementation of `Message` that holds for none of them, so that the
//! compiler says what to do instead.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Mutex, RwLock, Weak};

use bytes::Bytes;

use super::{Buffer, DecodeError, EncodeError, Message};

/// Never holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "an `Rc` stays on its thread",
    note = "use an `Arc`, which can be sent to any process: to another node goes what is in it"
)]
pub trait CountsForItsThread: Send {}

/// Never holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "this can be changed by others while it is sent",
    note = "send the value that is in it; or share it with processes of this node only, by \
            `Local(Arc::new(..))`"
)]
pub trait IsShared: Send {}

/// Never holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "a message owns its data, since it leaves its sender",
    note = "send `String` for `&str`, `Vec<T>` for `&[T]`, `T` for `&T`; or share it by an `Arc`"
)]
pub trait IsBorrowed: Send {}

/// Never holds.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a message",
    label = "what this refers to does not go along",
    note = "send the `Arc`"
)]
pub trait OwnsNothing: Send {}

macro_rules! refused {
    ($($why:ident: $([$($bound:tt)*] $type:ty),+;)*) => {$($(
        impl<$($bound)*> Message for $type
        where
            $type: $why,
        {
            fn tag() -> Cow<'static, str> {
                "".into()
            }

            fn fingerprint() -> u64 {
                0
            }

            fn encode(&self, _: &mut Buffer) -> Result<(), EncodeError> {
                Err(EncodeError::new::<Self>("it is no message"))
            }

            fn decode(_: &Bytes) -> Result<Self, DecodeError> {
                Err(DecodeError::malformed::<Self>("it is no message"))
            }
        }
    )+)*};
}

refused! {
    CountsForItsThread: [T: ?Sized + 'static] Rc<T>, [T: ?Sized + 'static] std::rc::Weak<T>;
    IsShared: [T: 'static] Cell<T>, [T: 'static] RefCell<T>, [T: 'static] Mutex<T>,
        [T: 'static] RwLock<T>;
    IsBorrowed: [T: ?Sized] &'static T, [T: ?Sized] &'static mut T;
    OwnsNothing: [T: ?Sized + 'static] Weak<T>;
}

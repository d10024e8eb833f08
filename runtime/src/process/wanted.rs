//! The type of the messages that an arm of `receive!` takes, where only the compiler knows it.

use std::fmt;
use std::marker::PhantomData;

use super::receive::{Opened, Receive};
use crate::message::{Envelope, Message};

/// Messages of type `M` are wanted. `M` may be inferred: from the pattern that a message is
/// matched with after it was opened.
pub struct Wanted<M>(PhantomData<fn() -> M>);

/// Begins to ask for messages of one type.
#[must_use]
pub const fn wanted<M: Message>() -> Wanted<M> {
    Wanted(PhantomData)
}

/// Whether the message is a wanted one.
#[must_use]
#[inline]
pub fn is_wanted<M: Message>(_: Wanted<M>, message: &Envelope) -> bool {
    message.is::<M>()
}

/// Opens the message, if it is a wanted one.
#[inline]
pub fn open_wanted<M: Message>(
    _: Wanted<M>,
    receive: &mut Receive,
    message: Envelope,
) -> Opened<M> {
    receive.open(message)
}

impl<M> Clone for Wanted<M> {
    fn clone(&self) -> Wanted<M> {
        *self
    }
}

impl<M> Copy for Wanted<M> {}

impl<M> fmt::Debug for Wanted<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wanted<{}>", std::any::type_name::<M>())
    }
}

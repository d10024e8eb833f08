//! The type of the messages that an arm of `receive!` takes, if only the compiler knows it.

use std::marker::PhantomData;

use super::selective::{Opened, Receive};
use crate::message::{Envelope, Message};

/// Selects messages of type `M`. The compiler may infer `M` from the pattern that an opened message
/// is matched with.
pub struct Wanted<M>(PhantomData<fn() -> M>);

/// Returns the selector for messages of type `M`.
#[must_use]
pub const fn wanted<M: Message>() -> Wanted<M> {
    Wanted(PhantomData)
}

/// Returns whether the message has the selected type.
#[must_use]
#[inline]
pub fn is_wanted<M: Message>(_: Wanted<M>, message: &Envelope) -> bool {
    message.is::<M>()
}

/// Opens the message, if it has the selected type.
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

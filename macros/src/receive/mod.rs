//! `receive!`: a selective receive that reads like a `match`.
//!
//! The arms are read in [`arm`], the messages that each of them takes and the names that
//! it binds come from its pattern in [`pattern`], its guard is checked in [`guard`], and
//! [`expand`] writes the loop. The mailbox, the save point and the timer are the runtime's
//! business: what is emitted asks for the next message of a wanted type, until an arm
//! takes one.

mod arm;
mod expand;
mod guard;
mod pattern;

use proc_macro2::TokenStream;

/// The expansion of `receive! { input }`.
pub(crate) fn receive(input: TokenStream) -> syn::Result<TokenStream> {
    Ok(expand::expand(&syn::parse2(input)?))
}

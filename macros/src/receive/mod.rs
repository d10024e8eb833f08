//! `receive!`: a selective receive that reads like a `match`.
//!
//! [`arm`] parses the arms. [`pattern`] finds out which messages each arm takes and which names it
//! binds. [`guard`] checks the guards. [`expand`] emits the loop. The runtime is responsible for
//! the mailbox, the save point and the timer. The emitted code asks it for the next message of a
//! wanted type, until an arm takes one.

mod arm;
mod expand;
mod guard;
mod pattern;

use proc_macro2::TokenStream;

/// Expands `receive! { input }`.
pub(crate) fn receive(input: TokenStream) -> syn::Result<TokenStream> {
    Ok(expand::expand(&syn::parse2(input)?))
}

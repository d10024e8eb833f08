//! Stable names: what a type or a function is called on the wire.
//!
//! A name has the package in it and not the module, so that moving an item within its
//! package changes nothing for the nodes that still run the program of yesterday.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

/// The item's name with that of the package which it is compiled in.
pub(crate) fn package_and(item: &Ident) -> TokenStream {
    let item = item.unraw().to_string();
    quote!(::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", #item))
}

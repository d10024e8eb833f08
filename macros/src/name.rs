//! Stable names of types and functions on the wire.
//!
//! A name includes the package but not the module. So moving an item within its package changes
//! nothing for nodes that still run an older version of the program.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;

/// Returns the item's name, prefixed with the name of the package that is being compiled.
pub(crate) fn package_and(item: &Ident) -> TokenStream {
    let item = item.unraw().to_string();
    quote!(::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", #item))
}

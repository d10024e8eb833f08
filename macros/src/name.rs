//! Stable names of types and functions on the wire.
//!
//! A name includes the package but not the module. So moving an item within its package changes
//! nothing for nodes that still run an older version of the program.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser as _};
use syn::{Error, LitStr, Path, Result, Token};

use crate::fika_path;

/// Returns the item's name, prefixed with the name of the package that is being compiled.
pub(crate) fn package_and(item: &Ident) -> TokenStream {
    let item = item.unraw().to_string();
    quote!(::core::concat!(::core::env!("CARGO_PKG_NAME"), "::", #item))
}

/// The settings of an attribute that names an item, both optional: a name that stays when the item
/// or the package is renamed, and the path of fika.
#[derive(Default)]
pub(crate) struct Settings {
    name: Option<LitStr>,
    pub(crate) fika: Option<Path>,
}

/// How an attribute spells its setting for the name, and its errors.
pub(crate) struct Spelling {
    /// The setting for the name.
    pub(crate) key: &'static str,
    /// The error about anything that is not a setting.
    pub(crate) known: &'static str,
    /// The error about an empty name.
    pub(crate) empty: &'static str,
}

impl Settings {
    /// Parses the settings, such as `name = "shop::price"` and `crate = "shop::fika"`.
    pub(crate) fn parse(args: TokenStream, spelling: &Spelling) -> Result<Settings> {
        (|input: ParseStream<'_>| Settings::parse_all(input, spelling)).parse2(args)
    }

    fn parse_all(input: ParseStream<'_>, spelling: &Spelling) -> Result<Settings> {
        let Spelling { key: name_key, known, empty } = *spelling;
        let mut settings = Settings::default();
        while !input.is_empty() {
            let key = input.call(Ident::parse_any);
            let key = key.map_err(|error| Error::new(error.span(), known))?;
            if key == "crate" && settings.fika.is_none() {
                settings.fika = Some(fika_path::parse_value(input)?);
            } else if key == name_key && settings.name.is_none() {
                input.parse::<Token![=]>()?;
                let name: LitStr = input.parse()?;
                if name.value().is_empty() {
                    return Err(Error::new(name.span(), empty));
                }
                settings.name = Some(name);
            } else {
                return Err(Error::new(key.span(), known));
            }
            if !input.is_empty() && input.parse::<Token![,]>().is_err() {
                return Err(input.error(known));
            }
        }
        Ok(settings)
    }

    /// Returns the name on the wire of this item.
    pub(crate) fn name_of(&self, item: &Ident) -> TokenStream {
        self.name.as_ref().map_or_else(|| package_and(item), |name| quote!(#name))
    }
}

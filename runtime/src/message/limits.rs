//! The limits of a value that goes to another node or comes from one.
//!
//! postcard has no limits. `encoder` and `decoder` check these, so a value that a receiver would
//! refuse is an error at its sender.

use std::borrow::Cow;
use std::fmt;

use crate::printable::{Printable, printable};

/// The deepest nesting of options, enums, lists and maps. A type can only recurse through one of
/// these, so this bounds the stack that a value takes.
pub(super) const DEPTH_MAX: u32 = 64;

/// Why a value is not encoded, or bytes are not decoded.
#[derive(Debug)]
pub(super) struct Refused(Cow<'static, str>);

impl Refused {
    pub(super) const TOO_DEEP: Refused =
        Refused(Cow::Borrowed("more than 64 options, enums, lists and maps are nested"));

    /// Each item would cost the receiver time, and the sender not a byte.
    pub(super) const ITEMS_OF_NO_BYTES: Refused =
        Refused(Cow::Borrowed("a list or map has items without bytes"));

    pub(super) const MORE_ITEMS_THAN_BYTES: Refused =
        Refused(Cow::Borrowed("a list or map has more items than bytes"));

    pub(super) const NOT_SELF_DESCRIBING: Refused =
        Refused(Cow::Borrowed("the type asks what comes next, which the bytes do not say"));

    /// The plain form can't represent the value, but the described form may.
    pub(super) const NEEDS_DESCRIPTION: Refused = Refused(Cow::Borrowed(
        "a field is left out, or the length of a list is not known in advance",
    ));

    pub(super) const DESCRIBED_TOO_DEEP: Refused =
        Refused(Cow::Borrowed("more than 256 values are nested"));

    pub(super) const CUT_OFF: Refused = Refused(Cow::Borrowed("it is cut off"));

    pub(super) const UNKNOWN_KIND: Refused = Refused(Cow::Borrowed("an unknown kind of value"));

    pub(super) const UNKNOWN_NAME: Refused = Refused(Cow::Borrowed("a name that was not sent"));

    pub(super) const NOT_ALL_READ: Refused =
        Refused(Cow::Borrowed("its `Deserialize` reads fewer values than its `Serialize` writes"));

    pub(super) const FEWER_FIELDS: Refused =
        Refused(Cow::Borrowed("its `Deserialize` reads more values than its `Serialize` writes"));

    pub(super) const NOT_READ: Refused = Refused(Cow::Borrowed(
        "it is sent under a name that its `Deserialize` does not read: give `rename` the same \
         name for both, and write `skip` instead of `skip_deserializing`",
    ));

    pub(super) fn new(why: impl Into<Cow<'static, str>>) -> Refused {
        Refused(why.into())
    }

    /// Returns the error for bytes after the end of the value.
    #[cold]
    pub(super) fn too_many_bytes(count: usize) -> Refused {
        Refused::new(format!("too many bytes: {count}"))
    }

    /// Adds the name of the struct to an error about a missing field.
    #[cold]
    pub(super) fn missing_in(self, name: &str) -> Refused {
        match self.0.strip_prefix("missing field `").and_then(|field| field.strip_suffix('`')) {
            Some(field) => Refused(format!("missing field `{field}` of `{name}`").into()),
            None => self,
        }
    }

    /// Adds the part of the value where the error occurred. A receiver may log it, so text from a
    /// peer is escaped and limited in length.
    #[cold]
    pub(super) fn within(self, what: &str, name: &str, of: &str) -> Refused {
        let short = |name: &str| Printable(name.chars().take(64).collect::<String>());
        let of = if of.is_empty() { String::new() } else { format!(" of `{}`", short(of)) };
        let why = self.0.chars().take(1024).collect::<String>();
        Refused(format!("{what} `{}`{of}: {why}", short(name)).into())
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(why: T) -> Refused {
        // The text may quote what a peer has sent, at any length.
        Refused(printable(why).into())
    }
}

impl serde::ser::Error for Refused {
    fn custom<T: fmt::Display>(why: T) -> Refused {
        Refused(why.to_string().into())
    }
}

impl From<postcard::Error> for Refused {
    fn from(error: postcard::Error) -> Refused {
        Refused(error.to_string().into())
    }
}

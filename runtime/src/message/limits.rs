//! What a value that goes to another node, or comes from one, may look like. postcard itself
//! knows no limits; `encoder` and `decoder` keep these, so that a value which a receiver would
//! refuse is an error at its sender.

use std::borrow::Cow;
use std::fmt;

use crate::printable::printable;

/// Options, enums, lists and maps inside each other. No type can go on inside itself but by
/// one of these, so this bounds the stack that a value takes.
pub(super) const DEPTH_MAX: u32 = 64;

/// Why a value is not encoded, or bytes are not decoded.
#[derive(Debug)]
pub(super) struct Refused(Cow<'static, str>);

impl Refused {
    pub(super) const TOO_DEEP: Refused =
        Refused(Cow::Borrowed("more than 64 options, enums, lists and maps are inside each other"));

    /// Each would cost a receiver time, and none of them a sender a byte.
    pub(super) const ITEMS_OF_NO_BYTES: Refused =
        Refused(Cow::Borrowed("a list or map has items of no bytes"));

    pub(super) const MORE_ITEMS_THAN_BYTES: Refused =
        Refused(Cow::Borrowed("a list or map of more items than there are bytes"));

    pub(super) const NOT_SELF_DESCRIBING: Refused =
        Refused(Cow::Borrowed("the bytes do not say what they are, and the type wants to know"));

    pub(super) const UNKNOWN_LENGTH: Refused =
        Refused(Cow::Borrowed("the length of a list or map is not known ahead"));
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl serde::de::Error for Refused {
    fn custom<T: fmt::Display>(why: T) -> Refused {
        // It may quote what a peer has sent, at any length.
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

//! The state of a server as text, for servers that `#[gen_server]` makes.

use std::any::type_name;
use std::fmt::Debug;

/// A server whose state is written for reports. With `Debug`, the method of the type writes the
/// state; without it, the call means the method of [`NoDebug`], which writes the type's name.
pub struct State<'a, S>(pub &'a S);

impl<S: Debug> State<'_, S> {
    /// Returns the beginning of the state's text.
    #[must_use]
    pub fn format(&self) -> String {
        fika_runtime::printable(format_args!("{:?}", self.0))
    }
}

/// A state that can't be written.
pub trait NoDebug {
    /// Returns the name of the server's type.
    fn format(&self) -> String;
}

impl<S> NoDebug for State<'_, S> {
    fn format(&self) -> String {
        format!("a `{}`", type_name::<S>())
    }
}

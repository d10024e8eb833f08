//! A request to spawn a function that does not exist.

use std::future::{Ready, ready};

use fika::message::{EncodeError, Encoded};
use fika::process::RemoteFn;

/// A call of a function that no program has.
pub(crate) struct Unknown;

impl IntoFuture for Unknown {
    type Output = ();
    type IntoFuture = Ready<()>;

    fn into_future(self) -> Ready<()> {
        ready(())
    }
}

impl RemoteFn for Unknown {
    fn name(&self) -> &'static str {
        "test::no_such_function"
    }

    fn args(&self) -> Result<Encoded, EncodeError> {
        Encoded::new(&())
    }
}

//! Calls of the program's own code where a panic must go no further.

use super::panic::reason_of;
use crate::contain::catch_payload;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::report;
use crate::report::Cut;

/// Runs a piece of a process. A panic becomes an exit reason.
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, ExitReason> {
    catch_payload(work).map_err(reason_of)
}

/// Runs code that may drop the program's values, such as messages. A panic of a destructor, which
/// can't be attributed to a process here, is caught and reported.
pub(crate) fn contain(work: impl FnOnce()) {
    contain_call("a destructor", work);
}

/// Drops values of the program one at a time. Two destructors that panic in one drop would end the
/// program.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(|value| contain(|| drop(value)));
}

/// Calls code of the program on a thread of the runtime. A panic, which can't be attributed to a
/// process here, is caught and reported. `what` names the code.
#[doc(hidden)]
pub fn contain_call(what: &str, work: impl FnOnce()) {
    let Err(reason) = catch(work) else { return };
    let tell = |left_out: Option<u64>| {
        report!(error, reason = %Cut(&reason), left_out, "{what} panicked");
    };
    // This may be a thread of the program, without a node.
    let told = context::try_node(|node| node.logs.panics.line(node.env.now(), tell));
    told.unwrap_or_else(|| tell(None));
}

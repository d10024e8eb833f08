//! Reports a process that ended by an error: it panicked, its future returned an `Err`, or a call
//! raised an error such as `badarg`. Ends by `exit` or by exit signals are not reported.
//!
//! `#[fika::main]` prints why its process ended. So the report of that process goes only to a
//! subscriber, and is not printed a second time.

use std::sync::Arc;

use crate::exit_reason::{ExitReason, PanicReason};
use crate::name::Name;
use crate::printable::Printable;
use crate::process::core::Running;
use crate::report;
use crate::report::Cut;

/// The facts of a report besides the reason. Taken while the process still has its name.
pub(super) struct Crash<'a> {
    me: Running<'a>,
    name: Option<Name>,
    label: Option<Arc<str>>,
    is_main: bool,
}

impl<'a> Crash<'a> {
    pub(in crate::process) fn of(me: Running<'a>) -> Crash<'a> {
        let is_main = me.control.extras_if_any().is_some_and(|extras| extras.is_main.get());
        let name = me.node.registry.name_of(me.pid());
        Crash { me, name, label: me.control.label(), is_main }
    }

    pub(in crate::process) fn report(&self, reason: &ExitReason) {
        if self.is_main && !report::has_subscriber() {
            return;
        }
        let Running { control, node } = self.me;
        node.logs.crashes.line(node.env.now(), |left_out| {
            let (pid, spawned) = (control.pid, control.site);
            let name = self.name.as_ref().map(Name::as_str);
            let label = self.label.as_deref().map(Cut).map(tracing::field::display);
            let parent = control.parent.map(tracing::field::display);
            match reason {
                ExitReason::Panic(panic) => {
                    let PanicReason { message, location } = &**panic;
                    // The panic may have happened in a process of another node.
                    let (message, at) =
                        (Printable(message), Printable(location.as_deref().unwrap_or("?")));
                    report!(
                        error, %pid, name, label, panicked = %Cut(&message), %at, %spawned, parent,
                        left_out, "a panic ended a process"
                    );
                }
                _ => {
                    let reason = Cut(reason);
                    report!(
                        error, %pid, name, label, %reason, %spawned, parent, left_out,
                        "an error ended a process"
                    );
                }
            }
        });
    }
}

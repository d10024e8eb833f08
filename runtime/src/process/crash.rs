//! The report of a process that ended by an error of its own: by a panic, or because a call
//! raised one, such as `badarg`. Ends by `exit` and by exit signals are not reported.

use std::sync::Arc;

use super::control::Running;
use super::exit::report;
use crate::exit_reason::{ExitReason, PanicReason};
use crate::name::Name;

/// What is said besides the reason. Taken while the process still has its name.
pub(super) struct Crash<'a> {
    me: Running<'a>,
    name: Option<Name>,
    label: Option<Arc<str>>,
}

impl<'a> Crash<'a> {
    pub(super) fn of(me: Running<'a>) -> Crash<'a> {
        Crash { me, name: me.node.registry.name_of(me.pid()), label: me.control.label() }
    }

    pub(super) fn report(&self, reason: &ExitReason) {
        let (pid, spawned) = (self.me.pid(), self.me.control.site);
        let name = self.name.as_ref().map(Name::as_str);
        let label = self.label.as_deref();
        let parent = self.me.control.parent.map(tracing::field::display);
        report(|| match reason {
            ExitReason::Panic(panic) => {
                let PanicReason { message, location } = &**panic;
                let at = location.as_deref().unwrap_or("?");
                tracing::error!(
                    %pid, name, label, panicked = %message, %at, %spawned, parent,
                    "a panic ended a process"
                );
            }
            _ => tracing::error!(
                %pid, name, label, %reason, %spawned, parent, "an error ended a process"
            ),
        });
    }
}

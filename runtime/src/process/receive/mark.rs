//! References whose place in the mailbox is marked: a receive that waits for one of them need not
//! look at the messages that were there before.

use crate::process::core::Running;
use crate::reference::Reference;

/// Makes a reference, and marks its place in the mailbox.
pub(in crate::process) fn make_marked_ref(me: Running<'_>) -> Reference {
    let reference = me.node.make_ref();
    mark(me, reference);
    reference
}

/// Makes a reference that leads to this process, and marks its place in the mailbox.
pub(in crate::process) fn make_marked_alias_ref(me: Running<'_>) -> Reference {
    let reference = me.node.make_alias_ref(me.pid().local().slot);
    mark(me, reference);
    reference
}

fn mark(me: Running<'_>, reference: Reference) {
    if let Some(me) = me.unless_ending() {
        me.take_signals_aside();
    }
    me.control.mark(reference);
}

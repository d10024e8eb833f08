//! A process as the asker of answers; see `oneshot`.
//!
//! Each answer that is asked for has a waker of its asker. A process keeps the waker of an answer that
//! it has got for the next one, since counting a waker writes to a count that all processes of its
//! chunk share.

use std::task::Waker;

use super::control::Running;
use crate::context;
use crate::oneshot::{Asker, Local};

/// Wakes the processes of the node that the thread works for. The node, and so its slots, exist as
/// long as the thread works for it.
static LOCAL: Local = Local {
    has: |waker, slot| {
        let is_it = context::try_node(|node| {
            node.table.get_any(slot).is_some_and(|slot| slot.waker().data() == waker.data())
        });
        is_it.unwrap_or(false)
    },
    wake: |slot| {
        context::try_node(|node| {
            node.table.get_any(slot).into_iter().for_each(|slot| slot.wake(slot.queue.notify()));
        });
    },
};

impl Running<'_> {
    /// Returns the process as an asker.
    pub(in crate::process) fn asker(self) -> Asker {
        let slot = self.control.slot;
        let kept = self.control.extras_if_any().and_then(|extras| extras.asker.take());
        let waker = kept.unwrap_or_else(|| Waker::clone(&slot.waker()));
        Asker { waker, slot: self.pid().local().slot, local: &LOCAL }
    }

    /// Keeps the waker of an answer that came, for the next request.
    pub(in crate::process) fn keep_asker(self, asker: Asker) {
        if self.control.is_own_waker(&asker.waker)
            && let Some(extras) = self.control.extras_if_any()
        {
            extras.asker.set(Some(asker.waker));
        }
    }
}

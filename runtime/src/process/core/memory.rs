//! How many bytes the runtime has for a process.

use super::control::{Running, SlotRef};
use super::extras::Extras;
use super::rare::Rare;

impl Running<'_> {
    /// Its slot, its control block and state, what is behind pointers of the runtime, and its
    /// mailbox. What the program's own values have on the heap is not known here.
    pub(in crate::process) fn memory(self) -> usize {
        let control = self.control;
        let rare = control.rare_if_any().map_or(0, |_| size_of::<Rare>());
        let extras = control.extras_if_any().map_or(0, |extras| {
            size_of::<Extras>()
                + extras.label.borrow().as_ref().map_or(0, |label| label.len())
                + extras.dictionary.borrow().memory()
        });
        let relations = control.view(|relations| relations.memory());
        let mut messages = 0;
        control.each_message(|message| messages += message.memory());
        SlotRef::BYTES + control.size as usize + rare + extras + relations + messages
    }
}

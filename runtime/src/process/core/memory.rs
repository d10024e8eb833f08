//! How many bytes the runtime uses for a process.

use super::control::{Control, SlotRef};
use super::extras::Extras;
use super::rare::Rare;

impl Control {
    /// Returns the bytes of the slot, the control block and its parts, the future, and the mailbox.
    /// The heap that the program's own values use is not included.
    pub(in crate::process) fn memory(&self) -> usize {
        let rare = self.rare_if_any().map_or(0, |_| size_of::<Rare>());
        let extras = self.extras_if_any().map_or(0, |extras| {
            size_of::<Extras>()
                + extras.label.borrow().as_ref().map_or(0, |label| label.len())
                + extras.dictionary.borrow().memory()
        });
        let relations = self.view(|relations| relations.memory());
        let mut messages = 0;
        self.each_message(|message| messages += message.memory());
        SlotRef::BYTES + self.size as usize + rare + extras + relations + messages
    }
}

//! What most processes never have: one allocation, made when the first of it is needed.
//!
//! An idle process is small because all of this costs it one pointer. Each part is a cell
//! of its own, so that using one while another is borrowed does no harm.

use std::cell::{OnceCell, RefCell, RefMut};

use super::control::Control;
use super::relations::Relations;
use crate::mailbox::Mailbox;

/// The parts.
#[derive(Default)]
pub(crate) struct Rare {
    /// The messages that go ahead of the ordinary ones.
    pub(super) ahead: RefCell<Mailbox>,
    /// Links, monitors, aliases, and requests under way.
    relations: RefCell<Relations>,
}

/// Where a process keeps its [`Rare`].
pub(super) type RareCell = OnceCell<Box<Rare>>;

impl Control {
    /// The parts, which are made if they are not there.
    pub(super) fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// The process's links and monitors.
    pub(super) fn relations(&self) -> RefMut<'_, Relations> {
        self.rare().relations.borrow_mut()
    }

    /// The same, of a process that has had any.
    pub(super) fn relations_if_any(&self) -> Option<RefMut<'_, Relations>> {
        self.rare.get().map(|rare| rare.relations.borrow_mut())
    }
}

//! What most processes never have: one allocation, made when the first of it is needed.
//!
//! An idle process is small because all of this costs it one pointer. Each part is a cell
//! of its own, so that using one while another is borrowed does no harm.

use std::cell::{OnceCell, RefCell, RefMut};

use super::control::Control;
use super::extras::Extras;
use crate::mailbox::Mailbox;
use crate::process::core::relations::Relations;

/// The parts.
#[derive(Default)]
pub(crate) struct Rare {
    /// The messages that go ahead of the ordinary ones.
    pub(in crate::process) ahead: RefCell<Mailbox>,
    /// Links, monitors, aliases, and requests under way.
    relations: RefCell<Relations>,
    /// What few of those have that have any of this.
    pub(in crate::process) extras: OnceCell<Box<Extras>>,
}

impl Rare {
    fn is_empty(&mut self) -> bool {
        let no_messages = self.ahead.get_mut().len() == 0;
        no_messages && self.extras.get().is_none() && self.relations.get_mut().is_empty()
    }
}

/// Where a process keeps its [`Rare`].
pub(in crate::process) type RareCell = OnceCell<Box<Rare>>;

impl Control {
    /// The parts, which are made if they are not there.
    pub(in crate::process) fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// The parts, if any was ever needed.
    pub(in crate::process) fn rare_if_any(&self) -> Option<&Rare> {
        self.rare.get().map(|rare| &**rare)
    }

    /// Looks at the links and monitors; without any, what there would be to see.
    pub(in crate::process) fn view<R: Default>(&self, look: impl FnOnce(&Relations) -> R) -> R {
        self.rare_if_any().map_or_else(R::default, |rare| look(&rare.relations.borrow()))
    }

    /// Lets go of what is empty.
    pub(in crate::process) fn shrink_rare(&mut self) {
        let Some(rare) = self.rare.get_mut() else { return };
        if rare.extras.get().is_some_and(|extras| extras.is_empty()) {
            rare.extras.take();
        }
        rare.relations.get_mut().shrink();
        if rare.is_empty() {
            self.rare.take();
        }
    }

    /// The process's links and monitors.
    pub(in crate::process) fn relations(&self) -> RefMut<'_, Relations> {
        self.rare().relations.borrow_mut()
    }

    /// The same, of a process that has had any.
    pub(in crate::process) fn relations_if_any(&self) -> Option<RefMut<'_, Relations>> {
        self.rare.get().map(|rare| rare.relations.borrow_mut())
    }
}

//! Parts that most processes never have: one allocation, made when the first part is needed.
//!
//! They cost an idle process one pointer. Each part is a separate cell, so one part can be used
//! while another is borrowed.

use std::cell::{OnceCell, RefCell};

use super::extras::Extras;
use super::relations::Relations;
use crate::mailbox::Mailbox;

/// The parts.
#[derive(Default)]
pub(crate) struct Rare {
    /// The messages that go ahead of the ordinary ones.
    pub(in crate::process) ahead: RefCell<Mailbox>,
    /// Links, monitors, aliases, and requests under way.
    pub(super) relations: RefCell<Relations>,
    /// Parts that few of these processes have.
    pub(in crate::process) extras: OnceCell<Box<Extras>>,
}

impl Rare {
    pub(super) fn is_empty(&mut self) -> bool {
        let no_messages = self.ahead.get_mut().len() == 0;
        no_messages && self.extras.get().is_none() && self.relations.get_mut().is_empty()
    }
}

/// Where a process keeps its [`Rare`].
pub(super) type RareCell = OnceCell<Box<Rare>>;

//! Parts that most processes never need: one allocation, made when the first part is needed.
//!
//! A process without these parts pays for one pointer. Each part is in a cell of its own, so one
//! part can be used while another is borrowed.

use std::cell::{OnceCell, RefCell};

use super::extras::Extras;
use super::relations::Relations;
use crate::mailbox::Mailbox;

/// The parts, in one allocation.
#[derive(Default)]
pub(crate) struct Rare {
    /// The mailbox of priority messages, which are received before ordinary ones.
    pub(in crate::process) ahead: RefCell<Mailbox>,
    /// Links, monitors, aliases, and pending requests.
    pub(super) relations: RefCell<Relations>,
    /// Parts that are rarer still.
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

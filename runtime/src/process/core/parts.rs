//! The way from a control block to the parts that few processes have.

use std::cell::RefMut;
use std::task::Waker;

use super::control::Control;
use super::dictionary::Dictionary;
use super::extras::Extras;
use super::rare::Rare;
use super::relations::Relations;
use crate::message::Envelope;
use crate::pid::Pid;

impl Control {
    /// Returns the parts, and makes them first if there are none.
    pub(super) fn rare(&self) -> &Rare {
        self.rare.get_or_init(Box::default)
    }

    /// Returns the parts, if any was ever needed.
    pub(super) fn rare_if_any(&self) -> Option<&Rare> {
        self.rare.get().map(|rare| &**rare)
    }

    /// Looks at the links and monitors. Returns the default if the process has had none.
    pub(in crate::process) fn view<R: Default>(&self, look: impl FnOnce(&Relations) -> R) -> R {
        self.rare_if_any().map_or_else(R::default, |rare| look(&rare.relations.borrow()))
    }

    /// Frees the parts that are empty.
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

    /// Returns the process's links and monitors.
    pub(in crate::process) fn relations(&self) -> RefMut<'_, Relations> {
        self.rare().relations.borrow_mut()
    }

    /// Returns the process's links and monitors, if it has had any.
    pub(in crate::process) fn relations_if_any(&self) -> Option<RefMut<'_, Relations>> {
        self.rare.get().map(|rare| rare.relations.borrow_mut())
    }

    /// Returns the rarest parts, and makes them first if there are none.
    pub(in crate::process) fn extras(&self) -> &Extras {
        self.rare().extras.get_or_init(Box::default)
    }

    /// Notes that this is the process of `#[fika::main]`.
    pub(crate) fn set_main(&self) {
        self.extras().is_main.set(true);
    }

    /// Takes the wakers of tasks inside its future out of a process that ends.
    pub(in crate::process) fn take_wakers(&self) -> Vec<Waker> {
        let Some(extras) = self.extras_if_any() else { return Vec::new() };
        let mut wakers = extras.tasks.take();
        wakers.extend(extras.waits_for_room.take().into_iter().map(|waits| waits.task));
        wakers
    }

    /// Returns the rarest parts, if they were ever used.
    pub(in crate::process) fn extras_if_any(&self) -> Option<&Extras> {
        self.rare_if_any()?.extras.get().map(|extras| &**extras)
    }

    /// Takes the dictionary out of a process that ends.
    pub(in crate::process) fn take_dictionary(&self) -> impl Iterator<Item = Envelope> + use<> {
        let dictionary = self.extras_if_any().map(|extras| extras.dictionary.take());
        dictionary.into_iter().flat_map(Dictionary::into_values)
    }

    /// Tells waiting suspenders, at the end of a turn, that the process has stopped.
    pub(in crate::process) fn tell_suspenders(&self) {
        if let Some(extras) = self.extras_if_any() {
            let waiting = extras.suspensions.borrow_mut().take_waiting();
            waiting.into_iter().for_each(|answer| answer.give(()));
        }
    }

    /// Forgets a process that this process had suspended, and that has ended.
    pub(in crate::process) fn forget_suspended(&self, pid: Pid) {
        if let Some(extras) = self.extras_if_any() {
            extras.suspensions.borrow_mut().forget(pid);
        }
    }
}

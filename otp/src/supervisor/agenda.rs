//! Actions that a supervisor takes at a later time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fika_runtime::Time;

use super::children::Key;

/// An action that a supervisor takes at a later time. It is stale if the child's token has changed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Due {
    /// Kill a child that has not ended in time.
    Kill(Key, u64),
    /// Restart a child whose pause is over.
    Restart(Key, u64),
    /// Stop waiting for a start, when the supervisor ends.
    LeaveStart(Key),
}

/// The actions to take, the earliest first. A stale action stays until its time, or until there
/// are very many.
#[derive(Default)]
pub(super) struct Agenda {
    actions: BinaryHeap<Reverse<(Time, Due)>>,
    /// Stale actions are removed when there are more actions than this.
    most: usize,
}

/// Fewer actions are not worth a search for stale ones.
const FEW: usize = 1024;

impl Agenda {
    pub(super) fn add(&mut self, at: Time, due: Due) {
        self.actions.push(Reverse((at, due)));
    }

    /// Removes stale actions if there are many actions. Over many calls, this costs little for each.
    pub(super) fn tidy(&mut self, is_stale: impl Fn(&Due) -> bool) {
        if self.actions.len() > self.most.max(FEW) {
            self.actions.retain(|Reverse((_, due))| !is_stale(due));
            self.most = 2 * self.actions.len();
        }
    }

    /// Returns the time of the next action.
    pub(super) fn next(&self) -> Option<Time> {
        self.actions.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next action that is due by now.
    pub(super) fn take(&mut self, now: Time) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.actions.pop().map(|Reverse((_, due))| due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stale_actions_do_not_pile_up() {
        let mut agenda = Agenda::default();
        let at = Time::default();
        agenda.add(at, Due::Kill(0, 0));
        for token in 1..100_000 {
            agenda.add(at, Due::Kill(token, token));
            agenda.tidy(|due| !matches!(due, Due::Kill(0, _)) && *due != Due::Kill(token, token));
            assert!(agenda.actions.len() <= FEW + 1, "{token}");
        }
        assert_eq!(agenda.take(at), Some(Due::Kill(0, 0)));
    }
}

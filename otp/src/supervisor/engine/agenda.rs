//! Actions that a supervisor takes at a later time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use fika_runtime::Time;

use super::children::{Children, Key, State};

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

impl Due {
    /// Returns whether the action has become void, since the child has changed.
    pub(super) fn is_stale(&self, children: &Children) -> bool {
        let (Due::Kill(key, _) | Due::Restart(key, _) | Due::LeaveStart(key)) = self;
        match (self, children.state(*key)) {
            (Due::Kill(_, token), Some(State::Ending(_, ending))) => ending.token != *token,
            (Due::Restart(_, token), Some(State::Restarting { token: now })) => now != token,
            (Due::LeaveStart(_), Some(State::Starting { .. })) => false,
            _ => true,
        }
    }
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
    use std::time::Duration;

    use super::*;

    /// Actions are taken in the order of their times, and none before its time.
    #[test]
    fn an_action_is_taken_when_it_is_due() {
        let at = |ms| Time::new(Duration::from_millis(ms));
        let mut agenda = Agenda::default();
        agenda.add(at(20), Due::Kill(1, 1));
        agenda.add(at(10), Due::LeaveStart(2));
        agenda.add(at(20), Due::Restart(3, 1));
        assert_eq!(agenda.next(), Some(at(10)));
        assert_eq!(agenda.take(at(9)), None);
        assert_eq!(agenda.take(at(10)), Some(Due::LeaveStart(2)));
        assert_eq!(agenda.take(at(10)), None);
        assert_eq!(agenda.take(at(25)), Some(Due::Kill(1, 1)));
        assert_eq!(agenda.take(at(25)), Some(Due::Restart(3, 1)));
        assert_eq!((agenda.take(at(25)), agenda.next()), (None, None));
    }

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

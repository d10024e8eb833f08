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

/// The actions to take, the earliest first. A stale action stays until its time.
#[derive(Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(Time, Due)>>);

impl Agenda {
    pub(super) fn add(&mut self, at: Time, due: Due) {
        self.0.push(Reverse((at, due)));
    }

    /// Returns the time of the next action.
    pub(super) fn next(&self) -> Option<Time> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes the next action that is due by now.
    pub(super) fn take(&mut self, now: Time) -> Option<Due> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, due))| due)
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
}

//! What the timers of a node do when they fall due.

use std::task::Waker;
use std::time::Duration;

use super::control::SlotRef;
use super::exit::contain;
use crate::dest::Dest;
use crate::env::Time;
use crate::message::Envelope;
use crate::node::Inner;
use crate::scheduler::shard;
use crate::timer::TimerRef;

/// What happens when a timer falls due.
pub(crate) enum Action {
    /// The message goes to its destination.
    Send(Dest<'static>, Envelope),
    /// The process is polled again.
    Wake(SlotRef),
    /// A future that waits for it is polled again.
    WakeTask(Waker),
}

impl Inner {
    pub(crate) fn start_timer_at(
        &self,
        due: Time,
        action: impl FnOnce(TimerRef) -> Action,
    ) -> TimerRef {
        let (timer, earlier) = self.timers.start(shard(), due, action);
        if earlier {
            self.scheduler.reconsider_timeout();
        }
        timer
    }

    pub(crate) fn start_timer_in(
        &self,
        time: Duration,
        action: impl FnOnce(TimerRef) -> Action,
    ) -> TimerRef {
        self.start_timer_at(self.env.now() + time, action)
    }

    pub(crate) fn cancel_timer(&self, timer: TimerRef) -> Option<Duration> {
        let live = self.read_timer(timer);
        let left = self.timers.cancel(timer, self.env.now());
        left.filter(|_| live.is_some())
    }

    pub(crate) fn read_timer(&self, timer: TimerRef) -> Option<Duration> {
        let look = |action: &Action| match action {
            Action::Send(dest, _) => Some(dest.clone()),
            Action::Wake(_) | Action::WakeTask(_) => None,
        };
        let (left, dest) = self.timers.read(timer, self.env.now(), look)?;
        // TIM-7: a timer for a process that has ended counts as cancelled.
        let live = match dest {
            Some(Dest::Pid(pid)) => self.is_alive(pid),
            _ => true,
        };
        live.then_some(left)
    }

    pub(crate) fn fire_timers(&self) {
        let now = self.env.now();
        let Some(_turn) = self.timers.firing_turn(now) else { return };
        let mut due = Vec::new();
        if self.timers.take_due(now, &mut due) {
            self.scheduler.reconsider_timeout();
        }
        for action in due {
            match action {
                // A name that nobody has when the timer fires: the message is dropped.
                Action::Send(dest, message) => {
                    contain(|| drop(self.send_envelope(&dest, message)));
                }
                Action::Wake(slot) => slot.wake(slot.queue.notify()),
                Action::WakeTask(waker) => waker.wake(),
            }
        }
    }
}

//! The actions of timers, and starting, cancelling and firing them.

use std::task::Waker;
use std::time::Duration;

use crate::dest::Dest;
use crate::env::Time;
use crate::message::Envelope;
use crate::node::{Inner, retry_threads};
use crate::pid::Pid;
use crate::process::core::SlotRef;
use crate::process::failure::{contain, contain_call, drop_each};
use crate::request::{Kind, Request};
use crate::scheduler::shard;
use crate::signal::Signal;
use crate::table;
use crate::timers::TimerRef;

/// The action of a timer that is due.
pub(crate) enum Action {
    /// Sends the message to a process of this node.
    Send(Pid, Envelope),
    /// Sends the message to the process that has the name then.
    SendByName(Box<Dest<'static>>, Envelope),
    /// Makes the process be polled again.
    Wake(SlotRef),
    /// Makes the process report that it is suspended, if it still is.
    ReportHeldUp(Pid),
    /// Wakes a task that waits for the timer.
    WakeTask(Waker),
    /// Retries to start threads that the system has refused.
    RetryThreads,
}

impl Inner {
    pub(crate) fn start_timer_at(
        &self,
        now: Time,
        due: Time,
        action: impl FnOnce(TimerRef) -> Action,
    ) -> TimerRef {
        self.start_owned(now, due, None, action)
    }

    /// Starts a timer that sends to a process of this node, and that ends with the process (TIM-7).
    pub(in crate::process) fn start_send(
        &self,
        now: Time,
        due: Time,
        to: Pid,
        message: impl FnOnce(TimerRef) -> Envelope,
    ) -> TimerRef {
        let id = to.local();
        let slot = self.table.get(id);
        // Set before the timer exists: a process that ends later cancels the timer.
        let owner = slot.map(|slot| slot.mark(table::TIMED)).map(|()| id.slot);
        let timer = self.start_owned(now, due, owner, |timer| Action::Send(to, message(timer)));
        // A process that has ended before does not cancel it.
        if !slot.is_some_and(|slot| slot.is_open_for(id.generation)) {
            self.cancel_timer(timer);
        }
        timer
    }

    /// Starts the timer of a report by the running process. The timer ends with the process.
    pub(in crate::process) fn start_report(&self, now: Time, due: Time, pid: Pid) -> TimerRef {
        let slot = self.table.get(pid.local());
        let owner = slot.map(|slot| slot.mark(table::TIMED)).map(|()| pid.local().slot);
        self.start_owned(now, due, owner, |_| Action::ReportHeldUp(pid))
    }

    fn start_owned(
        &self,
        now: Time,
        due: Time,
        owner: Option<u32>,
        action: impl FnOnce(TimerRef) -> Action,
    ) -> TimerRef {
        let (timer, earlier) = self.timers.start(shard(), now, due, owner, action);
        if earlier {
            self.scheduler.reconsider_timeout();
        }
        timer
    }

    pub(crate) fn cancel_timer(&self, timer: TimerRef) -> Option<Duration> {
        let mut left = None;
        contain(|| left = self.timers.cancel(timer, self.env.now()));
        left
    }

    pub(crate) fn read_timer(&self, timer: TimerRef) -> Option<Duration> {
        self.timers.read(timer, self.env.now())
    }

    /// Drops the timers that were to send to a process that has ended, once its queue is closed.
    pub(in crate::process) fn timers_end(&self, slot: u32) {
        drop_each(self.timers.cancel_owned(slot));
    }

    pub(crate) fn fire_timers(&self) {
        let now = self.env.now();
        let Some(_turn) = self.timers.firing_turn(now) else { return };
        let mut due = Vec::new();
        if self.timers.take_due(now, &mut due) {
            self.scheduler.reconsider_timeout();
        }
        for action in due {
            // A panic must not keep the others from firing.
            contain_call("a timer", || self.fire(action));
        }
    }

    fn fire(&self, action: Action) {
        match action {
            Action::Send(to, message) => self.deliver(to, Signal::Message(message)),
            // If no process has the name when the timer fires, the message is dropped.
            Action::SendByName(dest, message) => drop(self.send_as_it_is(&dest, message)),
            Action::Wake(slot) => slot.wake(slot.queue.notify()),
            Action::ReportHeldUp(pid) => {
                self.deliver(pid, Signal::Request(Request(Kind::ReportHeldUp)));
            }
            Action::WakeTask(waker) => waker.wake(),
            Action::RetryThreads => retry_threads(self),
        }
    }

    /// Drops the actions of all timers, at the end of the node.
    pub(crate) fn drop_timers(&self) {
        drop_each(self.timers.take_all());
    }
}

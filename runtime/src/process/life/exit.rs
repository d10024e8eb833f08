//! How a process ends.
//!
//! 1. Its future is dropped, and then its other values, one at a time: messages, tags of monitors,
//!    the dictionary. Their destructors have no effect on others.
//! 2. Its unanswered requests are stored until their answers arrive.
//! 3. Its queue is closed, its name is unregistered, and timers that were to send to it are
//!    cancelled. Senders that wait for room in its mailbox are notified.
//! 4. Signals that arrived after a fatal signal, or are still in the queue, are answered as for a
//!    dead process.
//! 5. Its slot is freed, so a process that sees the end finds room for another one (PROC-10).
//! 6. The processes that it monitored are notified that the monitors are gone, and the processes
//!    that it has suspended continue.
//! 7. Its links get exit signals, and the processes that monitor it get `Down`s.
//! 8. An end by an error is reported.
//!
//! Prior art: `erts_do_exit_process`.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::crash::Crash;
use crate::contain::{catch_payload, take_unwinding};
use crate::context;
use crate::exit_reason::ExitReason;
use crate::node::Inner;
use crate::process::core::relations::Ending;
use crate::process::core::{Running, SlotRef};
use crate::process::failure::{contain, drop_each, reason_of};
use crate::report;
use crate::scheduler::shard;
use crate::signal::Signal;
use crate::sync::Parker;
use crate::table;

/// How many rounds of values are dropped one at a time, since destructors may leave new values in
/// the process. The rest is dropped with the process.
const ROUNDS_MAX: usize = 8;

/// Ends the process in this slot, which the caller owns. Its `doom` has the reason.
pub(crate) fn end(node: &Inner, slot: SlotRef) {
    let Some(mut body) = slot.take_body() else { return };
    let control = body.as_mut().control();
    control.doom(ExitReason::Killed);
    control.set_ending();
    control.dropped.set(true);
    let pid = control.pid;

    // 1. A panic in a destructor becomes the exit reason if the process was ending without an
    //    error.
    let dropped = catch_payload(|| body.as_mut().drop_future());
    let control = body.as_mut().control();
    if let Err(payload) = dropped {
        context::enter_process(control, || control.destructor_panicked(reason_of(payload)));
    }

    // PROC-6: the process's messages are gone before another process sees its end.
    let me = Running { control, node };
    context::enter_process(control, || me.drop_values());
    let crash = control.crashes.get().then(|| Crash::of(me));

    close(me, slot);
    // None of the process's destructors can need it from here on.
    let reason = control.take_doom().expect("a process ends for a reason, and once");

    // 5. Only a new process uses the slot from here on.
    node.table.release(slot, shard());
    node.observed.tell(|observer| observer.ended(pid, &reason));
    tell(me, &reason);
    // 8.
    if let Some(crash) = crash {
        crash.report(&reason);
    }
    contain(|| drop(body));
    node.stop.process_ended();
}

/// Steps 2 to 4.
#[inline(always)]
fn close(me: Running<'_>, slot: SlotRef) {
    let Running { control, node } = me;
    let pid = control.pid;
    // 2.
    let spawns = control.relations_if_any().map(|mut relations| relations.take_spawns());
    if let Some(spawns) = spawns.filter(|spawns| !spawns.is_empty()) {
        let reason = control.reason().expect("a process ends for a reason");
        node.leave_requests(pid, spawns, &reason);
    }

    // 3.
    let (rest, marks) = slot.close();
    if marks & table::NAMED != 0 {
        node.registry.process_ended(pid);
    }
    if marks & table::TIMED != 0 {
        node.timers_end(pid.local().slot);
    }
    if marks & table::BOUNDED != 0 {
        node.room_ends(slot);
    }

    // 4. An acknowledgement or a loss among these signals changes nothing any more.
    context::enter_process(control, || me.handle_all(rest));
    let late = control.extras_if_any().map(|extras| extras.late.take());
    for signal in late.into_iter().flatten() {
        node.undeliverable(pid, signal);
    }
}

/// Ends the running process for all others, while one of its destructors waits for something that
/// can no longer happen and a panic unwinds. Such a destructor can neither return nor be left: its
/// thread is lost, and with it the process's slot and memory.
///
/// The reason is that of the panic, unless the process already ended for another error.
#[cold]
pub(in crate::process) fn end_in_destructor(me: Running<'_>, why: ExitReason) -> ! {
    let Running { control, node } = me;
    let unwinds = take_unwinding().unwrap_or(why);
    if !control.ends() {
        control.crash(unwinds);
    } else if control.dropped.get() {
        control.destructor_panicked(unwinds);
    }
    control.set_ending();
    control.dropped.set(true);
    let crash = control.crashes.get().then(|| Crash::of(me));
    // The destructor may be that of a message that was left in the closed queue.
    if !control.slot.queue.is_closed() {
        close(me, control.slot);
    }
    let reason = control.take_doom().expect("a process ends for a reason");
    tell(me, &reason);
    if let Some(crash) = crash {
        crash.report(&reason);
    }
    node.stop.process_ended();
    lose_thread();
    let parker = Parker::new();
    loop {
        parker.park();
    }
}

/// How many threads a program may lose to destructors that wait.
const LOST_THREADS_MAX: usize = 64;

/// Counts a thread that is lost. A node that loses one after the other would hang in the end, so
/// the program aborts when it loses more than [`LOST_THREADS_MAX`].
fn lose_thread() {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    if LOST.fetch_add(1, Ordering::Relaxed) == LOST_THREADS_MAX {
        report!(
            error,
            "this program has lost {LOST_THREADS_MAX} threads to destructors that wait during a \
             panic, and now another one: it aborts"
        );
        std::process::abort();
    }
}

/// Steps 6 and 7: tells the processes that are concerned.
#[inline(always)]
fn tell(me: Running<'_>, reason: &ExitReason) {
    let Running { control, node } = me;
    let from = control.pid;
    // Most processes end without having had any.
    let Some(mut relations) = control.relations_if_any() else { return };
    let Ending { links, watchers, monitors } = relations.end();
    drop(relations);
    // 6.
    for (reference, monitor) in monitors {
        node.demonitor(from, reference, &monitor, false);
    }
    me.end_suspensions();
    // 7.
    for peer in links {
        node.signal(peer, Signal::Exit { from, reason: reason.clone(), by_link: true });
    }
    for (reference, watcher) in watchers {
        node.signal(watcher, Signal::Down { from: Some(from), reference, reason: reason.clone() });
    }
}

impl Running<'_> {
    /// Drops the values of the program that the process has besides its future, and the values that
    /// their destructors put there.
    fn drop_values(self) {
        for _ in 0..ROUNDS_MAX {
            if !self.control.has_values() {
                break;
            }
            let mut dropped = 0;
            let messages = self.control.take_all();
            drop_each(messages.inspect(|_| dropped += 1));
            let tags = self.control.relations_if_any().map(|mut relations| relations.take_tags());
            drop(tags);
            drop_each(self.control.take_dictionary().inspect(|_| dropped += 1));
            drop_each(self.control.take_wakers().into_iter().inspect(|_| dropped += 1));
            if dropped == 0 {
                break;
            }
        }
    }
}

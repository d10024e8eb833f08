//! How a process ends.
//!
//! 1. Its future is dropped, and then its other values, one at a time: messages, tags of monitors,
//!    the dictionary. What the destructors do has no effect on others.
//! 2. Its requests that nobody has answered are noted for those who answer.
//! 3. Its queue is closed, its name is taken away, and so are the timers that were to send to
//!    it; who waits for room in its mailbox is told.
//! 4. What came behind a fatal signal, or was still in the queue, is answered as for a dead
//!    process.
//! 5. Its slot is free for another process: whoever sees the end finds room (PROC-10).
//! 6. The processes that it monitored are told that nobody watches any more, and those that
//!    it has suspended go on.
//! 7. Its links get their exit signals and its watchers their downs.
//! 8. An end that is a mistake is reported.
//!
//! Prior art: `erts_do_exit_process`.

use std::panic::resume_unwind;

use super::crash::Crash;
use crate::contain::catch_payload;
use crate::context;
use crate::exit_reason::ExitReason;
use crate::message::node_codec::tries_out;
use crate::node::Inner;
use crate::process::core::relations::Ending;
use crate::process::core::{Running, SlotRef};
use crate::process::failure::{Raised, reason_of};
use crate::report;
use crate::report::Cut;
use crate::scheduler::shard;
use crate::signal::Signal;
use crate::sync::Parker;
use crate::table;

/// How often what the destructors of a process's values have left is dropped. What there is then
/// goes with the process.
const ROUNDS_MAX: usize = 8;

/// Ends the process in this slot, which the caller owns, with the reason in its `doom`.
pub(crate) fn end(node: &Inner, slot: SlotRef) {
    let Some(mut body) = slot.take_body() else { return };
    let control = body.as_mut().control();
    control.doom(ExitReason::Killed);
    let reason = control.take_doom().expect("it is doomed, and ends once");
    control.ending.set(true);
    control.dropped.set(true);
    let pid = control.pid;

    // 1. A panic in a destructor is part of the end of a process that had no other.
    let dropped = catch_payload(|| body.as_mut().drop_future());
    let control = body.as_mut().control();
    let dropped = dropped.map_err(|payload| context::enter_process(control, || reason_of(payload)));
    let reason = match dropped {
        Err(panic) if reason.is_orderly() => {
            control.crashes.set(true);
            panic
        }
        _ => reason,
    };

    // PROC-6: nobody who sees the end finds anything of its messages.
    let me = Running { control, node };
    context::enter_process(control, || me.drop_values());
    let crash = control.crashes.get().then(|| Crash::of(me));

    close(me, slot, &reason);

    // 5. Nobody but a new process uses the slot from here on.
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
fn close(me: Running<'_>, slot: SlotRef, reason: &ExitReason) {
    let Running { control, node } = me;
    let pid = control.pid;
    // 2.
    if let Some(spawns) = control.relations_if_any().map(|mut relations| relations.take_spawns()) {
        node.leave_requests(pid, spawns, reason);
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

    // 4. An acknowledgement or a loss among it changes nothing any more.
    context::enter_process(control, || me.handle_all(rest));
    let late = control.extras_if_any().map(|extras| extras.late.take());
    for signal in late.into_iter().flatten() {
        node.undeliverable(pid, signal);
    }
}

/// Ends the running process for all others, while one of its destructors waits for something that
/// can no longer happen and a panic unwinds. Such a destructor can neither return nor be left: its
/// thread is lost, and with it the process's slot and memory.
#[cold]
pub(in crate::process) fn end_in_destructor(me: Running<'_>, why: ExitReason) -> ! {
    let Running { control, node } = me;
    control.ends();
    let reason = control.take_doom().unwrap_or_else(|| {
        control.slot.vitals.set_exiting();
        control.crashes.set(true);
        why
    });
    control.ending.set(true);
    control.dropped.set(true);
    let crash = control.crashes.get().then(|| Crash::of(me));
    close(me, control.slot, &reason);
    tell(me, &reason);
    if let Some(crash) = crash {
        crash.report(&reason);
    }
    node.stop.process_ended();
    let parker = Parker::new();
    loop {
        parker.park();
    }
}

/// Tells those who are concerned.
#[inline(always)]
fn tell(me: Running<'_>, reason: &ExitReason) {
    let Running { control, node } = me;
    let from = control.pid;
    let ending = control.relations_if_any().map(|mut relations| relations.end());
    let Ending { links, watchers, monitors } = ending.unwrap_or_default();
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
    /// Drops the values of the program that the process has besides its future, and those that their
    /// destructors put there.
    fn drop_values(self) {
        for _ in 0..ROUNDS_MAX {
            let mut dropped = 0;
            let messages = self.control.take_all();
            drop_each(messages.inspect(|_| dropped += 1));
            let tags = self.control.relations_if_any().map(|mut relations| relations.take_tags());
            drop(tags);
            drop_each(self.take_dictionary().inspect(|_| dropped += 1));
            drop_each(self.control.take_wakers().into_iter().inspect(|_| dropped += 1));
            if dropped == 0 {
                break;
            }
        }
    }
}

/// Runs a piece of a process; a panic is an exit reason.
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, ExitReason> {
    catch_payload(work).map_err(reason_of)
}

/// Runs code that may drop the program's values, such as messages. A panic of a destructor, which
/// can't be attributed to a process here, is caught and reported.
pub(crate) fn contain(work: impl FnOnce()) {
    contain_call("a destructor", work);
}

/// Drops values of the program one at a time. Two destructors that panic in one drop would end the
/// program.
pub(crate) fn drop_each<T>(values: impl IntoIterator<Item = T>) {
    values.into_iter().for_each(|value| contain(|| drop(value)));
}

/// Calls code of the program on a thread of the runtime. A panic, which can't be attributed to a
/// process here, is caught and reported; `what` names the code.
#[doc(hidden)]
pub fn contain_call(what: &str, work: impl FnOnce()) {
    let Err(reason) = catch(work) else { return };
    let tell = |left_out: Option<u64>| {
        report!(error, reason = %Cut(&reason), left_out, "{what} panicked");
    };
    // This may be a thread of the program, without a node.
    let told = context::try_node(|node| node.panics.line(node.env.now(), tell));
    told.unwrap_or_else(|| tell(None));
}

/// Ends the running process with this reason, for what it has asked for, which is an error. A
/// destructor that runs on the way out can't leave again, which would end the OS process: there
/// it is only reported, and the caller does nothing.
pub(in crate::process) fn refuse(reason: ExitReason) {
    if std::thread::panicking() {
        return context::process("refuse", |me| {
            me.node.panics.line(me.node.env.now(), |left_out| {
                let (pid, reason) = (me.pid(), Cut(&reason));
                report!(error, %pid, %reason, left_out, "a call in a destructor was refused");
            });
        });
    }
    raise(reason);
}

/// Ends the running process for an error of its own: it was given what it can't take, or there
/// is no room. That is reported, as a panic is.
pub(in crate::process) fn raise(reason: ExitReason) -> ! {
    tell_of_abort(&reason);
    resume_unwind(Box::new(Raised(reason)))
}

/// Unwinds the running process with this reason. A process that catches the unwinding still ends
/// with this reason, at its next suspension point, unless the runtime runs its code for itself.
pub(in crate::process) fn leave(reason: ExitReason) -> ! {
    if !tries_out() {
        context::try_process(|me| me.control.leave(reason.clone()));
    }
    tell_of_abort(&reason);
    resume_unwind(Box::new(reason))
}

/// Explains, before a process unwinds in a program built with `panic = "abort"`, why the program
/// ends.
fn tell_of_abort(reason: &ExitReason) {
    if cfg!(panic = "abort") {
        let aborts = "the program ends with it, since its profile has `panic = \"abort\"`";
        eprintln!("fika: a process ends with reason {}: {aborts}", Cut(reason));
    }
}

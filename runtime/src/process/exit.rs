//! How a process ends.
//!
//! 1. Its future is dropped, and its messages. What the destructors do has no effect on
//!    others.
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

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Once};

use super::control::{Running, SlotRef};
use super::crash::Crash;
use super::relations::Ending;
use crate::context;
use crate::exit_reason::{ExitReason, PanicReason};
use crate::node::Inner;
use crate::scheduler::shard;
use crate::signal::Signal;
use crate::table;

/// Ends the process in this slot, which the caller owns, with the reason that it was doomed
/// for. `crashes` says whether that is an error of its own.
pub(crate) fn end(node: &Inner, slot: SlotRef, mut crashes: bool) {
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
            crashes = true;
            panic
        }
        _ => reason,
    };

    // PROC-6: nobody who sees the end finds anything of its messages.
    let me = Running { control, node };
    let messages = control.take_all();
    let tags = control.relations_if_any().map(|mut relations| relations.take_tags());
    let dictionary = me.take_dictionary();
    context::enter_process(control, || contain(|| drop((messages, tags))));
    context::enter_process(control, || contain(|| drop(dictionary)));
    let crash = crashes.then(|| Crash::of(me));

    // 2.
    if let Some(spawns) = control.relations_if_any().map(|mut relations| relations.take_spawns()) {
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

    // 4. An acknowledgement or a loss among it changes nothing any more.
    context::enter_process(control, || me.handle_all(rest));
    let late = control.extras_if_any().map(|extras| extras.late.take());
    for signal in late.into_iter().flatten() {
        node.undeliverable(pid, signal);
    }

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

/// Tells those who are concerned.
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

/// Runs a piece of a process; a panic is an exit reason.
pub(crate) fn catch<R>(work: impl FnOnce() -> R) -> Result<R, ExitReason> {
    catch_payload(work).map_err(reason_of)
}

/// The same, with the panic as it is; see [`reason_of`].
pub(super) fn catch_payload<R>(work: impl FnOnce() -> R) -> std::thread::Result<R> {
    catch_unwind(AssertUnwindSafe(work))
}

/// Runs something that may drop messages: a panic in a message's destructor, where no
/// process can be blamed for it, is reported and goes no further.
pub(crate) fn contain(work: impl FnOnce()) {
    if let Err(reason) = catch(work) {
        report(|| tracing::error!(%reason, "a message's destructor panicked"));
    }
}

/// Makes a log entry. Whoever writes it down is the program's, and may panic, as on a standard
/// error that is closed; the threads that report are not to end by that.
pub(crate) fn report(entry: impl FnOnce()) {
    let _ = catch(entry);
}

thread_local! {
    /// Where the last panic of this thread was, from the hook to the `catch`.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// How a process raises an error, in place of a panic.
struct Raised(ExitReason);

/// Whether what unwinds is an error: a panic, or raised by the runtime; not an exit.
pub(super) fn is_error(payload: &(dyn Any + Send)) -> bool {
    match payload.downcast_ref::<ExitReason>() {
        // Of a blocking call, say: it unwinds for the second time.
        Some(reason) => matches!(reason, ExitReason::Panic(_)),
        None => true,
    }
}

/// A panic's payload as an exit reason.
pub(super) fn reason_of(payload: Box<dyn Any + Send>) -> ExitReason {
    let location = PANICKED_AT.take();
    let payload = match payload.downcast::<ExitReason>() {
        Ok(reason) => return *reason,
        Err(payload) => payload,
    };
    let payload = match payload.downcast::<Raised>() {
        Ok(raised) => return raised.0,
        Err(payload) => payload,
    };
    let message = if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic with a payload that is no text".to_owned()
    };
    drop_payload(payload);
    ExitReason::Panic(Arc::new(PanicReason { message, location }))
}

/// So many destructors of payloads in a row may panic; what the last one panics with is leaked.
const PAYLOADS_MAX: usize = 8;

/// A payload is the user's, and its destructor may panic in turn, with a payload whose
/// destructor panics. Where the payload is a process's, that is entered.
fn drop_payload(payload: Box<dyn Any + Send>) {
    let mut left = Some(payload);
    for _ in 0..PAYLOADS_MAX {
        let Some(payload) = left.take() else { break };
        left = catch_unwind(AssertUnwindSafe(|| drop(payload))).err();
    }
    std::mem::forget(left);
    PANICKED_AT.take();
}

/// Notes where a process panics, for its exit reason, instead of printing it: the report
/// of the process's end says it. Other threads keep the hook that was there. The hook is
/// the OS process's, as Rust has no other, and is set once.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let outer = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if context::try_process(|_| ()).is_some() {
                PANICKED_AT.set(info.location().map(ToString::to_string));
            } else {
                outer(info);
            }
        }));
    });
}

/// Ends the running process with this reason, for what it has asked for, which is an error. A
/// destructor that runs on the way out can't leave again, which would end the OS process: there
/// it is only reported, and the caller does nothing.
pub(super) fn refuse(reason: ExitReason) {
    if std::thread::panicking() {
        return report(|| tracing::error!(%reason, "a call of a destructor was refused"));
    }
    raise(reason);
}

/// Ends the running process for an error of its own: it was given what it can't take, or there
/// is no room. That is reported, as a panic is.
pub(super) fn raise(reason: ExitReason) -> ! {
    std::panic::resume_unwind(Box::new(Raised(reason)))
}

/// Leaves the running process, with this reason.
pub(super) fn leave(reason: ExitReason) -> ! {
    std::panic::resume_unwind(Box::new(reason))
}

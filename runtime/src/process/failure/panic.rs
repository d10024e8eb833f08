//! Panics: the hook that prints them, and the exit reasons that they become.
//!
//! A panic of a process is printed like any other, by the hook that was installed before the first
//! node started: Rust's own, or one of the program. It prints a backtrace if `RUST_BACKTRACE` is
//! set. The report of the process's end follows, and names the process. A hook that the program
//! sets later runs before this one.
//!
//! Processes can panic without end, so the hook prints their panics at a limited rate.

use std::any::Any;
use std::hint::black_box;
use std::io::Write as _;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Once};
use std::time::Duration;

use crate::contain::{drop_payload, note_unwinding, take_unwinding};
use crate::context;
use crate::env::{Env, SystemEnv};
use crate::exit_reason::{ExitReason, PanicReason};
use crate::log_rate::LogRate;
use crate::message::node_codec::{note_panic, tries_out};
use crate::report::Cut;
use crate::scheduler::is_blocking_thread;

/// The number of panics of processes that are printed in a burst. A hook of the program, which may
/// count or send them, should not miss one of a few related panics.
const PANICS_AT_ONCE: u32 = 256;

/// After that, one panic is printed in each interval of this length. With backtraces, that is about
/// 12 KB a second.
const PANIC_EACH: Duration = Duration::from_millis(250);

/// A longer panic message is cut off after this many bytes. Rust's own hook prints all of it.
const PANIC_BYTES_MAX: usize = 8 * 1024;

/// The message of a panic whose payload is not a text.
const NO_TEXT: &str = "a panic whose payload is not a text";

/// Installs the hook once, in front of the existing one: a program has only one hook. It records
/// where a process panics, for the exit reason, and then calls the existing hook.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let outer = std::panic::take_hook();
        let rate = LogRate::new(PANICS_AT_ONCE, PANIC_EACH);
        // Not the clock of a node, since the hook serves all nodes of the program.
        let clock = SystemEnv::unseeded();
        std::panic::set_hook(Box::new(move |info| {
            if (tries_out() || note_panic(info.location())) && !ends_the_program(info) {
                // The panic is caught, and reported elsewhere if that is needed.
                return;
            }
            if context::try_node(|_| ()).is_none() && !is_blocking_thread() {
                return outer(info);
            }
            let message = info.payload_as_str().unwrap_or(NO_TEXT).to_owned();
            let location = info.location().map(ToString::to_string);
            note_unwinding(ExitReason::Panic(Arc::new(PanicReason { message, location })));
            if ends_the_program(info) {
                return outer(info);
            }
            rate.line(clock.now(), |left_out| {
                if let Some(left_out) = left_out {
                    print(format_args!("panics that were not printed: {left_out}"));
                }
                match info.payload_as_str() {
                    Some(text) if text.len() > PANIC_BYTES_MAX => {
                        let at = info.location().map_or_else(String::new, |at| format!(" at {at}"));
                        print(format_args!("a process panicked{at}:\n{}", Cut(text)));
                    }
                    _ => outer(info),
                }
            });
        }));
    });
}

/// Returns whether this panic ends the program because it can't unwind. The texts are the core
/// library's.
fn ends_the_program(info: &PanicHookInfo<'_>) -> bool {
    cfg!(panic = "abort")
        || info.payload_as_str().is_some_and(|text| {
            text.starts_with("panic in a function that cannot unwind")
                || text.starts_with("panic in a destructor during cleanup")
        })
}

/// Prints a line to stderr. Unlike `eprintln!` it does not panic, which would end the program.
fn print(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "fika: {line}");
}

/// Calls a function of the program. Rust's panic hook ends backtraces at functions with this name,
/// so that they don't include the runtime's own frames.
#[inline(never)]
pub(in crate::process) fn __rust_begin_short_backtrace<R>(call: impl FnOnce() -> R) -> R {
    let result = call();
    // Prevents a tail call, which would remove this frame from the backtrace.
    black_box(());
    result
}

/// The payload with which a process unwinds for an error.
pub(super) struct Raised(pub(in crate::process) ExitReason);

/// Converts a panic's payload to an exit reason.
pub(in crate::process) fn reason_of(payload: Box<dyn Any + Send>) -> ExitReason {
    let location = match take_unwinding() {
        Some(ExitReason::Panic(panic)) => panic.location.clone(),
        _ => None,
    };
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
        NO_TEXT.to_owned()
    };
    drop_payload(payload);
    ExitReason::Panic(Arc::new(PanicReason { message, location }))
}

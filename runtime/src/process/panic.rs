//! Panics: the hook that prints them, and the exit reason that a panic becomes.
//!
//! A panic of a process is printed as any other panic is, by the hook that was there before the
//! first node was started: Rust's own, or one that the program has set. That hook prints a
//! backtrace where `RUST_BACKTRACE` asks for one. The report of the process's end, which follows,
//! says which process it was. A hook that the program sets later runs before this one.
//!
//! Processes may panic without end, so the hook is called at a limited rate for them.

use std::any::Any;
use std::cell::RefCell;
use std::hint::black_box;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Once};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::context;
use crate::env::{Env, SystemEnv};
use crate::exit_reason::{ExitReason, PanicReason};
use crate::log_rate::LogRate;
use crate::report::Cut;
use crate::scheduler::is_blocking_thread;

/// So many panics of processes are printed at once: a program's own hook, which may count or send
/// them, should miss none of a few that belong together.
const PANICS_AT_ONCE: u32 = 256;

/// After them, a panic is printed for each of these: with a backtrace, some 12 KB a second.
const PANIC_EACH: Duration = Duration::from_millis(250);

/// A panic's message that is longer is cut, in bytes. Rust's own hook prints all of it.
const PANIC_BYTES_MAX: usize = 8 * 1024;

thread_local! {
    /// Where the last panic of this thread was, from the hook to the `catch`.
    static PANICKED_AT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Puts a hook before the one that is there, once: Rust has one for the whole program. It notes
/// where a process panics, for the exit reason, and calls the other hook.
pub(crate) fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let outer = std::panic::take_hook();
        let rate = LogRate::new(PANICS_AT_ONCE, PANIC_EACH);
        // Not a node's clock: the hook is for all nodes of the program.
        let clock = SystemEnv::new();
        std::panic::set_hook(Box::new(move |info| {
            if context::try_node(|_| ()).is_none() && !is_blocking_thread() {
                return outer(info);
            }
            PANICKED_AT.set(info.location().map(ToString::to_string));
            if ends_the_program(info) {
                return outer(info);
            }
            rate.line(clock.now(), |left_out| {
                if let Some(left_out) = left_out {
                    print(format_args!("{left_out} panics before the next one were not printed"));
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

/// Whether this panic can't unwind, so that the program ends: the text is the core library's.
fn ends_the_program(info: &PanicHookInfo<'_>) -> bool {
    cfg!(panic = "abort")
        || info.payload_as_str().is_some_and(|text| {
            text.starts_with("panic in a function that cannot unwind")
                || text.starts_with("panic in a destructor during cleanup")
        })
}

/// Prints a line where a panic would end the program, as that of `eprintln!` would in a hook.
fn print(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(std::io::stderr(), "fika: {line}");
}

/// Polls a process's future so that a backtrace of a panic in it ends here, and does not go on
/// with the runtime's own frames: Rust's hook looks for functions of this name.
#[inline(never)]
pub(super) fn __rust_begin_short_backtrace<F: Future>(
    future: Pin<&mut F>,
    context: &mut Context<'_>,
) -> Poll<F::Output> {
    let polled = future.poll(context);
    // Without something to do after it, the call would be a jump, and this frame not be there.
    black_box(());
    polled
}

/// Calls functions of the program in the same way.
pub(super) mod call {
    #[inline(never)]
    pub(in crate::process) fn __rust_begin_short_backtrace<R>(call: impl FnOnce() -> R) -> R {
        let result = call();
        std::hint::black_box(());
        result
    }
}

/// How a process raises an error, in place of a panic.
pub(super) struct Raised(pub(super) ExitReason);

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

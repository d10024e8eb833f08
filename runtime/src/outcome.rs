//! How the value that a process's future returns determines the process's exit reason.
//!
//! Rust can't test whether a value of an arbitrary type is an `Err`, so the future's output
//! implements the trait [`Outcome`]. It is to a process what [`std::process::Termination`] is to
//! `main`.

use std::error::Error;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use crate::exit_reason::ExitReason;

/// The longest error text in an exit reason, in bytes. The reason is sent to every link and
/// watcher, including those on other nodes, and to the log.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// The most sources of an error that are included. A chain of sources may be endless.
const SOURCES_MAX: usize = 32;

/// A value that a process's future may return: `()`, a `Result`, or a value that is dropped.
///
/// A process whose future returns `Err` has failed: it ends with [`ExitReason::Error`], which
/// carries the error's text, followed by the text of each [`source`](Error::source). The failure is
/// logged, and linked processes receive the reason. If the error is an [`ExitReason`], it becomes
/// the exit reason itself. A process that returns anything else ends with `normal`.
///
/// The error can be anything that `?` converts to a `Box<dyn Error + Send + Sync>`: any error type
/// that is `Send` and `Sync`, a `String`, a `&str`, [`fika::Result`]'s boxed error, or
/// `anyhow::Error`.
///
/// ```
/// use fika_runtime as fika;
/// # use fika::{ExitReason, Node, Outcome, spawn_monitor};
/// async fn count(path: &str) -> Result<usize, std::num::ParseIntError> {
///     path.parse()
/// }
/// # let node = fika::Node::builder().build().unwrap();
/// # node.block_on(async {
/// // The watcher is told `error: invalid digit found in string`.
/// let (pid, monitor) = spawn_monitor(count("many"));
/// # });
/// let reason = Outcome::into_result(Err::<(), _>("no such file")).unwrap_err();
/// assert_eq!(reason.to_string(), "error: no such file");
/// # node.stop();
/// ```
///
/// A message may be returned, too. To return another type of your own, implement [`Ignored`] for it.
///
/// [`fika::Result`]: https://docs.rs/fika/latest/fika/type.Result.html
#[diagnostic::on_unimplemented(
    message = "a process can't return a `{Self}`",
    label = "this process returns a `{Self}`",
    note = "a process returns `()`, or a `Result` whose error has a text: a type that implements \
            `std::error::Error + Send + Sync`, a `String`, a `&str`, an `ExitReason`, or the error \
            of `fika::Result`",
    note = "to drop the value, end the `async` block with `;`",
    note = "a type of your own can be returned, and is dropped, if it is a `#[message]` or \
            implements `fika::Ignored`"
)]
pub trait Outcome {
    /// The value of a process that succeeds.
    type Value;

    /// Returns the value.
    ///
    /// # Errors
    /// Returns the exit reason if the process has failed.
    fn into_result(self) -> Result<Self::Value, ExitReason>;
}

impl<T, E: ProcessError> Outcome for Result<T, E> {
    type Value = T;

    fn into_result(self) -> Result<T, ExitReason> {
        self.map_err(|error| error.into_reason())
    }
}

/// An error that a process may return: the error's text becomes the exit reason.
///
/// ```
/// use fika_runtime::{Outcome, ProcessError, spawn};
///
/// /// Spawns a process that may fail with any error that a process may return.
/// fn spawn_fallible<E: ProcessError>(job: impl Future<Output = Result<(), E>> + Send + 'static) {
///     spawn(job);
/// }
/// ```
pub trait ProcessError {
    /// Returns the exit reason of a process that fails with this error.
    #[doc(hidden)]
    fn into_reason(self) -> ExitReason;
}

#[diagnostic::do_not_recommend]
impl<E: Into<Box<dyn Error + Send + Sync>>> ProcessError for E {
    fn into_reason(self) -> ExitReason {
        match self.into().downcast::<ExitReason>() {
            Ok(reason) => *reason,
            Err(error) => ExitReason::Error(text(&*error).into()),
        }
    }
}

/// Returns the error's text and those of its sources, as `anyhow` formats them with `{:#}`. Omits a
/// source whose text the error's own text already ends with.
fn text(error: &(dyn Error + 'static)) -> String {
    let mut text = Text(String::new());
    // Writing fails once the text has its maximum length.
    let mut complete = write!(text, "{error}").is_ok();
    let mut source = error.source();
    for _ in 0..SOURCES_MAX {
        let Some(error) = source.filter(|_| complete) else { break };
        let mut more = Text(String::new());
        complete = write!(more, "{error}").is_ok();
        if !text.0.ends_with(&more.0) {
            complete &= write!(text, ": {}", more.0).is_ok();
        }
        source = error.source();
    }
    if !complete {
        text.0.push_str("...");
    }
    text.0
}

/// A text of at most [`TEXT_BYTES_MAX`] bytes.
struct Text(String);

impl std::fmt::Write for Text {
    fn write_str(&mut self, more: &str) -> std::fmt::Result {
        let room = TEXT_BYTES_MAX - self.0.len();
        let fits = more.floor_char_boundary(room);
        self.0.push_str(&more[..fits]);
        if fits == more.len() { Ok(()) } else { Err(std::fmt::Error) }
    }
}

/// A value that a process may return without effect on its exit reason. The value is dropped.
///
/// ```
/// use fika_runtime as fika;
/// # use fika::{Node, spawn};
/// struct Report;
///
/// impl fika::Ignored for Report {}
///
/// # let node = Node::builder().build().unwrap();
/// # node.block_on(async {
/// spawn(async { Report });
/// # });
/// # node.stop();
/// ```
pub trait Ignored {}

#[diagnostic::do_not_recommend]
impl<T: Ignored> Outcome for T {
    type Value = T;

    fn into_result(self) -> Result<T, ExitReason> {
        Ok(self)
    }
}

#[diagnostic::do_not_recommend]
impl Outcome for Never {
    type Value = Never;

    fn into_result(self) -> Result<Never, ExitReason> {
        self
    }
}

/// The type `!`, which stable Rust can't name here yet.
type Never = <fn() -> ! as Returns>::Output;

#[doc(hidden)]
pub trait Returns {
    type Output;
}

impl<R> Returns for fn() -> R {
    type Output = R;
}

macro_rules! ignored {
    ($($(@[$($params:tt)*])? $type:ty),+ $(,)?) => {$(
        impl $(<$($params)*>)? crate::outcome::Ignored for $type {}
    )+};
}

pub(crate) use ignored;

ignored! {
    (), std::convert::Infallible, ExitCode,
    bool, char, u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize, f32, f64,
    String, &'static str, @[T] Option<T>, @[T] Vec<T>, @[T: ?Sized] Box<T>, @[T: ?Sized] Arc<T>,
    @[T, const N: usize] [T; N],
    @[K, V] std::collections::BTreeMap<K, V>, @[K, V, S] std::collections::HashMap<K, V, S>,
    @[T] std::collections::BTreeSet<T>, @[T, S] std::collections::HashSet<T, S>, bytes::Bytes,
    @[A, B] (A, B), @[A, B, C] (A, B, C), @[A, B, C, D] (A, B, C, D),
    std::time::Duration,
    ExitReason, crate::pid::Pid, crate::reference::Reference, crate::name::Name,
    crate::node_name::NodeName, crate::message::Envelope, crate::message::Term,
}

#[cfg(test)]
mod tests {
    use std::fmt;

    use super::*;

    #[derive(Debug)]
    struct Chained(u32);

    impl fmt::Display for Chained {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "level {}", self.0)
        }
    }

    impl Error for Chained {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static LEVELS: [Chained; 3] = [Chained(0), Chained(1), Chained(2)];
            let next = self.0.checked_sub(1)?;
            Some(&LEVELS[next as usize])
        }
    }

    /// An error that is its own source.
    #[derive(Debug)]
    struct Endless(u32);

    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            (0..self.0).try_for_each(|_| f.write_str("é"))
        }
    }

    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            static ENDLESS: Endless = Endless(1);
            Some(&ENDLESS)
        }
    }

    fn reason(outcome: impl Outcome) -> Option<String> {
        outcome.into_result().err().map(|reason| reason.to_string())
    }

    #[test]
    fn an_error_becomes_its_text() {
        assert_eq!(reason(()), None);
        assert_eq!(reason(Ok::<_, String>(7)), None);
        assert_eq!(reason(Some(7)), None);
        assert_eq!(reason(Err::<(), _>("short")), Some("error: short".into()));
        let boxed: Box<dyn Error + Send + Sync> = Chained(2).into();
        let told = Some("error: level 2: level 1: level 0".into());
        assert_eq!(reason(Err::<(), _>(boxed)), told);
        assert_eq!(Err::<(), _>(ExitReason::Shutdown).into_result(), Err(ExitReason::Shutdown));
        // Converted by `?`.
        let boxed: Box<dyn Error + Send + Sync> = ExitReason::Timeout.into();
        assert_eq!(Err::<(), _>(boxed).into_result(), Err(ExitReason::Timeout));
    }

    #[test]
    fn the_text_of_an_error_is_bounded() {
        assert_eq!(text(&Endless(0)), ": é");
        let long = text(&Endless(1 << 20));
        assert_eq!(long.len(), TEXT_BYTES_MAX + 3);
        assert!(long.ends_with("é..."));
    }
}

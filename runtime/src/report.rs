//! Reports: what the runtime logs about processes and nodes, as events of `tracing`.
//!
//! In a program without a subscriber, warnings and errors go to stderr, so that no failure is
//! silent by default. They are printed with `eprintln!` on the reporting thread. The threads of a
//! node take part in the output capture of the test that started the node.
//!
//! A subscriber is the program's own code: it may send messages, query the node, or panic. So no
//! lock is held during a report (see `tests/net_reports.rs`), and a panic of the subscriber is
//! caught.

use std::fmt::{self, Display, Write as _};

use tracing::subscriber::NoSubscriber;
use tracing::{Level, dispatcher};

use crate::contain::contained;

/// Values in a report are cut off after this many bytes.
const VALUE_BYTES_MAX: usize = 4 * 1024;

/// Logs a report. The fields and the message are written as for the macros of `tracing`:
/// `report!(warn, %pid, left_out, "too many {things}")`. The level is `error`, `warn` or `info`.
#[doc(hidden)]
#[macro_export]
macro_rules! report {
    (@fields $line:ident; % $name:ident, $($rest:tt)+) => {
        $line.field(stringify!($name), &$name);
        $crate::report!(@fields $line; $($rest)+);
    };
    (@fields $line:ident; $name:ident = % $value:expr, $($rest:tt)+) => {
        $line.field(stringify!($name), &$value);
        $crate::report!(@fields $line; $($rest)+);
    };
    (@fields $line:ident; ? $name:ident, $($rest:tt)+) => {
        $line.field(stringify!($name), &format_args!("{:?}", $name));
        $crate::report!(@fields $line; $($rest)+);
    };
    (@fields $line:ident; $name:ident = $value:expr, $($rest:tt)+) => {
        $line.value(stringify!($name), &$value);
        $crate::report!(@fields $line; $($rest)+);
    };
    (@fields $line:ident; $name:ident, $($rest:tt)+) => {
        $line.value(stringify!($name), &$name);
        $crate::report!(@fields $line; $($rest)+);
    };
    (@fields $line:ident; $($message:tt)+) => {
        $line.message(format_args!($($message)+));
    };
    (@level error) => { $crate::__private::Level::ERROR };
    (@level warn) => { $crate::__private::Level::WARN };
    (@level info) => { $crate::__private::Level::INFO };
    ($level:ident, $($entry:tt)+) => {
        $crate::__private::report(
            $crate::report!(@level $level),
            || $crate::__private::tracing::$level!($($entry)+),
            |line| { $crate::report!(@fields line; $($entry)+); },
        )
    };
}

/// Emits a report with `event`, and prints it to stderr with `line` if there is no subscriber.
#[doc(hidden)]
pub fn report(level: Level, event: impl FnOnce(), line: impl FnOnce(&mut Line)) {
    contained(|| {
        event();
        if level <= Level::WARN && !has_subscriber() {
            let mut text = Line::default();
            line(&mut text);
            eprintln!("fika: {level} {}{}", text.message, text.fields);
        }
    });
}

/// Returns whether reports go to a subscriber of the program, and not to stderr.
pub(crate) fn has_subscriber() -> bool {
    dispatcher::get_default(|subscriber| !subscriber.is::<NoSubscriber>())
}

/// The text of a report, as one line.
#[derive(Default)]
#[doc(hidden)]
pub struct Line {
    message: String,
    fields: String,
}

impl Line {
    pub fn field(&mut self, name: &str, value: &dyn Display) {
        let _ = write!(self.fields, " {name}={}", Cut(value));
    }

    pub fn value(&mut self, name: &str, value: &dyn Value) {
        value.put(self, name);
    }

    pub fn message(&mut self, message: fmt::Arguments<'_>) {
        let _ = write!(self.message, "{}", Cut(message));
    }
}

/// A type that may be a field of a report without a sigil, as in the macros of `tracing`.
#[doc(hidden)]
pub trait Value {
    fn put(&self, line: &mut Line, name: &str);
}

impl<T: Value> Value for Option<T> {
    fn put(&self, line: &mut Line, name: &str) {
        self.iter().for_each(|value| value.put(line, name));
    }
}

macro_rules! values {
    ($($(@[$($params:tt)*])? $type:ty),+) => {$(
        impl $(<$($params)*>)? Value for $type {
            fn put(&self, line: &mut Line, name: &str) {
                line.field(name, self);
            }
        }
    )+};
}

values!(
    &str, String, bool, u16, u32, u64, u128, usize, @[T: Display] tracing::field::DisplayValue<T>
);

/// Displays a value cut off after [`VALUE_BYTES_MAX`] bytes, with a note of its full length.
pub(crate) struct Cut<T>(pub(crate) T);

impl<T: Display> Display for Cut<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Cutting<'a, 'b> {
            to: &'a mut fmt::Formatter<'b>,
            bytes: usize,
        }

        impl fmt::Write for Cutting<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let room = VALUE_BYTES_MAX.saturating_sub(self.bytes);
                self.bytes += text.len();
                self.to.write_str(&text[..text.floor_char_boundary(room)])
            }
        }

        let mut cutting = Cutting { to: f, bytes: 0 };
        write!(cutting, "{}", self.0)?;
        match cutting.bytes {
            ..=VALUE_BYTES_MAX => Ok(()),
            bytes => write!(f, "... ({bytes} bytes)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(put: impl FnOnce(&mut Line)) -> String {
        let mut line = Line::default();
        put(&mut line);
        format!("{}{}", line.message, line.fields)
    }

    #[test]
    fn a_line_contains_the_message_and_the_fields() {
        let (pid, name, label, error) = (7, Some("x"), None::<u64>, "e");
        let told = line(|line| {
            report!(@fields line; %pid, name, label, ?error, ms = 5_u64, of = %pid, "{pid} is {}", 8);
        });
        assert_eq!(told, "7 is 8 pid=7 name=x error=\"e\" ms=5 of=7");
    }

    #[test]
    fn long_values_are_truncated() {
        assert_eq!(Cut("é".repeat(2048)).to_string(), "é".repeat(2048));
        let cut = Cut(format_args!("a{}", "é".repeat(1 << 20))).to_string();
        assert_eq!(cut, format!("a{}... (2097153 bytes)", "é".repeat(2047)));
    }
}

//! Text that comes partly from a peer, made fit for logs and errors: short, and without control
//! characters.

use std::fmt::{self, Write as _};

/// The longest text, in bytes: enough for a sentence and a path.
const BYTES_MAX: usize = 512;

/// Returns the value's text without control characters, cut off if it is long. Allocates only what
/// it returns, however long the value is.
#[must_use]
pub fn printable(value: impl fmt::Display) -> String {
    let mut text = Printable(String::new());
    if write!(text, "{value}").is_err() {
        text.0.push('…');
    }
    text.0
}

struct Printable(String);

impl fmt::Write for Printable {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.0.len() >= BYTES_MAX - 16 {
                return Err(fmt::Error);
            }
            match char {
                '"' | '\'' | '\\' => self.0.push(char),
                _ => self.0.extend(char.escape_debug()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_printable_and_short() {
        assert_eq!(printable("it's \"a\" \\path\\ of ü"), "it's \"a\" \\path\\ of ü");
        assert_eq!(printable("a\nb\x1b[31m\u{202e}"), "a\\nb\\u{1b}[31m\\u{202e}");
        for text in ["x", "ü", "\x1b", "\u{10ffff}"] {
            let long = printable(text.repeat(1 << 16));
            assert!(long.len() <= BYTES_MAX && long.ends_with('…'), "{}", long.len());
        }
        assert_eq!(printable("x".repeat(400)), "x".repeat(400));
    }
}

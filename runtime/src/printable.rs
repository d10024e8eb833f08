//! Text from peers and programs, made safe for logs, terminals and errors.
//!
//! A name, a tag or a panic message from a peer may contain line breaks, which can forge log lines,
//! and control sequences, which a terminal obeys. The text is stored unchanged, and escaped when it
//! is displayed.

use std::fmt::{self, Write};

/// The longest text of [`printable`], in bytes: enough for a sentence and a path.
const BYTES_MAX: usize = 512;

/// Displays a value with escapes such as `\n` and `\u{1b}` in place of control characters, invisible
/// characters, and those that change the direction of text.
#[derive(Clone, Copy)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

impl<T: fmt::Display> fmt::Debug for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Returns the value's text as [`Printable`] displays it, cut off if it is long. Allocates only the
/// result, however long the value is.
#[must_use]
pub fn printable(value: impl fmt::Display) -> String {
    let mut text = Short(String::new());
    if write!(Escaping(&mut text), "{value}").is_err() {
        text.0.push('…');
    }
    text.0
}

/// Escapes the text that is written to it.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(is_unsafe) {
            let (before, from) = rest.split_at(at);
            self.0.write_str(before)?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                write!(self.0, "{}", c.escape_default())?;
            }
            rest = chars.as_str();
        }
        self.0.write_str(rest)
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
        )
}

/// Accepts as much text as [`printable`] returns, and then fails.
struct Short(String);

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = BYTES_MAX - '…'.len_utf8() - self.0.len();
        self.0.push_str(&text[..text.floor_char_boundary(room)]);
        if text.len() > room { Err(fmt::Error) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let cases = [
            (
                "plain `text`, \"quoted\", \\, höst 名 ไทย",
                "plain `text`, \"quoted\", \\, höst 名 ไทย",
            ),
            ("", ""),
            ("a\nERROR forged\r", "a\\nERROR forged\\r"),
            ("\u{1b}[2Jx\u{7}\0", "\\u{1b}[2Jx\\u{7}\\u{0}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}txt.exe\u{2028}\u{61c}", "user\\u{202e}txt.exe\\u{2028}\\u{61c}"),
            ("a\u{e0041}b\u{ad}", "a\\u{e0041}b\\u{ad}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Printable(text).to_string(), shown);
            assert_eq!(format!("{:?}", Printable(format_args!("{text}"))), shown);
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn a_long_text_is_truncated() {
        for text in ["x", "ü", "\x1b", "\u{e0041}", "\u{10ffff}"] {
            let long = printable(text.repeat(1 << 16));
            assert!(long.len() <= BYTES_MAX && long.ends_with('…'), "{}", long.len());
            assert!(long.len() > BYTES_MAX - 16, "{}", long.len());
            let in_parts = (0..1 << 10).fold(String::new(), |all, _| all + text);
            assert_eq!(printable(in_parts), long);
        }
        let fits = "x".repeat(BYTES_MAX - '…'.len_utf8());
        assert_eq!(printable(&fits), fits);
    }
}

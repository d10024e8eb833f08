//! Text from elsewhere, made safe for a log or a terminal.
//!
//! A name, a tag or a panic message that a peer sends may contain line breaks, which can forge log
//! lines, and control sequences, which a terminal obeys. The text is stored unchanged, and escaped
//! when it is displayed.

use std::fmt::{self, Write as _};

/// Displays a text with escapes such as `\n` and `\u{1b}` in place of its control characters, its
/// invisible characters, and those that change the direction of text.
#[derive(Clone, Copy)]
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_unsafe) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                c.escape_default().try_for_each(|c| f.write_char(c))?;
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

impl fmt::Debug for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_escaped() {
        let cases = [
            ("plain `text`, \"quoted\", höst 名", "plain `text`, \"quoted\", höst 名"),
            ("", ""),
            ("a\nERROR forged\r", "a\\nERROR forged\\r"),
            ("\u{1b}[2Jx\u{7}\0", "\\u{1b}[2Jx\\u{7}\\u{0}"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("user\u{202e}txt.exe\u{2028}", "user\\u{202e}txt.exe\\u{2028}"),
        ];
        for (text, shown) in cases {
            assert_eq!(Escaped(text).to_string(), shown);
        }
    }
}

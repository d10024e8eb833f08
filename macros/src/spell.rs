//! Prints tokens as a person would write them, for error messages.
//!
//! The compiler prints a space between most tokens. This printer handles types and patterns, and is
//! not meant for whole programs.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Type, TypeReference};

pub(crate) fn spell(tokens: &impl ToTokens) -> String {
    let mut text = String::new();
    spell_into(&mut text, tokens.to_token_stream());
    text
}

/// Prints the type that owns what the reference borrows.
pub(crate) fn spell_owned(reference: &TypeReference) -> String {
    match &*reference.elem {
        Type::Slice(slice) => format!("Vec<{}>", spell(&slice.elem)),
        Type::Path(path) if path.path.is_ident("str") => "String".to_owned(),
        other => spell(other),
    }
}

fn spell_into(text: &mut String, tokens: TokenStream) {
    // Whether the last token is the name of a lifetime, or the quote before it.
    let (mut lifetime, mut quote) = (false, false);
    for token in tokens {
        let word = matches!(token, TokenTree::Ident(_) | TokenTree::Literal(_));
        if lifetime && matches!(token, TokenTree::Group(_)) {
            text.push(' ');
        }
        lifetime = quote;
        quote = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '\'');
        if text.ends_with(',') || word && text.ends_with(|c: char| c.is_alphanumeric() || c == '_')
        {
            text.push(' ');
        }
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => (" { ", " }"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                spell_into(text, group.stream());
                text.push_str(close);
            }
            other => text.push_str(&other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_spelled_as_in_the_source() {
        let cases = [
            "&'static str",
            "&'a [u8]",
            "Vec<my::Type<u8>>",
            "(Pid, u64)",
            "[a, b]",
            "&mut T",
            "1..=5",
        ];
        for case in cases {
            let tokens: TokenStream = case.parse().expect("the cases are tokens");
            assert_eq!(spell(&tokens), case);
        }
    }
}

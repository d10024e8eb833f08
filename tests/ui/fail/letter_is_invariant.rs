//! A message that was opened keeps its type. As a supertype it could be given another value, which
//! would then be put back under the vtable of the first type.

use fika::message::{Letter, Local};

type General = Local<for<'a> fn(&'a str)>;
type Special = Local<fn(&'static str)>;

fn forget_the_lifetime(node: Box<Letter<General>>) -> Box<Letter<Special>> {
    node
}

fn main() {}

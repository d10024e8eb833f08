//! What the macros accept, and what they say about what they do not.
//!
//! A file of `ui/pass` compiles under `deny(warnings)` and runs; one of `ui/fail` does not
//! compile, and the `.stderr` beside it is what the user reads.

#[test]
fn macros_say_what_is_wrong() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

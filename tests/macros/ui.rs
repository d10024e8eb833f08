//! The code that the macros accept, and their errors for code that they do not accept.
//!
//! A file in `ui/pass` compiles under `deny(warnings)` and runs. A file in `ui/fail` does not
//! compile, and the `.stderr` beside it is the error that the user reads.

#[test]
fn macros_report_errors_clearly() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/fail/*.rs");
}

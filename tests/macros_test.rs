//! `#[fika::test]`: attributes, settings, and what a test may return.
#![deny(warnings)]

use fika::prelude::*;

#[fika::test]
async fn a_test_is_a_process() {
    send(self_pid(), 7_u64);
    let n = receive! { n: u64 => n };
    assert_eq!(n, 7);
}

#[fika::test(workers = 1 + 1, hidden = true)]
async fn settings_are_expressions() {
    send(self_pid(), 7_u64);
    receive! { _: u64 => {} }
}

#[fika::test]
#[should_panic(expected = "as it should")]
async fn a_panic_is_the_tests() {
    panic!("as it should");
}

#[fika::test]
#[ignore = "it fails"]
async fn an_ignored_test_does_not_run() {
    unreachable!("it was ignored");
}

#[fika::test]
async fn a_test_may_return_a_result() -> Result<(), std::num::ParseIntError> {
    let n: u64 = "7".parse()?;
    assert_eq!(n, 7);
    Ok(())
}

mod imported {
    use fika::test;

    #[test]
    async fn the_macro_may_be_imported_under_its_own_name() {}
}

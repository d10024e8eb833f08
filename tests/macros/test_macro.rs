//! `#[fika::test]`: attributes, settings, and the return values of a test.
#![deny(warnings)]

use fika::prelude::*;

#[fika::test]
async fn a_test_runs_as_a_process() {
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
async fn a_panic_fails_the_test() {
    panic!("as it should");
}

#[fika::test]
#[ignore = "it fails"]
async fn an_ignored_test_does_not_run() {
    unreachable!("it was ignored");
}

#[fika::test]
async fn a_test_can_return_a_result() -> Result<(), std::num::ParseIntError> {
    let n: u64 = "7".parse()?;
    assert_eq!(n, 7);
    Ok(())
}

mod imported {
    use fika::test;

    #[test]
    async fn the_macro_can_be_imported_as_test() {}
}

/// Simulated tests.
mod simulated {
    use fika::prelude::*;
    use fika::process::demonitor_flush;

    #[fika::test(sim)]
    async fn a_simulated_hour_passes_at_once() {
        let before = self_node().env().now();
        receive! { (): () => unreachable!("nobody sends"), after secs(3600) => {} }
        let took = self_node().env().now().since_start() - before.since_start();
        assert!(took >= secs(3600) && took < secs(3601));
    }

    #[fika::test(sim = 17)]
    async fn the_seed_determines_random_numbers() {
        assert_eq!(self_node().name().as_str(), "test@localhost");
        let random = self_node().env().random();
        let (pid, monitor) = spawn_monitor(async move {
            assert_eq!(random, self_node().env().random());
        });
        // The other process has drawn another number.
        receive! {
            Down { reason, .. } => assert!(matches!(reason, ExitReason::Panic(_)), "{pid} {reason}"),
        }
        demonitor_flush(monitor);
    }

    #[fika::test(seeds = 1 + 9, limit = secs(100))]
    async fn a_test_can_run_with_many_seeds() -> Result<(), std::num::ParseIntError> {
        let me = self_pid();
        for n in 0..3_u64 {
            spawn(async move { send(me, n) });
        }
        let mut sum = 0;
        for _ in 0..3 {
            receive! { n: u64 => sum += n }
        }
        assert_eq!(sum, "3".parse::<u64>()?);
        Ok(())
    }

    #[fika::test(sim)]
    #[should_panic(expected = "as it should")]
    async fn a_panic_fails_the_test() {
        panic!("as it should");
    }

    #[fika::test(sim)]
    #[should_panic(expected = "the test has returned an error")]
    async fn an_error_fails_the_test() -> Result<(), String> {
        Err("it is one".to_owned())
    }

    #[fika::test(sim, limit = secs(10))]
    #[should_panic(expected = "has not ended within 10s")]
    async fn a_test_that_waits_forever_fails() {
        receive! { (): () => {} }
    }

    #[fika::test(seeds = 1000)]
    #[should_panic(
        expected = "cargo test -p fika --test macros test_macro::simulated::a_failure_names_its_seed"
    )]
    async fn a_failure_names_its_seed() {
        let me = self_pid();
        for n in 0..3_u64 {
            spawn(async move { send(me, n) });
        }
        let first = receive! { n: u64 => n };
        assert_ne!(first, 2, "some seeds have another order");
    }
}

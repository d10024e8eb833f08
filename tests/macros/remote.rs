//! `#[remote]` from outside: the constructor, the name, and the entry that other nodes find.
#![deny(warnings)]
#![forbid(unsafe_code)]

use fika::__private::Args as _;
use fika::prelude::*;
use fika::process::RemoteFn;

/// Adds two numbers.
#[remote]
async fn add(a: u64, mut b: u64) -> u64 {
    b += a;
    b
}

#[remote(name = "math::swap")]
pub(crate) async fn swap((a, b): (u64, String), _: bool) -> (String, u64) {
    (b, a)
}

#[remote]
async fn nothing() {}

/// A call of the function in its own body is the constructor, as everywhere else.
#[remote]
async fn countdown(n: u64) -> u64 {
    match n {
        0 => 0,
        1 => {
            spawn(countdown(0));
            1
        }
        n => 1 + Box::pin(countdown(n - 1).into_future()).await,
    }
}

#[remote]
async fn never_called_here() -> Result<u64, String> {
    Err("called".to_owned())
}

struct Counter;

impl Counter {
    #[remote(name = "counter::start")]
    pub(crate) async fn start(from: u64) -> u64 {
        from
    }
}

#[test]
fn every_remote_function_is_registered() {
    #[remote]
    async fn inside_a_function() {}

    drop(inside_a_function());
    let entries = fika::__private::inventory::iter::<fika::__private::RemoteEntry>;
    let entries: String = entries.into_iter().map(|entry| format!("{entry:?}")).collect();
    let expected = [
        "counter::start",
        "fika::add",
        "fika::countdown",
        "fika::inside_a_function",
        "fika::never_called_here",
        "fika::nothing",
        "math::swap",
    ];
    for name in expected {
        assert_eq!(entries.matches(&format!("{name:?}")).count(), 1, "{name} in {entries}");
    }
}

#[test]
fn a_call_contains_the_name_and_the_arguments() {
    let call = swap((1, "b".to_owned()), true);
    assert_eq!(call.name(), "math::swap");
    let args = call.args().expect("plain data");
    let args = <((u64, String), bool)>::decoded(&args).expect("they are the arguments");
    assert_eq!(args, ((1, "b".to_owned()), true));
}

#[fika::test]
async fn a_remote_function_runs_where_it_is_awaited() {
    assert_eq!(add(1, 2).await, 3);
    assert_eq!(swap((1, "b".to_owned()), true).await, ("b".to_owned(), 1));
    assert_eq!(countdown(5).await, 5);
    assert_eq!(Counter::start(4).await, 4);
    nothing().await;
    assert_eq!(is_remote(add(1, 1)).await, 2);
}

/// Accepts everything that `spawn_on` accepts: the return type of a constructor.
fn is_remote<F: RemoteFn>(call: F) -> F {
    call
}

//! Futures of 1 MiB at each entry of the API, in a build without optimizations, in which a function
//! that takes a future by value has it in its stack frame.
#![deny(warnings)]

use std::hint::black_box;
use std::ops::Add;
use std::time::Duration;

use fika::message::Reference;
use fika::prelude::*;
use fika::process::{ReplyOn, SpawnOpts, spawn_opt, spawn_request, yield_now};
use fika::timer;

const SIZE: usize = 1 << 20;

/// A future of 1 MiB: its array lives across a suspension point.
async fn large(n: u64) -> u64 {
    let mut array = [0_u8; SIZE];
    array[n as usize] = 1;
    yield_now().await;
    n.add(u64::from(black_box(&array)[n as usize]))
}

fn node() -> Node {
    Node::builder().workers(2).build().unwrap()
}

#[remote]
async fn large_remote(to: Pid, n: u64) {
    send(to, large(n).await);
}

async fn next() -> u64 {
    receive! {
        n: u64 => n,
        after secs(30) => panic!("nothing came"),
    }
}

/// Sends the result of the future to this process.
async fn reports(to: Pid, n: u64) {
    send(to, large(n).await);
}

#[test]
fn the_test_future_is_large() {
    assert!(size_of_val(&large(1)) >= SIZE);
}

/// Runs on a thread with a stack as large as a program's main thread.
#[test]
fn spawns_from_outside() {
    on_8_mib(|| assert_eq!(node().block_on(large(1)), 2));
    on_8_mib(|| assert_eq!(node().try_block_on(large(2)), Ok(3)));
    on_8_mib(|| {
        let (to, got) = std::sync::mpsc::channel();
        let node = node();
        node.spawn(async move { to.send(large(3).await).unwrap() }).unwrap();
        assert_eq!(got.recv_timeout(Duration::from_secs(30)), Ok(4));
    });
}

#[allow(clippy::disallowed_methods, reason = "the thread of a test")]
fn on_8_mib(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(8 << 20);
    thread.spawn(work).unwrap().join().unwrap();
}

#[fika::main(workers = 2)]
async fn main_of_a_program() -> u64Termination {
    u64Termination(large(4).await)
}

#[allow(non_camel_case_types)]
struct u64Termination(u64);

impl fika::process::Ignored for u64Termination {}

impl std::process::Termination for u64Termination {
    fn report(self) -> std::process::ExitCode {
        assert_eq!(self.0, 5);
        std::process::ExitCode::SUCCESS
    }
}

#[test]
fn a_large_main_and_its_arguments() {
    use std::process::Termination as _;
    assert_eq!(main_of_a_program().report(), std::process::ExitCode::SUCCESS);
}

/// The test itself is a large future.
#[fika::test]
async fn a_large_test() {
    let mut array = [0_u8; SIZE];
    array[7] = 1;
    yield_now().await;
    assert_eq!(black_box(&array)[7], 1);
}

/// Every function that spawns accepts a large future in a process. Each call is in a separate
/// function, because a value that is passed on needs room in the caller's own frame, once for each
/// call.
#[fika::test]
async fn spawns_from_a_process() {
    let me = self_pid();
    by_spawn(me);
    assert_eq!(next().await, 11);
    trap_exit(true);
    let linked = by_spawn_link(me);
    assert_eq!(next().await, 12);
    receive! { Exit { from, .. } if from == linked => {} }
    let monitor = by_spawn_monitor(me);
    assert_eq!(next().await, 13);
    receive! {
        Down { monitor: m, reason, .. } if m == monitor => assert_eq!(reason, ExitReason::Normal),
    }
    by_spawn_opt(me);
    assert_eq!(next().await, 14);
    by_spawn_request(me);
    assert_eq!(next().await, 15);
    by_node_spawn(me);
    assert_eq!(next().await, 16);
}

fn by_spawn(me: Pid) {
    spawn(reports(me, 10));
}

fn by_spawn_link(me: Pid) -> Pid {
    spawn_link(reports(me, 11))
}

fn by_spawn_monitor(me: Pid) -> Reference {
    spawn_monitor(reports(me, 12)).1
}

fn by_spawn_opt(me: Pid) {
    spawn_opt(SpawnOpts::new(), reports(me, 13));
}

fn by_spawn_request(me: Pid) {
    spawn_request(SpawnOpts::new().reply(ReplyOn::Nothing), reports(me, 14));
}

fn by_node_spawn(me: Pid) {
    self_node().spawn(reports(me, 15)).unwrap();
}

/// `#[remote]` functions may be large futures, on this node and by request.
#[fika::test]
async fn large_remote_functions() {
    let me = self_pid();
    spawn(large_remote(me, 20));
    assert_eq!(next().await, 21);
    spawn_on(self_node().name(), large_remote(me, 21)).await;
    assert_eq!(next().await, 22);
    large_remote(me, 22).await;
    assert_eq!(next().await, 23);
}

/// The timer service accepts large futures.
#[fika::test]
async fn large_timer_functions() {
    let me = self_pid();
    timer::apply_after(millis(1), reports(me, 30)).unwrap();
    assert_eq!(next().await, 31);
    let every = timer::apply_interval(millis(1), move || reports(me, 31)).unwrap();
    assert_eq!(next().await, 32);
    timer::cancel(every).await.unwrap();
    let every = timer::apply_repeatedly(millis(1), move || reports(me, 32)).unwrap();
    while next().await != 33 {}
    timer::cancel(every).await.unwrap();
}

/// A process's reported memory includes the whole future, wherever it is stored.
#[fika::test]
async fn memory_includes_the_whole_future() {
    let me = self_pid();
    let child = spawn(async move {
        reports(me, 40).await;
        receive! { (): () => {} }
    });
    assert_eq!(next().await, 41);
    let info = fika::inspect::process_info(child, &[fika::inspect::Item::Memory]).await;
    match info.as_deref() {
        Some([fika::inspect::InfoItem::Memory(bytes)]) => assert!(*bytes >= SIZE, "{bytes}"),
        other => panic!("{other:?}"),
    }
}

/// A simulated node, which runs on the test's thread, accepts large futures.
#[fika::test(sim)]
async fn a_large_future_in_a_simulation() {
    let mut array = [0_u8; SIZE];
    array[7] = 1;
    yield_now().await;
    assert_eq!(black_box(&array)[7], 1);
}

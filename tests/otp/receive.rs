//! `receive_SUITE` and `after_SUITE`: references and time limits in receives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fika::message::{AliasOpts, Reference, alias_with, make_ref, send_priority};
use fika::prelude::*;
use fika::process::yield_now;
use fika::time::cancel_timer;

use crate::wait::{LIMIT, down, end_of, has_none, next};

/// A server that answers each `(from, reference)` with the reference.
async fn server() {
    loop {
        receive! { (from, reference): (Pid, Reference) => send(from, reference) }
    }
}

fn request(server: Pid) -> Reference {
    let reference = make_ref();
    send(server, (self_pid(), reference));
    reference
}

async fn answer(to: Reference) {
    receive! {
        for to,
        reference: Reference if reference == to => {}
        after LIMIT => panic!("no answer"),
    }
}

/// Makes a call, and counts how many messages of the answer's type it looks at.
async fn counted_call(server: Pid) -> usize {
    let mut looks = 0;
    let reference = request(server);
    receive! {
        for reference,
        answer: Reference if { looks += 1; answer == reference } => looks,
        after LIMIT => panic!("no answer"),
    }
}

/// SIG-14, RECV-7, RECV-10: a receive that is past the ordinary messages, or in the middle of them,
/// finds a priority message, and does not look at the ordinary messages again.
#[fika::test]
async fn prio_msg_while_in_receive() {
    const ORDINARY: usize = 5_000;
    let me = self_pid();
    let urgent = alias_with(AliasOpts::new().priority());
    let sender = spawn(async move {
        loop {
            receive! {
                (n, count): (u64, u64) => for _ in 0..count {
                    send_priority(urgent, n);
                    yield_now().await;
                },
            }
        }
    });
    for round in 0..20_u64 {
        (0..ORDINARY).for_each(|_| send(me, 0_u64));
        // The receive takes longer than a turn, so the request arrives in the middle of it or while
        // it waits. The receive wants one of the messages, and not the first.
        send(sender, (1_u64, round));
        send(sender, (2_u64, 1_u64));
        let mut looks = [0; 3];
        receive! {
            n: u64 if { looks[n as usize] += 1; n == 2 } => {}
            after LIMIT => panic!("it was not found: {looks:?}"),
        }
        assert_eq!(looks[2], 1);
        assert!(looks[0] <= ORDINARY, "ordinary ones were looked at twice: {looks:?}");
        assert!(looks[1] <= round as usize, "those ahead were looked at twice: {looks:?}");
        // The messages that the receive left in the mailbox come first.
        for n in (0..round).map(|_| 1).chain((0..ORDINARY).map(|_| 0)) {
            receive! { m: u64 => assert_eq!(m, n), after LIMIT => panic!("{n} is lost") }
        }
    }
    // This receive waits for nothing else.
    send(sender, (2_u64, 1_u64));
    assert_eq!(next::<u64>().await, 2);
    // A receive that waits for a reference sees priority messages of any age.
    send_priority(urgent, 3_u64);
    let reference = make_ref();
    receive! { for reference, n: u64 => assert_eq!(n, 3), after LIMIT => panic!("it is ahead") }
}

/// RECV-9, GS-23: with a million messages that might be answers, a call looks at none of them. They
/// may have been looked at before, have just arrived, or still be arriving.
#[fika::test]
async fn call_with_huge_message_queue() {
    const HUGE: usize = 1_000_000;
    let (server, me, old) = (spawn(server()), self_pid(), make_ref());
    (0..HUGE).for_each(|_| send(me, old));
    assert_eq!(counted_call(server).await, 1);
    for n in 0..1000 {
        if n % 10 == 0 {
            // The oldest messages are removed, and with them the messages that marks may point to.
            assert_eq!(next::<Reference>().await, old);
        }
        assert_eq!(counted_call(server).await, 1);
    }
    let stop = Arc::new(AtomicBool::new(false));
    let flood = spawn({
        let stop = stop.clone();
        async move {
            while !stop.load(Ordering::Relaxed) {
                (0..100).for_each(|_| send(me, old));
                yield_now().await;
            }
        }
    });
    let mut looks = 0;
    for _ in 0..1000 {
        looks += counted_call(server).await;
    }
    stop.store(true, Ordering::Relaxed);
    down(monitor(flood)).await;
    // Messages between the reference and the answer must be looked at.
    assert!(looks < HUGE, "{looks} looks of 1000 calls");
    assert_eq!(counted_call(server).await, 1);
}

/// RECV-9: a call that was given up leaves nothing behind that disturbs later ones.
#[fika::test]
async fn receive_opt_exception() {
    let server = spawn(server());
    for _ in 0..1000 {
        let lost = request(server);
        // The receive is dropped before it has an answer, or with an answer.
        let waits = async {
            yield_now().await;
            answer(lost).await;
        };
        let _ = timeout(Duration::ZERO, waits).await;
        answer(request(server)).await;
        // The answer to the abandoned call came before the other call's.
        receive! { reference: Reference => assert_eq!(reference, lost), after Duration::ZERO => {} }
    }
    assert!(has_none::<Reference>().await);
}

/// RECV-9: several calls in progress are answered in any order.
#[fika::test]
async fn multi_recv_opt() {
    let server = spawn(server());
    for order in 0..24_usize {
        let mut references: Vec<_> = (0..4).map(|_| request(server)).collect();
        for n in (1..=4).rev() {
            answer(references.remove((order * 7 + n) % n)).await;
        }
    }
    let (first, second) = (request(server), request(server));
    answer(second).await;
    answer(first).await;
    assert!(has_none::<Reference>().await);

    // There are more references than marks, before and after messages of others.
    let me = self_pid();
    let (mut requests, mut looks) = (Vec::new(), 0);
    for n in 0..20_u64 {
        (0..100).for_each(|_| send(me, n));
        requests.push(make_ref());
    }
    requests.iter().for_each(|reference| send(me, *reference));
    for reference in requests.into_iter().rev() {
        receive! {
            for reference,
            answer: Reference if answer == reference => {}
            n: u64 if { looks += 1; n == u64::MAX } => {}
            after LIMIT => panic!("no answer"),
        }
    }
    // Eight references look only at what was sent after them. The others look at everything.
    assert_eq!(looks, (0..8).map(|later| 100 * later).sum::<usize>() + 12 * 2000);
    for n in (0..20).flat_map(|n| [n; 100]) {
        assert_eq!(next::<u64>().await, n);
    }
    assert!(has_none::<Reference>().await);
}

/// RECV-9: abandoned references do not confuse later receives.
#[fika::test]
async fn multi_recv_opt_clear() {
    let server = spawn(server());
    for _ in 0..1000 {
        for _ in 0..10 {
            let _ = make_ref();
        }
        let abandoned = request(server);
        let wanted = request(server);
        answer(wanted).await;
        answer(abandoned).await;
    }
    for _ in 0..2000 {
        let _ = request(server);
    }
    answer(request(server)).await;
    let mut left = 0;
    while !has_none::<Reference>().await {
        left += 1;
    }
    assert_eq!(left, 2000);
}

/// RECV-9: a message that came before the reference was made is found by another receive.
#[fika::test]
async fn gh_5235_recv_mark() {
    let server = spawn(server());
    for n in 0..1000_u64 {
        send(self_pid(), n);
        let first = make_ref();
        send(self_pid(), first);
        let second = request(server);
        answer(second).await;
        answer(first).await;
        assert_eq!(next::<u64>().await, n);
    }
}

/// RECV-6: the mean error of short times is small, and no timeout is early.
#[fika::test]
async fn t_after() {
    let node = self_node();
    let mut late = Vec::new();
    for n in 1..=60 {
        let time = Duration::from_micros(n * 131);
        let begun = node.env().now();
        receive! { (): () => unreachable!(), after time => {} }
        let took = node.env().now().since(begun);
        assert!(took >= time, "{time:?} took {took:?}");
        late.push(took - time);
    }
    late.sort();
    assert!(late[late.len() / 2] < millis(20), "{late:?}");
}

/// RECV-4: a message that does not match neither restarts nor extends the time. A message that
/// matches ends it.
#[fika::test]
async fn receive_after() {
    let me = self_pid();
    let noise = spawn(async move {
        for n in 0_u64.. {
            send(me, n);
            sleep(millis(1)).await;
        }
    });
    let node = self_node();
    let begun = node.env().now();
    let out = receive! { _: String => false, after millis(30) => true };
    assert!(out);
    assert!(node.env().now().since(begun) >= millis(30));
    send(noise, ());
    exit_process(noise, ExitReason::Kill);
    assert!(!has_none::<u64>().await);

    for n in 0..200_u64 {
        spawn(async move { send(me, n.to_string()) });
        let text = receive! { text: String => text, after LIMIT => panic!("a timeout") };
        assert_eq!(text, n.to_string());
    }
    // The message has already arrived.
    send(me, String::from("there"));
    for time in [Duration::ZERO, Duration::from_nanos(1), millis(1)] {
        let text = receive! { text: String => text, after time => panic!("a timeout") };
        send(me, text);
    }
}

/// RECV-5: very large times are accepted, and do not fire.
#[fika::test]
async fn receive_after_big() {
    let times = [Duration::MAX, secs(u64::MAX), millis(u64::MAX), secs(1 << 40), secs(1 << 31)];
    for time in times {
        let me = self_pid();
        spawn(async move {
            yield_now().await;
            send(me, ());
        });
        receive! { (): () => {}, after time => panic!("{time:?} is over") }
    }
    assert!(timeout(Duration::MAX, async {}).await.is_ok());
    assert!(timeout(millis(1), sleep(Duration::MAX)).await.is_err());
    // Only the runtime's own timers for this test are left.
    let begun = self_node().env().now();
    while self_node().timer_count() > 0 {
        assert!(self_node().env().now().since(begun) < LIMIT, "a receive left its timer behind");
        yield_now().await;
    }
}

/// RECV-5: types prevent most invalid times. A time that can't be represented ends the process at
/// once, as any panic does.
#[fika::test]
async fn receive_after_errors() {
    for bad in [-1.0, -1e-9, f64::NAN, f64::INFINITY, 1e40] {
        let end = end_of(async move {
            receive! { _: u64 => {}, after Duration::from_secs_f64(bad) => {} }
        });
        match end.await {
            ExitReason::Panic(panic) => assert!(panic.message.contains("cannot convert"), "{bad}"),
            other => panic!("{bad}: {other}"),
        }
    }
}

/// RECV-3: with a time of zero in a variable, a receive looks at the whole mailbox once.
#[fika::test]
async fn receive_var_zero() {
    let zero = secs(0);
    let nothing = receive! { _: u64 => false, after zero => true };
    assert!(nothing);
    for n in 0..10_u64 {
        send(self_pid(), n);
    }
    let nothing = receive! { 10..: u64 => false, after zero => true };
    assert!(nothing, "nothing in the whole mailbox matches");
    let found = receive! { n @ 7: u64 => n, after zero => panic!("it is there") };
    assert_eq!(found, 7);
    for n in [0, 1, 2, 3, 4, 5, 6, 8, 9] {
        let found = receive! { n: u64 => n, after zero => panic!("{n} is there") };
        assert_eq!(found, n);
    }
    assert!(has_none::<u64>().await);
}

/// RECV-3, RECV-1: with a time of zero, a receive finds a message behind any number of others.
#[fika::test]
async fn receive_zero() {
    for others in [0, 1, 10, 1000] {
        for n in 0..others {
            send(self_pid(), n as u64);
        }
        send(self_pid(), String::from("wanted"));
        let found = receive! { text: String => text, after Duration::ZERO => String::new() };
        assert_eq!(found, "wanted");
        for n in 0..others {
            let found = receive! { n: u64 => n, after Duration::ZERO => panic!("{n} is there") };
            assert_eq!(found, n as u64);
        }
    }
    let nothing = receive! { _: u64 => false, after Duration::ZERO => true };
    assert!(nothing);
}

/// RECV-5: times around 2^32 ms are accepted, and do not fire.
#[fika::test]
async fn receive_after_32bit() {
    let base = 1_u64 << 32;
    for time in [base - 2, base - 1, base, base + 1, base + 100, 2 * base] {
        let me = self_pid();
        let timer = send_after(millis(5), me, ());
        receive! { (): () => {}, after millis(time) => panic!("{time} ms are over") }
        assert_eq!(cancel_timer(timer), None);
    }
}

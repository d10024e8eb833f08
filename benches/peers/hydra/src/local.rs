//! Processes that send and receive.

use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};
use hydra::{Message, Pid, Process, Reference};

use crate::message::{Say, echo, hear, hear_times, ping_times};

pub(crate) async fn spawn(p: Params) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    spawn_batches(n / 10, batch).await;
    let watch = Stopwatch::start();
    spawn_batches(n, batch).await;
    metric("ns_per_process", watch.stop().ns_each(n));
}

async fn spawn_batches(n: u64, batch: u64) {
    let me = Process::current();
    for _ in 0..n / batch {
        for _ in 0..batch {
            Process::spawn(async move { Process::send(me, Say::Done) });
        }
        hear_times(batch).await;
    }
}

pub(crate) async fn idle(p: Params) {
    let n = p.get("n");
    let mut pids = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    pids.extend((0..n).map(|_| Process::spawn(echo())));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    Process::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let me = Process::current();
    let watch = Stopwatch::start();
    pids.iter().for_each(|pid| Process::send(*pid, Say::Ping(me)));
    hear_times(n).await;
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}

pub(crate) async fn pingpong(p: Params) {
    let n = p.get("n");
    let (me, echo) = (Process::current(), Process::spawn(echo()));
    Process::spawn(async move {
        ping_times(echo, n / 10).await;
        let watch = Stopwatch::start();
        ping_times(echo, n).await;
        metric("ns_per_round_trip", watch.stop().ns_each(n));
        Process::send(me, Say::Done);
    });
    hear().await;
}

pub(crate) async fn pairs(p: Params) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    pairs_once(pairs, each / 10).await;
    let elapsed = pairs_once(pairs, each).await.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
}

async fn pairs_once(pairs: u64, each: u64) -> Stopwatch {
    let me = Process::current();
    let one = |_| {
        let echo = Process::spawn(echo());
        Process::spawn(async move {
            hear().await;
            ping_times(echo, each).await;
            Process::send(me, Say::Done);
        })
    };
    let askers: Vec<Pid> = (0..pairs).map(one).collect();
    let watch = Stopwatch::start();
    askers.into_iter().for_each(|asker| Process::send(asker, Say::Go));
    hear_times(pairs).await;
    watch
}

pub(crate) async fn ring(p: Params) {
    let hops = p.get("hops");
    let me = Process::current();
    let members: Vec<Pid> =
        (0..p.get("members")).map(|_| Process::spawn(ring_member(me))).collect();
    for (i, member) in members.iter().enumerate() {
        Process::send(*member, Say::Next(members[(i + 1) % members.len()]));
    }
    Process::send(members[0], Say::Token(hops / 10));
    hear().await;
    let watch = Stopwatch::start();
    Process::send(members[0], Say::Token(hops));
    hear().await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

async fn ring_member(home: Pid) {
    let mut next = home;
    loop {
        match hear().await {
            Say::Next(pid) => next = pid,
            Say::Token(0) => Process::send(home, Say::Done),
            Say::Token(left) => Process::send(next, Say::Token(left - 1)),
            _ => {}
        }
    }
}

pub(crate) async fn fanin(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let me = Process::current();
    let receiver = Process::spawn(async move {
        hear_times(senders * each).await;
        Process::send(me, Say::Done);
    });
    let one = |_| {
        Process::spawn(async move {
            hear().await;
            (0..each).for_each(|i| Process::send(receiver, Say::Item(i)));
        })
    };
    let all: Vec<Pid> = (0..senders).map(one).collect();
    let watch = Stopwatch::start();
    all.into_iter().for_each(|sender| Process::send(sender, Say::Go));
    hear().await;
    metric("messages_per_s", watch.stop().per_s(senders * each));
}

pub(crate) async fn big(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let me = Process::current();
    let members: Vec<Pid> = (0..n).map(|_| Process::spawn(big_member(me, rounds))).collect();
    let watch = Stopwatch::start();
    members.iter().for_each(|member| Process::send(*member, Say::Members(members.clone())));
    hear_times(n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

async fn big_member(home: Pid, rounds: u64) {
    let me = Process::current();
    // Pings of other members may arrive before the list.
    let members = loop {
        match hear().await {
            Say::Members(members) => break members,
            Say::Ping(from) => Process::send(from, Say::Pong),
            _ => {}
        }
    };
    for _ in 0..rounds {
        members.iter().filter(|pid| **pid != me).for_each(|pid| Process::send(*pid, Say::Ping(me)));
        let mut open = members.len() - 1;
        while open > 0 {
            match hear().await {
                Say::Ping(from) => Process::send(from, Say::Pong),
                _ => open -= 1,
            }
        }
    }
    Process::send(home, Say::Done);
    echo().await;
}

pub(crate) async fn selective(p: Params) {
    let (n, queue) = (p.get("n"), p.get("queue"));
    let (me, server) = (Process::current(), Process::spawn(echo()));
    for (name, junk, by_ref) in
        [("us_empty", 0, true), ("us_by_ref", queue, true), ("us_by_tag", queue, false)]
    {
        Process::spawn(async move {
            let own = Process::current();
            (0..junk).for_each(|i| Process::send(own, Say::Item(i)));
            calls(server, n / 10, by_ref).await;
            let watch = Stopwatch::start();
            calls(server, n, by_ref).await;
            metric(name, watch.stop().ns_each(n) / 1e3);
            Process::send(me, Say::Done);
        });
        hear().await;
    }
}

async fn calls(server: Pid, n: u64, by_ref: bool) {
    let me = Process::current();
    for _ in 0..n {
        let receiver = Process::receiver().for_message::<Say>();
        if by_ref {
            let mine = Reference::new();
            Process::send(server, Say::Call(me, mine));
            let wanted =
                |m: &Message<&Say>| matches!(m, Message::User(Say::Answer(r)) if *r == mine);
            receiver.select(wanted).await;
        } else {
            Process::send(server, Say::Ping(me));
            receiver.select(|m| matches!(m, Message::User(Say::Pong))).await;
        }
    }
}

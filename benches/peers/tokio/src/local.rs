//! Tasks and channels.

use std::sync::Arc;
use std::time::Duration;

use fika_bench_kit::{Params, Stopwatch, metric, rss_bytes};
use tokio::sync::{mpsc, oneshot};

type To<M> = mpsc::UnboundedSender<M>;
type Mailbox<M> = mpsc::UnboundedReceiver<M>;

/// The channel for the answer.
pub(crate) type Ping = To<()>;

/// Answers every ping.
pub(crate) fn echo() -> To<Ping> {
    let (to, mut mailbox) = mpsc::unbounded_channel::<Ping>();
    tokio::spawn(async move {
        while let Some(from) = mailbox.recv().await {
            let _ = from.send(());
        }
    });
    to
}

pub(crate) async fn ping_times(echo: &To<Ping>, n: u64) {
    let (me, mut mailbox) = mpsc::unbounded_channel();
    for _ in 0..n {
        let _ = echo.send(me.clone());
        mailbox.recv().await;
    }
}

async fn take(mailbox: &mut Mailbox<()>, n: u64) {
    for _ in 0..n {
        mailbox.recv().await;
    }
}

pub(crate) async fn spawn(p: Params) {
    let (n, batch) = (p.get("n"), p.get("batch"));
    spawn_batches(n / 10, batch).await;
    let watch = Stopwatch::start();
    spawn_batches(n, batch).await;
    metric("ns_per_process", watch.stop().ns_each(n));
}

async fn spawn_batches(n: u64, batch: u64) {
    let (me, mut mailbox) = mpsc::unbounded_channel();
    for _ in 0..n / batch {
        for _ in 0..batch {
            let home = me.clone();
            // A process has a mailbox even if it is not used.
            let (_to, own) = mpsc::unbounded_channel::<u64>();
            tokio::spawn(async move {
                let _own = own;
                let _ = home.send(());
            });
        }
        take(&mut mailbox, batch).await;
    }
}

pub(crate) async fn idle(p: Params) {
    let n = p.get("n");
    let mut tasks = Vec::with_capacity(p.size("n"));
    let before = rss_bytes();
    let watch = Stopwatch::start();
    tasks.extend((0..n).map(|_| echo()));
    metric("ns_per_spawn", watch.stop().ns_each(n));
    tokio::time::sleep(Duration::from_millis(p.get("settle_ms"))).await;
    metric("bytes_per_process", (rss_bytes() - before) / n as f64);
    let (me, mut mailbox) = mpsc::unbounded_channel();
    let watch = Stopwatch::start();
    for task in &tasks {
        let _ = task.send(me.clone());
    }
    take(&mut mailbox, n).await;
    metric("wake_all_ns_each", watch.stop().ns_each(n));
}

pub(crate) async fn pingpong(p: Params) {
    let n = p.get("n");
    let echo = echo();
    let asker = tokio::spawn(async move {
        ping_times(&echo, n / 10).await;
        let watch = Stopwatch::start();
        ping_times(&echo, n).await;
        metric("ns_per_round_trip", watch.stop().ns_each(n));
    });
    asker.await.expect("it does not panic");
}

pub(crate) async fn pairs(p: Params) {
    let (pairs, each) = (p.get("pairs"), p.get("each"));
    pairs_once(pairs, each / 10).await;
    let elapsed = pairs_once(pairs, each).await.stop();
    metric("round_trips_per_s", elapsed.per_s(pairs * each));
}

async fn pairs_once(pairs: u64, each: u64) -> Stopwatch {
    let (me, mut mailbox) = mpsc::unbounded_channel();
    let one = |_| {
        let (home, echo) = (me.clone(), echo());
        let (go, going) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let _ = going.await;
            ping_times(&echo, each).await;
            let _ = home.send(());
        });
        go
    };
    let askers: Vec<_> = (0..pairs).map(one).collect();
    let watch = Stopwatch::start();
    for asker in askers {
        let _ = asker.send(());
    }
    take(&mut mailbox, pairs).await;
    watch
}

pub(crate) async fn ring(p: Params) {
    let hops = p.get("hops");
    let (me, mut mailbox) = mpsc::unbounded_channel();
    let channels: Vec<(To<u64>, Mailbox<u64>)> =
        (0..p.get("members")).map(|_| mpsc::unbounded_channel()).collect();
    let to: Vec<To<u64>> = channels.iter().map(|(to, _)| to.clone()).collect();
    for (i, (_, mut tokens)) in channels.into_iter().enumerate() {
        let (next, home) = (to[(i + 1) % to.len()].clone(), me.clone());
        tokio::spawn(async move {
            while let Some(left) = tokens.recv().await {
                match left {
                    0 => drop(home.send(())),
                    left => drop(next.send(left - 1)),
                }
            }
        });
    }
    let first = to[0].clone();
    let _ = first.send(hops / 10);
    take(&mut mailbox, 1).await;
    let watch = Stopwatch::start();
    let _ = first.send(hops);
    take(&mut mailbox, 1).await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

pub(crate) async fn fanin(p: Params) {
    let (senders, each) = (p.get("senders"), p.get("each"));
    let (to, mut items) = mpsc::unbounded_channel::<u64>();
    let receiver = tokio::spawn(async move {
        for _ in 0..senders * each {
            items.recv().await;
        }
    });
    let one = |_| {
        let to = to.clone();
        let (go, going) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let _ = going.await;
            for i in 0..each {
                let _ = to.send(i);
            }
        });
        go
    };
    let all: Vec<_> = (0..senders).map(one).collect();
    let watch = Stopwatch::start();
    for go in all {
        let _ = go.send(());
    }
    receiver.await.expect("it does not panic");
    metric("messages_per_s", watch.stop().per_s(senders * each));
}

/// The messages of `big`.
enum Big {
    Ping(To<Big>),
    Pong,
}

pub(crate) async fn big(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let (me, mut mailbox) = mpsc::unbounded_channel();
    let channels: Vec<(To<Big>, Mailbox<Big>)> =
        (0..n).map(|_| mpsc::unbounded_channel()).collect();
    let all: Vec<To<Big>> = channels.iter().map(|(to, _)| to.clone()).collect();
    let all = Arc::new(all);
    let one = |(to, mailbox): (To<Big>, Mailbox<Big>)| {
        let home = me.clone();
        let (go, going) = oneshot::channel::<Arc<Vec<To<Big>>>>();
        tokio::spawn(async move {
            let members = going.await.expect("the loop has started all of them");
            big_member(to, mailbox, &members, rounds, home).await;
        });
        go
    };
    let gos: Vec<_> = channels.into_iter().map(one).collect();
    let watch = Stopwatch::start();
    for go in gos {
        let _ = go.send(all.clone());
    }
    take(&mut mailbox, n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

async fn big_member(
    me: To<Big>,
    mut mailbox: Mailbox<Big>,
    members: &[To<Big>],
    rounds: u64,
    home: To<()>,
) {
    for _ in 0..rounds {
        for other in members.iter().filter(|other| !other.same_channel(&me)) {
            let _ = other.send(Big::Ping(me.clone()));
        }
        let mut open = members.len() - 1;
        while open > 0 {
            match mailbox.recv().await {
                Some(Big::Ping(from)) => drop(from.send(Big::Pong)),
                _ => open -= 1,
            }
        }
    }
    let _ = home.send(());
    while let Some(message) = mailbox.recv().await {
        if let Big::Ping(from) = message {
            let _ = from.send(Big::Pong);
        }
    }
}

pub(crate) async fn call(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let (server, mut requests) = mpsc::unbounded_channel::<oneshot::Sender<u64>>();
    tokio::spawn(async move {
        let mut n = 0;
        while let Some(from) = requests.recv().await {
            n += 1;
            let _ = from.send(n);
        }
    });
    calls(&server, each / 10).await;
    let (me, mut mailbox) = mpsc::unbounded_channel();
    let one = |_| {
        let (server, home) = (server.clone(), me.clone());
        let (go, going) = oneshot::channel::<()>();
        tokio::spawn(async move {
            let _ = going.await;
            calls(&server, each).await;
            let _ = home.send(());
        });
        go
    };
    let all: Vec<_> = (0..clients).map(one).collect();
    let watch = Stopwatch::start();
    for go in all {
        let _ = go.send(());
    }
    take(&mut mailbox, clients).await;
    metric("calls_per_s", watch.stop().per_s(clients * each));
}

async fn calls(server: &To<oneshot::Sender<u64>>, n: u64) {
    for _ in 0..n {
        let (answer, answered) = oneshot::channel();
        let _ = server.send(answer);
        let _ = answered.await;
    }
}

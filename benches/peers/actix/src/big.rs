//! big: every actor pings all others and answers all others, in rounds.

use std::sync::Arc;

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::mpsc::unbounded_channel;

use crate::arbiters;
use crate::echo::{Done, all_done};

struct Member {
    members: Arc<Vec<Addr<Member>>>,
    open: usize,
    rounds: u64,
    done: Done,
}

impl Actor for Member {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Members(Arc<Vec<Addr<Member>>>);

#[derive(Message)]
#[rtype(result = "()")]
struct Ping(Addr<Member>);

#[derive(Message)]
#[rtype(result = "()")]
struct Pong;

impl Member {
    fn round(&mut self, me: &Addr<Member>) {
        self.open = self.members.len() - 1;
        let others = self.members.iter().filter(|other| *other != me);
        others.for_each(|other| other.do_send(Ping(me.clone())));
    }
}

impl Handler<Members> for Member {
    type Result = ();

    fn handle(&mut self, members: Members, context: &mut Self::Context) {
        self.members = members.0;
        self.round(&context.address());
    }
}

impl Handler<Ping> for Member {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.0.do_send(Pong);
    }
}

impl Handler<Pong> for Member {
    type Result = ();

    fn handle(&mut self, _: Pong, context: &mut Self::Context) {
        self.open -= 1;
        if self.open > 0 {
            return;
        }
        self.rounds -= 1;
        if self.rounds > 0 {
            self.round(&context.address());
        } else {
            let _ = self.done.send(());
        }
    }
}

pub(crate) async fn run(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let arbiters = arbiters();
    let (done, mut all) = unbounded_channel();
    let one = |i| {
        let done = done.clone();
        let member = move |_: &mut _| Member { members: Arc::default(), open: 0, rounds, done };
        Member::start_in_arbiter(&arbiters[i as usize % arbiters.len()].handle(), member)
    };
    let members: Arc<Vec<Addr<Member>>> = Arc::new((0..n).map(one).collect());
    let watch = Stopwatch::start();
    members.iter().for_each(|member| member.do_send(Members(members.clone())));
    all_done(&mut all, n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

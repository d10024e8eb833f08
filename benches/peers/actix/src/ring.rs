//! ring: one token goes around, on one arbiter.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, all_done};

struct Member {
    next: Option<Addr<Member>>,
    done: Done,
}

impl Actor for Member {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
struct Next(Addr<Member>);

#[derive(Message)]
#[rtype(result = "()")]
struct Token(u64);

impl Handler<Next> for Member {
    type Result = ();

    fn handle(&mut self, next: Next, _: &mut Self::Context) {
        self.next = Some(next.0);
    }
}

impl Handler<Token> for Member {
    type Result = ();

    fn handle(&mut self, token: Token, _: &mut Self::Context) {
        match (token.0, &self.next) {
            (0, _) => drop(self.done.send(())),
            (left, Some(next)) => next.do_send(Token(left - 1)),
            (_, None) => {}
        }
    }
}

pub(crate) async fn run(p: Params) {
    let hops = p.get("hops");
    let (done, mut all) = unbounded_channel();
    let arbiter = Arbiter::new().handle();
    let one = |_| {
        let done = done.clone();
        Member::start_in_arbiter(&arbiter, move |_| Member { next: None, done })
    };
    let members: Vec<Addr<Member>> = (0..p.get("members")).map(one).collect();
    for (i, member) in members.iter().enumerate() {
        member.do_send(Next(members[(i + 1) % members.len()].clone()));
    }
    members[0].do_send(Token(hops / 10));
    all_done(&mut all, 1).await;
    let watch = Stopwatch::start();
    members[0].do_send(Token(hops));
    all_done(&mut all, 1).await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

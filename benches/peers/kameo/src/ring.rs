//! ring: one token goes around. big: every actor pings all others.

use std::sync::Arc;

use fika_bench_kit::{Params, Stopwatch, metric};
use kameo::prelude::*;
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, all_done, start, tell};

#[derive(Actor)]
struct RingMember {
    next: Option<ActorRef<RingMember>>,
    done: Done,
}

struct Next(ActorRef<RingMember>);

struct Token(u64);

impl Message<Next> for RingMember {
    type Reply = ();

    async fn handle(&mut self, next: Next, _: &mut Context<Self, ()>) {
        self.next = Some(next.0);
    }
}

impl Message<Token> for RingMember {
    type Reply = ();

    async fn handle(&mut self, token: Token, _: &mut Context<Self, ()>) {
        match (token.0, &self.next) {
            (0, _) => drop(self.done.send(())),
            (left, Some(next)) => tell(next, Token(left - 1)),
            (_, None) => {}
        }
    }
}

pub(crate) async fn run(p: Params) {
    let hops = p.get("hops");
    let (done, mut all) = unbounded_channel();
    let one = |_| start(RingMember { next: None, done: done.clone() });
    let members: Vec<ActorRef<RingMember>> = (0..p.get("members")).map(one).collect();
    for (i, member) in members.iter().enumerate() {
        tell(member, Next(members[(i + 1) % members.len()].clone()));
    }
    tell(&members[0], Token(hops / 10));
    all_done(&mut all, 1).await;
    let watch = Stopwatch::start();
    tell(&members[0], Token(hops));
    all_done(&mut all, 1).await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

#[derive(Actor)]
struct Member {
    members: Arc<Vec<ActorRef<Member>>>,
    open: usize,
    rounds: u64,
    done: Done,
}

struct Members(Arc<Vec<ActorRef<Member>>>);

struct Ping(ActorRef<Member>);

struct Pong;

impl Member {
    fn round(&mut self, me: &ActorRef<Member>) {
        self.open = self.members.len() - 1;
        let others = self.members.iter().filter(|other| other.id() != me.id());
        others.for_each(|other| tell(other, Ping(me.clone())));
    }
}

impl Message<Members> for Member {
    type Reply = ();

    async fn handle(&mut self, members: Members, context: &mut Context<Self, ()>) {
        let me = context.actor_ref().clone();
        self.members = members.0;
        self.round(&me);
    }
}

impl Message<Ping> for Member {
    type Reply = ();

    async fn handle(&mut self, ping: Ping, _: &mut Context<Self, ()>) {
        tell(&ping.0, Pong);
    }
}

impl Message<Pong> for Member {
    type Reply = ();

    async fn handle(&mut self, _: Pong, context: &mut Context<Self, ()>) {
        self.open -= 1;
        if self.open > 0 {
            return;
        }
        self.rounds -= 1;
        if self.rounds > 0 {
            let me = context.actor_ref().clone();
            self.round(&me);
        } else {
            let _ = self.done.send(());
        }
    }
}

pub(crate) async fn run_big(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let (done, mut all) = unbounded_channel();
    let one = |_| start(Member { members: Arc::default(), open: 0, rounds, done: done.clone() });
    let members: Arc<Vec<ActorRef<Member>>> = Arc::new((0..n).map(one).collect());
    let watch = Stopwatch::start();
    members.iter().for_each(|member| tell(member, Members(members.clone())));
    all_done(&mut all, n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

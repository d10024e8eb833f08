//! ring: one token goes around. big: every actor pings all others.

use std::sync::Arc;

use fika_bench_kit::{Params, Stopwatch, metric};
use ractor::{Actor, ActorRef};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, Handled, all_done, start, tell};

struct RingMember;

struct InRing {
    next: Option<ActorRef<Token>>,
    done: Done,
}

enum Token {
    Next(ActorRef<Token>),
    Left(u64),
}

impl Actor for RingMember {
    type Msg = Token;
    type State = InRing;
    type Arguments = Done;

    async fn pre_start(&self, _: ActorRef<Token>, done: Done) -> Handled<InRing> {
        Ok(InRing { next: None, done })
    }

    async fn handle(&self, _: ActorRef<Token>, token: Token, ring: &mut InRing) -> Handled {
        match (token, &ring.next) {
            (Token::Next(next), _) => ring.next = Some(next),
            (Token::Left(0), _) => drop(ring.done.send(())),
            (Token::Left(left), Some(next)) => tell(next, Token::Left(left - 1)),
            (Token::Left(_), None) => {}
        }
        Ok(())
    }
}

pub(crate) async fn run(p: Params) {
    let hops = p.get("hops");
    let (done, mut all) = unbounded_channel();
    let mut members = Vec::new();
    for _ in 0..p.get("members") {
        members.push(start(RingMember, done.clone()).await);
    }
    for (i, member) in members.iter().enumerate() {
        tell(member, Token::Next(members[(i + 1) % members.len()].clone()));
    }
    tell(&members[0], Token::Left(hops / 10));
    all_done(&mut all, 1).await;
    let watch = Stopwatch::start();
    tell(&members[0], Token::Left(hops));
    all_done(&mut all, 1).await;
    metric("ns_per_hop", watch.stop().ns_each(hops));
}

struct Member;

struct InBig {
    members: Arc<Vec<ActorRef<Big>>>,
    open: usize,
    rounds: u64,
    done: Done,
}

enum Big {
    Members(Arc<Vec<ActorRef<Big>>>),
    Ping(ActorRef<Big>),
    Pong,
}

impl InBig {
    fn round(&mut self, me: &ActorRef<Big>) {
        self.open = self.members.len() - 1;
        let others = self.members.iter().filter(|other| other.get_id() != me.get_id());
        others.for_each(|other| tell(other, Big::Ping(me.clone())));
    }

    fn answered(&mut self, me: &ActorRef<Big>) {
        self.open -= 1;
        if self.open > 0 {
            return;
        }
        self.rounds -= 1;
        if self.rounds > 0 {
            self.round(me);
        } else {
            let _ = self.done.send(());
        }
    }
}

impl Actor for Member {
    type Msg = Big;
    type State = InBig;
    type Arguments = (u64, Done);

    async fn pre_start(&self, _: ActorRef<Big>, (rounds, done): (u64, Done)) -> Handled<InBig> {
        Ok(InBig { members: Arc::default(), open: 0, rounds, done })
    }

    async fn handle(&self, me: ActorRef<Big>, message: Big, big: &mut InBig) -> Handled {
        match message {
            Big::Members(members) => {
                big.members = members;
                big.round(&me);
            }
            Big::Ping(from) => tell(&from, Big::Pong),
            Big::Pong => big.answered(&me),
        }
        Ok(())
    }
}

pub(crate) async fn run_big(p: Params) {
    let (n, rounds) = (p.get("n"), p.get("rounds"));
    let (done, mut all) = unbounded_channel();
    let mut members = Vec::new();
    for _ in 0..n {
        members.push(start(Member, (rounds, done.clone())).await);
    }
    let members = Arc::new(members);
    let watch = Stopwatch::start();
    members.iter().for_each(|member| tell(member, Big::Members(members.clone())));
    all_done(&mut all, n).await;
    metric("messages_per_s", watch.stop().per_s(2 * rounds * n * (n - 1)));
}

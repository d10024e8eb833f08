//! The actors of most workloads: one answers pings, the other sends them.

use kameo::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Tells the workload that an actor has done its work.
pub(crate) type Done = UnboundedSender<()>;

/// Waits until this many actors have done their work.
pub(crate) async fn all_done(done: &mut UnboundedReceiver<()>, n: u64) {
    for _ in 0..n {
        done.recv().await;
    }
}

/// Starts an actor with an unbounded mailbox.
pub(crate) fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

/// Sends without waiting. Does nothing if the actor has ended.
pub(crate) fn tell<A: Message<M>, M: Send + 'static>(to: &ActorRef<A>, message: M) {
    let _ = to.tell(message).try_send();
}

/// Answers pings.
#[derive(Actor)]
pub(crate) struct Echo;

pub(crate) struct Ping(pub(crate) ActorRef<Asker>);

impl Message<Ping> for Echo {
    type Reply = ();

    async fn handle(&mut self, ping: Ping, _: &mut Context<Self, ()>) {
        tell(&ping.0, Pong);
    }
}

/// A ping that the workload sends.
pub(crate) struct Hello(pub(crate) Done);

impl Message<Hello> for Echo {
    type Reply = ();

    async fn handle(&mut self, hello: Hello, _: &mut Context<Self, ()>) {
        let _ = hello.0.send(());
    }
}

/// Sends a number of pings.
#[derive(Actor)]
pub(crate) struct Asker {
    pub(crate) echo: ActorRef<Echo>,
    pub(crate) left: u64,
    pub(crate) done: Done,
}

pub(crate) struct Pong;

/// The signal to send this many pings.
pub(crate) struct Go(pub(crate) u64);

impl Message<Go> for Asker {
    type Reply = ();

    async fn handle(&mut self, go: Go, context: &mut Context<Self, ()>) {
        self.left = go.0;
        tell(&self.echo, Ping(context.actor_ref().clone()));
    }
}

impl Message<Pong> for Asker {
    type Reply = ();

    async fn handle(&mut self, _: Pong, context: &mut Context<Self, ()>) {
        self.left -= 1;
        if self.left > 0 {
            tell(&self.echo, Ping(context.actor_ref().clone()));
        } else {
            let _ = self.done.send(());
        }
    }
}

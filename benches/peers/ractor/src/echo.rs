//! The actor that answers, and the one that asks.

use ractor::{Actor, ActorProcessingErr, ActorRef, Message};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Tells the workload that something has been done.
pub(crate) type Done = UnboundedSender<()>;

/// What a handler returns.
pub(crate) type Handled<T = ()> = Result<T, ActorProcessingErr>;

/// Waits until so many have been done.
pub(crate) async fn all_done(done: &mut UnboundedReceiver<()>, n: u64) {
    for _ in 0..n {
        done.recv().await;
    }
}

/// Starts an actor without a name.
pub(crate) async fn start<A: Actor>(actor: A, arguments: A::Arguments) -> ActorRef<A::Msg> {
    Actor::spawn(None, actor, arguments).await.expect("it starts").0
}

/// Sends. To an actor that has ended, it sends nothing.
pub(crate) fn tell<M: Message>(to: &ActorRef<M>, message: M) {
    let _ = to.cast(message);
}

/// Answers.
pub(crate) struct Echo;

pub(crate) enum Ping {
    Of(ActorRef<Pong>),
    /// Of no actor.
    Hello(Done),
}

impl Actor for Echo {
    type Msg = Ping;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Ping>, (): ()) -> Handled {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Ping>, ping: Ping, (): &mut ()) -> Handled {
        match ping {
            Ping::Of(from) => tell(&from, Pong::Back),
            Ping::Hello(done) => drop(done.send(())),
        }
        Ok(())
    }
}

/// Asks so many times.
pub(crate) struct Asker;

pub(crate) struct Asking {
    pub(crate) echo: ActorRef<Ping>,
    pub(crate) left: u64,
    pub(crate) done: Done,
}

pub(crate) enum Pong {
    /// Begin with so many.
    Go(u64),
    Back,
}

impl Actor for Asker {
    type Msg = Pong;
    type State = Asking;
    type Arguments = Asking;

    async fn pre_start(&self, _: ActorRef<Pong>, asking: Asking) -> Handled<Asking> {
        Ok(asking)
    }

    async fn handle(&self, me: ActorRef<Pong>, pong: Pong, asking: &mut Asking) -> Handled {
        match pong {
            Pong::Go(n) => asking.left = n,
            Pong::Back => asking.left -= 1,
        }
        if asking.left > 0 {
            tell(&asking.echo, Ping::Of(me));
        } else {
            let _ = asking.done.send(());
        }
        Ok(())
    }
}

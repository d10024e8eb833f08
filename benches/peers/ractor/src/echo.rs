//! The actors that most workloads consist of: one answers pings, the other sends them.

use ractor::{Actor, ActorProcessingErr, ActorRef, Message};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Tells the workload that an actor has done its work.
pub(crate) type Done = UnboundedSender<()>;

/// The result of a handler.
pub(crate) type Handled<T = ()> = Result<T, ActorProcessingErr>;

/// Waits until this many actors have done their work.
pub(crate) async fn all_done(done: &mut UnboundedReceiver<()>, n: u64) {
    for _ in 0..n {
        done.recv().await;
    }
}

/// Starts an actor without a name.
pub(crate) async fn start<A: Actor>(actor: A, arguments: A::Arguments) -> ActorRef<A::Msg> {
    Actor::spawn(None, actor, arguments).await.expect("it starts").0
}

/// Sends. Does nothing if the actor has ended.
pub(crate) fn tell<M: Message>(to: &ActorRef<M>, message: M) {
    let _ = to.cast(message);
}

/// Answers pings.
pub(crate) struct Echo;

pub(crate) enum Ping {
    Of(ActorRef<Pong>),
    /// A ping that the workload sends.
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

/// Sends a number of pings.
pub(crate) struct Asker;

pub(crate) struct Asking {
    pub(crate) echo: ActorRef<Ping>,
    pub(crate) left: u64,
    pub(crate) done: Done,
}

pub(crate) enum Pong {
    /// The signal to send this many pings.
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

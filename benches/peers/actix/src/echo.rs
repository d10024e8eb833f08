//! The actor that answers, and the one that asks.

use actix::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Tells the workload that something has been done.
pub(crate) type Done = UnboundedSender<()>;

/// Waits until so many have been done.
pub(crate) async fn all_done(done: &mut UnboundedReceiver<()>, n: u64) {
    for _ in 0..n {
        done.recv().await;
    }
}

/// Answers.
pub(crate) struct Echo;

impl Actor for Echo {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Ping(pub(crate) Addr<Asker>);

impl Handler<Ping> for Echo {
    type Result = ();

    fn handle(&mut self, ping: Ping, _: &mut Self::Context) {
        ping.0.do_send(Pong);
    }
}

/// A ping of no actor.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Hello(pub(crate) Done);

impl Handler<Hello> for Echo {
    type Result = ();

    fn handle(&mut self, hello: Hello, _: &mut Self::Context) {
        let _ = hello.0.send(());
    }
}

/// Asks so many times.
pub(crate) struct Asker {
    pub(crate) echo: Addr<Echo>,
    pub(crate) left: u64,
    pub(crate) done: Done,
}

impl Actor for Asker {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Pong;

/// Begin with so many.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Go(pub(crate) u64);

impl Handler<Go> for Asker {
    type Result = ();

    fn handle(&mut self, go: Go, context: &mut Self::Context) {
        self.left = go.0;
        self.echo.do_send(Ping(context.address()));
    }
}

impl Handler<Pong> for Asker {
    type Result = ();

    fn handle(&mut self, _: Pong, context: &mut Self::Context) {
        self.left -= 1;
        if self.left > 0 {
            self.echo.do_send(Ping(context.address()));
        } else {
            let _ = self.done.send(());
        }
    }
}

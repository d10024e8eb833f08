//! The actors that most workloads consist of: one answers pings, the other sends them.

use actix::prelude::*;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

/// Tells the workload that an actor has done its work.
pub(crate) type Done = UnboundedSender<()>;

/// Waits until this many actors have done their work.
pub(crate) async fn all_done(done: &mut UnboundedReceiver<()>, n: u64) {
    for _ in 0..n {
        done.recv().await;
    }
}

/// Answers pings.
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

/// A ping that the workload sends.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Hello(pub(crate) Done);

impl Handler<Hello> for Echo {
    type Result = ();

    fn handle(&mut self, hello: Hello, _: &mut Self::Context) {
        let _ = hello.0.send(());
    }
}

/// Sends a number of pings.
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

/// The signal to send this many pings.
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

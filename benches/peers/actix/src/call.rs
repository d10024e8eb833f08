//! call: requests with an answer. The server and all clients share one arbiter.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::{mpsc::unbounded_channel, watch};

use crate::echo::all_done;

struct Server(u64);

impl Actor for Server {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Call;

impl Handler<Call> for Server {
    type Result = u64;

    fn handle(&mut self, _: Call, _: &mut Self::Context) -> u64 {
        self.0 += 1;
        self.0
    }
}

pub(crate) async fn run(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let arbiter = Arbiter::new();
    let server = Server::start_in_arbiter(&arbiter.handle(), |_| Server(0));
    calls(&server, each / 10).await;
    let (done, mut all) = unbounded_channel();
    let (go, going) = watch::channel(());
    for _ in 0..clients {
        let (server, done, mut going) = (server.clone(), done.clone(), going.clone());
        arbiter.spawn(async move {
            let _ = going.changed().await;
            calls(&server, each).await;
            let _ = done.send(());
        });
    }
    let watch = Stopwatch::start();
    let _ = go.send(());
    all_done(&mut all, clients).await;
    metric("calls_per_s", watch.stop().per_s(clients * each));
}

async fn calls(server: &Addr<Server>, n: u64) {
    for _ in 0..n {
        let _ = server.send(Call).await;
    }
}

//! call: calls of a gen_server, by one client and by a hundred.

use fika::gen_server::{self, Call, Caller, GenServer, HandleCall, Init, Reply, ServerRef, Start};
use fika::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};

use super::echo::{Done, Go, all_done};

#[message]
struct Hi;

struct Server(u64);

impl GenServer for Server {
    type Args = ();
    type Receives = (Call<Hi>,);

    async fn init((): ()) -> Init<Self> {
        Init::ok(Server(0))
    }
}

impl HandleCall<Hi> for Server {
    type Reply = ();

    async fn handle_call(&mut self, _: Hi, _: &mut Caller<'_, ()>) -> Reply<()> {
        self.0 += 1;
        ().into()
    }
}

pub(super) async fn run(p: Params) {
    let (clients, each) = (p.get("clients"), p.get("each"));
    let server = gen_server::start::<Server>(Start::new(), ()).await.expect("it starts");
    rounds(&server, clients, each / 10).await;
    let elapsed = rounds(&server, clients, each).await.stop();
    metric("calls_per_s", elapsed.per_s(clients * each));
}

async fn rounds(server: &ServerRef<Server>, clients: u64, each: u64) -> Stopwatch {
    let me = self_pid();
    let one = |_| {
        let server = server.clone();
        spawn(async move {
            receive! { Go => {} }
            for _ in 0..each {
                server.call(Hi).await.expect("it answers");
            }
            send(me, Done);
        })
    };
    let callers: Vec<Pid> = (0..clients).map(one).collect();
    let watch = Stopwatch::start();
    callers.into_iter().for_each(|caller| send(caller, Go));
    all_done(clients).await;
    watch
}

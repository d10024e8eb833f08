//! supervisor: each actor has one of its own, which starts it again when it stops.

use actix::prelude::*;
use fika_bench_kit::{Params, Stopwatch, metric};
use tokio::sync::mpsc::unbounded_channel;

use crate::echo::{Done, all_done};

struct Child(Done);

impl Actor for Child {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Self::Context) {
        let _ = self.0.send(());
    }
}

impl Supervised for Child {}

#[derive(Message)]
#[rtype(result = "()")]
struct Die;

impl Handler<Die> for Child {
    type Result = ();

    fn handle(&mut self, _: Die, context: &mut Self::Context) {
        context.stop();
    }
}

pub(crate) async fn run(p: Params) {
    let n = p.get("children");
    let (done, mut all) = unbounded_channel();
    let one = |_| {
        let done = done.clone();
        Supervisor::start(move |_| Child(done))
    };
    let watch = Stopwatch::start();
    let children: Vec<Addr<Child>> = (0..n).map(one).collect();
    all_done(&mut all, n).await;
    metric("start_child_per_s", watch.stop().per_s(n));
    let watch = Stopwatch::start();
    children.iter().for_each(|child| child.do_send(Die));
    all_done(&mut all, n).await;
    metric("restart_all_ms", watch.stop().ms());
}

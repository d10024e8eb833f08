extern crate fika_runtime as fika;
use fika::*;
use fika_macros::{Message, receive};
use fika_otp::gen_server::{self, *};
use fika_otp::*;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

#[derive(Serialize, Deserialize, Message)]
struct Add(i64);
struct Counter(i64);
impl GenServer for Counter {
    type Args = i64;
    type Receives = (Call<Add>,);
    async fn init(n: i64) -> Init<Self> {
        Init::ok(Counter(n))
    }
}
impl HandleCall<Add> for Counter {
    type Reply = i64;
    async fn handle_call(&mut self, Add(by): Add, _: &mut Caller<'_, i64>) -> Reply<i64> {
        self.0 += by;
        self.0.into()
    }
}
#[derive(Serialize, Deserialize, Message)]
struct Ping(Pid, i64);
fn main() {
    let node = Node::builder().build().unwrap();
    node.block_on(async {
        let n = 3_000_000u64;
        for _ in 0..3 {
            let me = self_pid();
            let ponger = spawn(async move {
                loop {
                    receive! { Ping(from, n) => send(from, n) }
                }
            });
            let t = Instant::now();
            for i in 0..n as i64 {
                send(ponger, Ping(me, i));
                receive! { _n: i64 => () }
            }
            println!("raw {:.1} ns", t.elapsed().as_nanos() as f64 / n as f64);
            exit_process(ponger, ExitReason::Kill);
            let c = gen_server::start_link::<Counter>(Start::new(), 0).await.unwrap();
            let t = Instant::now();
            for _ in 0..n {
                c.call(Add(1)).await.unwrap();
            }
            println!("call {:.1} ns", t.elapsed().as_nanos() as f64 / n as f64);
            let t = Instant::now();
            let mut ends = Vec::new();
            for _ in 0..100 {
                let c = c.clone();
                ends.push(
                    Ended::spawn(async move {
                        for _ in 0..n / 100 {
                            c.call(Add(1)).await.unwrap();
                        }
                    })
                    .1,
                );
            }
            for e in ends {
                e.await;
            }
            println!("100 clients {:.1} ns", t.elapsed().as_nanos() as f64 / n as f64);
        }
        let _ = Duration::ZERO;
    });
}

use fika::gen_server::{Caller, Reply};
use fika::prelude::*;

struct Counter(i64);

#[gen_server]
impl Counter {
    async fn init() -> Self {
        Counter(0)
    }

    #[call]
    async fn other_caller(&mut self, caller: &mut Caller<'_, String>) -> Reply<i64> {
        drop(caller.reply_later());
        Reply::later()
    }

    #[call]
    async fn other_value(&mut self) -> Reply<i64> {
        Reply::now("one")
    }

    #[call]
    async fn other_type(&mut self) -> i64 {
        "one"
    }
}

fn main() {}

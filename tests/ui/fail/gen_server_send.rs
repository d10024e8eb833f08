use std::rc::Rc;

use fika::prelude::*;

struct Counter(i64);

#[gen_server]
impl Counter {
    async fn init() -> Self {
        Counter(0)
    }

    #[call]
    async fn keeps(&mut self) -> i64 {
        let count = Rc::new(1);
        sleep(millis(1)).await;
        self.0 + *count
    }
}

fn main() {}

use std::rc::Rc;

use fika::prelude::*;

struct NoMessage;

#[remote]
async fn argument(_value: NoMessage) {}

#[remote]
async fn not_send() {
    let n = Rc::new(1);
    let _: u64 = receive! { n: u64 => n };
    drop(n);
}

fn main() {}

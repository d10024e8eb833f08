use fika::prelude::*;
use fika::process::{spawn_link_on, try_spawn_on};

#[remote]
async fn work() {}

#[fika::main]
async fn main() {
    let pid = spawn_on("a@b", work());
    send(pid, 1_u64);
    monitor(spawn_link_on("a@b", work()));
    link(spawn_on("a@b", work()));
    let _ = try_spawn_on("a@b", work()).is_ok();
}

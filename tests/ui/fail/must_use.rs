#![deny(warnings)]

use fika::prelude::*;
use fika::inspect::{is_process_alive, process_info};
use fika::message::{AliasOpts, send_wait};
use fika::net::{disconnect_node, ping};
use fika::process::{MonitorOpts, SpawnOpts, hibernate, spawn_blocking, yield_now};

#[remote]
async fn work() {}

async fn forgets() {
    sleep(secs(1));
    fika::timer::sleep(secs(1));
    timeout(secs(1), async {});
    yield_now();
    spawn_blocking(|| ());
    work();
    spawn_on("a@b", work());
    connect_node("a@b");
    disconnect_node("a@b");
    ping("a@b");
    send_wait(self_pid(), ());
    hibernate();
    process_info(self_pid(), &[]);
    is_process_alive(self_pid());
    Node::builder().workers(2);
    SpawnOpts::new().link();
    AliasOpts::new().reply();
    MonitorOpts::new();
    fika::inspect::processes_iter();
}

#[fika::main]
async fn main() {
    forgets().await;
}
